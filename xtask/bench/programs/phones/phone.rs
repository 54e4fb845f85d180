//! One phone: what it sends, and what it makes of what it hears. It has no socket and no clock.

use bytes::Bytes;
use callwright_sip::digest::{self, Secret};
use callwright_sip::{Message, Method, Name, Text};

/// Everybody's password.
const PASSWORD: &str = "secret";
/// How long a registration is wanted for, in seconds.
pub(crate) const EXPIRES_S: u32 = 3_600;

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";

/// One phone.
#[derive(Default)]
pub(crate) struct Phone {
    pub(crate) number: u32,
    pub(crate) registered: bool,
    cseq: u32,
    /// The challenge that it answers for as long as the switch accepts it, and how often it did.
    challenge: Option<Text>,
    answered: u32,
    /// Its part of the call that it has, if it called.
    pub(crate) call: Option<Call>,
}

/// A call of a phone that called.
pub(crate) struct Call {
    /// To of the 200 and Contact of it: what ACK and BYE are made of.
    pub(crate) answered: Option<(Text, Text)>,
    /// CSeq of the INVITE within it that waits for its answer.
    pub(crate) changing: Option<u32>,
    pub(crate) over: bool,
}

impl Phone {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Its extension.
    pub(crate) fn name(number: u32) -> String {
        format!("d{number:07}")
    }

    /// A REGISTER; `expires` of 0 takes the binding away.
    pub(crate) fn register(&mut self, contact: &str, expires: u32) -> Bytes {
        let name = Self::name(self.number);
        let aor = format!("<sip:{name}@bench.example>");
        self.request(&Method::Register, "sip:bench.example", &aor, &format!("reg-{name}"), &aor)
            .with(Name::Contact, format!("<sip:{name}@{contact}>"))
            .with(Name::Expires, expires.to_string())
            .to_bytes()
    }

    /// The INVITE to another phone.
    pub(crate) fn invite(&mut self, contact: &str, to: u32) -> Bytes {
        let name = Self::name(self.number);
        self.call = Some(Call { answered: None, changing: None, over: false });
        let uri = format!("sip:u{to:07}@bench.example");
        let from = format!("<sip:{name}@bench.example>");
        self.request(&Method::Invite, &uri, &from, &format!("call-{name}"), &format!("<{uri}>"))
            .with(Name::Contact, format!("<sip:{name}@{contact}>"))
            .with_body("application/sdp", SDP)
            .to_bytes()
    }

    /// The ACK to the 200 of an INVITE, which has the CSeq of that INVITE (RFC 3261 §13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32) -> Option<Bytes> {
        Some(self.within(&Method::Ack, cseq)?.to_bytes())
    }

    /// An INVITE within its call.
    pub(crate) fn change(&mut self, contact: &str) -> Option<Bytes> {
        self.cseq += 1;
        let cseq = self.cseq;
        let invite = self.within(&Method::Invite, cseq)?;
        self.call.as_mut()?.changing = Some(cseq);
        let contact = format!("<sip:{}@{contact}>", Self::name(self.number));
        Some(invite.with(Name::Contact, contact).with_body("application/sdp", SDP).to_bytes())
    }

    /// The BYE that ends its call.
    pub(crate) fn bye(&mut self) -> Option<Bytes> {
        self.cseq += 1;
        Some(self.within(&Method::Bye, self.cseq)?.to_bytes())
    }

    /// Remembers a challenge; false where the one it answered was no good.
    pub(crate) fn challenged(&mut self, response: &Message) -> bool {
        let challenge = response.headers.get(&Name::WwwAuthenticate).map(Text::detached);
        let first =
            self.answered == 0 || challenge.as_ref().is_some_and(|text| text.lossy().contains("stale=true"));
        (self.challenge, self.answered) = (challenge, 0);
        first
    }

    fn within(&self, method: &Method, cseq: u32) -> Option<Message> {
        let (to, target) = self.call.as_ref()?.answered.clone()?;
        let name = Self::name(self.number);
        let request = Message::request(method.clone(), target)
            .with(Name::Via, via(&name, method, cseq))
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("<sip:{name}@bench.example>;tag=t{name}"))
            .with(Name::To, to)
            .with(Name::CallId, format!("call-{name}"))
            .with(Name::CSeq, format!("{cseq} {method}"));
        Some(request)
    }

    fn request(&mut self, method: &Method, uri: &str, from: &str, call_id: &str, to: &str) -> Message {
        self.cseq += 1;
        let (name, cseq) = (Self::name(self.number), self.cseq);
        let request = Message::request(method.clone(), uri)
            .with(Name::Via, via(&name, method, cseq))
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("{from};tag=t{name}"))
            .with(Name::To, to)
            .with(Name::CallId, call_id)
            .with(Name::CSeq, format!("{cseq} {method}"));
        let Some(challenge) = &self.challenge else { return request };
        self.answered += 1;
        let secret = Secret::new(PASSWORD);
        let proof = digest::answer(challenge, method, &uri.into(), &name, &secret, &name, self.answered);
        match proof {
            Ok(proof) => request.with(Name::Authorization, proof),
            Err(_) => request,
        }
    }
}

fn via(name: &str, method: &Method, cseq: u32) -> String {
    format!("SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-{name}-{cseq}-{method};rport")
}

/// The answer to what a phone is asked, if it has one: it takes every call at once.
pub(crate) fn answer(request: &Message, contact: &str) -> Option<Bytes> {
    let method = request.method().filter(|method| **method != Method::Ack)?;
    let mut response = Message::reply(request, 200);
    if *method == Method::Invite {
        response.tag_to(&"answer".into());
        response = response.with(Name::Contact, format!("<sip:{contact}>")).with_body("application/sdp", SDP);
    }
    Some(response.to_bytes())
}
