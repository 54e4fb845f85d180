//! What remains of a call: its record, from which explanations are written.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{CallId, Extension, GroupName, LegId, RuleName, TenantId, UserId, Version};
use crate::rule::{DestinationRef, LogLine, Outcome, Party, Reached, RingPlan, RunOutcome};

/// One call, written once when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// Whose call it was.
    pub tenant: TenantId,
    /// Who called.
    pub caller: Party,
    /// The device that called; none where the caller is withheld (TELEPHONY T22).
    pub from_device: Option<Extension>,
    /// The number as dialled.
    pub number: String,
    /// The user it stands for.
    pub dialled_user: Option<UserId>,
    /// When the INVITE came.
    pub began: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
    /// From the INVITE to the answer or the end, in milliseconds.
    pub setup_ms: u64,
    /// From the answer to the end, in milliseconds; 0 when never answered.
    pub talk_ms: u64,
    /// Where it ended up.
    pub disposition: Disposition,
    /// Why it ended.
    pub cause: Cause,
    /// The final response the caller got.
    pub status: u16,
    /// Every INVITE of ours, in order.
    pub legs: Vec<LegRecord>,
    /// The rule's run, if one ran, and that of the standard rule where it took over.
    pub runs: Vec<RunRecord>,
    /// Users who were rung for at least 3 s while nobody answered.
    pub missed: Vec<UserId>,
    /// What was known and decided, in order.
    pub facts: Vec<Fact>,
    /// What the rule wrote to the tenant's log.
    pub log: Vec<LogLine>,
}

/// Where a call ended up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Somebody talked.
    Answered {
        /// With whom.
        device: Extension,
        /// Whose device it is.
        user: Option<UserId>,
    },
    /// The caller got a final response other than 2xx.
    Rejected,
    /// The caller hung up first.
    CallerGone,
    /// A code was dialled and did what it says.
    Coded,
}

/// Why a call or leg ended. Mapped to status and Reason in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Hung up by the caller after talking.
    CallerHungUp,
    /// Hung up by the callee after talking.
    CalleeHungUp,
    /// Cancelled by the caller before an answer.
    CallerCancelled,
    /// Another leg answered.
    CompletedElsewhere,
    /// The ring's or leg's time was over.
    NoAnswer,
    /// A person refused.
    Declined,
    /// Everyone was engaged.
    Busy,
    /// Nobody could be reached.
    Unreachable,
    /// The dialled number means nothing here.
    UnknownNumber,
    /// The rule refused the call.
    RefusedByRule,
    /// The rule failed while phones rang for it: the fallback takes over.
    RuleFailed,
    /// A guardrail refused it; its name.
    Blocked(String),
    /// The network refused; Q.850 cause.
    Refused(u8),
    /// An emergency number without a trunk to send it to.
    EmergencyWithoutTrunk,
    /// The session timer ran out (RFC 4028 §10).
    SessionExpired,
    /// A peer lost the dialog: 481 or 408 within it.
    DialogLost,
    /// Our 2xx was never acknowledged.
    NeverAcknowledged,
    /// The caller's connection was lost while the phones rang.
    CallerLost,
    /// The switch is shutting down.
    ShuttingDown,
    /// A bound of the switch was reached; its name.
    Overload(String),
}

/// One INVITE of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Its number in the call.
    pub id: LegId,
    /// The planned destination it belongs to.
    pub to: DestinationRef,
    /// The device that was rung.
    pub device: Extension,
    /// What people call the device: desk, soft, mobile.
    #[serde(default)]
    pub label: String,
    /// Whose device it is.
    pub user: Option<UserId>,
    /// When it was sent.
    pub started: Timestamp,
    /// When it rang (180 or 183).
    pub rang: Option<Timestamp>,
    /// When it was over as a ringing leg: answered, failed or cancelled.
    pub ended: Timestamp,
    /// How.
    pub end: LegRecordEnd,
    /// The last status the phone sent; 0 for none.
    pub status: u16,
}

/// How a leg ended, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegRecordEnd {
    /// By itself.
    Outcome(Outcome),
    /// Another leg answered.
    Elsewhere,
    /// Taken back; why.
    Cancelled(Cause),
    /// The phone sent the call on (TELEPHONY T18).
    Deflected {
        /// The number that it named.
        number: String,
        /// What that stands for.
        to: DestinationRef,
    },
}

/// One run of a rule, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The rule.
    pub rule: RuleName,
    /// Its version.
    pub version: Version,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Fuel spent.
    pub fuel: u64,
    /// Whether that is exact.
    pub fuel_exact: bool,
    /// Microseconds of running until the first question or the end, measured by the driver; 0 in the simulator.
    pub decide_us: u64,
    /// Microseconds of running in all.
    pub ran_us: u64,
    /// The limits that it came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Reached>,
}

/// One thing that was known or decided, with its time and source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub source: Source,
    /// What.
    pub what: FactKind,
}

/// Who vouches for a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The caller's INVITE.
    Caller,
    /// The configuration.
    Config,
    /// The registrar.
    Registrar,
    /// The switch itself.
    Switch,
    /// The rule.
    Rule(RuleName),
    /// A phone.
    Device(Extension),
}

/// The kinds of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactKind {
    /// What the dialled number stands for.
    Dialled {
        /// As dialled.
        number: String,
        /// None: nothing.
        to: Option<DestinationRef>,
    },
    /// The rule that decides, and through which binding.
    RuleChosen {
        /// Its version.
        version: Version,
        /// As `user:ana`.
        bound_to: String,
    },
    /// The standard rule decides: no rule of the tenant is bound to the call, or the one that is handed it over.
    StandardRule {
        /// Its version.
        version: Version,
    },
    /// A person is rung by their own rule, within the ring of another (TELEPHONY T13).
    Nested {
        /// Its version.
        version: Version,
        /// Whose.
        user: UserId,
    },
    /// A group is rung by its own rule, within the ring of another.
    NestedGroup {
        /// Its version.
        version: Version,
        /// Which.
        group: GroupName,
    },
    /// No rule is bound: the fallback decides.
    NoRule,
    /// An emergency number: no rule is asked.
    Emergency,
    /// The rule's own words.
    Because(String),
    /// What the rule warned of, in its own words.
    Warned(String),
    /// Something that the rule read.
    Read {
        /// The function with its arguments.
        what: String,
        /// What it got.
        got: String,
    },
    /// A ring began.
    RingBegan {
        /// Who, in order, with the delay in milliseconds where each before rings at once and until its time is over.
        legs: Vec<(DestinationRef, u32)>,
        /// How long phones ring then, in milliseconds; each has its time from when it begins to ring, so that it may last longer.
        time_ms: u32,
    },
    /// Somebody was not rung.
    NotRung {
        /// Who.
        to: DestinationRef,
        /// Whose device it is, where it is one; whose wishes led there, where that closed a circle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<UserId>,
        /// Why.
        why: NotRung,
    },
    /// A ring ended.
    RingEnded(Outcome),
    /// The run ended.
    RunEnded(RunOutcome),
    /// The run of the rule of a person or a group within the ring ended.
    NestedEnded {
        /// Whose rule.
        who: DestinationRef,
        /// How, and what it used.
        run: Box<RunRecord>,
        /// It was stopped, as its part of the ring was over.
        dismissed: bool,
    },
    /// The same of a run that was stopped, as records of earlier versions have it.
    Dismissed,
    /// The fallback took over; in words what it does.
    Fallback(String),
    /// The standard rule took over at the rule's wish.
    Standard,
    /// The rule refused the call.
    Refused(String),
    /// A code was dialled: what it did, or why it did nothing.
    Code(String),
    /// The phone held or resumed the call.
    Held(bool),
}

/// Why a destination was not rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotRung {
    /// No device of theirs is registered.
    NotRegistered {
        /// The device whose binding ended last, and when and how.
        last: Option<(Extension, Timestamp, Gone)>,
    },
    /// On a call, and call waiting is off.
    Busy,
    /// Not to be disturbed: the person, or every device that could ring.
    DoNotDisturb,
    /// A number outside, and nothing that leads there.
    NoTrunk,
    /// Already rung to an end in this call.
    AlreadyRung,
    /// It is who calls: nobody is rung by themselves.
    Caller,
    /// So many more of it, each for a reason of their own that is not told.
    More(u32),
    /// The call has come from there, or was there: it would go round in a circle.
    Loop,
    /// No such destination any more.
    Unknown,
    /// A role or a name that depends on the time, and nobody is meant now.
    Vacant,
    /// A bound; its name.
    Limit(String),
}

impl FactKind {
    /// A ring as it was planned, in the time that it has.
    pub(crate) fn ring_began(plan: &RingPlan, time: Duration) -> Self {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let mut legs: Vec<_> =
            plan.legs.iter().map(|leg| (leg.to.clone(), millis(leg.start_after))).collect();
        let lasts = plan.unfold(time, |at, begins, rings| {
            if let Some((_, delay)) = legs.get_mut(at) {
                *delay = millis(begins);
            }
            rings
        });
        Self::RingBegan { legs, time_ms: millis(lasts) }
    }
}

impl NotRung {
    /// What it comes to as the outcome of a leg; nothing where the leg had its outcome before.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::NotRegistered { .. } | Self::Unknown | Self::Vacant => Some(Outcome::Unreachable),
            Self::Busy | Self::DoNotDisturb => Some(Outcome::Busy),
            Self::NoTrunk => Some(Outcome::Blocked("no-trunk".to_owned())),
            Self::Limit(name) => Some(Outcome::Blocked(name.clone())),
            Self::Loop => Some(Outcome::Blocked("loop".to_owned())),
            Self::AlreadyRung | Self::Caller | Self::More(_) => None,
        }
    }
}

/// How a binding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gone {
    /// Its time ran out.
    Expired,
    /// The phone took it back.
    Unregistered,
    /// Its connection was closed.
    FlowClosed,
    /// The device was removed from the configuration.
    Removed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::LegPlan;

    fn leg(to: &str, after_s: u64, rings_s: Option<u64>) -> LegPlan {
        let (start_after, ring_for) = (Duration::from_secs(after_s), rings_s.map(Duration::from_secs));
        LegPlan { to: to.parse().unwrap(), start_after, ring_for, label: None }
    }

    /// The delays and the time that are told of a ring, in seconds.
    fn told(legs: &[LegPlan], time_s: u64) -> (Vec<u32>, u32) {
        let plan = RingPlan { legs: legs.to_vec(), ..RingPlan::default() };
        let fact = FactKind::ring_began(&plan, Duration::from_secs(time_s));
        let FactKind::RingBegan { legs, time_ms } = fact else { panic!("{fact:?}") };
        (legs.iter().map(|(_, delay)| delay / 1_000).collect(), time_ms / 1_000)
    }

    #[test]
    fn a_ring_is_told_by_the_time_that_phones_ring() {
        assert_eq!(told(&[leg("user:ana", 0, None)], 25), (vec![0], 25));
        assert_eq!(
            told(&[leg("user:ana", 0, Some(25))], 35),
            (vec![0], 25),
            "ten seconds are to begin ringing"
        );
        let in_order = [leg("user:ana", 0, Some(25)), leg("user:bob", 35, Some(25))];
        assert_eq!(told(&in_order, 70), (vec![0, 25], 50), "nobody waits for silence");
        let follow_me = [leg("device:1003", 10, None), leg("device:1001", 0, None)];
        assert_eq!(told(&follow_me, 30), (vec![10, 0], 30));
        assert_eq!(told(&follow_me, 5), (vec![10, 0], 5), "the second never begins");
        assert_eq!(told(&[], 25), (vec![], 0));
    }
}
