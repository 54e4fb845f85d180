//! What runs say and hear, in a few words beside the switch's lane.

use callwright_core::Notice;
use callwright_core::rule::{Answer, Ask, RingPlan, RunEvent, RunOutcome};

use crate::runs::Said;

/// What a run says.
pub(crate) fn of_run(event: &RunEvent) -> String {
    match event {
        RunEvent::Asked { what: Ask::Ring(plan), .. } => of_plan(plan),
        RunEvent::Asked { what: Ask::Standard, .. } => "rule: the standard rule".to_owned(),
        RunEvent::Asked { what: Ask::Conclude, .. } => "rule: what came of its rings".to_owned(),
        RunEvent::Asked { what: Ask::Refuse(refusal), .. } => format!("rule refuses: {refusal:?}"),
        RunEvent::Asked { what: Ask::Keep(what), .. } => format!("rule keeps: {what:?}"),
        RunEvent::Asked { what: Ask::Take(what), .. } => format!("rule picks from {}", what.group),
        RunEvent::Ended(outcome) => format!("rule ends: {}", outcome.word()),
    }
}

/// The last words of a run that trapped: of the trap itself nobody knows more than its kind.
pub(crate) fn last_words(said: &Said) -> Option<String> {
    let trapped = matches!(said.event, RunEvent::Ended(RunOutcome::Trap(_)));
    said.spent.log.last().filter(|_| trapped).map(|line| format!("rule logs: {}", line.message))
}

/// What a tenant is told.
pub(crate) fn of_notice(notice: &Notice) -> String {
    match notice {
        Notice::Warned(warning) => format!("event: {}", warning.text),
        Notice::Enough { .. } => "event: too many warnings".to_owned(),
    }
}

/// What a run hears.
pub(crate) fn of_answer(answer: &Answer) -> String {
    match answer {
        Answer::Rang(Ok(report)) => format!("to the rule: {}", report.outcome),
        Answer::Done(Ok(())) => "to the rule: done".to_owned(),
        Answer::Kept(Ok(kept)) => format!("to the rule: {kept:?}"),
        Answer::Kept(Err(error)) => format!("to the rule: {error}"),
        Answer::Taken(Ok(taken)) => format!("to the rule: {taken}"),
        Answer::Taken(Err(error)) => format!("to the rule: {error}"),
        Answer::Rang(Err(error)) | Answer::Done(Err(error)) => format!("to the rule: {error}"),
    }
}

fn of_plan(plan: &RingPlan) -> String {
    let legs = plan.legs.iter().map(|leg| match leg.start_after.as_millis() {
        0 => leg.to.to_string(),
        millis => format!("{} after {} s", leg.to, seconds(millis)),
    });
    format!("rule rings {} for {} s", legs.collect::<Vec<_>>().join(", "), seconds(plan.time.as_millis()))
}

fn seconds(millis: u128) -> String {
    match millis % 1000 {
        0 => (millis / 1000).to_string(),
        rest => format!("{}.{rest:03}", millis / 1000),
    }
}
