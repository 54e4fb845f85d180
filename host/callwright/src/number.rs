//! `callwright number`: where calls go, before anybody calls.

use serde_json::Value;

use crate::call::text;
use crate::cli::{NumberCommand, Remote};
use crate::client::{Client, segment};
use crate::error::UserError;
use crate::output::Output;

/// Runs the verb.
///
/// # Errors
/// As the switch says.
pub(crate) fn run(command: &NumberCommand, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let NumberCommand::Show { number, when } = command;
    let path = format!("/v1/tenants/{tenant}/numbers/{}/route{}", segment(number), when.query());
    let route: Value = client.get(&path)?;
    out.result(&route, || text(&route, "text").trim_end().to_owned());
    Ok(())
}
