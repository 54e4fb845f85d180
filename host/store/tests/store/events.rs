//! What every store promises of events.

use std::sync::Arc;

use callwright_core::rule::RunOutcome;
use callwright_store::{EVENTS_MAX, Event, Happened, Store};

use crate::made::{acme, at, zeta};

fn withdrawn(version: &str) -> Happened {
    Happened::VersionWithdrawn {
        rule: "follow-me".into(),
        version: version.into(),
        back_to: (version != "first").then(|| "first".into()),
        failed: 5,
        runs: 7,
        last: RunOutcome::Trap("unreachable".to_owned()),
    }
}

pub(crate) fn warned(about: Option<&str>, said: &str) -> Happened {
    Happened::RuleWarned {
        rule: "standard".into(),
        version: "sha256:0123456789".into(),
        call: "abc".into(),
        about: about.map(Into::into),
        said: said.to_owned(),
    }
}

fn whats(events: &[Event]) -> Vec<&Happened> {
    events.iter().map(|event| &event.what).collect()
}

pub(crate) fn events_come_in_their_order_from_where_one_has_read(store: &Arc<dyn Store>) {
    assert_eq!(store.events(&acme(), None, None, 9).unwrap(), []);
    for (seconds, version) in [(1, "first"), (2, "second"), (3, "third")] {
        store.add_event(&acme(), &withdrawn(version), at(seconds)).unwrap();
        store.add_event(&zeta(), &withdrawn("theirs"), at(seconds)).unwrap();
    }
    let all = store.events(&acme(), None, None, 9).unwrap();
    assert_eq!(whats(&all), ["first", "second", "third"].map(withdrawn).each_ref());
    assert_eq!(all.iter().map(|event| event.at).collect::<Vec<_>>(), [at(1), at(2), at(3)]);
    assert_eq!(store.events(&acme(), None, None, 2).unwrap(), all[1..], "the newest");
    assert_eq!(store.events(&acme(), None, Some(all[0].id), 1).unwrap(), all[1..2], "the next");
    assert_eq!(store.events(&acme(), None, Some(all[2].id), 9).unwrap(), []);
}

pub(crate) fn events_about_a_person_are_found_among_all(store: &Arc<dyn Store>) {
    let all = [
        warned(Some("ana"), "one"),
        withdrawn("second"),
        warned(Some("bob"), "two"),
        warned(Some("ana"), "three"),
        Happened::WarningsHeld { until: at(9) },
        warned(None, "four"),
        warned(Some("ana"), "five"),
    ];
    for what in &all {
        store.add_event(&acme(), what, at(1)).unwrap();
        store.add_event(&zeta(), &warned(Some("ana"), "theirs"), at(1)).unwrap();
    }
    assert_eq!(whats(&store.events(&acme(), None, None, 9).unwrap()), all.each_ref());
    let of = |user: &str, after, limit| store.events(&acme(), Some(&user.into()), after, limit).unwrap();
    let ana = of("ana", None, 9);
    assert_eq!(whats(&ana), [&all[0], &all[3], &all[6]]);
    assert_eq!(of("ana", None, 2), ana[1..], "the newest");
    assert_eq!(of("ana", Some(ana[0].id), 1), ana[1..2], "the next");
    assert_eq!(of("ana", Some(ana[2].id), 9), []);
    assert_eq!(whats(&of("bob", None, 9)), [&all[2]]);
    assert_eq!(of("cleo", None, 9), []);
}

pub(crate) fn the_oldest_events_are_forgotten(store: &Arc<dyn Store>) {
    store.add_event(&acme(), &withdrawn("first"), at(1)).unwrap();
    for _ in 0..EVENTS_MAX {
        store.add_event(&acme(), &withdrawn("later"), at(2)).unwrap();
    }
    assert_eq!(whats(&store.events(&acme(), None, Some(0), 1).unwrap()), [&withdrawn("later")]);
}
