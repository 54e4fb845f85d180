//! The compile child as it really is: a process that limits itself. This test is the child of itself, so it has no harness.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by a panic, and this one has no harness that clippy knows"
)]
#![expect(clippy::print_stdout, reason = "a test without a harness says itself what it does")]

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use callwright_rules::compile::{ChildEnd, CompileLimits, compile_child_main, reply};
use callwright_rules::upload::version_of;
use callwright_rules::{ArtefactKey, Engine, EngineLimits};
use rustix::process::{getpriority_process, setpriority_process};

/// Small enough to wait for, large enough for a rule.
const LIMITS: CompileLimits = CompileLimits { cpu_s: 1, memory_bytes: 512 * 1024 * 1024, wall_s: 20 };
/// Less than the branches below need and more than the compiler itself.
const SMALL: CompileLimits = CompileLimits { cpu_s: 10, memory_bytes: 160 * 1024 * 1024, wall_s: 20 };

/// A niceness beyond the one that a compile child steps back to.
const PATIENT: i32 = 15;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("child") => child(&LIMITS),
        Some("small-child") => child(&SMALL),
        Some("patient-child") => patient_child(),
        Some(_) | None => parent(),
    }
}

fn child(limits: &CompileLimits) {
    if compile_child_main(std::io::stdin(), std::io::stdout(), limits).is_err() {
        std::process::exit(1);
    }
}

/// As of a switch that its operator started behind everybody else.
fn patient_child() {
    setpriority_process(None, PATIENT).unwrap();
    child(&LIMITS);
    if getpriority_process(None).unwrap() != PATIENT {
        std::process::exit(2);
    }
}

fn parent() {
    a_component_comes_back_as_code_that_the_engine_loads();
    a_child_of_a_switch_that_stands_back_stays_there();
    what_is_no_component_comes_back_as_a_problem();
    a_component_that_compiles_too_long_is_refused_by_that_limit();
    a_component_that_takes_too_much_memory_is_refused_by_that_limit();
}

fn a_component_comes_back_as_code_that_the_engine_loads() {
    let uploaded = component("(func (export \"run\"))");
    let (output, end) = compile("child", &uploaded);
    let compiled = reply(&output, end, &LIMITS).unwrap();
    let engine = Engine::new(EngineLimits::capped(2, 65_530)).unwrap();
    let key = ArtefactKey::new([1; 32]);
    let sealed = engine.seal(&key, &version_of(&uploaded), compiled);
    // It is code for this engine, and lacks what a rule exports.
    let error = engine.load_artefact(&key, version_of(&uploaded), &sealed).unwrap_err();
    assert!(error.to_string().contains("handle-call"), "{error}");
    println!("a_component_comes_back_as_code_that_the_engine_loads ... ok");
}

fn a_child_of_a_switch_that_stands_back_stays_there() {
    let (output, end) = compile("patient-child", &component("(func (export \"run\"))"));
    assert!(reply(&output, end, &LIMITS).is_ok(), "{end:?}");
    println!("a_child_of_a_switch_that_stands_back_stays_there ... ok");
}

fn what_is_no_component_comes_back_as_a_problem() {
    let (output, end) = compile("child", b"nothing of the kind");
    let problem = reply(&output, end, &LIMITS).unwrap_err();
    assert!(problem.what.starts_with("the core module cannot be made a component"), "{problem}");
    println!("what_is_no_component_comes_back_as_a_problem ... ok");
}

fn a_component_that_compiles_too_long_is_refused_by_that_limit() {
    // Each function is within the bounds of an upload; two hundred of them are not within a second.
    let (output, end) = compile("child", &component(&branches().repeat(200)));
    let problem = reply(&output, end, &LIMITS).unwrap_err();
    assert!(problem.what.starts_with("takes more than 1 s of CPU to compile"), "{problem} {end:?}");
    println!("a_component_that_compiles_too_long_is_refused_by_that_limit ... ok");
}

fn a_component_that_takes_too_much_memory_is_refused_by_that_limit() {
    let (output, end) = compile("small-child", &component(&diamonds()));
    let problem = reply(&output, end, &SMALL).unwrap_err();
    assert!(problem.what.starts_with("takes more than 160 MiB to compile"), "{problem} {end:?}");
    println!("a_component_that_takes_too_much_memory_is_refused_by_that_limit ... ok");
}

/// Twenty tables of two hundred branches out of two hundred blocks.
fn branches() -> String {
    let blocks = "(block ".repeat(200);
    let targets = (0..200).map(|depth| depth.to_string()).collect::<Vec<_>>().join(" ");
    let table = format!("(if (local.get 0) (then (br_table {targets} (local.get 0))))");
    format!("(func (param i32) {blocks} {} {})", table.repeat(19), ")".repeat(200))
}

/// Two thousand locals that live through two thousand branches.
fn diamonds() -> String {
    let locals = "i32 ".repeat(1_999);
    let join = |index: usize| format!("(if (local.get 0) (then (local.set {index} (local.get 0))))");
    let joins: String = (1..2_000).map(join).collect();
    let uses: String = (1..2_000).map(|index| format!("(drop (i32.load (local.get {index})))")).collect();
    format!("(memory 1) (func (param i32) (local {locals}) (loop {joins} {uses} (br_if 0 (local.get 0))))")
}

/// A component around a core module.
fn component(functions: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (core module {functions}))")).unwrap()
}

fn compile(kind: &str, uploaded: &[u8]) -> (Vec<u8>, ChildEnd) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let command = command.arg(kind).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A child that is killed while it is written to has said enough by that.
    let written = input.write_all(uploaded);
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(written.is_ok() || !output.status.success());
    (output.stdout, end(output.status))
}

fn end(status: ExitStatus) -> ChildEnd {
    match (status.code(), status.signal()) {
        (Some(0), _) => ChildEnd::Done,
        (Some(code), _) => ChildEnd::Failed(code),
        (None, Some(signal)) => ChildEnd::Killed(signal),
        (None, None) => ChildEnd::Overdue,
    }
}
