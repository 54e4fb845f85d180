//! The switch is killed twenty times in the middle of uploads, registrations and calls: what it had acknowledged is there
//! after each restart, and it answers within two seconds.
//!
//! Run by `cargo xtask test --only killed`, which builds the switch and the rule that is uploaded. Phones and programs
//! talk to it over loopback, on ports that were free.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be done fails them")]

mod phones;
mod switch;
mod uploads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::phones::{Phones, Registered};
use crate::switch::{Folder, Switch};
use crate::uploads::Uploads;

/// How often the switch is killed.
const KILLS: u64 = 20;
/// How long it may take from its start to its first answer to a phone and to a program.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long it is left alone before it is killed: something between these.
const LIVES_MS: std::ops::Range<u64> = 400..1_600;

/// Everything that was acknowledged so far.
#[derive(Default)]
struct Promised {
    registered: BTreeMap<String, Registered>,
    uploads: Uploads,
    records: BTreeMap<String, Value>,
}

#[test]
fn what_was_acknowledged_survives_twenty_kills() {
    let folder = Folder::new();
    let mut promised = Promised::default();
    let mut slowest = Duration::ZERO;
    let mut token = None;
    for round in 0..KILLS {
        let (switch, took) = Switch::start(&folder, token.take());
        assert!(took <= ANSWERS_WITHIN, "start {round} took {took:?}: {}", folder.printed());
        slowest = slowest.max(took);
        promised.must_be_kept_by(&switch, round);
        promised.grow_until_killed(&switch, round);
        token = Some(switch.kill());
    }
    let (switch, took) = Switch::start(&folder, token);
    assert!(took <= ANSWERS_WITHIN, "the last start took {took:?}");
    promised.must_be_kept_by(&switch, KILLS);
    println!(
        "{KILLS} kills: {} records, {} versions, {} activations and {} devices kept; slowest start {slowest:?}",
        promised.records.len(),
        promised.uploads.kept(),
        promised.uploads.activations(),
        promised.registered.len(),
    );
    assert!(
        promised.records.len() > 20 && promised.uploads.kept() > 10,
        "too little happened to prove anything"
    );
}

impl Promised {
    /// Phones, a tenant and a reader of records keep the switch busy until it dies.
    fn grow_until_killed(&mut self, switch: &Switch, round: u64) {
        let lives = LIVES_MS.start + (round * 7_919) % (LIVES_MS.end - LIVES_MS.start);
        let over = AtomicBool::new(false);
        let Self { registered, uploads, records } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| Phones::new(switch.sip(), round).use_until(&over, registered));
            scope.spawn(|| uploads.go_on_until(&over, switch, round));
            let until = Instant::now() + Duration::from_millis(lives);
            while Instant::now() < until {
                // What the API has shown counts as acknowledged.
                for record in switch.records() {
                    records.insert(record["id"].as_str().unwrap().to_owned(), record);
                }
                std::thread::sleep(Duration::from_millis(30));
            }
            switch.die();
            over.store(true, Ordering::Relaxed);
        });
    }

    fn must_be_kept_by(&self, switch: &Switch, round: u64) {
        let bound = switch.registered();
        for (device, state) in &self.registered {
            match state {
                Registered::Yes => {
                    assert!(bound.contains(device), "round {round}: the binding of {device} is lost");
                }
                Registered::No => {
                    assert!(!bound.contains(device), "round {round}: {device} had taken its binding back");
                }
                Registered::Asked => {}
            }
        }
        self.uploads.must_be_kept_by(switch, round);
        for (id, record) in &self.records {
            assert_eq!(switch.record(id).as_ref(), Some(record), "round {round}: the record of call {id}");
        }
    }
}
