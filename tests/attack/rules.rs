//! Rules that harm whoever lets them: their own calls still reach somebody, their tenant reads which limit it was, and
//! nobody else notices.

use std::time::Duration;

use serde_json::Value;

use crate::Effort;
use crate::guest::{OK, RING, STANDARD, component, outcome};
use crate::phones::{Lane, Lines, Traffic};
use crate::switch::Switch;
use crate::verdict::Verdicts;

/// What the memory may have grown by when the siege is over, in KiB.
const GROWTH_MAX_KIB: u64 = 64 * 1024;
/// Threads that may come and go with uploads and questions to the API.
const THREADS_MAX: u64 = 6;
/// Calls of the hostile tenant, a second.
const HOSTILE_A_SECOND: u32 = 4;
/// As often its rule is made active again: a version that keeps failing would be withdrawn.
const REACTIVATED_EVERY: Duration = Duration::from_millis(500);
/// By how much others' p99 may be slower, in percent, and the steps of the phones' own clock.
const SLOWER_MAX_PERCENT: u32 = 10;
const STEP: Duration = Duration::from_millis(2);
/// The rule's name.
pub(crate) const RULE: &str = "hostile";

/// A hostile rule, and what its tenant must read of it.
struct Hostile<'a> {
    what: &'a str,
    body: &'a str,
    rest: &'a str,
    outcome: &'a str,
    limit: Option<Limit<'a>>,
}

/// A limit with what is used of it, at least, and its maximum.
struct Limit<'a> {
    name: &'a str,
    used: u64,
    max: u64,
}

impl<'a> Hostile<'a> {
    const fn new(what: &'a str, body: &'a str, outcome: &'a str) -> Self {
        Self { what, body, rest: "", outcome, limit: None }
    }

    const fn with(self, rest: &'a str) -> Self {
        Self { rest, ..self }
    }

    const fn reaches(self, name: &'a str, used: u64, max: u64) -> Self {
        Self { limit: Some(Limit { name, used, max }), ..self }
    }
}

/// RUL-01: loops without end, in the export and before it.
pub(crate) fn endless_loops(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let endless = Hostile::new("an endless loop", "(loop $again (br $again)) unreachable", "fuel-exhausted");
    besiege(switch, effort, verdicts, &endless.reaches("fuel", 10_000_000, 10_000_000));
    let told = switch.upload(
        "hostile",
        RULE,
        &component(OK, "(func $start (loop $again (br $again))) (start $start)"),
    );
    verdicts.answered("an endless loop at the start is refused at upload", told.status, &[422]);
    let cause = told.body["error"]["cause"].to_string();
    verdicts.check("with its reason", cause.contains("fuel-exhausted"), cause, "names the fuel");
}

/// RUL-02: all the memory that can be had, and more.
pub(crate) fn memory_bombs(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let memory =
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let bomb = Hostile::new("a memory bomb", memory, "memory-limit");
    besiege(switch, effort, verdicts, &bomb.reaches("memory-bytes", 16_777_217, 16_777_216));
    let table = "(drop (table.grow $t (ref.null func) (i32.const 20000))) unreachable";
    let bomb = Hostile::new("a table bomb", table, "table-limit").with("(table $t 1 funcref)");
    besiege(switch, effort, verdicts, &bomb.reaches("table-elements", 20_001, 10_000));
}

/// RUL-03: recursion without end.
pub(crate) fn recursion(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let deep = "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))";
    let recursion = Hostile::new("endless recursion", "(call $deep)", "stack-overflow").with(deep);
    besiege(switch, effort, verdicts, &recursion.reaches("stack-bytes", 524_288, 524_288));
}

/// RUL-04: texts that the host should not copy, on each way that a text can take.
pub(crate) fn long_texts(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let reason = "(drop (memory.grow (i32.const 230)))
        (call $call.because (local.get $call) (i32.const 0) (i32.const 14000000)) unreachable";
    let returned = "(drop (memory.grow (i32.const 230))) (call $call.drop (local.get $call))
        (i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 65536))
        (i32.store (i32.const 24) (i32.const 14000000)) (i32.const 16)";
    let drops =
        "(loop $again (call $call.because (local.get $call) (i32.const 0) (i32.const 60000)) (br $again))
        unreachable";
    let lie = "(call $call.because (local.get $call) (i32.const 0) (i32.const 0x40000000)) unreachable";
    for hostile in [
        Hostile::new("a reason of 14 MB", reason, "limit-exceeded").reaches("bytes", 1_048_577, 262_144),
        Hostile::new("an error text of 14 MB", returned, "limit-exceeded")
            .reaches("bytes", 1_048_577, 262_144),
        Hostile::new("one reason after the other", drops, "limit-exceeded")
            .reaches("bytes", 262_145, 262_144),
        Hostile::new("a reason of 1 GiB that is not there", lie, "bad-output"),
    ] {
        besiege(switch, effort, verdicts, &hostile);
    }
}

/// RUL-05: handles without end.
pub(crate) fn handles(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let hoard = "(loop $again (drop (call $ring.new)) (br $again)) unreachable";
    let hoard = Hostile::new("a hoard of handles", hoard, "limit-exceeded");
    besiege(switch, effort, verdicts, &hoard.reaches("handles", 1_001, 1_000));
}

/// RUL-06: 2 MB of log in each call.
pub(crate) fn log_floods(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let flood = format!(
        "(local $n i32) (loop $again (call $log (i32.const 1) (i32.const 4096) (i32.const 1024))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 2000)))) {OK}"
    );
    let flood = Hostile::new("a log flood", &flood, "ok").reaches("log-bytes", 2_000_000, 8_192);
    let records = besiege(switch, effort, verdicts, &flood);
    let size = |record: &&Value| record["log"].to_string().len();
    let all = records.iter().map(|record| size(&record)).sum::<usize>();
    // 100 KiB a minute of a tenant, in two minutes at most; later calls of a minute have no log.
    verdicts.at_most("kept of all their logs", u64::try_from(all).unwrap(), 250_000, "bytes of JSON");
    let fullest = records.iter().max_by_key(size).unwrap();
    let longest = u64::try_from(size(&fullest)).unwrap();
    verdicts.at_most("kept of each call's log", longest, 10_000, "bytes of JSON");
    let last = fullest["log"].as_array().unwrap().last();
    let told = last.map_or("nothing", |line| line["message"].as_str().unwrap()).to_owned();
    let counts = told.contains("lines were dropped");
    verdicts.check("its last line counts what was dropped", counts, told, "… lines were dropped");
}

/// RUL-07: host calls without end, which cost the guest little of its own time.
pub(crate) fn host_calls(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let spin = "(loop $again (drop (call $call.elapsed-ms (local.get $call))) (br $again)) unreachable";
    let spin = Hostile::new("a spin of host calls", spin, "limit-exceeded");
    besiege(switch, effort, verdicts, &spin.reaches("reads", 5_001, 5_000));
}

/// RUL-08: ten thousand legs.
pub(crate) fn dial_bombs(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let bomb = format!(
        "(local $n i32) (local $ring i32) (local $to i32)
        (call $find-place (i32.const 1056) (i32.const 10) (i32.const 64)) (local.set $to (i32.load (i32.const 68)))
        (local.set $ring (call $ring.new))
        (loop $again (global.set $heap (i32.const 65536)) (call $ring.add (local.get $ring) (call $leg.new (local.get $to)) (i32.const 64))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 10000))))
        (call $call.ring (local.get $call) (local.get $ring) (i32.const 5000) (i32.const 64)) {OK}"
    );
    let bomb = Hostile::new("a dial bomb", &bomb, "ok").reaches("legs-at-once", 10_000, 10);
    let records = besiege(switch, effort, verdicts, &bomb);
    let rung = |record: &Value| record["legs"].as_array().unwrap().len();
    let (most, least) = (records.iter().map(rung).max().unwrap(), records.iter().map(rung).min().unwrap());
    verdicts.check(
        "the first ten of the crowd's phones ring, and no more",
        (most, least) == (10, 10),
        format!("{least} to {most} legs a call"),
        "10 legs",
    );
}

/// RUL-15: a trap while one phone is answered and others ring.
pub(crate) fn traps_after_an_answer(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let trap = format!("{RING} unreachable");
    let records = besiege(switch, effort, verdicts, &Hostile::new("a trap after the answer", &trap, "trap"));
    let kept = |record: &&Value| record["disposition"].to_string().contains("answered");
    let ended = |record: &&Value| record["cause"] == "callee-hung-up";
    let stayed = records.iter().filter(kept).filter(ended).count();
    verdicts.check(
        "the answered call stays until somebody hangs up",
        stayed == records.len(),
        format!("{stayed} of {}", records.len()),
        "all of them",
    );
}

/// RUL-16: callers who leave rules behind that ring for ever.
pub(crate) fn callers_who_leave(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let count = if effort == Effort::Quick { 12 } else { 200 };
    let stubborn = format!("(loop $again {RING} (br $again)) unreachable");
    let base = Measured::of(switch);
    let version = switch.install("hostile", RULE, &component(&stubborn, ""));
    let traffic = Traffic::start_on(switch, Lines::hostile().given_up(), 8);
    for _ in 0..count / 4 {
        std::thread::sleep(REACTIVATED_EVERY);
        switch.activate("hostile", RULE, &version);
    }
    let lane = traffic.end();
    verdicts.check(
        "each caller hung up while a phone rang",
        lane.given_up.len() == usize::try_from(lane.begun).unwrap() && lane.begun > 0,
        format!("{} of {}", lane.given_up.len(), lane.begun),
        "all of them",
    );
    let records = switch.records("hostile", usize::try_from(lane.begun).unwrap());
    let ends: Vec<_> = records.iter().map(outcome).collect();
    // It is told that the caller has gone, and does not listen.
    let stopped = |end: &&String| !["caller-gone", "limit-exceeded"].contains(&end.as_str());
    let wrong: Vec<_> = ends.iter().filter(stopped).cloned().collect();
    verdicts.all("their runs are stopped", ends.len(), &wrong, "caller-gone, or a limit before that");
    base.returns(switch, verdicts);
}

/// RUL-17: a release that traps in every call.
pub(crate) fn bad_releases(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let seconds = if effort == Effort::Quick { 3 } else { 20 };
    let good = switch.install("hostile", RULE, &component(STANDARD, ""));
    let bad = switch.install("hostile", RULE, &component("unreachable", ""));
    let traffic = Traffic::start_on(switch, Lines::hostile(), HOSTILE_A_SECOND);
    std::thread::sleep(Duration::from_secs(seconds));
    let lane = traffic.end();
    all_answered(&lane, "each call of the bad release is answered", verdicts);
    let records = switch.records("hostile", usize::try_from(lane.begun).unwrap());
    let trapped = records.iter().filter(|record| outcome(record) == "trap").count();
    verdicts.at_most("runs that trapped before it was withdrawn", u64::try_from(trapped).unwrap(), 8, "runs");
    let rules = switch.get("hostile/rules");
    let active = rules["rules"][0]["active"].as_str().unwrap().to_owned();
    verdicts.check("the release before is active again", active == good, active, good);
    let history = switch.get(&format!("hostile/rules/{RULE}/history"));
    let (latest, before) = (&history["history"][0], &history["history"][1]);
    let told = latest["how"] == "rolled-back" && before["version"].as_str() == Some(&bad);
    verdicts.check(
        "the history says who went back and why",
        told && latest["by"].as_str().unwrap().contains("kept failing"),
        latest["by"].to_string(),
        "the switch, because the version kept failing",
    );
}

/// RUL-18: what another tenant's run, or the call before, has left behind.
pub(crate) fn spies(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    // Looks at 4 MiB of fresh memory, traps if anything is in it, and leaves a secret in all of it.
    let spy = format!(
        "(local $at i32) (drop (memory.grow (i32.const 64))) (local.set $at (i32.const 131072))
        (loop $again
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
        (i64.store (local.get $at) (i64.const 0x5ec4e75ec4e75ec4))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 4325376))))
        (if (i32.ne (global.get $mark) (i32.const 0)) (then unreachable)) (global.set $mark (i32.const 1))
        {STANDARD}"
    );
    let spy = component(&spy, "(global $mark (mut i32) (i32.const 0))");
    switch.install("hostile", RULE, &spy);
    switch.install("acme", RULE, &spy);
    let seconds = if effort == Effort::Quick { 2 } else { 20 };
    let lawful = Traffic::start_on(switch, Lines::lawful_through_a_rule(), 20);
    let hostile = Traffic::start_on(switch, Lines::hostile(), 20);
    std::thread::sleep(Duration::from_secs(seconds));
    for (tenant, lane) in [("acme", lawful.end()), ("hostile", hostile.end())] {
        all_answered(&lane, "each call is answered", verdicts);
        let records = switch.records(tenant, usize::try_from(lane.begun).unwrap());
        let ends: Vec<_> = records.iter().map(outcome).collect();
        let wrong: Vec<_> = ends.iter().filter(|end| *end != "ok").cloned().collect();
        verdicts.all(format!("runs of {tenant} find nothing of another run"), ends.len(), &wrong, "zeros");
    }
    for (what, import) in [
        ("a fine clock", "(import \"wasi:clocks/monotonic-clock@0.2.0\" \"now\" (func (result i64)))"),
        ("shared memory", "(import \"env\" \"shared\" (memory 1 1 shared))"),
    ] {
        let module = wat::parse_str(format!("(module {import})")).unwrap();
        let told = switch.upload("hostile", RULE, &crate::guest::typed(&module));
        verdicts.answered(format!("{what} is refused at upload"), told.status, &[422]);
    }
}

/// Lets the hostile tenant call through its rule, beside lawful calls of another tenant; the hostile calls' records.
fn besiege(switch: &Switch, effort: Effort, verdicts: &mut Verdicts, hostile: &Hostile<'_>) -> Vec<Value> {
    let (turns, lasts, lawful_a_second) = match effort {
        Effort::Quick => (1, Duration::from_secs(1), 10),
        Effort::Full => (3, Duration::from_secs(8), 50),
    };
    let lawful = || Traffic::start_on(switch, Lines::lawful_through_a_rule(), lawful_a_second);
    switch.install("acme", "standard", &component(STANDARD, ""));
    let before = known(switch);
    let version = switch.install("hostile", RULE, &component(hostile.body, hostile.rest));
    let base = Measured::of(switch);
    let (mut quiet, mut neighbours, mut siege) = (Lane::default(), Lane::default(), Lane::default());
    // In turns, so that whatever else this machine does meets both alike.
    for _ in 0..turns {
        if effort == Effort::Full {
            let alone = lawful();
            std::thread::sleep(lasts);
            quiet.add(alone.end());
        }
        switch.activate("hostile", RULE, &version);
        let (beside, besiegers) = (lawful(), Traffic::start_on(switch, Lines::hostile(), HOSTILE_A_SECOND));
        let began = std::time::Instant::now();
        while began.elapsed() < lasts {
            std::thread::sleep(REACTIVATED_EVERY);
            switch.activate("hostile", RULE, &version);
        }
        siege.add(besiegers.end());
        neighbours.add(beside.end());
    }
    let what = hostile.what;
    all_answered(&siege, &format!("{what}: each of its own calls is answered"), verdicts);
    all_answered(&neighbours, &format!("{what}: each call of another tenant is answered"), verdicts);
    if effort == Effort::Full {
        let (without, with) = (quiet.p99(), neighbours.p99());
        verdicts.check(
            format!("{what}: others' p99 to the answer, of {} calls", neighbours.begun),
            with <= slowest(without),
            format!("{with:.1?}, {without:.1?} without"),
            format!("at most {:.1?}", slowest(without)),
        );
    }
    let count = usize::try_from(siege.begun).unwrap();
    let mut records = switch.records("hostile", before + count);
    records.truncate(count);
    tenant_reads(switch, hostile, &records, verdicts);
    base.returns(switch, verdicts);
    records
}

/// The p99 that others may have at the most, beside what it is without an attack.
pub(crate) fn slowest(without: Duration) -> Duration {
    (without + without * SLOWER_MAX_PERCENT / 100).max(without + STEP)
}

/// How many records the hostile tenant has already.
fn known(switch: &Switch) -> usize {
    switch.records("hostile", 0).len()
}

/// What the tenant is told of its calls: how each run ended, and which limit it came to.
fn tenant_reads(switch: &Switch, hostile: &Hostile<'_>, records: &[Value], verdicts: &mut Verdicts) {
    let what = hostile.what;
    let ends = records.iter().map(outcome);
    let wrong: Vec<_> = ends.filter(|end| end != hostile.outcome).collect();
    verdicts.all(
        format!("{what}: its runs end as {}", hostile.outcome),
        records.len(),
        &wrong,
        "all of them",
    );
    let Some(limit) = &hostile.limit else { return };
    let shown = |record: &Value| {
        let limits = record["runs"][0]["limits"].as_array()?;
        let reached = limits.iter().find(|reached| reached["limit"] == limit.name)?;
        (reached["used"].as_u64()? >= limit.used && reached["max"] == limit.max).then_some(())
    };
    let wrong: Vec<_> = records
        .iter()
        .filter(|record| shown(record).is_none())
        .map(|record| record["runs"][0].to_string())
        .collect();
    let bound = format!("at least {} of {}", limit.used, limit.max);
    verdicts.all(format!("{what}: each record has the limit {}", limit.name), records.len(), &wrong, &bound);
    let explained = switch.get(&format!("hostile/records/{}/explain", records[0]["id"].as_str().unwrap()));
    let facts = explained["facts"].as_array().unwrap();
    let words = format!("reached the limit `{}`: ", limit.name);
    let told = facts.iter().find_map(|fact| Some(fact["text"].as_str()?.split_once(&words)?.1.to_owned()));
    verdicts.check(
        format!("{what}: the explanation names it"),
        told.is_some(),
        told.unwrap_or_default(),
        "used of maximum",
    );
}

pub(crate) fn all_answered(lane: &Lane, claim: &str, verdicts: &mut Verdicts) {
    let failures: Vec<_> = lane.failures.clone();
    let begun = usize::try_from(lane.begun).unwrap();
    verdicts.all(claim, begun, &failures, "and ended as it should");
    if failures.is_empty() && lane.succeeded != lane.begun {
        verdicts.check(claim, false, format!("{} of {begun}", lane.succeeded), "all of them");
    }
}

/// What the switch takes, before and after.
pub(crate) struct Measured {
    memory_kib: u64,
    threads: u64,
}

impl Measured {
    pub(crate) fn of(switch: &Switch) -> Self {
        Self { memory_kib: switch.memory_kib(), threads: switch.threads() }
    }

    /// Whether all of it has come back.
    pub(crate) fn returns(&self, switch: &Switch, verdicts: &mut Verdicts) {
        for metric in ["callwright_calls_live", "callwright_runs_waiting"] {
            let left = switch.comes_down(metric, 0, Duration::from_secs(10));
            verdicts.at_most(format!("{metric} afterwards"), left, 0, "left over");
        }
        let growth = switch.memory_kib().saturating_sub(self.memory_kib);
        verdicts.at_most("memory that is not given back", growth, GROWTH_MAX_KIB, "KiB");
        let threads = switch.threads().saturating_sub(self.threads);
        verdicts.at_most("threads that are not given back", threads, THREADS_MAX, "threads");
    }
}
