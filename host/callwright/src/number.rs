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
    let NumberCommand::Show { number, at } = command;
    let at = at.as_ref().map(|at| format!("?at={}", segment(at))).unwrap_or_default();
    let route: Value = client.get(&format!("/v1/tenants/{tenant}/numbers/{}/route{at}", segment(number)))?;
    out.result(&route, || text(&route, "text").trim_end().to_owned());
    Ok(())
}
