//! Who asks, and what they may see. A tenant's token cannot learn that another tenant exists.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::names::{TenantId, UserId};
use callwright_store::{Scope, TokenHash};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Handle;
use crate::error::ApiError;
use crate::switch;

/// What helps whoever may make tokens.
const OTHERS: &str = "`callwright token new` makes tokens of every right";
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
    /// The tenant of that name, where this caller may do everything in it.
    pub(crate) fn tenant(&self, switch: &Handle, name: &str) -> Result<Arc<Tenant>, ApiError> {
        let tenant = self.seen(switch, name)?;
        match &self.scope {
            Scope::Operator | Scope::Tenant(_) => Ok(tenant),
            Scope::User(..) => Err(self.lacks("admin")),
        }
    }

    /// As [`Caller::tenant`], and for a user's token too where it is about what is that user's own.
    pub(crate) fn own(
        &self,
        switch: &Handle,
        name: &str,
        (kind, document): (Kind, &str),
    ) -> Result<Arc<Tenant>, ApiError> {
        match &self.scope {
            Scope::User(_, user) if kind.is_personal() && user.as_str() == document => {
                self.seen(switch, name)
            }
            Scope::Operator | Scope::Tenant(_) | Scope::User(..) => self.tenant(switch, name),
        }
    }

    /// Refuses everybody but the operator.
    pub(crate) fn operator(&self) -> Result<(), ApiError> {
        match &self.scope {
            Scope::Operator => Ok(()),
            Scope::Tenant(_) | Scope::User(..) => Err(self.lacks("operator")),
        }
    }

    /// Whether this is the token of one user, which opens no calls and no rules.
    pub(crate) fn is_user(&self) -> bool {
        self.user().is_some()
    }

    /// Whose token it is, where it is that of one user.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match &self.scope {
            Scope::User(_, user) => Some(user),
            Scope::Operator | Scope::Tenant(_) => None,
        }
    }

    /// Whether this caller knows of a tenant of that name.
    pub(crate) fn may_see(&self, name: &TenantId) -> bool {
        match &self.scope {
            Scope::Operator => true,
            Scope::Tenant(own) | Scope::User(own, _) => own == name,
        }
    }

    fn seen(&self, switch: &Handle, name: &str) -> Result<Arc<Tenant>, ApiError> {
        let name = TenantId::from(name);
        let tenant = switch.view_of(&name).config.tenants.get(&name).filter(|_| self.may_see(&name)).cloned();
        tenant.ok_or_else(|| {
            ApiError::not_found(format!("no tenant `{name}` for this token"))
                .help("`callwright tenant list` and `GET /v1/tenants` name those that it opens")
        })
    }

    fn lacks(&self, right: &str) -> ApiError {
        let (has, hint) = match &self.scope {
            Scope::Operator => ("operator".to_owned(), OTHERS.to_owned()),
            Scope::Tenant(_) => ("admin".to_owned(), OTHERS.to_owned()),
            // People make no tokens: they are told what theirs is good for.
            Scope::User(_, user) => (
                format!("user:{user}"),
                format!(
                    "it opens `callwright forwarding show {user}`, `forwarding set {user}` and `forwarding profile {user}`, `user show {user}` \
                     and `events --user {user}`; for the rest ask whoever is responsible for the tenant"
                ),
            ),
        };
        ApiError::forbidden(format!("this wants the right `{right}`, and the token has `{has}`")).help(hint)
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
#[derive(Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// `operator`, `tenant` or `user`.
    scope: &'static str,
    /// Which, of a tenant's or a user's token.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// Which, of a user's token.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    label: String,
}

/// `GET /v1/token`
pub(crate) async fn whoami(caller: Caller) -> Json<Whoami> {
    let (scope, tenant, user) = match caller.scope {
        Scope::Operator => ("operator", None, None),
        Scope::Tenant(tenant) => ("tenant", Some(tenant), None),
        Scope::User(tenant, user) => ("user", Some(tenant), Some(user)),
    };
    Json(Whoami { scope, tenant, user, label: caller.label })
}
