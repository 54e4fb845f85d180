//! Whatever way a component fails, the caller reaches the fallback: each outcome of a run, by a component, through the node.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

use std::path::Path;

use callwright_rules::{Engine, EngineLimits, RunLimits};
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::scenario::{parse, run};

/// The imports of a guest in text, as the tests of `host/rules` have them.
const PRELUDE: &str = include_str!("../../rules/tests/runs/prelude.wat");
/// The end of a body that is content.
const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";
/// Rings the night desk for 25 s.
const RING: &str = "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))";

/// A body of `handle-call`, what else the module has, and how it ends.
const FAILURES: [(&str, &str, &str); 9] = [
    ("unreachable", "", "trap"),
    ("(loop $again (br $again)) unreachable", "", "fuel-exhausted"),
    (
        "(if (i32.eq (memory.grow (i32.const 300)) (i32.const -1)) (then unreachable)) unreachable",
        "",
        "memory-limit",
    ),
    (
        "(drop (table.grow $t (ref.null func) (i32.const 20000))) unreachable",
        "(table $t 1 funcref)",
        "table-limit",
    ),
    ("(call $deep)", "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))", "stack-overflow"),
    (
        "(loop $again (drop (call $call.elapsed-ms (local.get $call))) (br $again)) unreachable",
        "",
        "limit-exceeded",
    ),
    (
        "(call $call.drop (local.get $call)) (i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)",
        "",
        "bad-output",
    ),
    ("unreachable", "(func $start unreachable) (start $start)", "instantiate-failed"),
    (
        "(call $call.drop (local.get $call)) (i32.store8 (i32.const 16) (i32.const 1)) (i32.const 16)",
        "",
        "declined",
    ),
];

#[test]
fn a_component_that_fails_leaves_the_call_to_the_fallback() {
    let shelf = shelf(RunLimits::default(), 8);
    for (body, rest, outcome) in FAILURES {
        play(
            &shelf,
            body,
            rest,
            &format!("{ANSWERED}expect c1 ran bad {outcome}\nexpect c1 answered by 1001 at 1s\n"),
        );
    }
}

#[test]
fn a_component_that_returns_without_a_decision_leaves_the_call_to_the_fallback_too() {
    let expected = format!("{ANSWERED}expect c1 ran bad ok\nexpect c1 answered by 1001 at 1s\n");
    play(&shelf(RunLimits::default(), 8), OK, "", &expected);
}

#[test]
fn a_trap_after_a_ring_leaves_the_call_to_the_fallback() {
    let expected = "phone 1011 rings\nphone 1001 answers after 1s\nphone 1021 rings\ncall c1 from 1021 to 100\n\
        expect c1 ran bad trap\nexpect c1 rings 1011 at 0s\nexpect c1 answered by 1001 at 26s\n";
    play(&shelf(RunLimits::default(), 8), &format!("{RING} unreachable"), "", expected);
}

#[test]
fn a_run_without_a_place_leaves_the_call_to_the_fallback() {
    // One place: the first call's run holds it while the night desk rings.
    let expected = "phone 1011 rings\nphone 1001 answers after 1s\ncall c1 from 1021 to 100\nwait 2s\n\
        call c2 from 1031 to 100\nexpect c2 ran bad host-busy\nexpect c2 answered by 1001 at 1s\nwait 5s\nhangup c1\n";
    play(&shelf(RunLimits::default(), 1), &format!("{RING} {OK}"), "", expected);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of CPU slices is a thread; here it ticks as fast as it can"
)]
fn a_component_that_computes_too_long_leaves_the_call_to_the_fallback() {
    let limits = RunLimits { fuel: u64::MAX / 2, ..RunLimits::default() };
    let engine = Engine::new(EngineLimits { runs: 8, run: limits }).unwrap();
    let ticker = engine.ticker();
    let clock = std::thread::spawn(move || while ticker.tick() {});
    let shelf = Shelf::new(engine, Path::new("."));
    let expected =
        format!("{ANSWERED}expect c1 ran bad deadline-exceeded\nexpect c1 answered by 1001 at 1s\n");
    play(&shelf, "(loop $again (br $again)) unreachable", "", &expected);
    drop(shelf);
    clock.join().unwrap();
}

/// Bob calls Ana, who answers after a second.
const ANSWERED: &str = "phone 1001 answers after 1s\ncall c1 from 1021 to 100\n";

/// A town where everybody's calls are decided by the component.
const TOWN: &str = "rule bad from bad.wasm bound to tenant\nuser ana 100: desk 1001\nuser bob 101: desk 1011\n\
    user cleo 102: desk 1021\nuser dora 103: desk 1031\nplace night-desk = user:bob\n";

fn shelf(run: RunLimits, runs: u32) -> Shelf {
    Shelf::new(Engine::new(EngineLimits { runs, run }).unwrap(), Path::new("."))
}

/// Plays a scenario with a component, and says what is not as expected.
fn play(shelf: &Shelf, body: &str, rest: &str, lines: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.wasm"), guest(body, rest)).unwrap();
    let scenario = parse("components", &format!("{TOWN}{lines}")).unwrap_or_else(|error| panic!("{error}"));
    let report = run(&scenario, shelf, folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.complaint().is_empty(), "{body}\n{}", report.complaint());
}

/// A core module that carries the type of our world.
fn guest(body: &str, rest: &str) -> Vec<u8> {
    let module = format!(
        "(module {PRELUDE} (memory (export \"memory\") 2) {rest}
        (func (export \"handle-call\") (param $call i32) (result i32) {body}))"
    );
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
    let mut bytes = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}"));
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
    bytes
}
