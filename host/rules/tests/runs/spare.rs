//! Instances that are made before their calls: nothing but the time it takes tells a run in one from any other.

use callwright_core::rule::{Outcome, RunOutcome};
use callwright_rules::{Engine, EngineLimits, Run, RunLimits, Spare};

use crate::support::{drive, guest, guest_with, joined, load, rang, rule, run, start};

const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";
const RING: &str = "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))";

#[test]
fn a_run_in_a_spare_is_the_run_that_it_would_have_been() {
    let grows = "(func $start (drop (memory.grow (i32.const 7)))) (start $start)";
    let spins = "(func $start (local $n i32) (loop $again
        (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))) (start $start)";
    let more = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let tells = format!("(drop (call $budget.fuel)) {OK}");
    for (body, rest) in [
        (OK, ""),
        (&format!("{RING} {RING} {OK}"), ""),
        (&tells, ""),
        (&tells, spins),
        (&format!("{RING} {OK}"), grows),
        (more, grows),
        ("unreachable", spins),
        ("(loop $again (br $again)) unreachable", spins),
    ] {
        let rule = rule(body, rest);
        let fresh = drive(Run::start(&rule, start()), |_| rang(Outcome::NoAnswer));
        for _ in 0..3 {
            let spare = Spare::of(&rule).unwrap();
            let spared = drive(Run::start_with(spare, start()), |_| rang(Outcome::NoAnswer));
            assert_eq!(spared.0, fresh.0, "{body} {rest}");
            let (mut spared, mut fresh) = (joined(&spared.1), joined(&fresh.1));
            // How many slices it took is the machine's.
            (spared.slices, fresh.slices) = (0, 0);
            assert_eq!(spared, fresh, "{body} {rest}");
        }
    }
}

#[test]
fn a_rule_that_asks_or_fails_when_it_starts_or_takes_much_memory_has_no_spare() {
    let asks = "(func $start (drop (call $ring.new))) (start $start)";
    let traps = "(func $start unreachable) (start $start)";
    let spins = "(func $start (loop $again (br $again))) (start $start)";
    for start in [asks, traps, spins] {
        assert!(Spare::of(&rule(OK, start)).is_none(), "{start}");
    }
    assert_eq!(run(&rule(OK, asks)).0, RunOutcome::Ok);
    let memory = |pages| load(&guest_with(&format!("(memory (export \"memory\") {pages})"), OK, ""));
    assert!(Spare::of(&memory(32)).is_some());
    assert!(Spare::of(&memory(33)).is_none());
}

#[test]
fn a_spare_takes_a_place_until_it_is_dropped() {
    let engine = Engine::new(EngineLimits { runs: 1, run: RunLimits::default() }).unwrap();
    let rule = engine.load("sha256:test".into(), &guest(OK, "")).unwrap();
    let spare = Spare::of(&rule).unwrap();
    assert!(Spare::of(&rule).is_none());
    assert_eq!(run(&rule).0, RunOutcome::HostBusy);
    drop(spare);
    assert_eq!(run(&rule).0, RunOutcome::Ok);
    assert!(Spare::of(&rule).is_some());
}
