//! A tenant that uploads version after version and makes some of them active.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kill::Losses;
use crate::switch::{Switch, given};

/// The example that is uploaded.
const EXAMPLE: &str = "hello-ring";
/// After how many versions another rule is begun; the switch keeps at most 500 of one.
const VERSIONS_A_RULE: usize = 100;

/// What the API has acknowledged.
#[derive(Default)]
pub(crate) struct Uploads {
    rules: BTreeMap<String, Kept>,
    /// The number in the name of the rule that is uploaded now.
    rule: u32,
}

/// What it has acknowledged of one rule.
#[derive(Default)]
struct Kept {
    versions: Vec<String>,
    /// The last version whose activation was acknowledged.
    active: Option<String>,
    activations: u64,
    /// An activation was on its way when the switch died: what is active then is open.
    is_open: bool,
}

impl Uploads {
    pub(crate) fn kept(&self) -> usize {
        self.rules.values().map(|kept| kept.versions.len()).sum()
    }

    pub(crate) fn activations(&self) -> u64 {
        self.rules.values().map(|kept| kept.activations).sum()
    }

    /// Uploads until the switch is dead; each second version becomes the active one.
    pub(crate) fn go_on_until(&mut self, over: &AtomicBool, switch: &Switch, round: u32) {
        for number in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let mut rule = format!("{EXAMPLE}-{}", self.rule);
            if self.rules.get(&rule).is_some_and(|kept| kept.versions.len() >= VERSIONS_A_RULE) {
                self.rule += 1;
                rule = format!("{EXAMPLE}-{}", self.rule);
            }
            let kept = self.rules.entry(rule.clone()).or_default();
            let activate = number.is_multiple_of(2);
            kept.is_open |= activate;
            let body = upload(&rule, &format!("{round}-{number}"), activate);
            let Some(answer) = switch.post("rules", &body) else { return };
            let version = answer["version"].as_str().unwrap().to_owned();
            kept.versions.push(version.clone());
            if activate {
                kept.active = Some(version);
                kept.activations += 1;
                kept.is_open = false;
            }
        }
    }

    /// Compares what was acknowledged with what is there.
    pub(crate) fn look_for(&self, switch: &Switch, losses: &mut Losses) {
        let rules = switch.get("rules").unwrap();
        for (rule, promised) in self.rules.iter().filter(|(_, promised)| !promised.versions.is_empty()) {
            let list = switch.get(&format!("rules/{rule}/versions"));
            let found =
                list.as_ref().and_then(|list| list["versions"].as_array()).cloned().unwrap_or_default();
            let named = |version: &Value| version["version"].as_str().unwrap().to_owned();
            for version in &promised.versions {
                let is_there = found.iter().any(|found| named(found) == *version);
                losses.versions.expect(is_there, || format!("version {version} of {rule}"));
            }
            let active: Vec<_> =
                found.iter().filter(|version| version["active"] == true).map(named).collect();
            if !promised.is_open {
                losses.activations.expect(active.first() == promised.active.as_ref(), || {
                    format!("{active:?} is active of {rule} and not {:?}", promised.active)
                });
            }
            // It decides calls, so its module and what was compiled of it are whole.
            let listed = rules["rules"].as_array().unwrap().iter().find(|listed| listed["rule"] == **rule);
            let decides: Vec<_> = listed.and_then(|listed| listed["active"].as_str()).into_iter().collect();
            losses.activations.expect(active.len() <= 1 && decides == active, || {
                format!("{active:?} is active of {rule}, and {decides:?} decides calls")
            });
        }
    }
}

/// The body of an upload of the example under that name; another mark makes another version.
pub(crate) fn upload(rule: &str, mark: &str, activate: bool) -> Value {
    let built = given("CALLWRIGHT_RULES");
    let file = built.split(':').find(|path| path.contains(&EXAMPLE.replace('-', "_"))).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules-examples/");
    let manifest = std::fs::read_to_string(format!("{folder}{EXAMPLE}/rule.toml")).unwrap();
    json!({
        "component": STANDARD.encode(marked(&std::fs::read(file).unwrap(), mark)),
        "rule_toml": manifest.replacen(EXAMPLE, rule, 1),
        "activate": activate,
    })
}

/// The same component under another digest: with a custom section behind it, which changes nothing.
fn marked(component: &[u8], mark: &str) -> Vec<u8> {
    let name = b"mark";
    let content = [&[u8::try_from(name.len()).unwrap()], &name[..], mark.as_bytes()].concat();
    let mut marked = component.to_vec();
    marked.extend([0, u8::try_from(content.len()).unwrap()]);
    marked.extend(content);
    marked
}
