//! Opening hours and rotas in every zone there is, around every change of its clock in two years.
//!
//! What they should say is worked out in another way: from the local time of each quarter of an hour alone. A span is
//! open from the first moment that shows its opening time or a later one, to the last moment that shows an earlier one
//! than its closing time.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::opening;
use crate::config::{Hours, WeeklySpan};
use crate::rota::{Rota, on_duty};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);
/// Quarters of an hour looked at on each side of a change.
const AROUND: i32 = 18 * 4;
/// The local time is known for so many more, so that spans which begin or end outside are right too.
const BEYOND: i32 = 60 * 4;

#[test]
fn openings_and_duties_are_right_around_every_change_of_every_zone_s_clock() {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
    let (mut zones, mut changes) = (0, 0);
    for name in tz::db().available() {
        let zone = TimeZone::get(name.as_str()).unwrap();
        let mut looked_at: Vec<Timestamp> =
            zone.following(begin).map(|change| change.timestamp()).take_while(|at| *at < end).collect();
        changes += looked_at.len();
        if looked_at.is_empty() {
            looked_at.push("2026-06-01T12:00:00Z".parse().unwrap());
        }
        for change in looked_at {
            check(name.as_str(), &zone, change);
        }
        zones += 1;
    }
    assert!(zones > 400 && changes > 400, "{zones} zones with {changes} changes");
}

fn check(name: &str, zone: &TimeZone, change: Timestamp) {
    let first = change - QUARTER * (AROUND + BEYOND);
    let moments: Vec<Timestamp> = (0..2 * (AROUND + BEYOND)).map(|step| first + QUARTER * step).collect();
    let local: Vec<DateTime> = moments.iter().map(|at| zone.to_datetime(*at)).collect();
    let latest = running(local.iter().copied(), DateTime::max);
    let mut earliest = running(local.iter().rev().copied(), DateTime::min);
    earliest.reverse();
    for hours in [busy(), every_day("01:45", "02:15"), every_day("22:00", "02:30")] {
        let is_open = |index: usize| {
            let today = local[index].date();
            let days = [-2, -1, 0, 1].map(|ahead: i32| today + ahead.days());
            let spans = days.into_iter().flat_map(|day| spans_of(&hours, day));
            spans.into_iter().any(|(from, to)| latest[index] >= from && earliest[index] < to)
        };
        for index in (BEYOND as usize..).take(2 * AROUND as usize) {
            let (at, wanted) = (moments[index], is_open(index));
            let got = opening(&hours, zone, at);
            assert_eq!(got.is_open, wanted, "{name} at {at} ({})", local[index]);
            let changes_now = got.changes_at == Some(moments[index + 1]);
            assert_eq!(changes_now, wanted != is_open(index + 1), "{name} after {at} ({})", local[index]);
        }
    }
    let rota = rota();
    for index in (BEYOND as usize..).take(2 * AROUND as usize).step_by(4) {
        let at = moments[index];
        // The handovers that have been: each date's whose time the clock has shown.
        let day = if latest[index].time() >= rota.at {
            latest[index].date()
        } else {
            latest[index].date() - 1.day()
        };
        let turn = usize::try_from((day - rota.from).get_days()).unwrap() % 2;
        let duty = on_duty(&rota, zone, at, 0);
        assert_eq!(duty.user.as_ref(), rota.members.get(turn), "{name} at {at} ({})", local[index]);
        assert!(duty.until.is_some_and(|until| until > at), "{name} at {at}");
    }
}

/// What the greatest so far is, or the least.
fn running(
    times: impl Iterator<Item = DateTime>,
    of_two: fn(DateTime, DateTime) -> DateTime,
) -> Vec<DateTime> {
    let mut so_far = Vec::new();
    for time in times {
        so_far.push(so_far.last().map_or(time, |last| of_two(*last, time)));
    }
    so_far
}

fn spans_of(hours: &Hours, day: Date) -> Vec<(DateTime, DateTime)> {
    let entries = hours.weekly.iter().filter(|entry| entry.day == day.weekday());
    entries
        .map(|entry| {
            let last = if entry.to <= entry.from { day + 1.day() } else { day };
            (day.to_datetime(entry.from), last.to_datetime(entry.to))
        })
        .collect()
}

/// Spans that touch, run into the next day, and begin where clocks change.
fn busy() -> Hours {
    let of = |day, spans: &[(&str, &str)]| -> Vec<WeeklySpan> {
        spans.iter().map(|(from, to)| WeeklySpan { day, from: time(from), to: time(to) }).collect()
    };
    let weekly = [
        of(Weekday::Saturday, &[("00:00", "00:30"), ("08:00", "12:00"), ("22:30", "03:30")]),
        of(
            Weekday::Sunday,
            &[("01:00", "01:15"), ("02:00", "03:00"), ("03:00", "04:45"), ("23:00", "00:00")],
        ),
        of(Weekday::Thursday, &[("23:45", "00:15")]),
        of(Weekday::Friday, &[("00:00", "01:00"), ("02:30", "02:45")]),
    ];
    Hours { name: "busy".into(), zone: None, weekly: weekly.concat(), exceptions: BTreeMap::new() }
}

fn every_day(from: &str, to: &str) -> Hours {
    let days = Weekday::Monday.cycle_forward().take(7);
    let weekly = days.map(|day| WeeklySpan { day, from: time(from), to: time(to) }).collect();
    Hours { name: "daily".into(), zone: None, weekly, exceptions: BTreeMap::new() }
}

fn rota() -> Rota {
    Rota {
        name: "daily".into(),
        zone: None,
        members: vec!["ana".into(), "bob".into()],
        from: "2025-06-01".parse().unwrap(),
        at: time("02:30"),
        every_days: 1,
        swaps: BTreeMap::new(),
    }
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}
