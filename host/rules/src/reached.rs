//! The limits that a run came to, as its tenant is told them: name, used, maximum.

use callwright_core::rule::{Reached, RunOutcome};

use crate::engine::GUEST_STACK_BYTES;
use crate::limits::HOSTCALL_BYTES_MAX;
use crate::state::RunState;

/// What a rule wanted beyond a limit and went on without.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// Legs of one ring, where some found no room in it.
    pub(crate) legs_at_once: Option<u64>,
    /// Legs of all rings, where one ring was refused for them.
    pub(crate) legs: Option<u32>,
}

/// Every limit that the run came to, the one that ended it first.
pub(crate) fn of(outcome: &RunOutcome, run: &RunState) -> Vec<Reached> {
    let limits = &run.limits;
    let left_out = [
        run.left_out.legs_at_once.map(|used| reached("legs-at-once", used, limits.legs_at_once.into())),
        run.left_out.legs.map(|used| reached("legs", used.into(), limits.legs.into())),
        run.log_wanted().map(|used| reached("log-bytes", as_u64(used), as_u64(limits.log_bytes))),
    ];
    fatal(outcome, run).into_iter().chain(left_out.into_iter().flatten()).collect()
}

/// The limit that ended the run.
fn fatal(outcome: &RunOutcome, run: &RunState) -> Option<Reached> {
    let limits = &run.limits;
    match outcome {
        RunOutcome::FuelExhausted(_) => Some(reached("fuel", limits.fuel, limits.fuel)),
        RunOutcome::DeadlineExceeded => Some(reached("slices", run.slices.into(), limits.slices.into())),
        RunOutcome::MemoryLimit => {
            let wanted = run.bounds.memory_refused?;
            Some(reached("memory-bytes", as_u64(wanted), as_u64(limits.memory_bytes)))
        }
        RunOutcome::TableLimit => {
            let wanted = run.bounds.table_refused?;
            Some(reached("table-elements", as_u64(wanted), as_u64(limits.table_elements)))
        }
        RunOutcome::StackOverflow => {
            Some(reached("stack-bytes", as_u64(GUEST_STACK_BYTES), as_u64(GUEST_STACK_BYTES)))
        }
        RunOutcome::LimitExceeded(name) => Some(counted(name, run)),
        RunOutcome::Ok
        | RunOutcome::Declined(_)
        | RunOutcome::Trap(_)
        | RunOutcome::BadOutput
        | RunOutcome::PermissionDenied(_)
        | RunOutcome::InstantiateFailed(_)
        | RunOutcome::HostBusy
        | RunOutcome::TenantThrottled
        | RunOutcome::BreakerOpen
        | RunOutcome::CallerGone
        | RunOutcome::Internal(_) => None,
    }
}

/// What is counted is refused when it would be one too many, and text before anybody knows how long it is.
fn counted(name: &str, run: &RunState) -> Reached {
    let limits = &run.limits;
    let one_more = |max: u64| reached(name, max.saturating_add(1), max);
    match name {
        "reads" => one_more(limits.reads.into()),
        "actions" => one_more(limits.actions.into()),
        "handles" => one_more(as_u64(limits.handles)),
        _ if run.guest_bytes() > limits.guest_bytes => {
            reached(name, as_u64(run.guest_bytes()), as_u64(limits.guest_bytes))
        }
        _ => reached(name, as_u64(HOSTCALL_BYTES_MAX).saturating_add(1), as_u64(limits.guest_bytes)),
    }
}

fn reached(limit: &str, used: u64, max: u64) -> Reached {
    Reached { limit: limit.to_owned(), used, max }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
