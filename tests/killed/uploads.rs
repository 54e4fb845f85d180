//! A tenant that uploads version after version and makes some of them active.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::switch::{Switch, given};

/// The example that is uploaded.
const RULE: &str = "hello-ring";

/// What the API has acknowledged.
#[derive(Default)]
pub(crate) struct Uploads {
    versions: Vec<String>,
    /// The last version whose activation was acknowledged.
    active: Option<String>,
    activations: u64,
    /// An activation was on its way when the switch died: what is active then is open.
    is_open: bool,
}

impl Uploads {
    pub(crate) fn kept(&self) -> usize {
        self.versions.len()
    }

    pub(crate) fn activations(&self) -> u64 {
        self.activations
    }

    /// Uploads until the switch is dead; each second version becomes the active one.
    pub(crate) fn go_on_until(&mut self, over: &AtomicBool, switch: &Switch, round: u64) {
        let (component, manifest) = example();
        for number in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let activate = number.is_multiple_of(2);
            let body = json!({
                "component": STANDARD.encode(marked(&component, &format!("{round}-{number}"))),
                "rule_toml": manifest,
                "activate": activate,
            });
            self.is_open = self.is_open || activate;
            let Some(kept) = switch.post("rules", &body) else { return };
            let version = kept["version"].as_str().unwrap().to_owned();
            self.versions.push(version.clone());
            if activate {
                self.active = Some(version);
                self.activations += 1;
                self.is_open = false;
            }
        }
    }

    pub(crate) fn must_be_kept_by(&self, switch: &Switch, round: u64) {
        if self.versions.is_empty() {
            return;
        }
        let list = switch.get(&format!("rules/{RULE}/versions")).unwrap();
        let kept = list["versions"].as_array().unwrap();
        let named = |version: &Value| version["version"].as_str().unwrap().to_owned();
        for version in &self.versions {
            assert!(
                kept.iter().any(|kept| named(kept) == *version),
                "round {round}: version {version} is lost"
            );
        }
        let active: Vec<_> = kept.iter().filter(|version| version["active"] == true).map(named).collect();
        assert!(active.len() <= 1, "round {round}: {active:?} are active");
        if !self.is_open {
            assert_eq!(active.first(), self.active.as_ref(), "round {round}: the active version");
        }
        // It decides calls, so its module and what was compiled of it are whole.
        let rules = switch.get("rules").unwrap();
        let loaded = rules["rules"].as_array().unwrap().iter().map(|rule| rule["active"].as_str());
        assert_eq!(
            loaded.flatten().collect::<Vec<_>>(),
            active,
            "round {round}: the version that decides calls"
        );
    }
}

/// The component of the example and its `rule.toml`.
fn example() -> (Vec<u8>, String) {
    let built = given("CALLWRIGHT_RULES");
    let file = built.split(':').find(|path| path.contains(&RULE.replace('-', "_"))).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules-examples/");
    let manifest = std::fs::read_to_string(format!("{folder}{RULE}/rule.toml")).unwrap();
    (std::fs::read(file).unwrap(), manifest)
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
