//! `callwright token`: works on the data folder itself, beside a running switch or before its first start.

use std::path::Path;

use callwright_store::{Scope, Token, TokenId};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::TokenCommand;
use crate::config;
use crate::data::{Data, failed};
use crate::error::UserError;
use crate::output::{Output, table};

/// Runs one of the verbs.
///
/// # Errors
/// The configuration or the data folder cannot be used, or there is no such tenant or token.
pub(crate) fn run(command: &TokenCommand, out: &Output) -> Result<(), UserError> {
    match command {
        TokenCommand::New { config, tenant, operator: _, label } => {
            new(config, tenant.as_deref(), label, out)
        }
        TokenCommand::List { config } => {
            let data = Data::open(&config::load(config)?.data)?;
            let tokens = data.store.tokens().map_err(|error| failed(&error))?;
            out.result(&tokens, || {
                let rows: Vec<_> = tokens.iter().map(row).collect();
                table(&["token", "opens", "label", "created", ""], &rows)
            });
            Ok(())
        }
        TokenCommand::Revoke { config, id } => {
            let data = Data::open(&config::load(config)?.data)?;
            let id = TokenId::from(id.as_str());
            if !data.store.revoke_token(&id, Timestamp::now()).map_err(|error| failed(&error))? {
                return Err(UserError::wrong_use(format!("no token `{id}` that still works"))
                    .help("`callwright token list` shows them"));
            }
            out.result(&json!({ "revoked": id }), || format!("token {id} opens nothing any more"));
            Ok(())
        }
    }
}

fn new(path: &Path, tenant: Option<&str>, label: &str, out: &Output) -> Result<(), UserError> {
    let settings = config::load(path)?;
    let scope = match tenant {
        Some(name) => {
            let tenant = settings.switch.tenants.get(name).ok_or_else(|| {
                let known: Vec<_> = settings.switch.tenants.keys().map(ToString::to_string).collect();
                UserError::wrong_use(format!("the configuration has no tenant `{name}`"))
                    .help(format!("it has {}", known.join(", ")))
            })?;
            Scope::Tenant(tenant.id.clone())
        }
        None => Scope::Operator,
    };
    let (secret, token) = Data::open(&settings.data)?.new_token(&scope, label)?;
    // The secret alone, so that a script can take it as it is.
    out.result(&json!({ "secret": secret, "token": token }), || secret.clone());
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    let opens = match &token.scope {
        Scope::Operator => "everything".to_owned(),
        Scope::Tenant(tenant) => format!("tenant {tenant}"),
    };
    let revoked = token.revoked.map(|at| format!("revoked {at:.0}")).unwrap_or_default();
    vec![token.id.to_string(), opens, token.label.clone(), format!("{:.0}", token.created), revoked]
}
