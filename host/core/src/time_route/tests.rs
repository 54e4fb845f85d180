use jiff::civil::{Time, Weekday};

use super::*;
use crate::config::{Exception, Hours, WeeklySpan};
use crate::rota::Rota;
use crate::testing;

#[test]
fn the_first_open_hours_say_who_is_meant() {
    let (tenant, route) = house();
    let at = |local: &str| {
        let meant = meant(&tenant, &route, moment(local));
        (meant.to.map(|to| to.to_string()), meant.why)
    };
    let (to, why) = at("2026-11-20T10:00");
    assert_eq!(
        (to.as_deref(), why.as_str()),
        (Some("group:sales"), "group:sales, as office is open: Friday 08:00 to 18:00")
    );
    let (to, why) = at("2026-11-20T20:00");
    assert_eq!(to.as_deref(), Some("user:ana"));
    assert_eq!(
        why,
        "rota:platform (ana until Monday 2026-11-23 09:00), as night is open: Friday 18:00 to 08:00"
    );
    assert_eq!(at("2026-11-21T20:00"), (None, "nobody at this time".to_owned()));
}

#[test]
fn what_nobody_covers_is_named_and_otherwise_covers_it() {
    let (mut tenant, mut route) = house();
    let found = holes(&tenant, &route, moment("2026-11-20T10:00"));
    let words: Vec<_> = found.iter().take(2).map(|hole| hole.in_words(&tenant.zone)).collect();
    assert_eq!(words[0], "Sat 2026-11-21 08:00 to Mon 2026-11-23 08:00 Europe/Berlin: nobody");
    assert_eq!(found.len(), 104 + 1, "each weekend of two years, and the last one begun");
    route.otherwise = Some(RouteTo::Destination("user:bob".parse().unwrap()));
    assert_eq!(holes(&tenant, &route, moment("2026-11-20T10:00")), []);
    // A swap to nobody leaves the night to nobody, as `otherwise` has the same duty.
    route.otherwise = Some(RouteTo::Rota("platform".into()));
    let day = "2026-12-08".parse().unwrap();
    tenant.rotas.get_mut(&RotaName::from("platform")).unwrap().swaps.insert(day, None);
    let found = holes(&tenant, &route, moment("2026-11-20T10:00"));
    let words: Vec<_> = found.iter().map(|hole| hole.in_words(&tenant.zone)).collect();
    assert_eq!(
        words,
        ["Tue 2026-12-08 18:00 to Wed 2026-12-09 08:00 Europe/Berlin: nobody"],
        "before 18:00 the office is open, and from 08:00 to 09:00 too"
    );
}

#[test]
fn two_at_once_are_named_with_their_time() {
    let (mut tenant, mut route) = house();
    route.otherwise = Some(RouteTo::Destination("user:bob".parse().unwrap()));
    let late = Hours {
        name: "late".into(),
        zone: None,
        weekly: vec![span(Weekday::Wednesday, "17:00", "18:30")],
        exceptions: BTreeMap::new(),
    };
    tenant.hours.insert(late.name.clone(), late);
    route
        .entries
        .push(RouteEntry { hours: "late".into(), to: RouteTo::Destination("user:bob".parse().unwrap()) });
    let found = holes(&tenant, &route, moment("2026-11-20T10:00"));
    let words: Vec<_> = found.iter().take(3).map(|hole| hole.in_words(&tenant.zone)).collect();
    // In the first week bob has the duty himself.
    assert_eq!(
        words,
        [
            "Wed 2026-11-25 17:00-18:00 Europe/Berlin: group:sales and user:bob",
            "Wed 2026-12-02 17:00-18:00 Europe/Berlin: group:sales and user:bob",
            "Wed 2026-12-02 18:00-18:30 Europe/Berlin: rota:platform and user:bob",
        ]
    );
}

#[test]
fn what_is_the_same_week_by_week_is_one_line() {
    let (tenant, route) = house();
    let found = holes(&tenant, &route, moment("2026-11-20T10:00"));
    let weekends = "desk: Sat 2026-11-21 08:00 to Mon 2026-11-23 08:00 Europe/Berlin: nobody, and on 104 more Saturdays \
        until 2028-11-18";
    assert_eq!(in_lines("desk", &tenant, &found), [weekends]);
    let twice = in_lines("desk", &tenant, &found[..2]);
    assert_eq!(
        twice,
        ["desk: Sat 2026-11-21 08:00 to Mon 2026-11-23 08:00 Europe/Berlin: nobody, and on Sat 2026-11-28"]
    );
    let minute = |minute: i64| {
        let from = moment("2026-11-20T10:00") + (2 * minute).minutes();
        Hole { from, to: from + 1.minute(), meant: Vec::new() }
    };
    let many = in_lines("desk", &tenant, &(0..25).map(minute).collect::<Vec<_>>());
    assert_eq!((many.len(), many[20].as_str()), (21, "desk: and 5 more times in two years"));
}

#[test]
fn every_minute_agrees_with_what_is_named() {
    let (mut tenant, mut route) = house();
    let christmas = Exception { name: "Christmas".to_owned(), spans: vec![(time("10:00"), time("12:00"))] };
    tenant.hours.get_mut("office").unwrap().exceptions.insert("2026-12-25".parse().unwrap(), christmas);
    route
        .entries
        .push(RouteEntry { hours: "office".into(), to: RouteTo::Destination("user:bob".parse().unwrap()) });
    let begin = moment("2026-12-01T00:00");
    let found = holes(&tenant, &route, begin);
    let (mut next, mut holes) = (found.iter().peekable(), 0);
    for minute in 0..2 * 365 * 24 * 60 {
        let at = begin + minute.minutes();
        while next.peek().is_some_and(|hole| hole.to <= at) {
            next.next();
        }
        let is_hole = next.peek().is_some_and(|hole| hole.from <= at);
        assert_eq!(is_hole, all_meant(&tenant, &route, at).len() != 1, "{at}");
        holes += i32::from(is_hole);
    }
    assert!(holes > 104 * 38 * 60, "{holes} minutes of the weekends are nobody's");
}

/// The office by day, the one on duty in the nights after it, nobody at the weekend.
fn house() -> (Tenant, TimeRoute) {
    let mut tenant = testing::tenant();
    tenant.zone = TimeZone::get("Europe/Berlin").unwrap();
    let days = || Weekday::Monday.cycle_forward().take(5);
    for (name, from, to) in [("office", "08:00", "18:00"), ("night", "18:00", "08:00")] {
        let hours = Hours {
            name: name.into(),
            zone: None,
            weekly: days().map(|day| span(day, from, to)).collect(),
            exceptions: BTreeMap::new(),
        };
        tenant.hours.insert(hours.name.clone(), hours);
    }
    let platform = Rota {
        name: "platform".into(),
        zone: None,
        members: vec!["ana".into(), "bob".into()],
        from: "2026-11-16".parse().unwrap(),
        at: time("09:00"),
        every_days: 7,
        swaps: BTreeMap::new(),
    };
    tenant.rotas.insert(platform.name.clone(), platform);
    let entry = |hours: &str, to: RouteTo| RouteEntry { hours: hours.into(), to };
    let route = TimeRoute {
        name: "desk".into(),
        entries: vec![
            entry("office", RouteTo::Destination("group:sales".parse().unwrap())),
            entry("night", RouteTo::Rota("platform".into())),
        ],
        otherwise: None,
    };
    (tenant, route)
}

fn span(day: Weekday, from: &str, to: &str) -> WeeklySpan {
    WeeklySpan { day, from: time(from), to: time(to) }
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn moment(local: &str) -> Timestamp {
    TimeZone::get("Europe/Berlin").unwrap().to_timestamp(local.parse().unwrap()).unwrap()
}
