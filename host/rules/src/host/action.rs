//! The call: what a rule may know of it and do with it. Its actions suspend the run.

use std::time::Duration;

use callwright_core::rule::{self as core, Answer, Ask, Note, RingPlan};
use wasmtime::component::Resource;

use super::{Entered, Host, Imports, ask, enter, host_call, leave};
use crate::bindings::callwright::rules::call::{self, CallError, Entry, Refusal};
use crate::bindings::callwright::rules::ring::Outcome;
use crate::handle::{self, Call, Party, Report, Ring, Role};
use crate::limits::BECAUSE_BYTES_MAX;
use crate::price;
use crate::state::{RunState, Stop, plain};

impl call::Host for &mut RunState {}
impl call::HostCall for &mut RunState {}

impl call::HostCallWithStore<RunState> for Imports {
    fn id(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::CALL_ID, &[&call], |run| Ok(run.call.id.to_string()))
    }

    fn caller(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Resource<Party>> {
        host_call(&mut host, &price::CALL_CALLER, &[&call], |run| {
            let facts = run.call.caller.clone();
            run.handle(Party { role: Role::Caller, facts })
        })
    }

    fn dialled(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Resource<Party>> {
        host_call(&mut host, &price::CALL_DIALLED, &[&call], |run| {
            let facts = run.call.dialled.clone();
            run.handle(Party { role: Role::Dialled, facts })
        })
    }

    fn entered(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Entry> {
        host_call(&mut host, &price::CALL_ENTERED, &[&call], |run| {
            Ok(match &run.call.entry {
                core::Entry::Nested { by, .. } => Entry::Nested(by.to_string()),
                core::Entry::Device(device) => {
                    Entry::Device(device.as_ref().map(ToString::to_string).unwrap_or_default())
                }
            })
        })
    }

    fn for_user(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::CALL_FOR_USER, &[&call], |run| {
            Ok(run.call.for_user.as_ref().map(ToString::to_string))
        })
    }

    fn for_group(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::CALL_FOR_GROUP, &[&call], |run| {
            Ok(run.call.group.as_ref().map(ToString::to_string))
        })
    }

    fn elapsed_ms(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::CALL_ELAPSED_MS, &[&call], |run| {
            Ok(u32::try_from(run.elapsed_ms()).unwrap_or(u32::MAX))
        })
    }

    async fn ring(
        mut host: Host<'_>,
        call: Resource<Call>,
        ring: Resource<Ring>,
        time_ms: u32,
    ) -> wasmtime::Result<Result<Outcome, CallError>> {
        let entered = enter(&mut host, &price::CALL_RING, &[&call, &ring, &time_ms])?;
        let answer = match plan(host.data_mut(), ring, time_ms)? {
            Ok(plan) => asked(&mut host, &entered, Ask::Ring(plan)).await?,
            Err(refused) => Err(refused),
        };
        let answer = match answer {
            Ok(Answer::Rang(Ok(report))) => Ok(outcome(host.data_mut(), report)?),
            Ok(Answer::Rang(Err(error))) => Err(call_error(error)),
            Ok(Answer::Done(_) | Answer::Kept(_) | Answer::Taken(_)) => {
                return Err(Stop::Internal("a ring was answered as if it were none").into());
            }
            Err(error) => Err(error),
        };
        leave(&mut host, entered, &answer)?;
        Ok(answer)
    }

    fn last_legs(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Vec<Resource<Report>>> {
        host_call(&mut host, &price::CALL_LAST_LEGS, &[&call], |run| {
            let legs = run.last_legs.clone();
            run.handles(legs.into_iter().enumerate().map(|(index, leg)| Report { number: index + 1, leg }))
        })
    }

    async fn standard(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Result<(), CallError>> {
        let entered = enter(&mut host, &price::CALL_STANDARD, &[&call])?;
        done(host, entered, Ask::Standard).await
    }

    async fn refuse(
        mut host: Host<'_>,
        call: Resource<Call>,
        how: Refusal,
    ) -> wasmtime::Result<Result<(), CallError>> {
        let entered = enter(&mut host, &price::CALL_REFUSE, &[&call, &how])?;
        done(host, entered, Ask::Refuse(refusal(how))).await
    }

    async fn conclude(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<Result<(), CallError>> {
        let entered = enter(&mut host, &price::CALL_CONCLUDE, &[&call])?;
        done(host, entered, Ask::Conclude).await
    }

    fn because(mut host: Host<'_>, call: Resource<Call>, text: String) -> wasmtime::Result<()> {
        host_call(&mut host, &price::CALL_BECAUSE, &[&call, &text], |run| {
            run.note(Note::Because(plain(&text, BECAUSE_BYTES_MAX)));
            Ok(())
        })
    }

    fn drop(mut host: Host<'_>, call: Resource<Call>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(call)?;
        Ok(())
    }
}

/// Asks, unless the caller is known to have gone.
async fn asked(
    host: &mut Host<'_>,
    entered: &Entered,
    what: Ask,
) -> wasmtime::Result<Result<Answer, CallError>> {
    if host.data_mut().caller_gone {
        return Ok(Err(CallError::CallerGone));
    }
    let answer = ask(host, entered, what).await?;
    if let Answer::Rang(Err(core::CallError::CallerGone)) | Answer::Done(Err(core::CallError::CallerGone)) =
        &answer
    {
        host.data_mut().caller_gone = true;
    }
    Ok(Ok(answer))
}

/// Asks something whose answer is that it was done.
async fn done(mut host: Host<'_>, entered: Entered, what: Ask) -> wasmtime::Result<Result<(), CallError>> {
    let answer = match asked(&mut host, &entered, what).await? {
        Ok(Answer::Done(done)) => done.map_err(call_error),
        Ok(Answer::Rang(_) | Answer::Kept(_) | Answer::Taken(_)) => {
            return Err(Stop::Internal("something was answered as if it were a ring").into());
        }
        Err(error) => Err(error),
    };
    leave(&mut host, entered, &answer)?;
    Ok(answer)
}

/// The ring that a rule has built, with its legs counted; the handle is used up.
fn plan(run: &mut RunState, ring: Resource<Ring>, time_ms: u32) -> Result<Result<RingPlan, CallError>, Stop> {
    let mut plan = run.table.delete(ring)?.plan;
    if plan.legs.is_empty() {
        return Ok(Err(CallError::Other("the ring has no legs".to_owned())));
    }
    let legs = run.legs.saturating_add(u32::try_from(plan.legs.len()).unwrap_or(u32::MAX));
    if legs > run.limits.legs {
        run.left_out.legs = run.left_out.legs.max(Some(legs));
        return Ok(Err(CallError::LimitExceeded("legs".to_owned())));
    }
    run.legs = legs;
    plan.time = Duration::from_millis(time_ms.into());
    Ok(Ok(plan))
}

fn outcome(run: &mut RunState, report: core::RingReport) -> Result<Outcome, Stop> {
    run.last_legs = report.legs;
    Ok(match report.outcome {
        core::Outcome::Answered(by) => Outcome::Answered(run.handle(handle::Answer(by))?),
        core::Outcome::Declined => Outcome::Declined,
        core::Outcome::NotConfirmed => Outcome::NotConfirmed,
        core::Outcome::NoAnswer => Outcome::NoAnswer,
        core::Outcome::Busy => Outcome::Busy,
        core::Outcome::Unreachable => Outcome::Unreachable,
        core::Outcome::Refused(q850) => Outcome::Refused(q850),
        core::Outcome::Blocked(name) => Outcome::Blocked(name),
        core::Outcome::Other(text) => Outcome::Other(text),
    })
}

fn call_error(error: core::CallError) -> CallError {
    match error {
        core::CallError::CallerGone => CallError::CallerGone,
        core::CallError::AlreadyEnded => CallError::AlreadyEnded,
        core::CallError::NotPermitted(name) => CallError::NotPermitted(name),
        core::CallError::LimitExceeded(name) => CallError::LimitExceeded(name),
        core::CallError::Unavailable => CallError::Unavailable,
    }
}

fn refusal(how: Refusal) -> core::Refusal {
    match how {
        Refusal::Busy => core::Refusal::Busy,
        Refusal::Declined => core::Refusal::Declined,
        Refusal::NotFound => core::Refusal::NotFound,
        Refusal::TemporarilyUnavailable => core::Refusal::TemporarilyUnavailable,
        Refusal::AnonymousRefused => core::Refusal::AnonymousRefused,
        Refusal::Unwanted => core::Refusal::Unwanted,
        Refusal::Other(text) => core::Refusal::Other(plain(&text, BECAUSE_BYTES_MAX)),
    }
}
