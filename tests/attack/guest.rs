//! Hostile components, from WebAssembly text.

use std::path::Path;

use serde_json::{Value, json};

use crate::switch::{Switch, Told};

/// The imports of a guest in text, as the tests of `host/rules` have them.
const PRELUDE: &str = include_str!("../../host/rules/tests/runs/prelude.wat");
/// The end of a body that is content.
pub(crate) const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";
/// Hands the call to the standard rule, and is content.
pub(crate) const STANDARD: &str = "(call $call.standard (local.get $call) (i32.const 64)) (call $call.drop (local.get $call)) (i32.const 16)";
/// Rings the crowd for 25 s.
pub(crate) const RING: &str =
    "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))";

/// A component from the body of `handle-call`, and whatever else its module has.
pub(crate) fn component(body: &str, rest: &str) -> Vec<u8> {
    let module = format!(
        "(module {PRELUDE} (memory (export \"memory\") 2) {rest}
        (func (export \"handle-call\") (param $call i32) (result i32) {body}))"
    );
    typed(&wat::parse_str(module).unwrap_or_else(|error| panic!("{error}")))
}

/// A core module with the type of our world.
pub(crate) fn typed(module: &[u8]) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
    let mut bytes = module.to_vec();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
    bytes
}

impl Switch {
    /// Uploads a version of a rule that decides all of the tenant's calls.
    pub(crate) fn upload(&self, tenant: &str, rule: &str, component: &[u8]) -> Told {
        use base64::Engine as _;
        let toml = format!("name = \"{rule}\"\nbind = [\"tenant\"]\n");
        let component = base64::engine::general_purpose::STANDARD.encode(component);
        self.post(&format!("{tenant}/rules"), &json!({ "component": component, "rule_toml": toml }))
    }

    /// Uploads a version and makes it active; its digest.
    pub(crate) fn install(&self, tenant: &str, rule: &str, component: &[u8]) -> String {
        let told = self.upload(tenant, rule, component);
        assert_eq!(told.status, 201, "{}", told.body);
        let version = told.body["version"].as_str().unwrap().to_owned();
        self.activate(tenant, rule, &version);
        version
    }

    pub(crate) fn activate(&self, tenant: &str, rule: &str, version: &str) {
        let path = format!("{tenant}/rules/{rule}/activate");
        let told = self.post(&path, &json!({ "version": version }));
        assert_eq!(told.status, 200, "{}", told.body);
    }

    /// The newest records of a tenant, once there are so many; they are committed within a second of the calls' ends.
    pub(crate) fn records(&self, tenant: &str, count: usize) -> Vec<Value> {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let page = self.get(&format!("{tenant}/records?limit=500"));
            let records = page["records"].as_array().unwrap();
            if records.len() >= count.min(500) || std::time::Instant::now() > until {
                return records.clone();
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

/// How the run of a record ended: the word, without what belongs to it.
pub(crate) fn outcome(record: &Value) -> String {
    let outcome = &record["runs"][0]["outcome"];
    let word = outcome.as_str().or_else(|| outcome.as_object()?.keys().next().map(String::as_str));
    word.unwrap_or("no run").to_owned()
}
