//! Rules that trap at a host call, whatever they are: before the host has heard of it, or when it has answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::names::{AskId, RunId};
use callwright_core::rule::{Answer, Ask, RunEvent, RunOutcome, RunStart, Spent};
use callwright_core::{Now, View};

use super::{Runs, Said};
use crate::tally::Rare;

/// At which host call runs trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrapAt {
    /// Which.
    pub call: HostCall,
    /// Before it or behind it.
    pub moment: Moment,
}

/// A host call that a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCall {
    /// `call.ring`
    Ring,
    /// `call.standard`
    Standard,
    /// `call.refuse`
    Refuse,
    /// A function of `store`, or `roster.take`.
    Keep,
}

/// When a run traps, seen from a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The host never hears of the call.
    Before,
    /// The host has done what was asked.
    After,
}

/// Drives runs, and makes them trap where it is told to.
pub(crate) struct Trapping {
    inner: Box<dyn Runs>,
    /// Where; nowhere while none is set.
    pub(crate) at: Option<TrapAt>,
    /// What each run waits for.
    asked: BTreeMap<RunId, HostCall>,
    met: Vec<Rare>,
}

impl Trapping {
    pub(crate) fn new(inner: Box<dyn Runs>) -> Self {
        Self { inner, at: None, asked: BTreeMap::new(), met: Vec::new() }
    }

    /// The traps since this was asked last.
    pub(crate) fn met(&mut self) -> Vec<Rare> {
        std::mem::take(&mut self.met)
    }

    /// Lets a run trap instead of asking its question, if this is the one.
    fn before(&mut self, said: Vec<Said>) -> Vec<Said> {
        for word in &said {
            match &word.event {
                RunEvent::Asked { what, .. } => {
                    let call = HostCall::of(what);
                    self.asked.insert(word.run, call);
                    if self.at == Some(TrapAt { call, moment: Moment::Before }) {
                        let (run, after) = (word.run, word.after);
                        return vec![self.trap(run, after, call, Moment::Before)];
                    }
                }
                RunEvent::Ended(_) => {
                    self.asked.remove(&word.run);
                }
            }
        }
        said
    }

    fn trap(&mut self, run: RunId, after: Duration, call: HostCall, moment: Moment) -> Said {
        self.met.push(call.trap(moment));
        self.asked.remove(&run);
        // Its own end is the trap, whatever it would say to being dropped.
        self.inner.stop(run);
        let event = RunEvent::Ended(RunOutcome::Trap("unreachable".to_owned()));
        Said { run, after, event, spent: Spent::default() }
    }
}

impl Runs for Trapping {
    fn start(&mut self, start: RunStart) -> Vec<Said> {
        let said = self.inner.start(start);
        self.before(said)
    }

    fn answer(&mut self, run: RunId, ask: AskId, answer: Answer, view: Arc<View>, now: Now) -> Vec<Said> {
        if let Some(call) = self.asked.get(&run).copied()
            && self.at == Some(TrapAt { call, moment: Moment::After })
        {
            return vec![self.trap(run, Duration::ZERO, call, Moment::After)];
        }
        let said = self.inner.answer(run, ask, answer, view, now);
        self.before(said)
    }

    fn stop(&mut self, run: RunId) -> Vec<Said> {
        self.asked.remove(&run);
        self.inner.stop(run)
    }
}

impl HostCall {
    fn of(what: &Ask) -> Self {
        match what {
            Ask::Ring(_) => Self::Ring,
            Ask::Standard => Self::Standard,
            Ask::Refuse(_) | Ask::Conclude => Self::Refuse,
            Ask::Keep(_) | Ask::Take(_) => Self::Keep,
        }
    }

    fn trap(self, moment: Moment) -> Rare {
        match (self, moment) {
            (Self::Ring, Moment::Before) => Rare::TrapAtRing,
            (Self::Ring, Moment::After) => Rare::TrapAfterRing,
            (Self::Standard, Moment::Before) => Rare::TrapAtStandard,
            (Self::Standard, Moment::After) => Rare::TrapAfterStandard,
            (Self::Refuse, Moment::Before) => Rare::TrapAtRefuse,
            (Self::Refuse, Moment::After) => Rare::TrapAfterRefuse,
            (Self::Keep, Moment::Before) => Rare::TrapAtStore,
            (Self::Keep, Moment::After) => Rare::TrapAfterStore,
        }
    }
}
