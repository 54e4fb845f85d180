//! What an onlooker reads off a printed SIP message.
//!
//! Deliberately naive and apart from `host/sip`: who checks the switch must not share its parser. It reads the long
//! header names that switch and phones print, one header a line, and refuses to know any grammar beyond that.

/// The few things about a message that checks and ladders need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    /// Method of a request; empty for a response.
    pub(crate) request: String,
    /// Request-URI.
    pub(crate) uri: String,
    /// Status of a response; 0 for a request.
    pub(crate) status: u16,
    /// Reason phrase of a response.
    pub(crate) phrase: String,
    /// Call-ID.
    pub(crate) call_id: String,
    /// Number of the CSeq.
    pub(crate) cseq: u32,
    /// Method of the CSeq.
    pub(crate) method: String,
    /// Tag of From.
    pub(crate) from_tag: String,
    /// Tag of To; empty outside a dialog.
    pub(crate) to_tag: String,
    /// Branch of the top Via.
    pub(crate) branch: String,
    /// The whole header block, for what only one check asks.
    head: String,
    /// Whether a body follows.
    pub(crate) has_body: bool,
}

impl Glance {
    /// Reads a message; none where it is none, as a keep-alive.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (start, headers) = head.split_once("\r\n")?;
        let mut glance = Self { head: headers.to_owned(), has_body: !body.is_empty(), ..Self::default() };
        let mut words = start.splitn(3, ' ');
        let first = words.next()?;
        if first == "SIP/2.0" {
            glance.status = words.next()?.parse().ok()?;
            glance.phrase = words.next().unwrap_or_default().to_owned();
        } else {
            glance.request = first.to_owned();
            glance.uri = words.next()?.to_owned();
        }
        glance.call_id = glance.header("Call-ID")?.to_owned();
        let (cseq, method) = glance.header("CSeq")?.split_once(' ')?;
        (glance.cseq, glance.method) = (cseq.parse().ok()?, method.trim().to_owned());
        glance.from_tag =
            glance.header("From").and_then(|value| param(value, "tag")).unwrap_or_default().to_owned();
        glance.to_tag =
            glance.header("To").and_then(|value| param(value, "tag")).unwrap_or_default().to_owned();
        glance.branch =
            glance.header("Via").and_then(|value| param(value, "branch")).unwrap_or_default().to_owned();
        Some(glance)
    }

    /// The first header of that name, as printed.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim_end().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether it is a request of that method.
    pub(crate) fn is_request(&self, method: &str) -> bool {
        self.request == method
    }

    /// Whether it is a response to that method.
    pub(crate) fn is_response_to(&self, method: &str) -> bool {
        self.status != 0 && self.method == method
    }

    /// A request that begins something rather than belonging to a dialog.
    pub(crate) fn is_initial(&self) -> bool {
        self.status == 0 && self.to_tag.is_empty()
    }

    /// Text of the SIP reason that tells a phone why it lost (RFC 3326 §2).
    pub(crate) fn reason_text(&self) -> Option<&str> {
        let reason = self.header("Reason")?;
        let (_, after) = reason.split_once("text=\"")?;
        after.split_once('"').map(|(text, _)| text)
    }

    /// What stands on the arrow of a ladder.
    pub(crate) fn label(&self) -> String {
        let is_session = self.header("Content-Type").is_none_or(|kind| kind.ends_with("/sdp"));
        let body = match (self.has_body, is_session) {
            (true, true) => " sdp",
            (true, false) => " with a body",
            (false, _) => "",
        };
        match (self.status, self.method.as_str()) {
            (0, _) => format!("{}{body}", self.request),
            (status, "INVITE") => format!("{status} {}{body}", self.phrase),
            (status, method) => format!("{status} ({method}){body}"),
        }
    }
}

/// The value of a header parameter.
pub(crate) fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    // Parameters within <> belong to the URI.
    let outside = value.split_once('>').map_or(value, |(_, after)| after);
    outside.split(';').skip(1).find_map(|part| {
        let (found, value) = part.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read() {
        let glance = Glance::of(
            b"BYE sip:1011@10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\nFrom: <sip:a;tag=no@x>;tag=a1\r\nTo: <sip:b@x>;tag=b1\r\n\
              Call-ID: c1\r\nCSeq: 7 BYE\r\nReason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
        assert!(glance.is_request("BYE") && !glance.is_initial());
        assert_eq!(
            (glance.from_tag.as_str(), glance.to_tag.as_str(), glance.branch.as_str()),
            ("a1", "b1", "z9hG4bK1")
        );
        assert_eq!(glance.reason_text(), Some("Call completed elsewhere"));
        assert_eq!(glance.label(), "BYE");
    }

    #[test]
    fn a_response_is_read() {
        let glance = Glance::of(b"SIP/2.0 180 Ringing\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n\r\nv=0").unwrap();
        assert!(glance.is_response_to("INVITE"));
        assert_eq!(glance.label(), "180 Ringing sdp");
    }

    #[test]
    fn a_keep_alive_is_no_message() {
        assert_eq!(Glance::of(b"\r\n\r\n"), None);
    }
}
