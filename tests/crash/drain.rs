//! SIGTERM under calls: those that are up go on until their callee hangs up, new ones are refused, and then the switch
//! ends by itself.

use std::time::Duration;

use rustix::process::Signal;

use crate::Effort;
use crate::switch::{Folder, Switch};
use crate::traffic::{Call, End, Report, Traffic};
use crate::uploads::upload;
use crate::verdict::Verdicts;

/// A call that was answered so long before the signal was up for the switch too, and one that began so long after it came
/// late, however slow the machine is.
const NEAR: Duration = Duration::from_millis(500);
/// How much shorter than it was a caller may find its call: its 200 may have come late.
const BLUR: Duration = Duration::from_secs(1);
/// How long the switch may take to end after its last call.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Calls so many a second, for how long before the signal and after it, and how long each talks.
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
        Plan { rate: 50, before: secs(12), after: secs(5), talks: secs(10) }
    };
    let folder = Folder::new("drain");
    let (switch, _) = Switch::start(&folder);
    switch.post("rules", &upload("hello-ring", "drain", true)).unwrap();
    let traffic = Traffic::start(switch.sip(), plan.rate, plan.talks);
    std::thread::sleep(plan.before);
    let told = traffic.elapsed();
    switch.signal(Signal::TERM);
    std::thread::sleep(plan.after);
    let report = traffic.end();
    judge(&plan, told, &report, verdicts);
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

fn judge(plan: &Plan, told: Duration, report: &Report, verdicts: &mut Verdicts) {
    let was_up = |call: &&Call| {
        let over = |(at, _): (Duration, End)| at < told;
        call.answered.is_some_and(|at| at + NEAR < told) && !call.end.is_some_and(over)
    };
    let up: Vec<_> = report.calls.iter().filter(was_up).collect();
    let cut = up.iter().filter(|call| !call.talked(plan.talks.saturating_sub(BLUR)));
    let cut: Vec<_> = cut.map(|call| format!("{call:?}")).collect();
    let claim = format!("calls that were up when SIGTERM came, at {} a second", plan.rate);
    verdicts.all(claim, up.len(), &cut, "each goes on until its callee hangs up");
    let late: Vec<_> = report.calls.iter().filter(|call| call.begun > told + NEAR).collect();
    let taken = late.iter().filter(|call| !matches!(call.end, Some((_, End::Refused(503)))));
    let taken: Vec<_> = taken.map(|call| format!("{call:?}")).collect();
    verdicts.all("calls that began after it", late.len(), &taken, "each is refused with 503");
    let others = report.calls.iter().filter(|call| {
        let ended_well = call.talked(plan.talks.saturating_sub(BLUR));
        !ended_well && !matches!(call.end, Some((_, End::Refused(503))))
    });
    let others: Vec<_> = others.map(|call| format!("{call:?}")).collect();
    verdicts.all("all calls", report.calls.len(), &others, "each talks to its end or is refused with 503");
    let bare = report.bare_refusals;
    verdicts.check("refusals without Retry-After", bare == 0, bare.to_string(), "0");
}
