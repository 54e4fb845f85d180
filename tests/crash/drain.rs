//! SIGTERM under calls: those that are up go on until their callee hangs up, new ones are refused, and then the switch
//! ends by itself.

use std::ops::Range;
use std::time::Duration;

use rustix::process::Signal;

use crate::Effort;
use crate::switch::{Folder, Switch};
use crate::traffic::{Call, End, Report, Traffic};
use crate::uploads::upload;
use crate::verdict::Verdicts;

/// How long the switch may take to say that it drains.
const DRAINS_WITHIN: Duration = Duration::from_secs(20);
/// How long the switch may take to end after its last call.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Calls so many a second, for how long before the signal and after it, and how long each talks: longer than others call
/// after the signal, since with the last call the switch is gone and nobody refuses anything.
struct Plan {
    rate: u32,
    before: Duration,
    after: Duration,
    talks: Duration,
}

/// Ends a switch that is busy.
pub(crate) fn sigterm(effort: Effort, verdicts: &mut Verdicts) {
    let secs = Duration::from_secs;
    let plan = if effort.quick {
        Plan { rate: 20, before: secs(2), after: secs(2), talks: secs(3) }
    } else {
        Plan { rate: 50, before: secs(10), after: secs(3), talks: secs(4) }
    };
    let folder = Folder::new("drain");
    let (switch, _) = Switch::start(&folder);
    switch.post("rules", &upload("hello-ring", "drain", true)).unwrap();
    let traffic = Traffic::start(switch.sip(), plan.rate, plan.talks);
    std::thread::sleep(plan.before);
    let told = traffic.elapsed();
    switch.signal(Signal::TERM);
    let said = folder.prints("no new calls", 1, DRAINS_WITHIN);
    let drains = traffic.elapsed();
    verdicts.check("the switch says that it drains", said, said.to_string(), "true");
    std::thread::sleep(plan.after);
    let report = traffic.end();
    judge(&plan, told..drains, &report, verdicts);
    let ended = switch.ended_within(ENDS_WITHIN);
    let status = ended.map_or("it still runs".to_owned(), |ended| ended.to_string());
    let bound = format!("exit status: 0 within {} s of its last call", ENDS_WITHIN.as_secs());
    verdicts.check("the switch ends by itself", ended.is_some_and(|ended| ended.success()), status, bound);
    drop(switch);
    let (switch, _) = Switch::start(&folder);
    let talked = report.calls.iter().filter(|call| call.answered.is_some()).count();
    let records = switch.all_records();
    let whole = records.values().filter(|record| record["cause"] == "callee-hung-up").count();
    let measured = format!("{whole} records of {talked} calls");
    verdicts.check(
        "each call that talked has its record, as hung up by its callee",
        whole == talked,
        measured,
        "as many",
    );
}

/// `told` is when the signal was sent, and when the switch had taken it.
fn judge(plan: &Plan, told: Range<Duration>, report: &Report, verdicts: &mut Verdicts) {
    let refused = |call: &Call| matches!(call.end, Some((_, End::Refused(503))));
    let shown = |calls: &[&Call]| -> Vec<_> { calls.iter().map(|call| format!("{call:?}")).collect() };
    let (mut up, mut cut, mut late, mut taken, mut neither) = (0, vec![], 0, vec![], vec![]);
    for call in &report.calls {
        let was_up = call.answered.is_some_and(|at| at < told.start);
        if was_up && call.end.is_none_or(|(at, _)| at > told.start) {
            up += 1;
            cut.extend((!call.talked()).then_some(call));
        }
        if call.begun > told.end {
            late += 1;
            taken.extend((!refused(call)).then_some(call));
        }
        neither.extend((!call.talked() && !refused(call)).then_some(call));
    }
    let claim = format!("calls that were up when SIGTERM came, at {} a second", plan.rate);
    verdicts.all(claim, up, &shown(&cut), "each goes on until the other side hangs up");
    verdicts.all("calls that began after it", late, &shown(&taken), "each is refused with 503");
    verdicts.all("all calls", report.calls.len(), &shown(&neither), "each talks or is refused with 503");
    let bare = report.bare_refusals;
    verdicts.check("refusals without Retry-After", bare == 0, bare.to_string(), "0");
}
