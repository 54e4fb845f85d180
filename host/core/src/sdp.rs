//! The little a switch without media must read of session descriptions: hold, and refusing an offer.

use bytes::Bytes;

/// Whether a description puts the other side on hold: `sendonly`, `inactive` or `c=0.0.0.0` (TELEPHONY T16).
pub(crate) fn is_hold(sdp: &[u8]) -> bool {
    lines(sdp).any(|line| {
        matches!(line, b"a=sendonly" | b"a=inactive")
            || line.strip_prefix(b"c=IN IP4 ").is_some_and(|at| at == b"0.0.0.0")
    })
}

/// The answer that takes part in none of an offer's streams: each m-line with port 0 (RFC 3264 §6).
pub(crate) fn refuse_all(offer: &[u8]) -> Bytes {
    let mut answer = Vec::with_capacity(160);
    answer.extend_from_slice(b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n");
    for line in lines(offer).filter(|line| line.starts_with(b"m=")) {
        let mut fields = line.split(|byte| *byte == b' ');
        let (Some(media), Some(_port)) = (fields.next(), fields.next()) else { continue };
        answer.extend_from_slice(media);
        answer.extend_from_slice(b" 0");
        for field in fields {
            answer.push(b' ');
            answer.extend_from_slice(field);
        }
        answer.extend_from_slice(b"\r\n");
    }
    answer.into()
}

/// The answer to an offer that takes its streams and sends and hears nothing (RFC 3264 §6.1); to none, such an offer.
pub(crate) fn inactive(offer: &[u8]) -> Bytes {
    let mut answer = Vec::with_capacity(200);
    answer.extend_from_slice(b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n");
    let mut streams = lines(offer).filter(|line| line.starts_with(b"m=")).peekable();
    if streams.peek().is_none() {
        answer.extend_from_slice(b"m=audio 9 RTP/AVP 8 0\r\na=inactive\r\n");
    }
    for line in streams {
        let mut fields = line.split(|byte| *byte == b' ');
        let (Some(media), Some(port)) = (fields.next(), fields.next()) else { continue };
        answer.extend_from_slice(media);
        // The discard port: nothing comes here. A stream that was not offered is not taken.
        answer.extend_from_slice(if port == b"0" { b" 0" } else { b" 9" });
        for field in fields {
            answer.push(b' ');
            answer.extend_from_slice(field);
        }
        answer.extend_from_slice(b"\r\na=inactive\r\n");
    }
    answer.into()
}

/// Whether two descriptions have the same origin line: then a re-INVITE only refreshes (RFC 3264 §8).
pub(crate) fn same_origin(one: &[u8], other: &[u8]) -> bool {
    fn origin(sdp: &[u8]) -> Option<&[u8]> {
        lines(sdp).find(|line| line.starts_with(b"o="))
    }
    origin(one).is_some() && origin(one) == origin(other)
}

fn lines(sdp: &[u8]) -> impl Iterator<Item = &[u8]> {
    sdp.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &[u8] = b"v=0\r\no=u 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\nm=video 4002 RTP/AVP 96\r\n";

    // spec: RFC 3264 §6
    #[test]
    fn a_refused_offer_has_port_0_in_every_m_line() {
        let answer = refuse_all(OFFER);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.contains("m=audio 0 RTP/AVP 8 101\r\n") && text.contains("m=video 0 RTP/AVP 96\r\n"),
            "{text}"
        );
    }

    // spec: RFC 3264 §8.4
    #[test]
    fn sendonly_inactive_and_the_null_address_are_hold() {
        for line in ["a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0"] {
            assert!(is_hold(format!("v=0\r\n{line}\r\n").as_bytes()), "{line}");
        }
        assert!(!is_hold(OFFER));
        assert!(!is_hold(b"a=recvonly\r\n"));
    }

    #[test]
    fn an_unchanged_origin_is_a_refresh_and_garbage_is_not() {
        assert!(same_origin(OFFER, OFFER));
        assert!(!same_origin(OFFER, b"o=u 1 2 IN IP4 10.0.0.1\r\n"));
        assert!(!same_origin(b"", b""));
    }
}
