//! The session descriptions of a simulated phone: one audio stream, and whose it is.

use std::net::SocketAddr;

use bytes::Bytes;

/// Which way the audio flows, as seen by who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Both ways.
    Both,
    /// The other side is on hold.
    Sending,
    /// We were put on hold.
    Receiving,
}

/// One side's description. The owner's name in `o=` is what tests read to tell who is heard.
#[derive(Clone, Debug)]
pub(crate) struct Sdp {
    /// The phone's extension.
    pub(crate) owner: String,
    /// Stays the same for the call.
    pub(crate) session: u64,
    /// Counts changes.
    pub(crate) version: u64,
    /// Which way the audio flows.
    pub(crate) direction: Direction,
}

impl Sdp {
    /// Writes it for a phone at that address.
    pub(crate) fn print(&self, at: SocketAddr) -> Bytes {
        let (ip, family) = (at.ip(), if at.is_ipv4() { "IP4" } else { "IP6" });
        let direction = match self.direction {
            Direction::Both => "sendrecv",
            Direction::Sending => "sendonly",
            Direction::Receiving => "recvonly",
        };
        // RTP is not simulated; the port only has to be the phone's own and even.
        let port = 10_000 + (u32::from(at.port()) % 20_000) * 2;
        Bytes::from(format!(
            "v=0\r\no={} {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na={direction}\r\n",
            self.owner, self.session, self.version
        ))
    }
}

/// Whose description it is; none where there is none.
pub(crate) fn owner_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("o="))
        .and_then(|origin| origin.split(' ').next())
        .map(str::to_owned)
}

/// Which way an answer to that offer flows.
pub(crate) fn answering(offer: &[u8]) -> Direction {
    let text = String::from_utf8_lossy(offer);
    let is_held =
        text.lines().any(|line| matches!(line.trim_end(), "a=sendonly" | "a=inactive" | "c=IN IP4 0.0.0.0"));
    if is_held { Direction::Receiving } else { Direction::Both }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_and_a_hold_are_read_back() {
        let mut sdp = Sdp { owner: "1001".to_owned(), session: 7, version: 1, direction: Direction::Both };
        let at = "10.0.0.5:5060".parse().unwrap();
        assert_eq!(owner_of(&sdp.print(at)).as_deref(), Some("1001"));
        assert_eq!(answering(&sdp.print(at)), Direction::Both);
        sdp.direction = Direction::Sending;
        assert_eq!(answering(&sdp.print(at)), Direction::Receiving);
        assert_eq!(owner_of(b""), None);
    }
}
