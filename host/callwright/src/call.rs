//! `callwright call`: what is going on, what was, and why.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::{CallCommand, Remote};
use crate::client::{Client, segment};
use crate::clock::Clock;
use crate::error::{Exit, UserError};
use crate::output::{Output, table};

/// Runs one of the verbs.
///
/// # Errors
/// As the switch says.
pub(crate) fn run(command: &CallCommand, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    match command {
        CallCommand::List { live: true, limit: _ } => {
            let all: Value = client.get(&format!("/v1/tenants/{tenant}/calls"))?;
            out.result(&all, || {
                let clock = Clock::of(&all);
                let rows: Vec<_> = list(&all, "calls").iter().map(|call| live_row(call, &clock)).collect();
                table(&["call", &clock.head("began"), "from", "to", "phase", "rule"], &rows)
            });
        }
        CallCommand::List { live: false, limit } => {
            let all: Value = client.get(&format!("/v1/tenants/{tenant}/records?limit={limit}"))?;
            out.result(&all, || {
                let clock = Clock::of(&all);
                let rows: Vec<_> = list(&all, "records").iter().map(|it| record_row(it, &clock)).collect();
                table(&["call", &clock.head("began"), "from", "to", "ended", "talk"], &rows)
            });
        }
        CallCommand::Show { id } => {
            let id = &named(&client, &tenant, id)?;
            let record: Value = client.get(&format!("/v1/tenants/{tenant}/records/{}", segment(id)))?;
            out.result(&record, || format!("{record:#}"));
        }
        CallCommand::Explain { id } => {
            let id = &named(&client, &tenant, id)?;
            let explained: Value =
                client.get(&format!("/v1/tenants/{tenant}/records/{}/explain", segment(id)))?;
            out.result(&explained, || text(&explained, "text").trim_end().to_owned());
        }
    }
    Ok(())
}

/// The call that is meant: the one that ended last, where `last` is asked for.
fn named(client: &Client, tenant: &str, id: &str) -> Result<String, UserError> {
    if id != "last" {
        return Ok(id.to_owned());
    }
    let newest: Value = client.get(&format!("/v1/tenants/{tenant}/records?limit=1"))?;
    match list(&newest, "records").first() {
        Some(record) => Ok(text(record, "id").to_owned()),
        None => Err(UserError::new("CW-0303", Exit::Failed, "there is no call yet")),
    }
}

/// A call's explanation in plain text.
///
/// # Errors
/// As the switch says.
pub(crate) fn explain(client: &Client, tenant: &str, id: &str) -> Result<String, UserError> {
    #[derive(Deserialize)]
    struct Explained {
        text: String,
    }
    let explained: Explained =
        client.get(&format!("/v1/tenants/{tenant}/records/{}/explain", segment(id)))?;
    Ok(explained.text)
}

pub(crate) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn live_row(call: &Value, clock: &Clock) -> Vec<String> {
    let columns = ["from_device", "number", "phase", "rule"];
    let mut row = vec![text(call, "id"), clock.time(&text(call, "began"))];
    row.extend(columns.map(|key| text(call, key)));
    conceal(call, &mut row);
    row
}

/// A caller who asked not to be shown is not shown in lists either.
fn conceal(call: &Value, row: &mut [String]) {
    let withheld = call.pointer("/caller/withheld").and_then(Value::as_bool).unwrap_or_default();
    if let Some(from) = row.get_mut(2).filter(|_| withheld) {
        "withheld".clone_into(from);
    }
}

fn record_row(record: &Value, clock: &Clock) -> Vec<String> {
    let disposition = match record.get("disposition") {
        Some(Value::String(word)) => format!("{word} {}", text(record, "status")),
        Some(answered) => {
            let by = answered.get("answered").map(|answered| text(answered, "device")).unwrap_or_default();
            format!("answered by {by}")
        }
        None => String::new(),
    };
    let talk_ms = record.get("talk_ms").and_then(Value::as_u64).unwrap_or_default();
    let seconds = std::time::Duration::from_millis(talk_ms).as_secs_f64();
    let mut row = vec![
        text(record, "id"),
        clock.time(&text(record, "began")),
        text(record, "from_device"),
        text(record, "number"),
        disposition,
        if talk_ms == 0 { String::new() } else { format!("{seconds:.1} s") },
    ];
    conceal(record, &mut row);
    row
}
