//! The one place where a run and its driver meet: a question goes out, an answer comes in.
//!
//! Locked for moments only: while the run is polled the driver waits, and while it waits nobody polls.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use callwright_core::Now;
use callwright_core::View;
use callwright_core::names::AskId;
use callwright_core::rule::{Answer, Ask, Spent};

/// What resumes a run after a question.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The question.
    pub ask: AskId,
    /// Its answer.
    pub answer: Answer,
    /// What the rule may read from now on.
    pub view: Arc<View>,
    /// The frozen clock from now on.
    pub now: Now,
}

/// A question on its way out.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ask: AskId,
    pub(crate) what: Ask,
    pub(crate) spent: Spent,
}

/// Both sides hold one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    out: Option<Asked>,
    answer: Option<Answered>,
}

impl Door {
    /// The run's side: asks, and waits until the answer lies there.
    pub(crate) async fn ask(&self, asked: Asked) -> Answered {
        self.inside().out = Some(asked);
        poll_fn(|_| self.inside().answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The driver's side: takes the question that came out.
    pub(crate) fn take(&self) -> Option<Asked> {
        self.inside().out.take()
    }

    /// The driver's side: leaves the answer.
    pub(crate) fn answer(&self, answered: Answered) {
        self.inside().answer = Some(answered);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing between lock and unlock can panic half way, so a poisoned lock still guards whole values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
