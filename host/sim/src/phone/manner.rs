//! How a simulated phone takes calls, and what it can be told to do.

use std::time::Duration;

use bytes::Bytes;
use callwright_sip::Flow;

/// How a phone takes an incoming call. The default rings and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The sign of life that it gives.
    pub sign: Sign,
    /// How long after the INVITE.
    pub sign_after: Duration,
    /// What follows.
    pub then: Then,
    /// How long after the INVITE.
    pub then_after: Duration,
    /// What a CANCEL does.
    pub on_cancel: OnCancel,
    /// Hangs up after having talked so long.
    pub talks_for: Option<Duration>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            sign: Sign::Ringing,
            sign_after: Duration::ZERO,
            then: Then::Nothing,
            then_after: Duration::ZERO,
            on_cancel: OnCancel::Obeys,
            talks_for: None,
        }
    }
}

/// The sign of life that a phone gives when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// No response at all, not even 100, whatever else it was told.
    Silent,
    /// 100 and nothing else.
    Trying,
    /// 180.
    Ringing,
    /// 183 with SDP.
    Progress,
}

/// What a phone does after its sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: it goes on as it is.
    Nothing,
    /// 200 with SDP.
    Answer,
    /// Two 200 with To tags of their own, as from two phones behind a proxy.
    AnswerTwice,
    /// A final response other than 2xx.
    Refuse(u16),
    /// 302 to that number or URI.
    Deflect(String),
}

/// What a CANCEL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// The call ends with 487.
    Obeys,
    /// The phone answers all the same, as when its 200 crosses the CANCEL.
    Answers,
}

/// What happens to a phone.
#[derive(Clone, Debug)]
pub enum PhoneInput {
    /// A datagram, or a chunk of its connection.
    Received(Bytes),
    /// Its connection is closed.
    Closed,
    /// It has a new way to the switch.
    Connected(Flow),
    /// Its deadline has come. Harmless at any other time.
    Tick,
    /// Somebody presses a key.
    Order(Order),
}

/// What a phone asks of its outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneEffect {
    /// Sends bytes to the switch.
    Transmit(Bytes),
    /// Closes its connection.
    Close,
}

/// The keys of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Registers, and keeps the registration alive.
    Register,
    /// Takes its binding back.
    Unregister,
    /// Calls somebody.
    Call(Dial),
    /// Hangs up: CANCEL, BYE or a refusal, as the call stands.
    HangUp(Which),
    /// Answers a ringing call now.
    Answer,
    /// Puts the other side on hold.
    Hold(Which),
    /// Takes the other side back.
    Resume(Which),
    /// Refreshes the session without changing it.
    Refresh(Which),
    /// Takes calls in another way from now on.
    Manner(Manner),
    /// Subscribes to an event, and keeps the subscription alive.
    Subscribe(Subscribe),
    /// Ends its subscription.
    Unsubscribe,
    /// Asks by a SUBSCRIBE with that document for something to be otherwise.
    SetFeature(String),
    /// Takes NOTIFYs in another way from now on.
    OnNotify(OnNotify),
}

/// What a phone subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The event package.
    pub event: String,
    /// For how long, in seconds; 0 only asks.
    pub expires_s: u32,
}

impl Default for Subscribe {
    fn default() -> Self {
        Self { event: "as-feature-event".to_owned(), expires_s: 600 }
    }
}

/// How a phone takes a NOTIFY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNotify {
    /// 200.
    #[default]
    Takes,
    /// That status.
    Refuses(u16),
    /// No response at all.
    Silent,
}

/// Which of a phone's calls is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The outgoing call of that name.
    Named(String),
    /// The one that began last.
    Latest,
}

/// An outgoing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// A name to speak of it by; also its mark in the ladder of events.
    pub name: String,
    /// An extension, a number, or a whole URI.
    pub to: String,
    /// Whether the INVITE carries SDP, or leaves the offer to the callee.
    pub offer: Offer,
    /// Further headers, by name and value.
    pub headers: Vec<(String, String)>,
}

/// Who makes the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The INVITE carries it.
    Early,
    /// The 2xx carries it and the ACK answers.
    Late,
}

impl Dial {
    /// An ordinary call with SDP.
    #[must_use]
    pub fn new(name: &str, to: &str) -> Self {
        Self { name: name.to_owned(), to: to.to_owned(), offer: Offer::Early, headers: Vec::new() }
    }
}
