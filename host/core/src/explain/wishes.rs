//! What the wishes of the person who was called had to do with a call that they did not get.

use std::time::Duration;

use super::words::{Clock, between, destination, span};
use crate::forwarding::{Effect, Mode, Standing, Term, WhyNot};
use crate::names::UserId;
use crate::record::{CallRecord, Cause, Disposition, Fact, FactKind, NotRung};
use crate::rule::DestinationRef;

/// A change that has ended so long ago is not what anybody still counts on.
const RECENTLY: Duration = Duration::from_secs(24 * 60 * 60);

/// In one phrase; none where they did what they are for.
pub(super) fn of(record: &CallRecord, clock: &Clock<'_>) -> Option<String> {
    let user = record.dialled_user.as_ref()?;
    let standing = standing(record, user)?;
    let because = [undisturbed(user, &standing), forwarding(record, user, &standing), route(user, &standing)];
    // Whom somebody else took a call from wants to know what has sent it there, and not what has not.
    let because = match &record.disposition {
        Disposition::Answered { user: Some(by), .. } if by == user => return None,
        Disposition::Answered { .. } => [None, None, None],
        Disposition::Rejected | Disposition::CallerGone | Disposition::Coded => because,
    };
    let chosen = [profile(user, &standing), term(record, user, &standing, clock)];
    let parts: Vec<_> = because.into_iter().chain(chosen).flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// As the rule read them.
fn standing(record: &CallRecord, user: &UserId) -> Option<Standing> {
    let wanted = format!("forwarding.of-user(\"{user}\")");
    let reads = record.facts.iter().filter_map(|fact| {
        if let FactKind::Read { what, got } = &fact.what { Some((what, got)) } else { None }
    });
    reads.filter(|(what, _)| **what == wanted).find_map(|(_, got)| got.parse().ok())
}

fn forwarding(record: &CallRecord, user: &UserId, standing: &Standing) -> Option<String> {
    let went_on = went_on(record, user, standing);
    let why = match standing.effect? {
        Effect::Inactive(WhyNot::Suspended) => "was suspended".to_owned(),
        Effect::Inactive(WhyNot::NoNumbers) => "had no number to go to".to_owned(),
        Effect::Inactive(WhyNot::QueueSignIn) => "was paused by a queue sign-in".to_owned(),
        Effect::Inactive(WhyNot::ModeOff) => "was off".to_owned(),
        Effect::Inactive(WhyNot::OutsideSchedule) => "was outside its hours".to_owned(),
        Effect::Active(_) if went_on => return None,
        Effect::Active(Mode::Failover) | Effect::Blocked(Mode::Failover) if was_reached(&record.cause) => {
            "(failover) takes a call only when no device can be reached".to_owned()
        }
        Effect::Active(_) if record.cause == Cause::Declined => "takes no call that was declined".to_owned(),
        // Which number no trunk leads to is told where the call was to go there.
        Effect::Blocked(_) if has_tried_outside(record) => return None,
        Effect::Blocked(_) => "was blocked, as no trunk leads outside".to_owned(),
        Effect::Active(_) => {
            let has_left = record.disposition == Disposition::CallerGone;
            format!("was to begin after {}", span(standing.after.filter(|_| has_left)?))
        }
    };
    Some(format!("{user}'s forwarding {why}"))
}

/// Whether the call went further than the devices: a second ring, or one of somebody else.
fn went_on(record: &CallRecord, user: &UserId, standing: &Standing) -> bool {
    let rings: Vec<_> = record.facts.iter().filter_map(ringing).collect();
    let is_own = |to: &DestinationRef| {
        let is_device = matches!(to, DestinationRef::Device(_));
        is_device || to.user() == Some(user) || standing.only.as_ref() == Some(to)
    };
    rings.len() > 1 || rings.iter().copied().flatten().any(|(to, _)| !is_own(to))
}

fn ringing(fact: &Fact) -> Option<&Vec<(DestinationRef, u32)>> {
    if let FactKind::RingBegan { legs, .. } = &fact.what { Some(legs) } else { None }
}

/// Whether a call ended for which a device was there: it rang, was engaged or refused.
fn was_reached(cause: &Cause) -> bool {
    match cause {
        Cause::NoAnswer
        | Cause::Busy
        | Cause::Declined
        | Cause::Refused(_)
        | Cause::CallerCancelled
        | Cause::CallerLost => true,
        Cause::CallerHungUp
        | Cause::CalleeHungUp
        | Cause::CompletedElsewhere
        | Cause::Unreachable
        | Cause::UnknownNumber
        | Cause::RefusedByRule
        | Cause::RuleFailed
        | Cause::Blocked(_)
        | Cause::EmergencyWithoutTrunk
        | Cause::SessionExpired
        | Cause::DialogLost
        | Cause::NeverAcknowledged
        | Cause::ShuttingDown
        | Cause::Overload(_) => false,
    }
}

fn has_tried_outside(record: &CallRecord) -> bool {
    let is_outside = |what: &FactKind| matches!(what, FactKind::NotRung { why: NotRung::NoTrunk, .. });
    record.facts.iter().any(|fact| is_outside(&fact.what))
}

fn route(user: &UserId, standing: &Standing) -> Option<String> {
    let only = standing.only.as_ref()?;
    Some(format!("only {} was to ring for {user}", destination(only)))
}

fn undisturbed(user: &UserId, standing: &Standing) -> Option<String> {
    standing.undisturbed.then(|| format!("{user} had do not disturb on"))
}

fn profile(user: &UserId, standing: &Standing) -> Option<String> {
    let profile = standing.profile.as_ref()?;
    Some(format!("{user}'s profile was {profile}"))
}

fn term(record: &CallRecord, user: &UserId, standing: &Standing, clock: &Clock<'_>) -> Option<String> {
    match standing.term? {
        Term::Until(at) => {
            Some(format!("a change of {user}'s wishes was in force, to end {}", clock.time(at)))
        }
        Term::Ended(at) => (between(at, record.began) <= RECENTLY)
            .then(|| format!("a change of {user}'s wishes had ended {}", clock.time(at))),
    }
}
