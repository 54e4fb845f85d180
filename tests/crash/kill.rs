//! The switch is killed again and again in the middle of uploads, settings, registrations and calls: what it had acknowledged is
//! there after each restart, and it answers within two seconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Effort;
use crate::phones::{Phones, Registered};
use crate::switch::{Folder, Switch};
use crate::uploads::Uploads;
use crate::verdict::Verdicts;
use crate::wishes::Wishes;

/// How long it may take from its start to its first answer to a phone and to a program.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long it is left alone before it is killed: something between these.
const LIVES_MS: std::ops::Range<u64> = 400..1_600;

/// Everything that was acknowledged so far.
#[derive(Default)]
struct Promised {
    registered: BTreeMap<String, Registered>,
    uploads: Uploads,
    wishes: Wishes,
    records: BTreeMap<String, Value>,
}

/// What was looked for after a restart, and what was not as it had been acknowledged.
#[derive(Default)]
pub(crate) struct Losses {
    bindings: Sought,
    pub(crate) versions: Sought,
    pub(crate) activations: Sought,
    pub(crate) wishes: Sought,
    records: Sought,
}

/// One kind of it.
#[derive(Default)]
pub(crate) struct Sought {
    looked: usize,
    lost: Vec<String>,
}

impl Sought {
    /// Notes whether something is as it should be.
    pub(crate) fn expect(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        self.looked += 1;
        if !is_so {
            self.lost.push(what());
        }
    }
}

/// Kills it as often as was asked for.
pub(crate) fn again_and_again(effort: Effort, verdicts: &mut Verdicts) {
    let folder = Folder::new("kill");
    let (mut promised, mut losses) = (Promised::default(), Losses::default());
    let mut slowest = Duration::ZERO;
    for round in 0..effort.times {
        let (switch, took) = Switch::start(&folder);
        slowest = slowest.max(took);
        promised.look_for(&switch, &mut losses);
        promised.grow_until_killed(&switch, round);
    }
    let (switch, took) = Switch::start(&folder);
    slowest = slowest.max(took);
    promised.look_for(&switch, &mut losses);
    let Promised { registered, uploads, wishes, records } = &promised;
    let unit = |what: &str| format!("{what}, looked for after each of {} kills", effort.times);
    let kinds = [
        (format!("{} devices' bindings", registered.len()), &losses.bindings),
        (format!("{} uploaded versions", uploads.kept()), &losses.versions),
        (format!("{} activations, the last of each rule", uploads.activations()), &losses.activations),
        (format!("{} saved settings, the last of each person", wishes.changes()), &losses.wishes),
        (format!("{} call records", records.len()), &losses.records),
    ];
    for (what, sought) in kinds {
        verdicts.all(unit(&what), sought.looked, &sought.lost, "each as it was acknowledged");
    }
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    verdicts.at_most("slowest start, to the first answers", millis(slowest), millis(ANSWERS_WITHIN), "ms");
    let wanted = usize::try_from(effort.times).unwrap();
    let enough = records.len() > wanted && uploads.kept() * 2 > wanted;
    let measured = format!("{} records and {} versions", records.len(), uploads.kept());
    let bound = format!("more than {wanted} and {}", wanted / 2);
    verdicts.check("enough happened to prove something", enough, measured, bound);
}

impl Promised {
    /// Phones, a tenant and a reader of records keep the switch busy until it dies.
    fn grow_until_killed(&mut self, switch: &Switch, round: u32) {
        let lives = LIVES_MS.start + (u64::from(round) * 7_919) % (LIVES_MS.end - LIVES_MS.start);
        let over = AtomicBool::new(false);
        let Self { registered, uploads, wishes, records } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| Phones::new(switch.sip(), round, registered).use_until(&over));
            scope.spawn(|| uploads.go_on_until(&over, switch, round));
            scope.spawn(|| wishes.go_on_until(&over, switch, round));
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

    /// Compares what was acknowledged with what is there.
    fn look_for(&self, switch: &Switch, losses: &mut Losses) {
        let bound = switch.registered();
        for (device, state) in &self.registered {
            let is_so = match state {
                Registered::Yes => bound.contains(device),
                Registered::No => !bound.contains(device),
                Registered::Asked => continue,
            };
            losses.bindings.expect(is_so, || format!("{device} was told {state:?}"));
        }
        self.uploads.look_for(switch, losses);
        self.wishes.look_for(switch, losses);
        let found = switch.all_records();
        for (id, record) in &self.records {
            losses.records.expect(found.get(id) == Some(record), || format!("the record of call {id}"));
        }
    }
}
