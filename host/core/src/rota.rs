//! Duties that go round: who has it now, who is next, and until when. Pure functions of a moment.
//!
//! A duty is handed over once a day at most, at a local time: the day of duty that begins on a date runs to the next date's
//! handover. Where the clock skips that time the jump hands over; where it comes twice, the first time does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

use crate::names::{RotaName, UserId};
use crate::schedule::{self, Edge};

/// Handovers farther ahead than this count as never.
const DAYS_AHEAD_MAX: u32 = 750;

/// People who take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rota {
    /// Its name.
    pub name: RotaName,
    /// Its own zone, where it is not the tenant's.
    pub zone: Option<TimeZone>,
    /// Who takes turns, in order; at least one.
    pub members: Vec<UserId>,
    /// The first member's duty begins on that date; before it nobody has any.
    pub from: Date,
    /// When duties are handed over, local time.
    pub at: Time,
    /// How many days a turn has, from 1.
    pub every_days: u32,
    /// Days of duty that somebody else has, or nobody.
    pub swaps: BTreeMap<Date, Option<UserId>>,
}

/// A duty at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Who has it; none where nobody has.
    pub user: Option<UserId>,
    /// When somebody else has it; none when that never happens.
    pub until: Option<Timestamp>,
    /// As `ana until Monday 2026-11-23 09:00`.
    pub why: String,
}

/// Who has the duty now (`turn` 0), or comes so many turns later. `zone` is the tenant's and gives way to the rota's own.
#[must_use]
pub fn on_duty(rota: &Rota, zone: &TimeZone, at: Timestamp, turn: u32) -> Duty {
    let zone = rota.zone.as_ref().unwrap_or(zone);
    let day = rota.day_of(zone, at);
    let now = rota.holder(day);
    let until = rota.handed_over(zone, day);
    if turn > 0 {
        let user = rota.in_turn(day).get(turn as usize - 1).map(|user| (*user).clone());
        let name = |user: Option<&UserId>| user.map_or("nobody".to_owned(), ToString::to_string);
        let why = format!("{} comes {turn} after {}", name(user.as_ref()), name(now));
        return Duty { user, until, why };
    }
    let mut why = now.map_or("nobody".to_owned(), ToString::to_string);
    if let (Some(_), Some(regular)) = (rota.swaps.get(&day), rota.regular(day))
        && now != Some(regular)
    {
        why += &format!(" instead of {regular}");
    }
    if let Some(until) = until {
        let local = until.to_zoned(zone.clone());
        why += &format!(
            " until {} {}",
            schedule::weekday_name(local.weekday()),
            local.strftime("%Y-%m-%d %H:%M")
        );
    }
    Duty { user: now.cloned(), until, why }
}

impl Rota {
    /// The day of duty that a moment is in.
    fn day_of(&self, zone: &TimeZone, at: Timestamp) -> Date {
        let date = at.to_zoned(zone.clone()).date();
        let begins = schedule::moment(zone, date, self.at, Edge::Opens);
        // A date has no second beginning: what is before it belongs to the day before.
        if begins.is_some_and(|begins| begins <= at) { date } else { date.yesterday().unwrap_or(date) }
    }

    /// Whose turn a day is, by the rota alone.
    fn regular(&self, day: Date) -> Option<&UserId> {
        let index = self.turn_of(day)?;
        self.members.get(index)
    }

    fn turn_of(&self, day: Date) -> Option<usize> {
        let days = self.from.until((Unit::Day, day)).ok()?.get_days();
        let days = u32::try_from(days).ok()?;
        (days / self.every_days.max(1))
            .checked_rem(u32::try_from(self.members.len()).ok()?)
            .map(|turn| turn as usize)
    }

    fn holder(&self, day: Date) -> Option<&UserId> {
        match self.swaps.get(&day) {
            Some(swapped) => swapped.as_ref(),
            None => self.regular(day),
        }
    }

    /// Who comes after the one who has the day, each once.
    fn in_turn(&self, day: Date) -> Vec<&UserId> {
        let first = self.turn_of(day).map_or(0, |turn| turn + 1);
        let line = self.members.iter().cycle().skip(first).take(self.members.len());
        let mut seen: BTreeSet<&UserId> = self.holder(day).into_iter().collect();
        line.filter(|user| seen.insert(user)).collect()
    }

    /// When the one who has a day hands over.
    fn handed_over(&self, zone: &TimeZone, day: Date) -> Option<Timestamp> {
        let now = self.holder(day);
        let days = (1..=DAYS_AHEAD_MAX).map_while(|ahead| day.checked_add(i64::from(ahead).days()).ok());
        let next = days.into_iter().find(|day| self.holder(*day) != now)?;
        schedule::moment(zone, next, self.at, Edge::Opens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round_and_are_handed_over_at_the_local_time() {
        let rota = platform();
        assert_eq!(look(&rota, "2026-11-16T08:59"), "nobody until Monday 2026-11-16 09:00");
        assert_eq!(look(&rota, "2026-11-16T09:00"), "ana until Monday 2026-11-23 09:00");
        assert_eq!(look(&rota, "2026-11-23T08:59"), "ana until Monday 2026-11-23 09:00");
        assert_eq!(look(&rota, "2026-11-23T09:00"), "bob until Monday 2026-11-30 09:00");
        assert_eq!(look(&rota, "2026-12-07T09:00"), "ana until Monday 2026-12-14 09:00");
    }

    #[test]
    fn a_swapped_day_is_somebody_else_s_and_no_more_than_that() {
        let mut rota = platform();
        rota.swaps.insert("2026-11-18".parse().unwrap(), Some("bob".into()));
        rota.swaps.insert("2026-11-20".parse().unwrap(), None);
        assert_eq!(look(&rota, "2026-11-18T08:59"), "ana until Wednesday 2026-11-18 09:00");
        assert_eq!(look(&rota, "2026-11-18T09:00"), "bob instead of ana until Thursday 2026-11-19 09:00");
        assert_eq!(look(&rota, "2026-11-20T12:00"), "nobody instead of ana until Saturday 2026-11-21 09:00");
        assert_eq!(look(&rota, "2026-11-21T12:00"), "ana until Monday 2026-11-23 09:00");
    }

    #[test]
    fn the_line_after_the_one_who_has_it_names_each_once() {
        let mut rota = platform();
        let turn = |rota: &Rota, turn| {
            let user = on_duty(rota, &berlin(), at("2026-11-18T12:00"), turn).user;
            user.map(|user| user.to_string())
        };
        assert_eq!([0, 1, 2, 3].map(|nth| turn(&rota, nth)), [name("ana"), name("bob"), name("eve"), None]);
        rota.swaps.insert("2026-11-18".parse().unwrap(), Some("bob".into()));
        assert_eq!([0, 1, 2, 3].map(|nth| turn(&rota, nth)), [name("bob"), name("eve"), name("ana"), None]);
    }

    #[test]
    fn a_rota_of_one_never_ends_and_its_own_zone_counts() {
        let mut rota = Rota { members: vec!["ana".into()], every_days: 1, ..platform() };
        assert_eq!(look(&rota, "2026-11-18T12:00"), "ana");
        rota.zone = Some(TimeZone::get("America/New_York").unwrap());
        assert_eq!(look(&rota, "2026-11-16T14:59"), "nobody until Monday 2026-11-16 09:00");
        assert_eq!(look(&rota, "2026-11-16T15:00"), "ana");
    }

    #[test]
    fn a_handover_that_the_clock_skips_is_at_the_jump_and_one_that_comes_twice_at_the_first() {
        let early = Rota {
            at: "02:30".parse().unwrap(),
            every_days: 1,
            from: "2026-10-01".parse().unwrap(),
            ..platform()
        };
        let until = |rota: &Rota, at: &str| {
            on_duty(rota, &berlin(), at.parse().unwrap(), 0).until.unwrap().to_string()
        };
        assert_eq!(until(&early, "2027-03-27T12:00:00Z"), "2027-03-28T01:00:00Z");
        assert_eq!(until(&early, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(until(&early, "2026-10-25T00:45:00Z"), "2026-10-26T01:30:00Z");
    }

    fn platform() -> Rota {
        Rota {
            name: "platform".into(),
            zone: None,
            members: vec!["ana".into(), "bob".into(), "eve".into()],
            from: "2026-11-16".parse().unwrap(),
            at: "09:00".parse().unwrap(),
            every_days: 7,
            swaps: BTreeMap::new(),
        }
    }

    fn name(user: &str) -> Option<String> {
        Some(user.to_owned())
    }

    fn look(rota: &Rota, local: &str) -> String {
        on_duty(rota, &berlin(), at(local), 0).why
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at(local: &str) -> Timestamp {
        berlin().to_timestamp(local.parse().unwrap()).unwrap()
    }
}
