//! A tenant whose rule is another kind of broken every moment, under load: nobody's call is lost, and others do not wait for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Effort;
use crate::guest::{STANDARD, component, outcome};
use crate::phones::{Lane, Lines, Traffic};
use crate::rules::{Measured, RULE, all_answered, slowest};
use crate::switch::Switch;
use crate::verdict::Verdicts;

/// The ways to be broken, with what the tenant reads of them; the last is not, and hands over to the standard rule.
const WAYS: [(&str, &str, &str); 7] = [
    ("trap", "unreachable", ""),
    ("fuel-exhausted", "(loop $again (br $again)) unreachable", ""),
    (
        "memory-limit",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
        "",
    ),
    (
        "stack-overflow",
        "(drop (call $deep)) unreachable",
        "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))",
    ),
    ("limit-exceeded", "(loop $again (drop (call $ring.new)) (br $again)) unreachable", ""),
    ("trap", RINGS_AND_TRAPS, ""),
    ("ok", STANDARD, ""),
];
/// Traps when the ring that it asked for is over.
const RINGS_AND_TRAPS: &str =
    "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64)) unreachable";
/// How often another of them is made active; in between a version that keeps failing is withdrawn.
const OTHER_EVERY: Duration = Duration::from_millis(700);
/// Calls of the chaotic tenant, a second: enough to withdraw a version before the next.
const CHAOTIC_A_SECOND: u32 = 12;

/// RUL-19: rules that are broken in all ways in turn, beside the standard rule of another tenant under load.
pub(crate) fn everything_at_once(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let (rounds, lasts, lawful_a_second) = match effort {
        Effort::Quick => (1, Duration::from_secs(3), 10),
        Effort::Full => (6, Duration::from_secs(8), 50),
    };
    switch.install("acme", "standard", &component(STANDARD, ""));
    let versions: Vec<String> =
        WAYS.iter().map(|(_, body, rest)| switch.install("hostile", RULE, &component(body, rest))).collect();
    let base = Measured::of(switch);
    let (mut quiet, mut beside, mut chaotic) = (Lane::default(), Lane::default(), Lane::default());
    // In turns, so that whatever else this machine does meets both alike.
    for _ in 0..rounds {
        let lawful = || Traffic::start_on(switch, Lines::lawful_through_a_rule(), lawful_a_second);
        if effort == Effort::Full {
            let alone = lawful();
            std::thread::sleep(lasts);
            quiet.add(alone.end());
        }
        let (neighbours, chaos) = (lawful(), Traffic::start_on(switch, Lines::hostile(), CHAOTIC_A_SECOND));
        let began = Instant::now();
        for version in versions.iter().cycle() {
            if began.elapsed() >= lasts {
                break;
            }
            switch.activate("hostile", RULE, version);
            std::thread::sleep(OTHER_EVERY);
        }
        chaotic.add(chaos.end());
        beside.add(neighbours.end());
    }
    all_answered(&chaotic, "each call through a broken rule is answered", verdicts);
    all_answered(&beside, "each call of another tenant is answered", verdicts);
    broken_and_withdrawn(switch, usize::try_from(chaotic.begun).unwrap(), verdicts);
    if effort == Effort::Full {
        let (without, with) = (quiet.p99(), beside.p99());
        let bound = slowest(without);
        verdicts.check(
            format!(
                "others' p99 to the answer, of {} calls beside the chaos and {} without",
                beside.begun, quiet.begun
            ),
            with <= bound,
            format!(
                "{with:.2?}, {without:.2?} without: {:.2} times",
                with.as_secs_f64() / without.as_secs_f64()
            ),
            format!("at most {bound:.2?}"),
        );
    }
    base.returns(switch, verdicts);
}

/// What the tenant reads of its calls and of its versions.
fn broken_and_withdrawn(switch: &Switch, calls: usize, verdicts: &mut Verdicts) {
    let records = switch.records("hostile", calls);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for record in &records {
        *ends.entry(outcome(record)).or_default() += 1;
    }
    let known: Vec<&str> = WAYS.iter().map(|(outcome, ..)| *outcome).collect();
    let strange: Vec<_> = ends.keys().filter(|end| !known.contains(&end.as_str())).cloned().collect();
    verdicts.all(
        format!("its runs end in the ways it is broken: {ends:?}"),
        records.len(),
        &strange,
        "and in no other",
    );
    let history = switch.get(&format!("hostile/rules/{RULE}/history?limit=500"));
    let back = history["history"].as_array().unwrap().iter().filter(|it| it["how"] == "rolled-back").count();
    verdicts.check(
        "versions that keep failing are withdrawn meanwhile",
        back > 0,
        format!("{back} times"),
        "at least once",
    );
}
