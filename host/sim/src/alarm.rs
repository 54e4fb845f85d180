//! Hears every `error!`: one means that the switch broke an invariant of its own.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// How many errors are kept; the rest only repeats them.
const KEPT_MAX: usize = 16;

/// Collects the errors that are logged while [`Alarm::listen`] runs.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    heard: Heard,
    // Made once: a new dispatcher makes every call site ask again who listens.
    dispatch: Dispatch,
}

type Heard = Arc<Mutex<Vec<String>>>;

impl Default for Alarm {
    fn default() -> Self {
        let heard = Heard::default();
        Self { dispatch: Dispatch::new(Ear(Arc::clone(&heard))), heard }
    }
}

impl Alarm {
    /// Runs `work`, and hears what this thread logs meanwhile.
    pub(crate) fn listen<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// The errors heard since the last time this was asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Ear(Heard);

impl Subscriber for Ear {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Other subscribers may live on other threads, so nobody decides for all time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < KEPT_MAX {
            heard.push(line.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, " {field}={value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_heard_and_a_warning_is_not() {
        let alarm = Alarm::default();
        let result = alarm.listen(|| {
            tracing::warn!("the store is slow");
            tracing::error!(leg = 3, "leg without a call");
            7
        });
        assert_eq!(result, 7);
        assert_eq!(alarm.take(), ["callwright_sim::alarm::tests message=leg without a call leg=3"]);
        assert!(alarm.take().is_empty());
    }
}
