//! Who changed what of a tenant, and when.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use callwright_core::Kind;
use callwright_store::{AuditEntry, AuditFilter, DOCUMENTS_PAGE_MAX};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::rules::zone;
use crate::{Caller, Handle, switch};

/// How many entries a page holds when nobody asks for another number.
const PAGE: usize = 50;

/// What a page may be narrowed to.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[param(value_type = Option<String>)]
    kind: Option<Kind>,
    name: Option<String>,
    after: Option<i64>,
    limit: Option<usize>,
}

/// One line of the log: who changed what, and when.
#[derive(Serialize, ToSchema)]
struct Entry {
    id: i64,
    #[schema(value_type = String)]
    kind: Kind,
    name: String,
    /// What the maker of the token called it.
    who: String,
    #[schema(value_type = String)]
    at: Timestamp,
    /// `created`, `changed`, `removed`, `staged`, `discarded` or `expired`.
    action: &'static str,
    before: Option<Value>,
    after: Option<Value>,
    /// When it ends by itself.
    #[schema(value_type = Option<String>)]
    until: Option<Timestamp>,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, kind, name, who, at, action, before, after, until } = entry;
        Self { id, kind, name, who, at, action: action.word(), before, after, until }
    }
}

/// Entries, newest first, and where to go on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Audit {
    entries: Vec<Entry>,
    /// For `after` of the next page; none at the end.
    next: Option<i64>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/audit`
pub(crate) async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Audit>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let Query(wanted) = wanted?;
    let filter = AuditFilter { kind: wanted.kind, name: wanted.name, before: wanted.after };
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, DOCUMENTS_PAGE_MAX);
    let id = tenant.id.clone();
    let entries = switch::ask(&switch, move |store| store.audit(&id, &filter, limit)).await??;
    let next = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.id);
    let entries = entries.into_iter().map(Entry::from).collect();
    Ok(Json(Audit { entries, next, zone: zone(&tenant) }))
}
