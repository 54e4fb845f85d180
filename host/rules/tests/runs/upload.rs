//! What an upload is told, and how compiled code comes back in.

use callwright_core::config::Fallback;
use callwright_core::rule::{BindTarget, Care, DestinationRef, Refusal, Setting};
use callwright_rules::compile::{ChildEnd, CompileLimits, Compiler, reply};
use callwright_rules::price::PRICES;
use callwright_rules::upload::{COMPONENT_BYTES_MAX, Upload, admit, version_of};
use callwright_rules::{ArtefactError, ArtefactKey, EngineLimits, LoadError, RunLimits};

use crate::support::{engine, guest, load, run, tenant, typed_module};

const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";
const TOML: &str = "name = \"follow-me\"\n";

#[test]
fn a_good_upload_is_admitted_under_the_digest_of_its_bytes() {
    let component = guest(OK, "");
    let admitted = admit(&Upload { component: &component, rule_toml: TOML }, &tenant()).unwrap();
    assert_eq!(admitted.version, version_of(&component));
    assert!(admitted.version.as_str().starts_with("sha256:") && admitted.version.as_str().len() == 71);
    assert_eq!(admitted.manifest.name.as_str(), "follow-me");
}

#[test]
fn a_core_module_with_a_component_type_is_admitted_and_runs() {
    let module = typed_module(
        "(module
            (import \"callwright:rules/call@0.1.0\" \"[resource-drop]call\" (func $drop (param i32)))
            (memory (export \"memory\") 1)
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export \"handle-call\") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 16)))",
    );
    admit(&Upload { component: &module, rule_toml: TOML }, &tenant()).unwrap();
    assert_eq!(run(&load(&module)).0, callwright_core::rule::RunOutcome::Ok);
}

#[test]
fn every_problem_is_listed_at_once() {
    let toml = "fallbacks = 1\nbind = [\"user:eve\", \"tenants\"]\n[settings]\nnight = \"place:nowhere\"\npi = 3.14\n";
    let problems = problems(b"\x7fELF....", toml);
    assert_eq!(
        problems,
        [
            "component: is native code or a precompiled artefact; send the component itself, the switch compiles it",
            "rule.toml: fallbacks: unknown key; a rule.toml has name, fallback, bind, owner, review and [settings]",
            "rule.toml: name: missing",
            "rule.toml: bind[1]: `tenants` binds to nothing: write tenant, user:NAME, group:NAME or number:NUMBER",
            "rule.toml: settings.pi: must be a text, a whole number, a yes or no, or a place, not float",
        ]
    );
}

#[test]
fn names_that_the_tenant_does_not_have_are_problems() {
    let toml = "name = \"x\"\nbind = [\"user:eve\", \"group:sales\"]\nfallback = { ring = \"device:9\", for-s = 20 }\n\
        [settings]\nnight = \"place:nowhere\"\n";
    assert_eq!(
        problems(&guest(OK, ""), toml),
        [
            "rule.toml: bind[0]: tenant `acme` has no user `eve`",
            "rule.toml: fallback.ring: tenant `acme` has no device `9`",
            "rule.toml: settings.night: tenant `acme` has no place `nowhere`",
        ]
    );
}

#[test]
fn a_rule_toml_is_read_as_it_is_written() {
    let toml = "
        name = \"after-hours\"
        bind = [\"tenant\", \"user:ana\", \"group:sales\", \"number:+4930123456\"]
        fallback = { ring = \"place:night-desk\", for-s = 25 }
        owner = \" Ana, switchboard \"
        review = 2027-03-01
        [settings]
        hours = \"office\"
        wait = 10
        loud = true
        night = \"place:night-desk\"";
    let manifest = admit(&Upload { component: &guest(OK, ""), rule_toml: toml }, &tenant()).unwrap().manifest;
    let night = DestinationRef::Place("night-desk".into());
    assert_eq!(manifest.fallback, Some(Fallback::Ring { to: night.clone(), for_ms: 25_000 }));
    let number = BindTarget::Number("+4930123456".into());
    let bind =
        [BindTarget::Tenant, BindTarget::User("ana".into()), BindTarget::Group("sales".into()), number];
    assert_eq!(manifest.bind, bind);
    let settings: Vec<_> = manifest.settings.clone().into_iter().collect();
    let named = |key: &str, setting| (key.to_owned(), setting);
    assert_eq!(
        settings,
        [
            named("hours", Setting::Text("office".into())),
            named("loud", Setting::Flag(true)),
            named("night", Setting::Place(night)),
            named("wait", Setting::Number(10)),
        ]
    );
    let care =
        Care { owner: Some("Ana, switchboard".to_owned()), review: Some(jiff::civil::date(2027, 3, 1)) };
    assert_eq!(manifest.care, care);
    let active = manifest.activate(&tenant(), version_of(b""));
    assert_eq!(active.care, care);
    assert_eq!((active.tenant.as_str(), active.name.as_str()), ("acme", "after-hours"));
}

#[test]
fn who_answers_for_a_rule_is_a_text_and_when_they_look_again_a_day() {
    let told = |lines: &str| problems(&guest(OK, ""), &format!("name = \"x\"\n{lines}"));
    assert_eq!(told("owner = \"  \""), ["rule.toml: owner: write 1 to 100 characters"]);
    assert_eq!(told("owner = 5"), ["rule.toml: owner: must be a text, not integer"]);
    assert_eq!(told("review = \"soon\""), ["rule.toml: review: `soon` is no day: write it as 2027-03-01"]);
}

#[test]
fn fallbacks_have_words_and_a_wrong_one_is_told_them() {
    let fallback = |text: &str| {
        let toml = format!("name = \"x\"\nfallback = {text}");
        admit(&Upload { component: &guest(OK, ""), rule_toml: &toml }, &tenant())
            .map(|admitted| admitted.manifest.fallback)
    };
    assert_eq!(fallback("\"ring-dialled\""), Ok(Some(Fallback::RingDialled)));
    assert_eq!(fallback("\"refuse-busy\""), Ok(Some(Fallback::Refuse(Refusal::Busy))));
    let problem = fallback("\"mailbox\"").unwrap_err().remove(0).to_string();
    assert!(
        problem.starts_with("rule.toml: fallback: `mailbox` is none of ring-dialled, refuse-busy,"),
        "{problem}"
    );
    let problem = fallback("{ ring = \"user:ana\", for-s = 0, forever = true }").unwrap_err();
    let problem: Vec<_> = problem.iter().map(ToString::to_string).collect();
    assert_eq!(
        problem,
        [
            "rule.toml: fallback.forever: unknown key; a fallback has ring and for-s",
            "rule.toml: fallback.for-s: 0 is not within 1 to 600",
        ]
    );
}

#[test]
fn a_syntax_error_has_its_line() {
    let problem = problems(&guest(OK, ""), "name = \"x\"\nbind = [").remove(0);
    assert!(problem.starts_with("rule.toml: line 2: "), "{problem}");
}

#[test]
fn what_is_no_component_is_told_what_it_is() {
    let told = |bytes: &[u8]| problems(bytes, TOML).remove(0);
    assert_eq!(told(b""), "component: is empty");
    assert_eq!(told(b"hello"), "component: is no WebAssembly component");
    assert_eq!(told(b"(component)"), "component: is WebAssembly text; send the binary form");
    let big = vec![0; COMPONENT_BYTES_MAX + 1];
    assert_eq!(told(&big), "component: has 2097153 bytes, the most is 2097152; strip debug information");
    let mut broken = guest(OK, "");
    broken.truncate(200);
    assert!(told(&broken).starts_with("component: is not valid: "), "{}", told(&broken));
}

#[test]
fn imports_outside_of_the_world_are_named() {
    let importing =
        |imports: &str| problems(&wat::parse_str(format!("(component {imports})")).unwrap(), TOML);
    let no_export = "component: does not export `handle-call`, it exports nothing";
    let wasi = "(import \"wasi:cli/environment@0.2.0\" (instance))";
    let told = "component: imports `wasi:cli/environment@0.2.0`: a rule has no WASI; build for wasm32-unknown-unknown";
    assert_eq!(importing(wasi), [told, no_export]);
    let told = "component: imports `wasi:sockets/tcp@0.2.0`: a rule has no network; what it needs to know must come from the switch";
    assert_eq!(importing("(import \"wasi:sockets/tcp@0.2.0\" (instance))"), [told, no_export]);
    let told = "component: imports `callwright:rules/queue@0.1.0`: callwright:rules/call-policy@0.1.0 has no interface \
        `queue`, it has types, ring, call, directory, presence, forwarding, schedule, stats, store, settings, log, budget";
    assert_eq!(importing("(import \"callwright:rules/queue@0.1.0\" (instance))"), [told, no_export]);
    let told = "component: imports `callwright:rules/log@0.2.0`: this switch has 0.1.x of it; build against the wit/ folder of this switch";
    assert_eq!(importing("(import \"callwright:rules/log@0.2.0\" (instance))"), [told, no_export]);
    let told = "component: imports `budget.hops`, which callwright:rules/call-policy@0.1.0 does not have";
    let hops = "(import \"callwright:rules/budget@0.1.0\" (instance (export \"hops\" (func (result u32)))))";
    assert_eq!(importing(hops), [told, no_export]);
}

#[test]
fn a_module_s_imports_are_checked_like_a_component_s() {
    let module =
        wat::parse_str("(module (import \"env\" \"abort\" (func)) (func (export \"run\")))").unwrap();
    assert_eq!(
        problems(&module, TOML),
        [
            "component: imports `env`: not an interface of this switch",
            "component: does not export `handle-call`, it exports run"
        ]
    );
}

#[test]
fn what_would_cost_too_much_to_compile_is_refused_by_its_numbers() {
    let told = |rest: &str| problems(&wat::parse_str(format!("(module {rest})")).unwrap(), TOML);
    let locals = format!("(func (local {}))", "i32 ".repeat(2_001));
    assert_eq!(told(&locals), ["component: has 2001 locals in one function, the most is 2000"]);
    let blocks = format!("(func {} {})", "block ".repeat(1_001), "end ".repeat(1_001));
    assert_eq!(told(&blocks), ["component: has 1001 nested blocks in one function, the most is 1000"]);
    let table = format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(4_002));
    assert_eq!(
        told(&table),
        ["component: has 4001 branch targets in the tables of one function, the most is 4000"]
    );
    assert_eq!(
        told("(memory 257)"),
        ["component: has 16842752 bytes of memory at the start, the most is 16777216"]
    );
    assert_eq!(
        told("(table 10001 funcref)"),
        ["component: has 10001 table elements at the start, the most is 10000"]
    );
    let modules = "(core module)".repeat(17);
    let component = wat::parse_str(format!("(component {modules})")).unwrap();
    assert_eq!(problems(&component, TOML), ["component: has 17 core modules, the most is 16"]);
}

#[test]
fn a_wrong_type_is_found_when_it_is_linked() {
    let wrong = wat::parse_str(
        "(component
            (import \"callwright:rules/budget@0.1.0\" (instance (export \"fuel\" (func (result string)))))
            (core module $m (func (export \"f\")))
            (core instance $i (instantiate $m))
            (func (export \"handle-call\") (canon lift (core func $i \"f\"))))",
    )
    .unwrap();
    let error = engine().load("sha256:test".into(), &wrong).unwrap_err();
    assert!(matches!(error, LoadError::World(_)), "{error}");
}

#[test]
fn a_component_that_dies_at_its_start_is_not_ready() {
    let problem = engine().prove(&load(&guest(OK, "(func $start unreachable) (start $start)"))).unwrap_err();
    assert_eq!(problem.to_string(), "component: cannot be started: instantiate-failed: trap: unreachable");
    let problem =
        engine().prove(&load(&guest(OK, "(func $start (loop $l (br $l))) (start $start)"))).unwrap_err();
    assert_eq!(problem.to_string(), "component: cannot be started: fuel-exhausted in start");
    assert_eq!(engine().prove(&load(&guest(OK, ""))), Ok(()));
}

#[test]
fn the_compiler_makes_code_for_the_engine_and_both_say_so() {
    let compiler = Compiler::new().unwrap();
    assert_eq!(compiler.fingerprint(), engine().fingerprint());
    let key = ArtefactKey::new([7; 32]);
    let component = guest(OK, "");
    let version = version_of(&component);
    let sealed = engine().seal(&key, &version, &compiler.compile(&component).unwrap());
    let rule = engine().load_artefact(&key, version.clone(), &sealed).unwrap();
    assert_eq!(rule.version(), &version);
    assert_eq!(run(&rule).0, callwright_core::rule::RunOutcome::Ok);
}

#[test]
fn nothing_is_loaded_whose_seal_is_not_ours() {
    let key = ArtefactKey::new([7; 32]);
    let component = guest(OK, "");
    let version = version_of(&component);
    let compiled = Compiler::new().unwrap().compile(&component).unwrap();
    let sealed = engine().seal(&key, &version, &compiled);
    let refused = |key: &ArtefactKey, version: &str, sealed: &[u8]| {
        let error = engine().load_artefact(key, version.into(), sealed).unwrap_err();
        assert!(matches!(error, ArtefactError::Seal { .. }), "{error}");
    };
    refused(&ArtefactKey::new([8; 32]), version.as_str(), &sealed);
    refused(&key, "sha256:other", &sealed);
    refused(&key, version.as_str(), &compiled);
    refused(&key, version.as_str(), &sealed[..31]);
    let mut altered = sealed;
    *altered.last_mut().unwrap() ^= 1;
    refused(&key, version.as_str(), &altered);
}

#[test]
fn a_child_that_does_not_answer_names_the_limit() {
    let limits = CompileLimits::default();
    let told = |end, output: &[u8]| reply(output, end, &limits).unwrap_err().what;
    let smaller = "make its functions smaller or fewer";
    assert_eq!(told(ChildEnd::Killed(24), b""), format!("takes more than 10 s of CPU to compile; {smaller}"));
    assert_eq!(told(ChildEnd::Killed(6), b""), format!("takes more than 512 MiB to compile; {smaller}"));
    assert_eq!(told(ChildEnd::Overdue, b"C123"), format!("takes more than 20 s to compile; {smaller}"));
    assert_eq!(told(ChildEnd::Failed(101), b"C123"), "was not compiled: the compiler exited with 101");
    assert_eq!(told(ChildEnd::Done, b"Rno good"), "no good");
    assert_eq!(reply(b"C123", ChildEnd::Done, &limits), Ok(b"123".as_slice()));
}

#[test]
fn the_price_list_is_the_world() {
    let mut resolve = wit_parser::Resolve::default();
    let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
    let mut world_has: Vec<(String, String)> = Vec::new();
    for (_, item) in &resolve.worlds[world].imports {
        if let wit_parser::WorldItem::Interface { id, .. } = item {
            let interface = &resolve.interfaces[*id];
            let name = interface.name.clone().unwrap();
            world_has.extend(interface.functions.keys().map(|function| (name.clone(), function.clone())));
        }
    }
    let mut priced: Vec<_> =
        PRICES.iter().map(|price| (price.interface.to_owned(), price.function.to_owned())).collect();
    world_has.sort();
    priced.sort();
    assert_eq!(priced, world_has);
}

#[test]
fn an_engine_never_takes_more_runs_than_the_process_has_mappings() {
    assert_eq!(EngineLimits::capped(1_000, 65_530).runs, 1_000);
    assert_eq!(EngineLimits::capped(100_000, 65_530).runs, 9_556);
    assert_eq!(EngineLimits::capped(100, 0), EngineLimits { runs: 1, run: RunLimits::default() });
}

fn problems(component: &[u8], rule_toml: &str) -> Vec<String> {
    let problems = admit(&Upload { component, rule_toml }, &tenant()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_the_checks_panic(bytes: Vec<u8>, rule_toml: String) {
        let _ = admit(&Upload { component: &bytes, rule_toml: &rule_toml }, &tenant());
    }

    #[test]
    fn no_altered_component_makes_the_checks_panic(
        changes in proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 1..8),
        cut in proptest::num::usize::ANY,
    ) {
        let mut component = sample().to_vec();
        for (at, byte) in changes {
            let at = at % component.len();
            component[at] = byte;
        }
        component.truncate(8 + cut % (component.len() - 7));
        let _ = admit(&Upload { component: &component, rule_toml: TOML }, &tenant());
    }

    #[test]
    fn no_rule_toml_makes_the_checks_panic(
        key in "(name|bind|fallback|settings|settings\\.[a-z]{1,3}|fallback\\.(ring|for-s))",
        value in "(\"[a-z:+0-9]{0,9}\"|-?[0-9]{1,19}|[0-9]\\.[0-9]|true|\\[(\"[a-z:]{0,9}\",?){0,3}\\]|\\{ ring = \"[a-z:]{0,9}\" \\}|1979-05-27)",
    ) {
        let _ = admit(&Upload { component: sample(), rule_toml: &format!("{key} = {value}\n") }, &tenant());
    }
}

/// A component that is made once.
fn sample() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| guest(OK, ""))
}
