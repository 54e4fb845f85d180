//! One call of a phone, in the state it is in.

use std::collections::BTreeMap;

use callwright_sip::{ClientTx, Dialog, Message, ServerTx, Text};

use super::manner::Manner;
use super::sdp::{self, Direction, Sdp};

/// A phone's own number for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineId(pub(crate) u64);

/// One call of a phone.
#[derive(Debug)]
pub(crate) struct Line {
    /// What orders call it; none where somebody called us.
    pub(crate) name: Option<String>,
    /// What we last described.
    pub(crate) ours: Sdp,
    /// Where it stands.
    pub(crate) state: State,
}

/// Where a call stands. Each state owns exactly what it needs.
#[derive(Debug)]
pub(crate) enum State {
    /// Our INVITE has no final response.
    Calling(Calling),
    /// Their INVITE has none.
    Ringing(Box<Ringing>),
    /// A 2xx went over.
    Talking(Box<Talking>),
    /// Between two states, while a transition decides.
    Gone,
}

/// Our INVITE on its way.
#[derive(Debug)]
pub(crate) struct Calling {
    /// The transaction of the last attempt.
    pub(crate) tx: ClientTx,
    /// The INVITE, to be sent again with credentials.
    pub(crate) invite: Message,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// We hung up; what follows is only cleaned up.
    pub(crate) is_given_up: bool,
    /// The phone heard in each early dialog: its first description counts, later ones do not (RFC 3261 §13.2.1).
    pub(crate) heard: BTreeMap<Text, String>,
}

/// Their INVITE, not answered yet.
#[derive(Debug)]
pub(crate) struct Ringing {
    /// The transaction.
    pub(crate) tx: ServerTx,
    /// Their INVITE.
    pub(crate) invite: Message,
    /// Our tag.
    pub(crate) tag: Text,
    /// How it is taken.
    pub(crate) manner: Manner,
}

/// An established call.
#[derive(Debug)]
pub(crate) struct Talking {
    /// The dialog.
    pub(crate) dialog: Dialog,
    /// Their INVITE's transaction where they called and their ACK is still to come.
    pub(crate) unacknowledged: Option<ServerTx>,
    /// Our re-INVITE or UPDATE without a final response.
    pub(crate) change: Option<Change>,
    /// Whether we sent the first INVITE: it decides who waits longer after a glare.
    pub(crate) is_ours: bool,
    /// We were put on hold.
    pub(crate) is_held: bool,
    /// Whose description we hear.
    pub(crate) hears: Option<String>,
}

/// A change of ours under way.
#[derive(Debug)]
pub(crate) struct Change {
    /// Its transaction; none while it waits to be tried again.
    pub(crate) tx: Option<ClientTx>,
    /// CSeq of the request, for the ACK.
    pub(crate) cseq: u32,
    /// What we asked for.
    pub(crate) wanted: Direction,
}

impl Talking {
    /// A call that was just established.
    pub(crate) fn new(dialog: Dialog, unacknowledged: Option<ServerTx>, is_ours: bool) -> Self {
        Self { dialog, unacknowledged, change: None, is_ours, is_held: false, hears: None }
    }
}

impl Calling {
    /// Notes what a response describes, where it is the first of its early dialog.
    pub(crate) fn hear(&mut self, response: &Message) {
        let tag = response.to().ok().and_then(|to| to.tag());
        if let (Some(tag), Some(owner)) = (tag, sdp::owner_of(&response.body)) {
            self.heard.entry(tag).or_insert(owner);
        }
    }
}
