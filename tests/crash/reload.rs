//! SIGHUP and activations under calls: configuration and rules change again and again, and no call fails.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::Effort;
use crate::switch::{Folder, Switch};
use crate::traffic::Traffic;
use crate::uploads::upload;
use crate::verdict::Verdicts;

/// How long each call talks.
const TALKS: Duration = Duration::from_millis(200);
/// How long one change may take to be taken over.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// What the configuration has every other time.
const MORE: &str = "[tenants.zeta]\ndomains = [\"zeta.example\"]\nzone = \"UTC\"\n";

/// Changes everything that can be changed while calls come and go.
pub(crate) fn under_calls(effort: Effort, verdicts: &mut Verdicts) {
    let (rate, lasts) = if effort.quick { (20, 4) } else { (50, 30) };
    let folder = Folder::new("reload");
    let (switch, _) = Switch::start(&folder);
    let versions = ["one", "two"].map(|mark| {
        let kept = switch.post("rules", &upload("hello-ring", mark, true)).unwrap();
        kept["version"].as_str().unwrap().to_owned()
    });
    let traffic = Traffic::start(switch.sip(), rate, TALKS);
    let mut changes = 0;
    let mut untaken = Vec::new();
    while traffic.elapsed() < Duration::from_secs(lasts) {
        let is_odd = changes % 2 == 1;
        folder.configure(if is_odd { MORE } else { "" });
        switch.signal(Signal::HUP);
        switch
            .post("rules/hello-ring/activate", &json!({ "version": versions[usize::from(is_odd)] }))
            .unwrap();
        changes += 1;
        if !folder.prints(" reloaded", changes, TAKEN_WITHIN) {
            untaken.push(format!("change {changes}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let report = traffic.end();
    let failed = report.calls.iter().filter(|call| !call.talked());
    let failed: Vec<_> = failed.map(|call| format!("{call:?}")).collect();
    verdicts.all(
        format!("calls, {rate} a second"),
        report.calls.len(),
        &failed,
        "each is answered and hung up",
    );
    verdicts.all("changes of configuration and rule among them", changes, &untaken, "each is taken over");
    let mut decided: BTreeMap<String, u64> = versions.iter().map(|version| (version.clone(), 0)).collect();
    for record in switch.records_of(report.calls.len()).values() {
        let ran = &record["runs"][0];
        if let Some(count) = ran["version"].as_str().and_then(|version| decided.get_mut(version)) {
            *count += u64::from(ran["outcome"] == "ok");
        }
    }
    let counts: Vec<_> = decided.values().copied().collect();
    let all = counts.iter().sum::<u64>() == u64::try_from(report.calls.len()).unwrap();
    let measured = format!("{} and {}", counts[0], counts[1]);
    let is_so = all && counts.iter().all(|count| *count > 0);
    verdicts.check("calls decided by each of two versions", is_so, measured, "some by each, all together");
}
