//! Who asks, and what they may see. A tenant's token cannot learn that another tenant exists.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use callwright_core::config::Tenant;
use callwright_core::names::TenantId;
use callwright_store::{Scope, TokenHash};
use serde::Serialize;

use crate::Handle;
use crate::error::ApiError;
use crate::switch;

/// A token's length is ours to choose, so nothing longer is worth hashing.
const SECRET_MAX: usize = 256;

/// The holder of a token that works.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    scope: Scope,
    /// What its maker called the token, else its name.
    pub(crate) label: String,
}

impl Caller {
    /// The tenant of that name, where this caller may see it.
    pub(crate) fn tenant(&self, switch: &Handle, name: &str) -> Result<Arc<Tenant>, ApiError> {
        let name = TenantId::from(name);
        let allowed = match &self.scope {
            Scope::Operator => true,
            Scope::Tenant(own) => *own == name,
        };
        let tenant = switch.view_of(&name).config.tenants.get(&name).filter(|_| allowed).cloned();
        tenant.ok_or_else(|| {
            ApiError::not_found(format!("no tenant `{name}` for this token"))
                .help("`GET /v1/token` says what it opens")
        })
    }
}

impl FromRequestParts<Handle> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, switch: &Handle) -> Result<Self, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = header.and_then(|value| {
            let (scheme, secret) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
        });
        let secret = secret.ok_or_else(|| ApiError::unauthorised("this path wants a token"))?;
        if secret.len() > SECRET_MAX {
            return Err(ApiError::unauthorised("the token is not known"));
        }
        // Looked up by its hash: how long that takes says nothing of the 256 random bits behind it.
        let hash = TokenHash::of(secret);
        let token = switch::ask(switch, move |store| store.token(&hash)).await??;
        let token = token.ok_or_else(|| ApiError::unauthorised("the token is not known"))?;
        let label = if token.label.is_empty() { token.id.to_string() } else { token.label };
        Ok(Self { scope: token.scope, label })
    }
}

/// What the token of this request opens.
#[derive(Serialize)]
pub(crate) struct Whoami {
    /// `operator` or `tenant`.
    scope: &'static str,
    /// Which, of a tenant's token.
    tenant: Option<TenantId>,
    label: String,
}

/// `GET /v1/token`
pub(crate) async fn whoami(caller: Caller) -> Json<Whoami> {
    let (scope, tenant) = match caller.scope {
        Scope::Operator => ("operator", None),
        Scope::Tenant(tenant) => ("tenant", Some(tenant)),
    };
    Json(Whoami { scope, tenant, label: caller.label })
}
