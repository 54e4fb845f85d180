//! Faults planted round the switch, one for each invariant: what finds nothing when the switch is wrong proves nothing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use callwright_core::Node;
use callwright_core::names::RunId;
use callwright_core::rule::{RunEvent, RunOutcome};
use callwright_core::{Change, Deadline, Effect, Input, Now, View};
use callwright_sip::Flow;

use crate::checks::Invariant;
use crate::glance::Glance;
use crate::world::switch::Switch;

/// Something that the switch does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It forgets to cancel.
    DropCancel,
    /// It sends a second final response.
    SecondFinal,
    /// It forgets a record.
    ForgetRecord,
    /// It writes a record twice.
    RecordTwice,
    /// It tells losers nothing.
    WrongReason,
    /// It names every tenant to every phone.
    LeakTenant,
    /// It counts a millisecond too much.
    WrongDuration,
    /// It forgets to hang up on legs.
    LegOutlives,
    /// It logs an error.
    LogError,
    /// A rule's failure rings a phone of another call again.
    SpreadFault,
    /// It sends one message very often.
    Flood,
    /// It challenges strangers twice.
    Amplify,
    /// It forgets a binding.
    ForgetBinding,
    /// It shows whoever talks as idle.
    HidePresence,
    /// It never tells the store that a binding is over.
    KeepUnbound,
    /// It never tells the store what rules keep.
    ForgetKept,
    /// It wants to be woken for nothing, for ever.
    StandStill,
    /// It still shows a call that is over.
    GhostCall,
    /// It tells a phone that it is registered although the store refused.
    BelieveStore,
    /// It rings for a run that was stopped.
    ObeyStopped,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::DropCancel,
        Self::SecondFinal,
        Self::ForgetRecord,
        Self::RecordTwice,
        Self::WrongReason,
        Self::LeakTenant,
        Self::WrongDuration,
        Self::LegOutlives,
        Self::LogError,
        Self::SpreadFault,
        Self::Flood,
        Self::Amplify,
        Self::ForgetBinding,
        Self::HidePresence,
        Self::KeepUnbound,
        Self::ForgetKept,
        Self::StandStill,
        Self::GhostCall,
        Self::BelieveStore,
        Self::ObeyStopped,
    ];

    /// The invariant that it breaks.
    #[must_use]
    pub fn breaks(self) -> Invariant {
        match self {
            Self::DropCancel | Self::LegOutlives => Invariant::LegsEndWithTheirCall,
            Self::SecondFinal => Invariant::OneFinalResponse,
            Self::ForgetRecord | Self::RecordTwice => Invariant::OneRecordACall,
            Self::WrongReason => Invariant::LosersAreToldWhy,
            Self::LeakTenant => Invariant::TenantsAreApart,
            Self::WrongDuration => Invariant::DurationsAreRight,
            Self::LogError => Invariant::NoErrorIsLogged,
            Self::SpreadFault => Invariant::FaultsStayInTheirCall,
            Self::Flood => Invariant::BoundsHold,
            Self::Amplify => Invariant::StrangersGetNoMore,
            Self::ForgetBinding => Invariant::RegistrarIsAsModelled,
            Self::HidePresence => Invariant::PresenceIsAsModelled,
            Self::KeepUnbound | Self::ForgetKept | Self::BelieveStore => Invariant::StoreHasIt,
            Self::StandStill => Invariant::TimeGoesOn,
            Self::GhostCall => Invariant::NothingIsLeft,
            Self::ObeyStopped => Invariant::StoppedRunsHaveNoSay,
        }
    }
}

/// How often a flooding switch sends one message.
const FLOOD: usize = 1_000;

/// The production node with one fault.
pub(crate) struct Faulty {
    node: Node,
    fault: Fault,
    ready: VecDeque<Effect>,
    /// INVITEs of legs, to be sent again for no reason.
    rung: Vec<(Flow, Bytes)>,
    stopped: BTreeSet<RunId>,
    ghost: Option<Arc<callwright_core::view::CallView>>,
    now: Option<Now>,
    stands: bool,
}

impl Faulty {
    pub(crate) fn new(node: Node, fault: Fault) -> Self {
        Self {
            node,
            fault,
            ready: VecDeque::new(),
            rung: Vec::new(),
            stopped: BTreeSet::new(),
            ghost: None,
            now: None,
            stands: false,
        }
    }

    fn distort(&mut self, effect: Effect) {
        match effect {
            Effect::Transmit { flow, bytes } => self.transmit(flow, bytes),
            Effect::Store { ticket, changes } => {
                let changes = changes.into_iter().flat_map(|change| self.change(change)).collect();
                self.ready.push_back(Effect::Store { ticket, changes });
            }
            Effect::Stop { run } => {
                self.stopped.insert(run);
                self.ready.push_back(Effect::Stop { run });
            }
            other @ (Effect::Close { .. }
            | Effect::Believe { .. }
            | Effect::Start(_)
            | Effect::Answer { .. }
            | Effect::Withdraw(_)
            | Effect::Tell { .. }
            | Effect::Wish { .. }) => self.ready.push_back(other),
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        let Some(message) = Glance::of(&bytes) else {
            self.ready.push_back(Effect::Transmit { flow, bytes });
            return;
        };
        let is_final_to_invite = message.status >= 200 && message.method == "INVITE";
        let is_leg = message.is_request("INVITE") && message.is_initial();
        if is_leg {
            self.rung.push((flow, bytes.clone()));
        }
        let (copies, bytes) = match self.fault {
            Fault::DropCancel if message.is_request("CANCEL") => (0, bytes),
            Fault::LegOutlives if message.is_request("BYE") => (0, bytes),
            Fault::Flood if is_leg => (FLOOD, bytes),
            Fault::Amplify if message.status == 401 || message.status == 407 => (2, bytes),
            Fault::WrongReason => (1, without_reason(&bytes)),
            Fault::LeakTenant => (1, self.naming_everybody(&bytes)),
            Fault::SecondFinal if is_final_to_invite && message.status < 300 => {
                self.ready.push_back(Effect::Transmit { flow, bytes: bytes.clone() });
                (1, as_busy(&bytes))
            }
            Fault::LogError if is_leg => {
                tracing::error!("a planted error");
                (1, bytes)
            }
            Fault::DropCancel
            | Fault::LegOutlives
            | Fault::Flood
            | Fault::Amplify
            | Fault::SecondFinal
            | Fault::LogError
            | Fault::ForgetRecord
            | Fault::RecordTwice
            | Fault::WrongDuration
            | Fault::SpreadFault
            | Fault::ForgetBinding
            | Fault::HidePresence
            | Fault::KeepUnbound
            | Fault::ForgetKept
            | Fault::StandStill
            | Fault::GhostCall
            | Fault::BelieveStore
            | Fault::ObeyStopped => (1, bytes),
        };
        self.stands |= self.fault == Fault::StandStill && is_leg;
        self.ready.extend(std::iter::repeat_n(Effect::Transmit { flow, bytes }, copies));
    }

    fn change(&self, change: Change) -> Vec<Change> {
        match (change, self.fault) {
            (Change::Ended { .. }, Fault::ForgetRecord)
            | (Change::Unbound { .. }, Fault::KeepUnbound)
            | (Change::Kept { .. }, Fault::ForgetKept) => Vec::new(),
            (change @ Change::Ended { .. }, Fault::RecordTwice) => vec![change.clone(), change],
            (Change::Ended { record, journal }, Fault::WrongDuration) => {
                let mut record = (*record).clone();
                record.setup_ms += 1;
                vec![Change::Ended { record: Arc::new(record), journal }]
            }
            (change, _) => vec![change],
        }
    }

    fn naming_everybody(&self, bytes: &Bytes) -> Bytes {
        let names: Vec<_> =
            self.node.view().config.tenants.values().map(|tenant| tenant.domain().to_owned()).collect();
        with_header(bytes, &format!("X-Tenants: {}", names.join(" ")))
    }

    /// After a failed run every other ringing leg is signalled again.
    /// Whether the INVITEs that would be sent again are of more calls than one, so that a fault's own is not all.
    fn rings_spread(&self) -> bool {
        let sessions = self.again().filter_map(|(_, bytes)| session_of(&Glance::of(bytes)?));
        sessions.collect::<BTreeSet<_>>().len() > 1
    }

    fn again(&self) -> impl Iterator<Item = &(Flow, Bytes)> {
        self.rung.iter().rev().take(4)
    }

    fn spread(&mut self) {
        let rung: Vec<_> = self.again().cloned().collect();
        self.ready.extend(rung.into_iter().map(|(flow, bytes)| Effect::Transmit { flow, bytes }));
    }
}

impl Switch for Faulty {
    fn handle(&mut self, now: Now, input: Input) {
        self.now = Some(now);
        let is_failure = matches!(&input, Input::Run { event: RunEvent::Ended(outcome), .. } if *outcome != RunOutcome::Ok);
        let is_dead = matches!(&input, Input::Run { run, event: RunEvent::Asked { .. }, .. } if self.stopped.contains(run));
        let mut input = input;
        if let Input::Stored { result, .. } = &mut input
            && self.fault == Fault::BelieveStore
        {
            *result = Ok(());
        }
        let before = self.node.view();
        self.node.handle(now, input);
        while let Some(effect) = self.node.poll() {
            self.distort(effect);
        }
        if (is_failure && self.fault == Fault::SpreadFault && self.rings_spread())
            || (is_dead && self.fault == Fault::ObeyStopped)
        {
            self.spread();
        }
        if self.fault == Fault::GhostCall && self.ghost.is_none() {
            self.ghost = before.calls.values().next().cloned();
        }
    }

    fn poll(&mut self) -> Option<Effect> {
        self.ready.pop_front()
    }

    fn deadline(&self) -> Option<Deadline> {
        let deadline = self.node.deadline();
        match self.now {
            Some(now) if self.stands => deadline.map(|deadline| Deadline { at: now.mono, ..deadline }),
            Some(_) | None => deadline,
        }
    }

    fn view(&self) -> Arc<View> {
        let mut view = self.node.view();
        if self.fault == Fault::ForgetBinding && view.bindings.len() > 2 {
            let first = view.bindings.keys().next().cloned();
            let seen = Arc::make_mut(&mut view);
            first.and_then(|key| seen.bindings.remove(&key));
        }
        if self.fault == Fault::HidePresence {
            Arc::make_mut(&mut view).activity.clear();
        }
        if let Some(ghost) = &self.ghost {
            Arc::make_mut(&mut view).calls.insert(ghost.id.clone(), Arc::clone(ghost));
        }
        view
    }
}

/// The message without the field that tells why.
pub(crate) fn without_reason(bytes: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    let kept = text.split("\r\n").filter(|line| !line.starts_with("Reason:"));
    Bytes::from(kept.collect::<Vec<_>>().join("\r\n"))
}

fn with_header(bytes: &Bytes, header: &str) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    Bytes::from(text.replacen("\r\n", &format!("\r\n{header}\r\n"), 1))
}

fn as_busy(bytes: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    match text.split_once("\r\n") {
        Some((_, rest)) => Bytes::from(format!("SIP/2.0 486 Busy Here\r\n{rest}")),
        None => bytes.clone(),
    }
}

/// The caller's half of a session's name, which all legs of a call share.
fn session_of(message: &Glance) -> Option<String> {
    message.header("Session-ID")?.split(';').next().map(str::to_owned)
}
