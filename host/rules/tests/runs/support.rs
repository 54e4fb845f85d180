//! What the tests of runs begin with: a tenant, a picture of it, and guests written in WebAssembly text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use callwright_core::config::{
    Config, Device, EarlyDialogs, Expiry, Fallback, Group, Hours, NumberPlan, Place, Tenant, User, WeeklySpan,
};
use callwright_core::names::{Extension, LegId, RunId, Version};
use callwright_core::rule::{
    ActiveRule, Answer, AnsweredBy, BindTarget, CallFacts, Care, DestinationRef, Entry, LegEnd, LegReport,
    Outcome, Party, RingReport, RunEvent, RunOutcome, RunStart, Setting, Spent,
};
use callwright_core::{Now, View};
use callwright_rules::{Answered, Engine, EngineLimits, Rule, Run, RunLimits, Step};
use callwright_sip::digest::{Algorithm, Secret};
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;

/// A guest's world: every import that the tests use, a bump allocator, and space for results at 16.
const PRELUDE: &str = include_str!("prelude.wat");

/// A component from the body of `handle-call` and whatever else the module has.
///
/// `$call` is the call; the body leaves 16 (`ok`) or a pointer to another result. Text lies from 1024 on.
pub(crate) fn guest(body: &str, rest: &str) -> Vec<u8> {
    guest_with("(memory (export \"memory\") 2)", body, rest)
}

/// The same with one more import.
pub(crate) fn guest_with_import(import: &str, body: &str) -> Vec<u8> {
    let module = format!(
        "(module {import} {PRELUDE} (memory (export \"memory\") 2)
        (func (export \"handle-call\") (param $call i32) (result i32) {body}))"
    );
    component(&module)
}

/// The same with a memory of the test's own.
pub(crate) fn guest_with(memory: &str, body: &str, rest: &str) -> Vec<u8> {
    let module = format!(
        "(module {PRELUDE} {memory} {rest}\n(func (export \"handle-call\") (param $call i32) (result i32) {body}))"
    );
    component(&module)
}

/// A component of our world from a core module in text.
pub(crate) fn component(module: &str) -> Vec<u8> {
    wit_component::ComponentEncoder::default().module(&typed_module(module)).unwrap().encode().unwrap()
}

/// A core module that carries the type of our world.
pub(crate) fn typed_module(module: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
    let mut bytes = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}"));
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
    bytes
}

/// One engine for all tests of a binary.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(limits()).unwrap())
}

/// Room for the tests.
pub(crate) fn limits() -> EngineLimits {
    EngineLimits { runs: 250, run: RunLimits::default() }
}

/// A guest, ready to run.
pub(crate) fn rule(body: &str, rest: &str) -> Rule {
    load(&guest(body, rest))
}

/// A component, ready to run.
pub(crate) fn load(component: &[u8]) -> Rule {
    engine().load(Version::from("sha256:test"), component).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs without ever answering a question but the way `answer` says.
pub(crate) fn run_with(rule: &Rule, answer: impl FnMut(&RunEvent) -> Answer) -> (RunOutcome, Vec<Spent>) {
    drive(Run::start(rule, start()), answer)
}

/// Runs a guest whose rings are never answered by anybody.
pub(crate) fn run(rule: &Rule) -> (RunOutcome, Spent) {
    let (outcome, spent) = run_with(rule, |_| rang(Outcome::NoAnswer));
    (outcome, joined(&spent))
}

/// Resumes a run until its end; 14 seconds pass with each question.
pub(crate) fn drive(mut run: Run, mut answer: impl FnMut(&RunEvent) -> Answer) -> (RunOutcome, Vec<Spent>) {
    let mut told = Vec::new();
    let mut next = None;
    let mut asked = 0;
    loop {
        match run.resume(next.take()) {
            Step::Slice => {}
            Step::Event { event: RunEvent::Ended(outcome), spent } => {
                told.push(*spent);
                return (outcome, told);
            }
            Step::Event { event, spent } => {
                told.push(*spent);
                let RunEvent::Asked { ask, .. } = &event else { unreachable!() };
                asked += 1;
                next = Some(Answered {
                    ask: *ask,
                    answer: answer(&event),
                    view: view(),
                    now: later(14 * asked),
                });
            }
        }
    }
}

/// Everything that a run said, in one.
pub(crate) fn joined(spent: &[Spent]) -> Spent {
    let mut all = Spent::default();
    for one in spent {
        all.notes.extend(one.notes.clone());
        all.log.extend(one.log.clone());
        all.warnings.extend(one.warnings.clone());
        all.journal.extend(one.journal.clone());
        all.limits.extend(one.limits.clone());
        (all.fuel, all.fuel_exact, all.slices) = (one.fuel, one.fuel_exact, one.slices);
    }
    all
}

/// A ring that ended so.
pub(crate) fn rang(outcome: Outcome) -> Answer {
    let leg = LegReport {
        to: DestinationRef::User("ana".into()),
        ended: LegEnd::Outcome(outcome.clone()),
        rang: Duration::from_secs(14),
    };
    Answer::Rang(Ok(RingReport { outcome, legs: vec![leg] }))
}

/// The mobile answered.
pub(crate) fn answered() -> Answer {
    rang(Outcome::Answered(AnsweredBy { device: "1003".into(), user: Some("ana".into()), leg: LegId(3) }))
}

/// Bob's desk phone calls Ana on a Friday evening in Berlin.
pub(crate) fn start() -> RunStart {
    let settings = BTreeMap::from([
        ("hours".to_owned(), Setting::Text("office".to_owned())),
        ("wait".to_owned(), Setting::Number(10)),
        ("loud".to_owned(), Setting::Flag(true)),
        ("night".to_owned(), Setting::Place(DestinationRef::Place("night-desk".into()))),
    ]);
    let rule = ActiveRule {
        tenant: "acme".into(),
        name: "test".into(),
        version: "sha256:test".into(),
        bind: vec![BindTarget::Tenant],
        fallback: None,
        settings: Arc::new(settings),
        care: Care::default(),
    };
    let caller = Party {
        name: "Bob Brown".into(),
        number: Some("101".into()),
        user: Some("bob".into()),
        withheld: false,
    };
    let dialled = Party {
        name: "Ana Alvarez".into(),
        number: Some("100".into()),
        user: Some("ana".into()),
        withheld: false,
    };
    let call = CallFacts {
        id: "c-1".into(),
        tenant: "acme".into(),
        caller,
        dialled,
        number: "100".into(),
        group: None,
        for_user: None,
        entry: Entry::Device(Some("1011".into())),
    };
    let (view, now) = (view(), later(0));
    RunStart {
        run: RunId(7),
        rule: Arc::new(rule),
        call: Arc::new(call),
        seed: 42,
        view,
        now,
        call_began: now.mono,
    }
}

/// So many seconds after the call came in.
pub(crate) fn later(seconds: u64) -> Now {
    let wall = "2026-11-20T18:02:00+01:00".parse::<jiff::Timestamp>().unwrap();
    Now { mono: Duration::from_secs(100 + seconds), wall: wall + Duration::from_secs(seconds) }
}

/// What the rules read.
pub(crate) fn view() -> Arc<View> {
    static VIEW: OnceLock<Arc<View>> = OnceLock::new();
    let config = || Config::new(BTreeSet::new(), Some("acme".into()), vec![tenant()]);
    VIEW.get_or_init(|| Arc::new(View { config: Arc::new(config()), ..View::default() })).clone()
}

/// Ana with three devices, Bob with one, both of them sales; the office closes at six.
pub(crate) fn tenant() -> Tenant {
    let devices = [
        device("1001", "desk", "ana"),
        device("1002", "soft", "ana"),
        device("1003", "mobile", "ana"),
        device("1011", "desk", "bob"),
    ];
    let devices: BTreeMap<Extension, Device> =
        devices.into_iter().map(|device| (device.extension.clone(), device)).collect();
    let user = |id: &str, name: &str, extension: &str, devices: &[&str]| User {
        id: id.into(),
        name: name.to_owned(),
        extension: Some(extension.into()),
        numbers: Vec::new(),
        zone: None,
        devices: devices.iter().map(|device| Extension::from(*device)).collect(),
        call_waiting: None,
        forwarding: None,
    };
    let users = [
        user("ana", "Ana Alvarez", "100", &["1001", "1002", "1003"]),
        user("bob", "Bob Brown", "101", &["1011"]),
    ];
    let users: BTreeMap<_, _> = users.into_iter().map(|user| (user.id.clone(), user)).collect();
    let sales = sales();
    let groups = BTreeMap::from([(sales.name.clone(), sales)]);
    let night = Place { name: "night-desk".into(), target: DestinationRef::User("bob".into()) };
    let span = WeeklySpan { day: Weekday::Friday, from: time(8, 0, 0, 0), to: time(18, 0, 0, 0) };
    let office = Hours { name: "office".into(), zone: None, weekly: vec![span], exceptions: BTreeMap::new() };
    Tenant {
        trusted: Vec::new(),
        id: "acme".into(),
        domains: vec!["acme.example".to_owned()],
        realm: None,
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        digest: Algorithm::Md5,
        expiry: Expiry { min_s: 60, max_s: 3600, default_s: 600 },
        plan: NumberPlan::of(devices.values(), users.values(), groups.values()),
        users,
        devices,
        groups,
        places: BTreeMap::from([(night.name.clone(), night)]),
        hours: BTreeMap::from([(office.name.clone(), office)]),
        holidays: BTreeMap::new(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: BTreeMap::new(),
        emergency: BTreeSet::from(["112".to_owned()]),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        cadence: Duration::from_secs(5),
        codes: callwright_core::codes::CodePlan::default(),
        cold_route_falls_back: false,
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1800,
        runs_max: 100,
        fuel_per_s: 1_000_000_000,
        uploads_per_hour: 30,
    }
}

/// Ana and Bob.
fn sales() -> Group {
    Group {
        name: "sales".into(),
        extension: Some("200".into()),
        members: vec![DestinationRef::User("ana".into()), DestinationRef::User("bob".into())],
        follow_forwarding: false,
        hunt: None,
        stagger: Duration::ZERO,
        ring_time: None,
    }
}

fn device(extension: &str, label: &str, user: &str) -> Device {
    Device {
        extension: extension.into(),
        label: label.to_owned(),
        user: user.into(),
        secret: Some(Secret::new("secret")),
        contact: None,
        early_dialogs: EarlyDialogs::PerLeg,
    }
}
