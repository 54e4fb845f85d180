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

fn whats(events: &[Event]) -> Vec<&Happened> {
    events.iter().map(|event| &event.what).collect()
}

pub(crate) fn events_come_in_their_order_from_where_one_has_read(store: &Arc<dyn Store>) {
    assert_eq!(store.events(&acme(), None, 9).unwrap(), []);
    for (seconds, version) in [(1, "first"), (2, "second"), (3, "third")] {
        store.add_event(&acme(), &withdrawn(version), at(seconds)).unwrap();
        store.add_event(&zeta(), &withdrawn("theirs"), at(seconds)).unwrap();
    }
    let all = store.events(&acme(), None, 9).unwrap();
    assert_eq!(whats(&all), ["first", "second", "third"].map(withdrawn).each_ref());
    assert_eq!(all.iter().map(|event| event.at).collect::<Vec<_>>(), [at(1), at(2), at(3)]);
    assert_eq!(store.events(&acme(), None, 2).unwrap(), all[1..], "the newest");
    assert_eq!(store.events(&acme(), Some(all[0].id), 1).unwrap(), all[1..2], "the next");
    assert_eq!(store.events(&acme(), Some(all[2].id), 9).unwrap(), []);
}

pub(crate) fn the_oldest_events_are_forgotten(store: &Arc<dyn Store>) {
    store.add_event(&acme(), &withdrawn("first"), at(1)).unwrap();
    for _ in 0..EVENTS_MAX {
        store.add_event(&acme(), &withdrawn("later"), at(2)).unwrap();
    }
    assert_eq!(whats(&store.events(&acme(), Some(0), 1).unwrap()), [&withdrawn("later")]);
}
