//! What must hold for any upload. A file of its own, for with it comes the whole compiler for rules.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use callwright_core::config::Tenant;
use callwright_rules::upload::{Upload, admit, version_of};

/// The tenant that uploads are for.
const ACME: &str = r#"
listen = "127.0.0.1:5060"
data = "data"
[tenants.acme]
domains = ["acme.example"]
zone = "Europe/Berlin"
users.ana = { extension = "100", devices.1001 = { label = "desk", password = "x" } }
groups.sales = { extension = "200", members = ["ana"] }
places.night-desk = "user:ana"
"#;

/// An upload, a `rule.toml` before the first zero and a component after it: it is refused for named reasons, or it is
/// admitted under the digest of its bytes.
pub fn admission(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (rule_toml, component) = bytes.split_at(end);
    let rule_toml = String::from_utf8_lossy(rule_toml);
    let component = component.get(1..).unwrap_or_default();
    let upload = Upload { component, rule_toml: &rule_toml };
    match admit(&upload, acme()) {
        Ok(admitted) => {
            assert_eq!(admitted.version, version_of(component));
            let rule = admitted.manifest.activate(acme(), admitted.version);
            assert!(!rule.name.as_str().is_empty(), "a rule without a name");
        }
        Err(problems) => {
            assert!((1..=100).contains(&problems.len()), "{} problems", problems.len());
            assert!(problems.iter().all(|problem| !problem.at.is_empty() && !problem.what.is_empty()));
        }
    }
}

fn acme() -> &'static Tenant {
    static TENANT: OnceLock<Option<Arc<Tenant>>> = OnceLock::new();
    let read = || {
        let settings = callwright_config::parse(ACME, Path::new("/")).ok()?;
        settings.switch.tenants.values().next().cloned()
    };
    let Some(tenant) = TENANT.get_or_init(read) else { panic!("the configuration here is wrong") };
    tenant
}
