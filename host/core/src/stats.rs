//! What happened before, for rules: how long people have been idle, how often somebody called, who talked with them.
//!
//! A node begins with what the newest records say, counts on, and keeps it in memory: of each person some hundred bytes to 5 kB, of at most
//! [`CALLERS_MAX`] callers of a tenant some hundred bytes. What is asked is a function of the picture.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use imbl::OrdMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::names::{TenantId, UserId};
use crate::record::{CallRecord, Disposition, LegRecord, LegRecordEnd};
use crate::rule::{Outcome, Party};

/// Hours for which calls are counted.
pub const HOURS_MAX: u32 = 24;
/// Days for which it is known who talked with a caller.
pub const AGENT_DAYS_MAX: u32 = 30;
/// Days of which an answer rate is made.
pub const RATE_DAYS_MAX: u32 = 365;
/// Callers of a tenant who are remembered; of more, who called last.
pub const CALLERS_MAX: usize = 10_000;

/// Calls that rang somebody, of which an answer rate is made.
const RUNG_MAX: usize = 512;
/// Below that a rate says nothing.
const SAMPLES_MIN: u32 = 20;
const HOUR_S: i64 = 3_600;

/// What was counted, as the picture shows it.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// When counting began.
    since: Timestamp,
    users: OrdMap<(TenantId, UserId), Arc<OfUser>>,
    callers: OrdMap<CallerKey, Arc<OfCaller>>,
}

type CallerKey = (TenantId, Arc<str>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfUser {
    /// When their last call was over.
    last: Option<Timestamp>,
    /// Calls that rang them, oldest first.
    rung: VecDeque<Rung>,
}

/// A call that rang somebody: its hour, and whether they answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rung {
    hour: u32,
    is_answered: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfCaller {
    /// The hour of the last call.
    seen: u32,
    /// Calls of each of the last hours that had any, oldest first.
    hours: VecDeque<Hour>,
    agent: Option<(UserId, Timestamp)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hour {
    hour: u32,
    calls: u32,
    unanswered: u32,
}

impl OfCaller {
    fn add(&mut self, hour: u32, is_answered: bool) {
        while self.hours.front().is_some_and(|first| first.hour.saturating_add(HOURS_MAX) <= hour) {
            self.hours.pop_front();
        }
        // A clock that was set back counts on where it was.
        if self.hours.back().is_none_or(|last| last.hour < hour) {
            self.hours.push_back(Hour { hour, ..Hour::default() });
        }
        if let Some(last) = self.hours.back_mut() {
            last.calls = last.calls.saturating_add(1);
            last.unanswered = last.unanswered.saturating_add((!is_answered).into());
        }
    }
}

/// A call that is over.
#[derive(Clone, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) caller: &'a Party,
    /// Whose device called.
    pub(crate) caller_user: Option<&'a UserId>,
    pub(crate) began: Timestamp,
    /// Whether anybody answered, and who of the tenant.
    pub(crate) answered: Option<Option<&'a UserId>>,
    /// Who was rung to an end, and whether they answered.
    pub(crate) rung: BTreeMap<UserId, bool>,
}

impl<'a> Ended<'a> {
    /// What is counted of a call that was over before the node began; a code is no call.
    fn of_record(record: &'a CallRecord, config: &'a Config) -> Option<Self> {
        let tenant = config.tenants.get(&record.tenant)?;
        let device = record.from_device.as_ref().and_then(|device| tenant.devices.get(device));
        Some(Self {
            tenant: &record.tenant,
            caller: &record.caller,
            caller_user: device.map(|device| &device.user),
            began: record.began,
            answered: answered(&record.disposition)?,
            rung: rung(&record.legs),
        })
    }
}

/// Whether anybody answered, and who of the tenant; none where it was no call.
pub(crate) fn answered(disposition: &Disposition) -> Option<Option<Option<&UserId>>> {
    match disposition {
        Disposition::Answered { user, .. } => Some(Some(user.as_ref())),
        Disposition::Rejected | Disposition::CallerGone => Some(None),
        Disposition::Coded => None,
    }
}

/// Who was rung until they answered, declined or did not answer, and whether they answered.
pub(crate) fn rung(legs: &[LegRecord]) -> BTreeMap<UserId, bool> {
    let mut rung = BTreeMap::new();
    for leg in legs {
        let is_answered = match &leg.end {
            LegRecordEnd::Outcome(Outcome::Answered(_)) => true,
            LegRecordEnd::Outcome(Outcome::NoAnswer | Outcome::Declined) => false,
            LegRecordEnd::Outcome(
                Outcome::NotConfirmed
                | Outcome::Busy
                | Outcome::Unreachable
                | Outcome::Refused(_)
                | Outcome::Blocked(_)
                | Outcome::Other(_),
            )
            | LegRecordEnd::Elsewhere
            | LegRecordEnd::Cancelled(_)
            | LegRecordEnd::Deflected { .. } => continue,
        };
        if let Some(user) = &leg.user {
            *rung.entry(user.clone()).or_default() |= is_answered;
        }
    }
    rung
}

/// Which callers are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// By the hour of their last call: within an hour nobody is older than another.
    seen: BTreeSet<(TenantId, u32, Arc<str>)>,
    counts: BTreeMap<TenantId, usize>,
}

impl Stats {
    /// Begins to count.
    #[must_use]
    pub fn since(now: Timestamp) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// How long somebody's last call is over, in seconds.
    #[must_use]
    pub fn idle_s(&self, tenant: &TenantId, user: &UserId, now: Timestamp) -> u32 {
        let last = self.last_call(tenant, user).unwrap_or(self.since);
        u32::try_from(now.duration_since(last).as_secs().max(0)).unwrap_or(u32::MAX)
    }

    /// When somebody's last call was over.
    #[must_use]
    pub fn last_call(&self, tenant: &TenantId, user: &UserId) -> Option<Timestamp> {
        self.of_user(tenant, user)?.last
    }

    /// How many calls somebody answered within a day, of the last 512 that rang them.
    #[must_use]
    pub fn answered(&self, tenant: &TenantId, user: &UserId, now: Timestamp) -> u32 {
        let first = hour_of(now).saturating_sub(HOURS_MAX - 1);
        let rung = self.of_user(tenant, user).map(|user| user.rung.iter()).into_iter().flatten();
        let answered = rung.filter(|rung| rung.is_answered && rung.hour >= first).count();
        u32::try_from(answered).unwrap_or(u32::MAX)
    }

    /// How many calls of somebody were over within so many hours.
    #[must_use]
    pub fn calls_from(
        &self,
        tenant: &TenantId,
        who: &Party,
        hours: u32,
        only_unanswered: bool,
        now: Timestamp,
    ) -> u32 {
        let caller = key_of(tenant, who).and_then(|key| self.callers.get(&key));
        let hours_of = caller.map(|caller| caller.hours.iter()).into_iter().flatten();
        let counted = hours_of.filter(|one| one.hour.saturating_add(hours) > hour_of(now));
        counted
            .fold(0, |sum, one| sum.saturating_add(if only_unanswered { one.unanswered } else { one.calls }))
    }

    /// Who last answered somebody, within so many days.
    #[must_use]
    pub fn last_agent(&self, tenant: &TenantId, who: &Party, days: u32, now: Timestamp) -> Option<&UserId> {
        let (agent, at) = self.callers.get(&key_of(tenant, who)?)?.agent.as_ref()?;
        (now.duration_since(*at) <= SignedDuration::from_hours(24 * i64::from(days))).then_some(agent)
    }

    /// Per cent of calls that these people answered, at this weekday and hour.
    #[must_use]
    pub fn answer_rate<'a>(
        &self,
        tenant: &TenantId,
        users: impl IntoIterator<Item = &'a UserId>,
        days: u32,
        (now, zone): (Timestamp, &TimeZone),
    ) -> Option<u32> {
        let first = hour_of(now).saturating_sub(days.saturating_mul(24));
        let slot = |at: Timestamp| {
            let local = zone.to_datetime(at);
            (local.weekday(), local.hour())
        };
        let is_like_now = |rung: &&Rung| {
            let at = Timestamp::from_second(i64::from(rung.hour) * HOUR_S);
            rung.hour >= first && at.is_ok_and(|at| slot(at) == slot(now))
        };
        let (mut all, mut answered) = (0_u32, 0_u32);
        for user in users {
            let rung = self.of_user(tenant, user).map(|user| user.rung.iter());
            for rung in rung.into_iter().flatten().filter(is_like_now) {
                all = all.saturating_add(1);
                answered = answered.saturating_add(rung.is_answered.into());
            }
        }
        (all >= SAMPLES_MIN).then(|| answered.saturating_mul(100) / all)
    }

    fn of_user(&self, tenant: &TenantId, user: &UserId) -> Option<&OfUser> {
        self.users.get(&(tenant.clone(), user.clone())).map(AsRef::as_ref)
    }

    /// Counts calls that were over before the node began, oldest first.
    pub(crate) fn recall(&mut self, remembered: &mut Remembered, past: &[Arc<CallRecord>], config: &Config) {
        for record in past {
            if let Some(ended) = Ended::of_record(record, config) {
                self.count(remembered, &ended, record.ended);
            }
        }
        self.keep_only(config, None);
    }

    /// Counts a call that is over.
    pub(crate) fn count(&mut self, remembered: &mut Remembered, ended: &Ended<'_>, now: Timestamp) {
        let callee = ended.answered.flatten();
        let has_talked = |user: &UserId| {
            ended.answered.is_some() && (ended.caller_user == Some(user) || callee == Some(user))
        };
        for (user, is_answered) in &ended.rung {
            self.count_user(ended, user, Some(*is_answered), has_talked(user).then_some(now));
        }
        let others = ended.caller_user.into_iter().chain(callee).filter(|user| has_talked(user));
        for user in others.filter(|user| !ended.rung.contains_key(*user)) {
            self.count_user(ended, user, None, Some(now));
        }
        if let Some(key) = key_of(ended.tenant, ended.caller) {
            self.count_caller(remembered, &key, ended, now);
        }
    }

    /// Whether somebody answered, where they were rung, and when their call was over, where they talked.
    fn count_user(
        &mut self,
        ended: &Ended<'_>,
        user: &UserId,
        rang: Option<bool>,
        talked: Option<Timestamp>,
    ) {
        let of_user = self.users.entry((ended.tenant.clone(), user.clone())).or_default();
        let of_user = Arc::make_mut(of_user);
        of_user.last = talked.or(of_user.last);
        if let Some(is_answered) = rang {
            if of_user.rung.len() >= RUNG_MAX {
                of_user.rung.pop_front();
            }
            of_user.rung.push_back(Rung { hour: hour_of(ended.began), is_answered });
        }
    }

    fn count_caller(
        &mut self,
        remembered: &mut Remembered,
        key: &CallerKey,
        ended: &Ended<'_>,
        now: Timestamp,
    ) {
        let hour = hour_of(now);
        let mut is_new = false;
        let caller = self.callers.entry(key.clone()).or_insert_with(|| {
            is_new = true;
            Arc::default()
        });
        let caller = Arc::make_mut(caller);
        let before = (!is_new).then_some(caller.seen);
        caller.seen = hour;
        caller.add(hour, ended.answered.is_some());
        if let Some(Some(agent)) = ended.answered {
            caller.agent = Some((agent.clone(), now));
        }
        if before != Some(hour) {
            for forgotten in remembered.saw(key, before, hour) {
                self.callers.remove(&forgotten);
            }
        }
    }

    /// Forgets whom a configuration does not have any more: of one tenant, or of all.
    pub(crate) fn keep_only(&mut self, config: &Config, only: Option<&TenantId>) {
        let is_gone = |(tenant, user): &(TenantId, UserId)| {
            only.is_none_or(|only| only == tenant)
                && !config.tenants.get(tenant).is_some_and(|tenant| tenant.users.contains_key(user))
        };
        for key in self.users.keys().filter(|key| is_gone(key)).cloned().collect::<Vec<_>>() {
            self.users.remove(&key);
        }
    }
}

impl Remembered {
    /// Notes that somebody called in another hour than before; who is forgotten for it.
    fn saw(&mut self, key: &CallerKey, before: Option<u32>, now: u32) -> Vec<CallerKey> {
        let (tenant, who) = key;
        let count = self.counts.entry(tenant.clone()).or_default();
        match before {
            Some(before) => {
                self.seen.remove(&(tenant.clone(), before, Arc::clone(who)));
            }
            None => *count += 1,
        }
        self.seen.insert((tenant.clone(), now, Arc::clone(who)));
        let old = now.saturating_sub(24 * AGENT_DAYS_MAX);
        let mut forgotten = Vec::new();
        // The next to be forgotten is the tenant's first; more than two calls can bring are never waiting.
        while forgotten.len() < 2 {
            let first = (tenant.clone(), 0, Arc::from(""));
            let Some(oldest) = self.seen.range(first..).next().filter(|it| it.0 == *tenant).cloned() else {
                break;
            };
            if *count <= CALLERS_MAX && oldest.1 >= old {
                break;
            }
            self.seen.remove(&oldest);
            *count -= 1;
            forgotten.push((oldest.0, oldest.2));
        }
        forgotten
    }
}

/// Under what a caller is counted; none where they withhold their number.
fn key_of(tenant: &TenantId, who: &Party) -> Option<CallerKey> {
    if who.withheld {
        return None;
    }
    let by_user = || who.user.as_ref().map(|user| format!("user:{user}").into());
    who.number.as_deref().map(Arc::from).or_else(by_user).map(|who| (tenant.clone(), who))
}

fn hour_of(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().div_euclid(HOUR_S)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 * HOUR_S + second).unwrap()
    }

    fn caller(number: &str) -> Party {
        Party { number: Some(number.to_owned()), ..Party::default() }
    }

    struct Counted {
        stats: Stats,
        remembered: Remembered,
    }

    impl Counted {
        fn new() -> Self {
            Self { stats: Stats::since(at(0)), remembered: Remembered::default() }
        }

        /// A call that began and ended at that second.
        fn call(&mut self, from: &str, answered: Option<&str>, rung: &[&str], second: i64) {
            let by = answered.map(UserId::from);
            let rung = rung.iter().map(|user| ((*user).into(), answered == Some(*user))).collect();
            let ended = Ended {
                tenant: &"acme".into(),
                caller: &caller(from),
                caller_user: None,
                began: at(second),
                answered: by.as_ref().map(Some),
                rung,
            };
            self.stats.count(&mut self.remembered, &ended, at(second));
        }

        fn calls_from(&self, from: &str, hours: u32, only_unanswered: bool, second: i64) -> u32 {
            self.stats.calls_from(&"acme".into(), &caller(from), hours, only_unanswered, at(second))
        }
    }

    #[test]
    fn calls_are_counted_by_hour_and_by_whether_anybody_answered() {
        let mut counted = Counted::new();
        counted.call("+491", None, &["ana"], 0);
        counted.call("+491", Some("ana"), &["ana"], HOUR_S);
        counted.call("+491", None, &["ana"], HOUR_S + 10);
        counted.call("+492", None, &["ana"], HOUR_S + 10);
        let now = HOUR_S + 20;
        assert_eq!(
            (counted.calls_from("+491", 1, false, now), counted.calls_from("+491", 2, false, now)),
            (2, 3)
        );
        assert_eq!(counted.calls_from("+491", 2, true, now), 2);
        assert_eq!(counted.calls_from("+491", 24, false, 25 * HOUR_S), 0, "a day later nothing counts");
        assert_eq!(counted.stats.answered(&"acme".into(), &"ana".into(), at(now)), 1);
        let withheld = Party { withheld: true, ..caller("+491") };
        assert_eq!(counted.stats.calls_from(&"acme".into(), &withheld, 24, false, at(now)), 0);
        assert_eq!(counted.stats.calls_from(&"other".into(), &caller("+491"), 24, false, at(now)), 0);
    }

    #[test]
    fn who_answered_is_known_for_days_and_is_not_idle() {
        let mut counted = Counted::new();
        counted.call("+491", Some("ana"), &["ana", "bob"], 60);
        let acme = "acme".into();
        let agent = |days, second| counted.stats.last_agent(&acme, &caller("+491"), days, at(second));
        assert_eq!(agent(1, 100), Some(&"ana".into()));
        assert_eq!(agent(1, 25 * HOUR_S), None);
        assert_eq!(agent(2, 25 * HOUR_S), Some(&"ana".into()));
        assert_eq!(counted.stats.idle_s(&acme, &"ana".into(), at(100)), 40);
        assert_eq!(counted.stats.idle_s(&acme, &"bob".into(), at(100)), 100, "since the start");
    }

    #[test]
    fn a_rate_needs_twenty_calls_of_the_same_weekday_and_hour() {
        let mut counted = Counted::new();
        let rate = |counted: &Counted, days, second| {
            let users = [UserId::from("ana")];
            counted.stats.answer_rate(&"acme".into(), &users, days, (at(second), &TimeZone::UTC))
        };
        for second in 0..19 {
            counted.call("+491", (second < 10).then_some("ana"), &["ana"], second);
        }
        assert_eq!(rate(&counted, 7, 20), None);
        counted.call("+491", None, &["ana"], 19);
        assert_eq!(rate(&counted, 7, 20), Some(50));
        assert_eq!(rate(&counted, 7, HOUR_S), None, "another hour");
        assert_eq!(rate(&counted, 7, 7 * 24 * HOUR_S), Some(50), "a week later");
        assert_eq!(rate(&counted, 6, 7 * 24 * HOUR_S), None, "too long ago");
    }

    #[test]
    fn callers_are_forgotten_oldest_first_and_of_each_tenant_on_its_own() {
        let mut counted = Counted::new();
        for number in 0..=CALLERS_MAX {
            counted.call(&format!("+49{number}"), None, &[], i64::try_from(number).unwrap());
        }
        assert_eq!(counted.stats.callers.len(), CALLERS_MAX);
        assert_eq!(counted.remembered.seen.len(), CALLERS_MAX);
        let now = i64::try_from(CALLERS_MAX).unwrap();
        assert_eq!(
            (counted.calls_from("+490", 24, false, now), counted.calls_from("+491", 24, false, now)),
            (0, 1)
        );
        let month = 31 * 24 * HOUR_S;
        counted.call("+491", None, &[], month);
        counted.call("+491", None, &[], month + HOUR_S);
        assert_eq!(counted.stats.callers.len(), CALLERS_MAX - 4, "what is too old goes bit by bit");
        assert_eq!(counted.remembered.counts.values().sum::<usize>(), counted.stats.callers.len());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let mut counted = Counted::new();
        counted.call("+491", Some("ana"), &["ana", "zoe"], 60);
        let config = Config::new(BTreeSet::new(), None, vec![crate::testing::tenant()]);
        counted.stats.keep_only(&config, Some(&"other".into()));
        assert_eq!(counted.stats.users.len(), 2);
        counted.stats.keep_only(&config, None);
        assert_eq!(counted.stats.users.len(), 1);
    }
}
