//! Races planted round the switch: each is wrong in one order of events only, and an explorer that plays all of them
//! must find it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use callwright_core::{Change, Deadline, Effect, Input, Node, Now, View};
use callwright_sip::Flow;

use crate::fault::without_reason;
use crate::glance::Glance;
use crate::world::switch::Switch;

/// Something that the switch does wrong on purpose, in one order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It forgets a CANCEL that it held until the phone rang, where another phone has answered meanwhile.
    HeldCancelForgotten,
    /// It tells the third phone to ring nothing of another's answer.
    ThirdToldNothing,
    /// It does not hang up on an answer that came after the ring's time.
    LateAnswerKept,
    /// It loses the record of a call whose caller's CANCEL crossed the 200, where the callee then hangs up first.
    RecordLost,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::HeldCancelForgotten, Self::ThirdToldNothing, Self::LateAnswerKept, Self::RecordLost];
}

/// The production node with one flaw.
pub(super) struct Flawed {
    node: Node,
    flaw: Flaw,
    ready: VecDeque<Effect>,
    /// Phones in the order in which they rang.
    rang: Vec<Flow>,
    /// The caller has its 200.
    is_answered: bool,
    /// The caller's CANCEL came after that.
    has_crossed: bool,
    /// Phones that were cancelled without a reason.
    timed_out: BTreeSet<Flow>,
}

impl Flawed {
    pub(super) fn new(node: Node, flaw: Flaw) -> Self {
        Self {
            node,
            flaw,
            ready: VecDeque::new(),
            rang: Vec::new(),
            is_answered: false,
            has_crossed: false,
            timed_out: BTreeSet::new(),
        }
    }

    fn distorted(&mut self, effect: Effect, heard: Option<&(Flow, Glance)>) -> Option<Effect> {
        match effect {
            Effect::Transmit { flow, bytes } => {
                self.transmitted(flow, bytes, heard).map(|bytes| Effect::Transmit { flow, bytes })
            }
            Effect::Store { ticket, mut changes } => {
                let by_callee = heard
                    .is_some_and(|(flow, message)| message.is_request("BYE") && self.rang.contains(flow));
                if self.flaw == Flaw::RecordLost && self.has_crossed && by_callee {
                    changes.retain(|change| !matches!(change, Change::Ended { .. }));
                }
                Some(Effect::Store { ticket, changes })
            }
            other @ (Effect::Close { .. }
            | Effect::Believe { .. }
            | Effect::Start(_)
            | Effect::Answer { .. }
            | Effect::Stop { .. }
            | Effect::Withdraw(_)
            | Effect::Tell { .. }
            | Effect::Wish { .. }) => Some(other),
        }
    }

    fn transmitted(&mut self, flow: Flow, bytes: Bytes, heard: Option<&(Flow, Glance)>) -> Option<Bytes> {
        let Some(message) = Glance::of(&bytes) else { return Some(bytes) };
        self.is_answered |= message.status == 200 && message.method == "INVITE";
        if message.is_request("CANCEL") && message.reason_text().is_none() {
            self.timed_out.insert(flow);
        }
        let came = |status: u16| heard.is_some_and(|(from, heard)| *from == flow && heard.status == status);
        match self.flaw {
            Flaw::HeldCancelForgotten if message.is_request("CANCEL") && self.is_answered && came(180) => {
                None
            }
            Flaw::ThirdToldNothing if message.is_request("CANCEL") && self.rang.get(2) == Some(&flow) => {
                Some(without_reason(&bytes))
            }
            Flaw::LateAnswerKept
                if message.is_request("BYE") && came(200) && self.timed_out.contains(&flow) =>
            {
                None
            }
            Flaw::HeldCancelForgotten | Flaw::ThirdToldNothing | Flaw::LateAnswerKept | Flaw::RecordLost => {
                Some(bytes)
            }
        }
    }
}

impl Switch for Flawed {
    fn handle(&mut self, now: Now, input: Input) {
        let heard = match &input {
            Input::Received { flow, bytes } => Glance::of(bytes).map(|message| (*flow, message)),
            Input::Closed { .. }
            | Input::Tick
            | Input::Run { .. }
            | Input::Stored { .. }
            | Input::Configured(_)
            | Input::Rules { .. }
            | Input::Wished { .. }
            | Input::Tenant { .. }
            | Input::Drain
            | Input::ShutDown => None,
        };
        if let Some((flow, message)) = &heard {
            if message.status == 180 {
                self.rang.push(*flow);
            }
            self.has_crossed |= message.is_request("CANCEL") && self.is_answered;
        }
        self.node.handle(now, input);
        while let Some(effect) = self.node.poll() {
            let effect = self.distorted(effect, heard.as_ref());
            self.ready.extend(effect);
        }
    }

    fn poll(&mut self) -> Option<Effect> {
        self.ready.pop_front()
    }

    fn deadline(&self) -> Option<Deadline> {
        self.node.deadline()
    }

    fn view(&self) -> Arc<View> {
        self.node.view()
    }
}
