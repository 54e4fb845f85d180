//! Opening hours and local time: pure functions of a moment, a zone and the tenant's entries.
//!
//! Local times meet daylight saving here and nowhere else. A time that the clock skips counts at the moment of the jump;
//! of a time that comes twice an opening takes the first and a closing the last, so no span is shorter than written.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::config::Hours;

/// Changes farther ahead than this count as never.
const DAYS_AHEAD_MAX: i32 = 750;

/// Days after which a week has shown all it has, spans over midnight included.
const DAYS_OF_A_WEEK: i32 = 9;

/// Opening hours, looked at at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Whether they are open.
    pub is_open: bool,
    /// When that changes; none when it never does.
    pub changes_at: Option<Timestamp>,
    /// The holiday, exception or weekly entry that decided, as `Friday 08:00 to 18:00`.
    pub why: String,
}

/// Civil time in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Gregorian date.
    pub date: Date,
    /// Time of day, to the second.
    pub time: Time,
    /// Day of the week.
    pub weekday: Weekday,
    /// Minutes east of UTC.
    pub offset_min: i16,
}

/// Reads a moment in a zone.
#[must_use]
pub fn local_time(at: Timestamp, zone: &TimeZone) -> LocalTime {
    let local = at.to_zoned(zone.clone());
    LocalTime {
        date: local.date(),
        time: Time::constant(local.hour(), local.minute(), local.second(), 0),
        weekday: local.weekday(),
        offset_min: i16::try_from(local.offset().seconds() / 60).unwrap_or(0),
    }
}

/// Looks at opening hours; `zone` is the tenant's and gives way to the hours' own.
#[must_use]
pub fn opening(hours: &Hours, zone: &TimeZone, at: Timestamp) -> Opening {
    let week = Week { hours, zone: hours.zone.as_ref().unwrap_or(zone) };
    let today = at.to_zoned(week.zone.clone()).date();
    match week.covering(at) {
        Some(span) => {
            let changes_at = week.closes(span.to, week.last_day(today));
            Opening { is_open: true, changes_at, why: span.why }
        }
        None => Opening {
            is_open: false,
            changes_at: week.opens(at, today, week.last_day(today)),
            why: week.why_closed(today),
        },
    }
}

/// The hours in the zone that they are meant in.
struct Week<'a> {
    hours: &'a Hours,
    zone: &'a TimeZone,
}

/// One open span as moments.
struct Span {
    from: Timestamp,
    to: Timestamp,
    why: String,
}

impl Week<'_> {
    /// The day after which nothing new happens.
    fn last_day(&self, today: Date) -> Date {
        let week = today.saturating_add(DAYS_OF_A_WEEK.days());
        let farthest = today.saturating_add(DAYS_AHEAD_MAX.days());
        let exception = self.hours.exceptions.keys().next_back().map(|last| last.saturating_add(2.days()));
        exception.map_or(week, |last| last.max(week)).min(farthest)
    }

    /// The span that is open at a moment; of several the one that closes last.
    fn covering(&self, at: Timestamp) -> Option<Span> {
        let day = at.to_zoned(self.zone.clone()).date();
        let mut spans = self.starting(day.saturating_sub(1.day()));
        spans.extend(self.starting(day));
        spans.into_iter().filter(|span| span.from <= at && at < span.to).max_by_key(|span| span.to)
    }

    /// When it closes, where one span may run into the next.
    fn closes(&self, mut end: Timestamp, last: Date) -> Option<Timestamp> {
        while let Some(next) = self.covering(end) {
            if next.to.to_zoned(self.zone.clone()).date() > last {
                return None;
            }
            end = next.to;
        }
        Some(end)
    }

    /// When it opens next.
    fn opens(&self, at: Timestamp, today: Date, last: Date) -> Option<Timestamp> {
        let mut day = today;
        while day <= last {
            let opens = self.starting(day).into_iter().map(|span| span.from).filter(|from| *from > at).min();
            if opens.is_some() {
                return opens;
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The spans that start on a day.
    fn starting(&self, day: Date) -> Vec<Span> {
        if let Some(exception) = self.hours.exceptions.get(&day) {
            let spans = exception.spans.iter();
            return spans
                .filter_map(|(from, to)| {
                    self.span(day, *from, *to, || format!("{}: {}", exception.name, clock(*from, *to)))
                })
                .collect();
        }
        let weekly = self.hours.weekly.iter().filter(|entry| entry.day == day.weekday());
        weekly.filter_map(|entry| self.weekly_span(day, entry.from, entry.to)).collect()
    }

    /// A weekly span; the part that runs into a day with an exception is that exception's to decide.
    fn weekly_span(&self, day: Date, from: Time, to: Time) -> Option<Span> {
        let mut span =
            self.span(day, from, to, || format!("{} {}", weekday_name(day.weekday()), clock(from, to)))?;
        let next = day.tomorrow().ok()?;
        if self.hours.exceptions.contains_key(&next) {
            span.to = span.to.min(moment(self.zone, next, Time::midnight(), Edge::Closes)?);
        }
        Some(span)
    }

    fn span(&self, day: Date, from: Time, to: Time, why: impl FnOnce() -> String) -> Option<Span> {
        let last = if to <= from { day.tomorrow().ok()? } else { day };
        let from = moment(self.zone, day, from, Edge::Opens)?;
        let to = moment(self.zone, last, to, Edge::Closes)?;
        (from < to).then(|| Span { from, to, why: why() })
    }

    /// What the day's entry says, for a moment outside of it.
    fn why_closed(&self, day: Date) -> String {
        if let Some(exception) = self.hours.exceptions.get(&day) {
            let spans = exception.spans.iter().map(|(from, to)| clock(*from, *to)).collect::<Vec<_>>();
            let spans = if spans.is_empty() { "closed all day".to_owned() } else { spans.join(" and ") };
            return format!("{}: {spans}", exception.name);
        }
        let entries = self.hours.weekly.iter().filter(|entry| entry.day == day.weekday());
        let spans = entries.map(|entry| clock(entry.from, entry.to)).collect::<Vec<_>>();
        if spans.is_empty() {
            return format!("{}: closed all day", weekday_name(day.weekday()));
        }
        format!("{} {}", weekday_name(day.weekday()), spans.join(" and "))
    }
}

/// Which side of a span a local time is.
#[derive(Clone, Copy)]
pub(crate) enum Edge {
    /// Its beginning.
    Opens,
    /// Its end.
    Closes,
}

/// A local time as a moment; none only beyond the calendar.
pub(crate) fn moment(zone: &TimeZone, day: Date, time: Time, edge: Edge) -> Option<Timestamp> {
    let local = zone.to_ambiguous_timestamp(day.to_datetime(time));
    match (local.offset(), edge) {
        (AmbiguousOffset::Gap { .. }, Edge::Opens | Edge::Closes) => {
            let before = local.earlier().ok()?;
            zone.following(before).next().map(|jump| jump.timestamp())
        }
        (AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. }, Edge::Opens) => {
            local.earlier().ok()
        }
        (AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. }, Edge::Closes) => {
            local.later().ok()
        }
    }
}

fn clock(from: Time, to: Time) -> String {
    if from == to {
        return format!("around the clock from {}", from.strftime("%H:%M"));
    }
    let to = if to == Time::midnight() { "24:00".to_owned() } else { to.strftime("%H:%M").to_string() };
    format!("{} to {to}", from.strftime("%H:%M"))
}

/// The English name of a weekday.
#[must_use]
pub fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod zones;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Exception, WeeklySpan};

    #[test]
    fn office_hours_are_open_within_and_say_when_they_close() {
        let hours = hours(&[(Weekday::Friday, "08:00", "18:00")]);
        let got = look(&hours, "Europe/Berlin", "2026-11-20T17:02:00");
        assert_eq!(got, ("open".into(), Some("2026-11-20T18:00:00".into()), "Friday 08:00 to 18:00".into()));
    }

    #[test]
    fn closing_time_itself_is_closed_and_the_next_week_opens() {
        let hours = hours(&[(Weekday::Friday, "08:00", "18:00")]);
        let got = look(&hours, "Europe/Berlin", "2026-11-20T18:00:00");
        assert_eq!(
            got,
            ("closed".into(), Some("2026-11-27T08:00:00".into()), "Friday 08:00 to 18:00".into())
        );
    }

    #[test]
    fn a_day_without_an_entry_says_so() {
        let hours = hours(&[(Weekday::Friday, "08:00", "18:00")]);
        let got = look(&hours, "Europe/Berlin", "2026-11-22T12:00:00");
        assert_eq!(
            got,
            ("closed".into(), Some("2026-11-27T08:00:00".into()), "Sunday: closed all day".into())
        );
    }

    #[test]
    fn a_span_over_midnight_is_open_after_midnight() {
        let hours = hours(&[(Weekday::Friday, "22:00", "02:00")]);
        let got = look(&hours, "Europe/Berlin", "2026-11-21T01:30:00");
        assert_eq!(got, ("open".into(), Some("2026-11-21T02:00:00".into()), "Friday 22:00 to 02:00".into()));
    }

    #[test]
    fn spans_that_touch_are_one_span() {
        let hours = hours(&[(Weekday::Friday, "08:00", "00:00"), (Weekday::Saturday, "00:00", "03:00")]);
        let got = look(&hours, "Europe/Berlin", "2026-11-20T09:00:00");
        assert_eq!(got, ("open".into(), Some("2026-11-21T03:00:00".into()), "Friday 08:00 to 24:00".into()));
    }

    #[test]
    fn hours_around_the_clock_never_change() {
        let got = look(&every_day("00:00", "00:00"), "Europe/Berlin", "2026-11-20T09:00:00");
        assert_eq!(got, ("open".into(), None, "Friday around the clock from 00:00".into()));
    }

    #[test]
    fn hours_without_entries_never_open() {
        let got = look(&hours(&[]), "Europe/Berlin", "2026-11-20T09:00:00");
        assert_eq!(got, ("closed".into(), None, "Friday: closed all day".into()));
    }

    #[test]
    fn an_exception_far_ahead_is_where_hours_around_the_clock_change() {
        let mut hours = every_day("00:00", "00:00");
        except(&mut hours, "2027-05-01", "Labour Day", &[]);
        let got = look(&hours, "Europe/Berlin", "2026-11-20T09:00:00");
        assert_eq!(got.1, Some("2027-05-01T00:00:00".into()));
        let got = look(&hours, "Europe/Berlin", "2027-05-01T09:00:00");
        assert_eq!(
            got,
            ("closed".into(), Some("2027-05-02T00:00:00".into()), "Labour Day: closed all day".into())
        );
    }

    #[test]
    fn an_exception_replaces_the_week_and_the_night_before() {
        let mut hours = every_day("18:00", "02:00");
        except(&mut hours, "2026-12-25", "Christmas", &[]);
        let got = look(&hours, "Europe/Berlin", "2026-12-24T23:00:00");
        assert_eq!(
            got,
            ("open".into(), Some("2026-12-25T00:00:00".into()), "Thursday 18:00 to 02:00".into())
        );
        assert_eq!(look(&hours, "Europe/Berlin", "2026-12-25T01:00:00").0, "closed");
    }

    #[test]
    fn what_an_exception_opens_runs_over_midnight_into_another() {
        let mut hours = every_day("08:00", "18:00");
        except(&mut hours, "2026-12-31", "New Year's Eve", &[("20:00", "04:00")]);
        except(&mut hours, "2027-01-01", "New Year", &[]);
        let got = look(&hours, "Europe/Berlin", "2027-01-01T03:00:00");
        assert_eq!(got.0, "open");
        assert_eq!(got.1, Some("2027-01-01T04:00:00".into()));
        assert_eq!(got.2, "New Year's Eve: 20:00 to 04:00");
    }

    #[test]
    fn a_skipped_opening_time_counts_at_the_jump() {
        // Berlin skips 02:00 to 03:00 on 2027-03-28, New York on 2027-03-14, Lord Howe 02:00 to 02:30 on 2026-10-04.
        let hours = every_day("02:15", "05:00");
        assert_eq!(opens(&hours, "Europe/Berlin", "2027-03-27T23:00:00Z"), "2027-03-28T01:00:00Z");
        assert_eq!(opens(&hours, "America/New_York", "2027-03-14T05:00:00Z"), "2027-03-14T07:00:00Z");
        assert_eq!(opens(&hours, "Australia/Lord_Howe", "2026-10-03T14:00:00Z"), "2026-10-03T15:30:00Z");
    }

    #[test]
    fn a_skipped_closing_time_counts_at_the_jump() {
        let hours = every_day("22:00", "02:15");
        assert_eq!(closes(&hours, "Europe/Berlin", "2027-03-28T00:30:00Z"), "2027-03-28T01:00:00Z");
        assert_eq!(closes(&hours, "America/New_York", "2027-03-14T06:30:00Z"), "2027-03-14T07:00:00Z");
        assert_eq!(closes(&hours, "Australia/Lord_Howe", "2026-10-03T15:00:00Z"), "2026-10-03T15:30:00Z");
    }

    #[test]
    fn of_a_time_that_comes_twice_opening_takes_the_first_and_closing_the_last() {
        // Berlin repeats 02:00 to 03:00 on 2026-10-25, New York 01:00 to 02:00 on 2026-11-01, Lord Howe 01:30 to 02:00 on 2027-04-04.
        assert_eq!(
            opens(&every_day("02:30", "05:00"), "Europe/Berlin", "2026-10-24T23:00:00Z"),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            closes(&every_day("22:00", "02:30"), "Europe/Berlin", "2026-10-25T00:00:00Z"),
            "2026-10-25T01:30:00Z"
        );
        assert_eq!(
            opens(&every_day("01:30", "05:00"), "America/New_York", "2026-11-01T04:10:00Z"),
            "2026-11-01T05:30:00Z"
        );
        assert_eq!(
            closes(&every_day("22:00", "01:30"), "America/New_York", "2026-11-01T05:00:00Z"),
            "2026-11-01T06:30:00Z"
        );
        assert_eq!(
            opens(&every_day("01:45", "05:00"), "Australia/Lord_Howe", "2027-04-03T14:00:00Z"),
            "2027-04-03T14:45:00Z"
        );
        assert_eq!(
            closes(&every_day("22:00", "01:45"), "Australia/Lord_Howe", "2027-04-03T14:00:00Z"),
            "2027-04-03T15:15:00Z"
        );
    }

    #[test]
    fn walking_from_change_to_change_agrees_with_every_minute_of_a_year() {
        let mut hours = hours(&[
            (Weekday::Monday, "08:00", "12:00"),
            (Weekday::Monday, "13:00", "18:00"),
            (Weekday::Saturday, "22:00", "03:30"),
            (Weekday::Sunday, "01:45", "02:30"),
        ]);
        except(&mut hours, "2026-12-28", "Inventory", &[("06:00", "07:00")]);
        for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            let zone = zone_of(zone);
            let mut at: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
            let end: Timestamp = "2027-09-01T00:00:00Z".parse().unwrap();
            let mut known = opening(&hours, &zone, at);
            while at < end {
                if known.changes_at == Some(at) {
                    let next = opening(&hours, &zone, at);
                    assert_ne!(next.is_open, known.is_open, "no change at {at}");
                    known = next;
                }
                assert_eq!(opening(&hours, &zone, at).is_open, known.is_open, "at {at}");
                at += 15.minutes();
            }
        }
    }

    #[test]
    fn local_time_has_the_offset_of_the_moment() {
        let local = local_time("2026-07-01T12:34:56.789Z".parse().unwrap(), &zone_of("Australia/Lord_Howe"));
        assert_eq!(local.offset_min, 630);
        assert_eq!(local.weekday, Weekday::Wednesday);
        assert_eq!(local.time, Time::constant(23, 4, 56, 0));
    }

    fn hours(weekly: &[(Weekday, &str, &str)]) -> Hours {
        let span = |(day, from, to): &(Weekday, &str, &str)| WeeklySpan {
            day: *day,
            from: time(from),
            to: time(to),
        };
        Hours {
            name: "office".into(),
            zone: None,
            weekly: weekly.iter().map(span).collect(),
            exceptions: BTreeMap::new(),
        }
    }

    fn every_day(from: &str, to: &str) -> Hours {
        let days = Weekday::Monday.cycle_forward().take(7);
        hours(&days.map(|day| (day, from, to)).collect::<Vec<_>>())
    }

    fn except(hours: &mut Hours, day: &str, name: &str, spans: &[(&str, &str)]) {
        let spans = spans.iter().map(|(from, to)| (time(from), time(to))).collect();
        hours.exceptions.insert(day.parse().unwrap(), Exception { name: name.into(), spans });
    }

    fn look(hours: &Hours, zone: &str, local: &str) -> (String, Option<String>, String) {
        let zone = zone_of(zone);
        let at = zone.to_timestamp(local.parse().unwrap()).unwrap();
        let got = opening(hours, &zone, at);
        let changes = got.changes_at.map(|at| zone.to_datetime(at).to_string());
        (if got.is_open { "open".into() } else { "closed".into() }, changes, got.why)
    }

    fn opens(hours: &Hours, zone: &str, at: &str) -> String {
        let got = opening(hours, &zone_of(zone), at.parse().unwrap());
        assert!(!got.is_open);
        got.changes_at.unwrap().to_string()
    }

    fn closes(hours: &Hours, zone: &str, at: &str) -> String {
        let got = opening(hours, &zone_of(zone), at.parse().unwrap());
        assert!(got.is_open);
        got.changes_at.unwrap().to_string()
    }

    fn zone_of(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }
}
