//! `callwright tenant`, `user`, `device`, `group`, `place`, `hours`, `forwarding` and `audit`: what a tenant consists of, over the API.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::call::{list, text};
use crate::cli::{
    AuditArgs, DocumentCommand, ForwardingCommand, ForwardingKeys, How, Moment, More, Remote, TenantCommand,
    TenantKeys,
};
use crate::client::{Client, segment};
use crate::clock::Clock;
use crate::error::UserError;
use crate::output::{Output, table};

mod changes;
mod keys;
mod times;

/// The words of a command line as keys of a document.
pub(crate) trait Keys: Args {
    /// The kind of document, as the API calls one.
    const KIND: &'static str;
    /// As its paths call several.
    const PATH: &'static str;
    /// The head of its table, behind the name.
    const HEAD: &'static [&'static str];

    /// Writes what was said into the document.
    ///
    /// # Errors
    /// What was said cannot be read.
    fn fill(&self, document: &mut Value) -> Result<(), UserError>;

    /// A row of its table, behind the name.
    fn row(live: &Value) -> Vec<String>;
}

/// One tenant's documents of one kind.
struct Shelf<'c> {
    client: &'c Client,
    /// `/v1/tenants/T/users`
    path: String,
}

impl Shelf<'_> {
    fn one(&self, name: &str) -> String {
        format!("{}/{}", self.path, segment(name))
    }

    /// All of them, page by page.
    fn all(&self) -> Result<Value, UserError> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let mut page: Value = self.client.get(&format!("{}?limit=500{after}", self.path))?;
            all.extend(
                page.get_mut("documents")
                    .and_then(Value::as_array_mut)
                    .map(std::mem::take)
                    .unwrap_or_default(),
            );
            let Some(next) = page.get("next").and_then(Value::as_str) else {
                let zone = page.get("zone").cloned().unwrap_or(Value::Null);
                return Ok(json!({ "documents": all, "zone": zone }));
            };
            after = format!("&after={}", segment(next));
        }
    }
}

/// Runs one of the verbs of a kind.
///
/// # Errors
/// As the switch says.
pub(crate) fn run<K: Keys, L: Args>(
    command: &DocumentCommand<K, L>,
    remote: &Remote,
    out: &Output,
) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let shelf = Shelf { client: &client, path: format!("/v1/tenants/{tenant}/{}", K::PATH) };
    match command {
        DocumentCommand::Create { name, keys, more, how } => {
            let mut document = json!({});
            keys.fill(&mut document)?;
            add(&mut document, more)?;
            let made: Value = client.put(&format!("{}?new=true{}", shelf.one(name), said(how)), &document)?;
            told::<K>(&made, "made", how.until.as_deref(), out);
        }
        DocumentCommand::List => listed::<K>(&shelf.all()?, out),
        DocumentCommand::Show { name, .. } => {
            let document: Value = client.get(&shelf.one(name))?;
            out.result(&document, || shown(&document));
        }
        DocumentCommand::Set { name, keys, more, unset, how } => {
            let known: Value = client.get(&shelf.one(name)).map_err(|error| made_first::<K>(error, name))?;
            let draft = known.pointer("/draft/value").filter(|_| how.draft);
            let live = known.get("live").filter(|live| !live.is_null());
            let mut document = draft.or(live).cloned().unwrap_or_else(|| json!({}));
            take_away(&mut document, unset).map_err(|known| {
                let what = format!("{} {name} has no {}", K::KIND, unset.join(" and no "));
                let known = if known.is_empty() { "nothing of its own".to_owned() } else { known };
                UserError::wrong_use(what).help(format!("it has {known}"))
            })?;
            let mut said_here = json!({});
            keys.fill(&mut said_here)?;
            add(&mut said_here, more)?;
            keys.fill(&mut document)?;
            add(&mut document, more)?;
            if said_here == json!({}) && unset.is_empty() {
                return Err(UserError::wrong_use("nothing is said that could be changed")
                    .help(format!("`callwright {} set --help` lists what can", K::KIND)));
            }
            let since = text(&known, "revision");
            let path = format!("{}?revision={since}{}", shelf.one(name), said(how));
            let changed: Value = client.put(&path, &document)?;
            told::<K>(&changed, "changed", how.until.as_deref(), out);
        }
        DocumentCommand::Save { name, until } => {
            let asked = until.as_ref().map(|until| format!("?until={}", segment(until))).unwrap_or_default();
            let saved: Value = client.post(&format!("{}/save{asked}", shelf.one(name)), &json!({}))?;
            told::<K>(&saved, "changed", until.as_deref(), out);
        }
        DocumentCommand::Discard { name } => {
            client.delete(&format!("{}/draft", shelf.one(name)))?;
            let kind = K::KIND;
            out.result(&json!({ "discarded": name }), || format!("the draft of {kind} {name} is gone"));
        }
        DocumentCommand::Remove { name, with_devices } => {
            let with = if *with_devices { "?devices=true" } else { "" };
            client.delete(&format!("{}{with}", shelf.one(name)))?;
            out.result(&json!({ "removed": name }), || format!("{} {name} is removed", K::KIND));
        }
    }
    Ok(())
}

/// What is not there is not changed; how it is made.
fn made_first<K: Keys>(error: UserError, name: &str) -> UserError {
    let kind = K::KIND;
    // Everybody has wishes, so that it is the person who is not there; and of a tenant that is not, the switch says more.
    if error.code != "CW-0302" || error.hint.is_some() || kind == ForwardingKeys::KIND {
        return error;
    }
    error.help(format!("`callwright {kind} create {name}` makes one"))
}

/// Shows a person: their phones, and where a call to them would go now or then. Scripts get their document with it.
///
/// # Errors
/// As the switch says.
pub(crate) fn user(name: &str, when: &Moment, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let path = format!("/v1/tenants/{tenant}/users/{}", segment(name));
    let reach: Value = client.get(&format!("{path}/reach{}", when.query()))?;
    if !out.is_json() {
        let shown: Value = client.get(&path)?;
        let draft = shown.get("draft").is_some_and(Value::is_object);
        let draft = draft.then(|| format!("\na draft waits: `callwright user save {name}` makes it live"));
        out.line(format!("{}{}", text(&reach, "text").trim_end(), draft.unwrap_or_default()));
        return Ok(());
    }
    let mut shown: Value = client.get(&path)?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("reach".to_owned(), reach);
    }
    out.result(&shown, String::new);
    Ok(())
}

/// Lists what leads nowhere.
///
/// # Errors
/// As the switch says.
pub(crate) fn orphans(remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let found: Value = client.get(&format!("/v1/tenants/{tenant}/orphans"))?;
    out.result(&found, || {
        let lines: Vec<_> = list(&found, "orphans").iter().map(|orphan| text(orphan, "text")).collect();
        if lines.is_empty() { "everything leads somewhere".to_owned() } else { lines.join("\n") }
    });
    Ok(())
}

/// Runs one of the verbs of how people wish to be reached.
///
/// # Errors
/// As the switch says.
pub(crate) fn forwarding(command: ForwardingCommand, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let command = match command {
        ForwardingCommand::Document(command) => *command,
        ForwardingCommand::Profile { name, profile, how } => {
            let leaves = profile == "none";
            let unset = if leaves { vec!["profile".to_owned()] } else { Vec::new() };
            let profile = (!leaves).then_some(profile);
            let keys = ForwardingKeys { profile, ..ForwardingKeys::default() };
            DocumentCommand::Set { name, keys, more: More::default(), unset, how }
        }
    };
    run(&command, remote, out)
}

/// Runs one of the verbs of tenants.
///
/// # Errors
/// As the switch says.
pub(crate) fn tenants(command: &TenantCommand, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let shelf = Shelf { client: &client, path: "/v1/tenants".to_owned() };
    match command {
        TenantCommand::Create { name, keys, more } => {
            let mut document = json!({});
            keys.fill(&mut document)?;
            add(&mut document, more)?;
            let made: Value = client.put(&format!("{}?new=true", shelf.one(name)), &document)?;
            told::<TenantKeys>(&made, "made", None, out);
        }
        TenantCommand::List => listed::<TenantKeys>(&shelf.all()?, out),
        TenantCommand::Show { name } => {
            let shown: Value = client.get(&shelf.one(name))?;
            out.result(&shown, || format!("{shown:#}"));
        }
        TenantCommand::Set { name, keys, more } => {
            let known: Value = client.get(&shelf.one(name))?;
            let mut document = known.get("live").cloned().unwrap_or_else(|| json!({}));
            keys.fill(&mut document)?;
            add(&mut document, more)?;
            let path = format!("{}?revision={}", shelf.one(name), text(&known, "revision"));
            told::<TenantKeys>(&client.put(&path, &document)?, "changed", None, out);
        }
        TenantCommand::Remove { name, with_everything } => {
            let people: Value = client.get(&format!("{}/users?limit=1", shelf.one(name)))?;
            if !with_everything && !list(&people, "documents").is_empty() {
                return Err(UserError::wrong_use(format!("tenant {name} has people")).help(
                    "`--with-everything` removes them too, with their phones, groups, rules and tokens",
                ));
            }
            client.delete(&shelf.one(name))?;
            out.result(&json!({ "removed": name }), || {
                format!("tenant {name} is removed with everything in it")
            });
        }
    }
    Ok(())
}

/// Lists the audit log.
///
/// # Errors
/// As the switch says.
pub(crate) fn audit(wanted: &AuditArgs, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let mut path = format!("/v1/tenants/{tenant}/audit?limit={}", wanted.limit);
    for (key, value) in [("kind", &wanted.kind), ("name", &wanted.name)] {
        if let Some(value) = value {
            path = format!("{path}&{key}={}", segment(value));
        }
    }
    let log: Value = client.get(&path)?;
    out.result(&log, || {
        let clock = Clock::of(&log);
        let row = |entry: &Value| {
            let until = entry.get("until").and_then(Value::as_str);
            let until = until.map(|until| format!(" until {}", clock.time(until))).unwrap_or_default();
            vec![
                clock.time(&text(entry, "at")),
                text(entry, "who"),
                format!("{} {}", text(entry, "kind"), text(entry, "name")),
                format!("{}{until}", text(entry, "action")),
                changes::of_entry(entry),
            ]
        };
        let rows: Vec<_> = list(&log, "entries").iter().map(row).collect();
        table(&[&clock.head("at"), "who", "what", "", "change"], &rows)
    });
    Ok(())
}

/// Takes keys away, of which one at least must be there; else names those that are.
fn take_away(document: &mut Value, keys: &[String]) -> Result<(), String> {
    let Some(document) = document.as_object_mut() else { return Ok(()) };
    document.remove("password-set");
    let before = document.len();
    document.retain(|key, _| !keys.contains(key));
    if !keys.is_empty() && document.len() == before {
        return Err(document.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// Writes keys that have no option of their own.
fn add(document: &mut Value, more: &More) -> Result<(), UserError> {
    for said in &more.keys {
        let Some((key, value)) = said.split_once('=') else {
            return Err(UserError::wrong_use(format!("`{said}` has no `=`")).help("write --key rings=3"));
        };
        let Some(document) = document.as_object_mut() else {
            return Err(UserError::wrong_use("this document is no table and has no keys"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        document.insert(key.to_owned(), value);
    }
    Ok(())
}

/// How a change is meant, as the API hears it.
fn said(how: &How) -> String {
    let until = how.until.as_ref().map(|until| format!("&until={}", segment(until)));
    let save = if how.draft { "" } else { "&save=true" };
    format!("{save}{}", until.unwrap_or_default())
}

/// Says what became of a document, and when that ends where it was asked to.
fn told<K: Keys>(document: &Value, what: &str, asked: Option<&str>, out: &Output) {
    out.result(document, || {
        let (kind, name) = (K::KIND, text(document, "name"));
        let mut words = match (document.get("draft"), document.get("until").and_then(Value::as_str)) {
            (Some(Value::Object(_)), _) => {
                format!("a draft of {kind} {name} waits: `callwright {kind} save {name}` makes it live")
            }
            (_, Some(until)) => {
                let until = Clock::of(document).named(until);
                match asked {
                    Some(_) => format!("{kind} {name} is {what} until {until}"),
                    None => format!("{kind} {name} is {what} for good; an earlier change of it ends {until}"),
                }
            }
            (_, None) => format!("{kind} {name} is {what}"),
        };
        if let Some(password) = document.get("password").and_then(Value::as_str) {
            words = format!("{words}\nits password, shown this once: {password}");
        }
        let (effect, what) = match document.pointer("/draft/effect") {
            Some(effect) => (Some(effect), "the draft"),
            None => (document.get("effect"), "now"),
        };
        let mut lines = vec![words];
        lines.extend(outlook(effect, what));
        lines.extend(warnings(document));
        lines.join("\n")
    });
}

/// A document, behind what it comes to where it is somebody's wishes, and when it ends.
fn shown(document: &Value) -> String {
    let mut lines = outlook(document.get("effect"), "now");
    let until = document.get("until").and_then(Value::as_str);
    lines.extend(until.map(|until| format!("until {}", Clock::of(document).named(until))));
    lines.extend(outlook(document.pointer("/draft/effect"), "the draft"));
    lines.push(format!("{document:#}"));
    lines.join("\n")
}

/// What wishes come to, in lines: `now: active, no-answer: If none …`, and what to know of it.
fn outlook(effect: Option<&Value>, what: &str) -> Vec<String> {
    let Some(effect) = effect else { return Vec::new() };
    let (reason, mode) = (text(effect, "reason"), text(effect, "mode"));
    let told = effect.get("text").and_then(Value::as_str).map(|text| format!(": {text}"));
    let profile = effect.get("profile").and_then(Value::as_str).map(|profile| format!(", profile {profile}"));
    let profile = profile.unwrap_or_default();
    // What may not be called is in effect, and the reason says so.
    let is_idle = effect.get("active") == Some(&json!(false)) && !reason.starts_with("blocked");
    let is = match reason.as_str() {
        "mode-off" => "active".to_owned(),
        _ if is_idle => format!("not in effect ({reason})"),
        _ => reason,
    };
    let mut lines = vec![format!("{what}: {is}{profile}, mode {mode}{}", told.unwrap_or_default())];
    let only = effect.get("only").and_then(Value::as_str);
    lines.extend(only.map(|only| format!("{what}: only {only} rings")));
    if effect.get("do_not_disturb") == Some(&json!(true)) {
        lines.push(format!("{what}: not to be disturbed, no device of theirs rings"));
    }
    lines.extend(warnings(effect));
    lines
}

fn warnings(document: &Value) -> impl Iterator<Item = String> {
    list(document, "warnings").iter().filter_map(Value::as_str).map(|it| format!("warning: {it}"))
}

fn listed<K: Keys>(all: &Value, out: &Output) {
    out.result(all, || {
        let clock = Clock::of(all);
        let row = |document: &Value| {
            let live = document.get("live").filter(|live| !live.is_null());
            let empty = Value::Object(Map::new());
            let mut row = vec![text(document, "name")];
            row.extend(K::row(live.unwrap_or(&empty)));
            let mut notes = Vec::new();
            if document.get("draft").is_some_and(Value::is_object) {
                notes.push("draft".to_owned());
            }
            if let Some(until) = document.get("until").and_then(Value::as_str) {
                notes.push(format!("until {}", clock.time(until)));
            }
            if text(document, "managed") == "file" {
                notes.push("of the file".to_owned());
            }
            row.push(notes.join(", "));
            row
        };
        let rows: Vec<_> = list(all, "documents").iter().map(row).collect();
        let mut head = vec![K::KIND];
        head.extend(K::HEAD);
        head.push("");
        table(&head, &rows)
    });
}
