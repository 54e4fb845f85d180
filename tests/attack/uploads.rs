//! Uploads that cost the switch more than the tenant: what is refused says why, and calls go on.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::Effort;
use crate::guest::{STANDARD, component, outcome, typed};
use crate::phones::{Lines, Traffic};
use crate::switch::{Switch, UPLOADS_PER_HOUR};
use crate::verdict::Verdicts;

/// Seconds that an upload may take: ten of CPU, twenty on the clock, and what a busy machine adds.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// RUL-11: components that are small and take for ever to compile.
pub(crate) fn compile_bombs(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let good = switch.install("hostile", "rule", &component(STANDARD, ""));
    let traffic = Traffic::start_on(switch, Lines::hostile(), 5);
    let bomb = component(STANDARD, &variables_in_loops());
    let began = Instant::now();
    let told = switch.upload("hostile", "rule", &bomb);
    let took = began.elapsed();
    let cause = told.body["error"]["cause"].to_string();
    verdicts.answered("a component that compiles for ever is refused", told.status, &[422]);
    verdicts.check("with its reason", cause.contains("takes more than"), cause, "takes more than …");
    let seconds = took.as_secs();
    verdicts.at_most("the time until then", seconds, REFUSED_WITHIN.as_secs(), "s");
    let lane = traffic.end();
    let begun = usize::try_from(lane.begun).unwrap();
    verdicts.all("calls beside the compiler are answered", begun, &lane.failures, "all of them");
    let records = switch.records("hostile", begun);
    let old = |record: &&serde_json::Value| {
        outcome(record) == "ok" && record["runs"][0]["version"].as_str() == Some(good.as_str())
    };
    let decided = records.iter().filter(old).count();
    verdicts.check(
        "and decided by the version before",
        decided == begun && begun > 0,
        format!("{decided} of {begun}"),
        "all of them",
    );
    let left = u64::try_from(switch.children()).unwrap();
    verdicts.at_most("compilers left over", left, 0, "processes");
}

/// RUL-12: upload after upload.
pub(crate) fn too_many(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let tries = if effort == Effort::Quick { 60 } else { 1_000 };
    let version = |number: u32| component(STANDARD, &format!("(global i32 (i32.const {number}))"));
    let (mut kept, mut wrong) = (0, Vec::new());
    for number in 0..tries {
        let told = switch.upload("hostile", &format!("rule-{}", number % 100), &version(number));
        match (told.status, told.retry_after_s) {
            (201, None) => kept += 1,
            (429, Some(1..=3_600)) => {}
            other => wrong.push(format!("{other:?}")),
        }
    }
    let all = usize::try_from(tries).unwrap();
    verdicts.all("each upload is kept, or refused with the time to wait", all, &wrong, "201 or 429");
    let hour = u64::from(UPLOADS_PER_HOUR);
    // The hour goes on meanwhile.
    verdicts.at_most("uploads that are compiled", kept, hour + 1, "uploads");
    verdicts.check("its share is compiled", kept >= hour, kept.to_string(), format!("at least {hour}"));
    let told = switch.upload("hostile", "rule-0", &version(0));
    verdicts.answered("what is kept already is taken at once", told.status, &[201]);
    let told = switch.upload("acme", "rule", &version(tries));
    verdicts.answered("another tenant's upload is compiled", told.status, &[201]);
    let left = u64::try_from(switch.children()).unwrap();
    verdicts.at_most("compilers left over", left, 0, "processes");
}

/// RUL-14: components within components, and other shapes that no rule has.
pub(crate) fn nesting(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let deep = format!("{}{}", "(component ".repeat(60), ")".repeat(60));
    let wide = format!("(component {})", "(component)".repeat(1_000));
    let many = {
        let instances = "(core instance (instantiate $m))".repeat(1_000);
        format!("(component (core module $m) {instances})")
    };
    let blocks = format!("{}{}", "block ".repeat(5_000), "end ".repeat(5_000));
    let nested = format!("(module (func {blocks}) (func (export \"handle-call\")))");
    for (what, text, reason) in [
        ("sixty levels of components", deep, "levels of nesting"),
        ("a thousand components", wide, "nested components"),
        ("a thousand instances", many, "core instances"),
    ] {
        let told = switch.upload("hostile", "rule", &wat::parse_str(text).unwrap());
        let cause = told.body["error"]["cause"].to_string();
        verdicts.answered(format!("{what} are refused"), told.status, &[422]);
        verdicts.check(format!("{what}: the reason is named"), cause.contains(reason), cut(&cause), reason);
    }
    let told = switch.upload("hostile", "rule", &typed(&wat::parse_str(nested).unwrap()));
    let cause = told.body["error"]["cause"].to_string();
    verdicts.answered("five thousand nested blocks are refused", told.status, &[422]);
    verdicts.check("the reason is named", cause.contains("nested blocks"), cut(&cause), "nested blocks");
    verdicts.at_most("compilers started", u64::try_from(switch.children()).unwrap(), 0, "processes");
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Functions of many variables that live through many loops: each loop has as many inputs as there are variables.
fn variables_in_loops() -> String {
    const VARIABLES: usize = 1_900;
    const LOOPS: usize = 900;
    let mut text = String::new();
    for function in 0..60 {
        write!(text, "(func (export \"f{function}\") (param i32) (local").unwrap();
        text += &" i32".repeat(VARIABLES);
        text += ")";
        text += &"loop ".repeat(LOOPS);
        for variable in 1..=VARIABLES {
            write!(text, "local.get {variable} i32.const 1 i32.add local.set {variable} ").unwrap();
        }
        text += &"local.get 0 br_if 0 end ".repeat(LOOPS);
        text += ")";
    }
    text
}
