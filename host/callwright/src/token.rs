//! `callwright token`: works on the data folder itself, beside a running switch or before its first start.

use std::path::Path;

use callwright_core::Kind;
use callwright_core::names::TenantId;
use callwright_store::{Scope, Token, TokenId};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Opens, TokenCommand};
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
        TokenCommand::New { config, opens, label } => new(config, opens, label, out),
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

fn new(path: &Path, opens: &Opens, label: &str, out: &Output) -> Result<(), UserError> {
    let settings = config::load(path)?;
    let data = Data::open(&settings.data)?;
    let scope = match (&opens.tenant, &opens.user) {
        (None, _) => Scope::Operator,
        (Some(tenant), user) => {
            let tenant = TenantId::from(tenant.as_str());
            let of_file = settings.switch.tenants.get(&tenant);
            let kept = |kind, name: &str| {
                let found = data.store.document(&tenant, kind, name).map_err(|error| failed(&error))?;
                Ok::<_, UserError>(found.is_some_and(|document| document.live.is_some()))
            };
            if of_file.is_none() && !kept(Kind::Tenant, tenant.as_str())? {
                return Err(UserError::wrong_use(format!("there is no tenant `{tenant}`"))
                    .help("it must be in the configuration, or made with `callwright tenant create`"));
            }
            match user {
                None => Scope::Tenant(tenant),
                Some(user) => {
                    let is_there = match of_file {
                        Some(of_file) => of_file.users.contains_key(user.as_str()),
                        None => kept(Kind::User, user)?,
                    };
                    if !is_there {
                        return Err(UserError::wrong_use(format!("tenant `{tenant}` has no user `{user}`")));
                    }
                    Scope::User(tenant, user.as_str().into())
                }
            }
        }
    };
    let (secret, token) = data.new_token(&scope, label)?;
    // The secret alone, so that a script can take it as it is.
    out.result(&json!({ "secret": secret, "token": token }), || secret.clone());
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    let opens = match &token.scope {
        Scope::Operator => "everything".to_owned(),
        Scope::Tenant(tenant) => format!("tenant {tenant}"),
        Scope::User(tenant, user) => format!("user {user} of tenant {tenant}"),
    };
    let revoked = token.revoked.map(|at| format!("revoked {at:.0}")).unwrap_or_default();
    vec![token.id.to_string(), opens, token.label.clone(), format!("{:.0}", token.created), revoked]
}
