//! `callwright rule`: uploads a tenant's rules and says which version decides.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{self, text};
use crate::cli::{Remote, RuleCommand};
use crate::client::{Client, segment};
use crate::clock::Clock;
use crate::error::UserError;
use crate::output::{Output, table};

/// One version, as the API shows it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) rule: String,
    pub(crate) version: String,
    state: String,
    active: bool,
    size: u64,
    uploaded: String,
    uploaded_by: String,
    bind: Vec<String>,
    rule_toml: String,
    also_bound: Vec<AlsoBound>,
}

/// Another active rule that is bound to the same, as the API shows it.
#[derive(Serialize, Deserialize)]
pub(crate) struct AlsoBound {
    to: String,
    rule: String,
    goes_first: bool,
}

/// What is active from now on, as the API shows it.
#[derive(Serialize, Deserialize)]
struct Activated {
    rule: String,
    version: String,
    bind: Vec<String>,
    also_bound: Vec<AlsoBound>,
}

/// Runs one of the verbs.
///
/// # Errors
/// As the switch or the files say.
pub(crate) fn run(command: &RuleCommand, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = || client.tenant(remote.tenant.as_deref());
    let of = |name: &str, what: &str| {
        Ok::<_, UserError>(format!("/v1/tenants/{}/rules/{}/{what}", tenant()?, segment(name)))
    };
    match command {
        RuleCommand::Push { path, rule_toml, activate } => {
            let rule = RuleFiles::find(path, rule_toml.as_deref())?;
            let kept = push(&client, &tenant()?, &rule, *activate)?;
            out.result(&kept, || {
                let what = if kept.active { "is active" } else { "is ready" };
                format!(
                    "{} {} {what}, {} bytes\nbound to {}",
                    kept.rule,
                    kept.version,
                    kept.size,
                    kept.bind.join(", ")
                )
            });
            warn(&kept.also_bound, out);
        }
        RuleCommand::List => list(&client.get(&format!("/v1/tenants/{}/rules", tenant()?))?, out),
        RuleCommand::Versions { name } => versions(&client.get(&of(name, "versions")?)?, out),
        RuleCommand::History { name } => history(&client.get(&of(name, "history")?)?, out),
        RuleCommand::Activate { name, version } => {
            let body = serde_json::json!({ "version": version });
            activated(&client.post(&of(name, "activate")?, &body)?, out);
        }
        RuleCommand::Rollback { name } => {
            activated(&client.post(&of(name, "rollback")?, &serde_json::json!({}))?, out);
        }
        RuleCommand::Deactivate { name } => {
            let off: Value = client.post(&of(name, "deactivate")?, &serde_json::json!({}))?;
            let was = short(&text(&off, "version"));
            out.result(&off, || format!("{name} is switched off; {was} was active"));
        }
    }
    Ok(())
}

/// A rule on disk: its component and its `rule.toml`.
pub(crate) struct RuleFiles {
    component: Vec<u8>,
    rule_toml: String,
}

impl RuleFiles {
    /// Finds both: of a component the `.toml` of the same name or `rule.toml` beside it, of a folder the one component in it.
    ///
    /// # Errors
    /// One of them is not there, or there are several components.
    pub(crate) fn find(path: &Path, rule_toml: Option<&Path>) -> Result<Self, UserError> {
        let component = if path.is_dir() { component_in(path)? } else { path.to_owned() };
        let beside = [component.with_extension("toml"), component.with_file_name("rule.toml")];
        let rule_toml = match rule_toml {
            Some(named) => named.to_owned(),
            None => beside.into_iter().find(|candidate| candidate.is_file()).ok_or_else(|| {
                UserError::wrong_use(format!("there is no rule.toml beside `{}`", component.display()))
                    .help("name it with `--rule-toml FILE`")
            })?,
        };
        let unreadable = |path: &Path, error: std::io::Error| {
            UserError::wrong_use(format!("cannot read `{}`", path.display())).because(error)
        };
        Ok(Self {
            component: std::fs::read(&component).map_err(|error| unreadable(&component, error))?,
            rule_toml: std::fs::read_to_string(&rule_toml).map_err(|error| unreadable(&rule_toml, error))?,
        })
    }
}

/// The one component in a folder.
fn component_in(folder: &Path) -> Result<PathBuf, UserError> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        UserError::wrong_use(format!("cannot read the folder `{}`", folder.display())).because(error)
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect();
    found.sort();
    let folder = folder.display();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(UserError::wrong_use(format!("there is no component in `{folder}`"))
            .help(format!("`cargo xtask rule build {folder}` makes one and prints its path: push that"))),
        several => Err(UserError::wrong_use(format!("there are {} components in `{folder}`", several.len()))
            .help("push one of them by its path")),
    }
}

/// Uploads a rule.
///
/// # Errors
/// As the switch says; everything that is wrong with the rule at once.
pub(crate) fn push(
    client: &Client,
    tenant: &str,
    rule: &RuleFiles,
    activate: bool,
) -> Result<Version, UserError> {
    let body = serde_json::json!({
        "component": STANDARD.encode(&rule.component),
        "rule_toml": rule.rule_toml,
        "activate": activate,
    });
    client.post(&format!("/v1/tenants/{tenant}/rules"), &body)
}

fn list(all: &Value, out: &Output) {
    out.result(all, || {
        let row = |rule: &Value| {
            let active = Some(short(&text(rule, "active"))).filter(|version| !version.is_empty());
            let bound: Vec<_> = call::list(rule, "bind").iter().filter_map(Value::as_str).collect();
            vec![text(rule, "rule"), active.unwrap_or_else(|| "none".to_owned()), bound.join(", ")]
        };
        let rows: Vec<_> = call::list(all, "rules").iter().map(row).collect();
        table(&["rule", "active", "bound to"], &rows)
    });
}

fn versions(all: &Value, out: &Output) {
    out.result(all, || {
        let clock = Clock::of(all);
        let row = |version: &Value| {
            let is_active = version.get("active").and_then(Value::as_bool).unwrap_or_default();
            vec![
                short(&text(version, "version")),
                if is_active { "active" } else { "" }.to_owned(),
                text(version, "state"),
                text(version, "size"),
                clock.time(&text(version, "uploaded")),
                text(version, "uploaded_by"),
            ]
        };
        let rows: Vec<_> = call::list(all, "versions").iter().map(row).collect();
        table(&["version", "", "state", "bytes", &clock.head("uploaded"), "by"], &rows)
    });
}

fn history(all: &Value, out: &Output) {
    out.result(all, || {
        let clock = Clock::of(all);
        let row = |step: &Value| {
            let version = short(&text(step, "version"));
            vec![clock.time(&text(step, "at")), text(step, "how"), version, text(step, "by")]
        };
        let rows: Vec<_> = call::list(all, "history").iter().map(row).collect();
        table(&[&clock.head("at"), "", "version", "by"], &rows)
    });
}

/// Of two rules that are bound to the same only one is asked: that is rarely meant.
fn warn(also_bound: &[AlsoBound], out: &Output) {
    for AlsoBound { to, rule, goes_first } in also_bound {
        let order = if *goes_first { "goes first" } else { "comes after this one" };
        out.warning(format!("also bound to {to}: {rule}, which {order}"));
    }
}

fn activated(active: &Activated, out: &Output) {
    out.result(active, || {
        format!("{} {} is active, bound to {}", active.rule, short(&active.version), active.bind.join(", "))
    });
    warn(&active.also_bound, out);
}

/// As much of a version as people compare.
fn short(version: &str) -> String {
    version.chars().take("sha256:".len() + 12).collect()
}
