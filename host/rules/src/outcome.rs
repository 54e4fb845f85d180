//! How an error of the engine becomes an outcome. By type, never by its words.

use callwright_core::rule::RunOutcome;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::state::{RunState, Stop};

/// The guest's export, where fuel ran out in no import.
const EXPORT: &str = "handle-call";

/// Which part of a run an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Making the instance, start functions included.
    Instantiate,
    /// The export.
    HandleCall,
}

/// What an error says, with the rest of the run that knows better.
pub(crate) fn of_error(error: &wasmtime::Error, part: Part, run: &RunState) -> RunOutcome {
    let outcome = outcome(error, part, run);
    hidden_limit(outcome, run)
}

/// What the guest returned, with the rest of the run that knows better.
pub(crate) fn of_return(returned: Result<(), String>, run: &RunState) -> RunOutcome {
    let outcome = match returned {
        Ok(()) => RunOutcome::Ok,
        // `call.ring(..)?` of a caller who has gone is no refusal.
        Err(_) if run.caller_gone => RunOutcome::CallerGone,
        Err(text) => RunOutcome::Declined(crate::state::plain(&text, crate::limits::BECAUSE_BYTES_MAX)),
    };
    hidden_limit(outcome, run)
}

/// Whether the fuel counter can be trusted: it is written back at calls and returns and not where the guest traps.
pub(crate) fn fuel_is_exact(error: &wasmtime::Error) -> bool {
    match error.downcast_ref::<Trap>() {
        Some(trap) => *trap == Trap::OutOfFuel,
        None => true,
    }
}

/// A guest may swallow a failed growth and go on, or die of it much later: the limit is still the reason to show.
fn hidden_limit(outcome: RunOutcome, run: &RunState) -> RunOutcome {
    let hides = match &outcome {
        RunOutcome::Ok
        | RunOutcome::Declined(_)
        | RunOutcome::Trap(_)
        | RunOutcome::BadOutput
        | RunOutcome::InstantiateFailed(_) => true,
        RunOutcome::FuelExhausted(_)
        | RunOutcome::DeadlineExceeded
        | RunOutcome::MemoryLimit
        | RunOutcome::TableLimit
        | RunOutcome::StackOverflow
        | RunOutcome::LimitExceeded(_)
        | RunOutcome::PermissionDenied(_)
        | RunOutcome::HostBusy
        | RunOutcome::TenantThrottled
        | RunOutcome::BreakerOpen
        | RunOutcome::CallerGone
        | RunOutcome::Internal(_) => false,
    };
    match (hides, run.bounds.memory_refused.is_some(), run.bounds.table_refused.is_some()) {
        (true, true, true | false) => RunOutcome::MemoryLimit,
        (true, false, true) => RunOutcome::TableLimit,
        (true, false, false) | (false, true | false, true | false) => outcome,
    }
}

fn outcome(error: &wasmtime::Error, part: Part, run: &RunState) -> RunOutcome {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Fuel(import) => RunOutcome::FuelExhausted((*import).to_owned()),
            Stop::Limit(name) => RunOutcome::LimitExceeded((*name).to_owned()),
            Stop::Internal(what) => RunOutcome::Internal((*what).to_owned()),
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return of_trap(*trap, part, run);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return RunOutcome::HostBusy;
    }
    if error.is::<ResourceTableError>() {
        return RunOutcome::Internal("a handle points nowhere".to_owned());
    }
    if part == Part::Instantiate {
        return RunOutcome::InstantiateFailed(error.to_string());
    }
    // What is left is the engine refusing a value on its way between guest and host. Words mean that the value was
    // malformed. A type of its own that is not text's means that there was too much of it: the bytes of one host call.
    let malformed = error.is::<String>()
        || error.is::<&'static str>()
        || error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf16Error>();
    if malformed { RunOutcome::BadOutput } else { RunOutcome::LimitExceeded("bytes".to_owned()) }
}

fn of_trap(trap: Trap, part: Part, run: &RunState) -> RunOutcome {
    if trap == Trap::OutOfFuel {
        let place = match part {
            Part::Instantiate => "start",
            Part::HandleCall => run.inside.unwrap_or(EXPORT),
        };
        return RunOutcome::FuelExhausted(place.to_owned());
    }
    if trap == Trap::Interrupt {
        return RunOutcome::DeadlineExceeded;
    }
    if trap == Trap::StackOverflow {
        return RunOutcome::StackOverflow;
    }
    if ABI_TRAPS.contains(&trap) {
        return RunOutcome::BadOutput;
    }
    let known = KINDS.iter().find(|(kind, _)| *kind == trap);
    let kind = known.map_or("other", |(_, name)| name);
    match part {
        Part::Instantiate => RunOutcome::InstantiateFailed(format!("trap: {kind}")),
        Part::HandleCall => RunOutcome::Trap(kind.to_owned()),
    }
}

/// Traps at the border between guest and host: the guest handed over something that is no value of its type.
const ABI_TRAPS: &[Trap] = &[
    Trap::InvalidChar,
    Trap::StringOutOfBounds,
    Trap::ListOutOfBounds,
    Trap::InvalidDiscriminant,
    Trap::UnalignedPointer,
    Trap::CannotEnterComponent,
    Trap::CannotLeaveComponent,
];

/// The kinds of a trap inside the guest.
const KINDS: &[(Trap, &str)] = &[
    (Trap::UnreachableCodeReached, "unreachable"),
    (Trap::MemoryOutOfBounds, "memory-out-of-bounds"),
    (Trap::TableOutOfBounds, "table-out-of-bounds"),
    (Trap::IndirectCallToNull, "indirect-call-to-null"),
    (Trap::BadSignature, "bad-signature"),
    (Trap::IntegerOverflow, "integer-overflow"),
    (Trap::IntegerDivisionByZero, "division-by-zero"),
    (Trap::BadConversionToInteger, "bad-conversion"),
    (Trap::NullReference, "null-reference"),
    (Trap::AllocationTooLarge, "allocation-too-large"),
];
