//! Who changed what of a tenant, and when.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use callwright_core::Kind;
use callwright_store::{AuditEntry, AuditFilter, DOCUMENTS_PAGE_MAX};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::rules::zone;
use crate::{Caller, Handle, switch};

/// How many entries a page holds when nobody asks for another number.
const PAGE: usize = 50;

/// What a page may be narrowed to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    kind: Option<Kind>,
    name: Option<String>,
    after: Option<i64>,
    limit: Option<usize>,
}

/// Entries, newest first, and where to go on.
#[derive(Serialize)]
pub(crate) struct Audit {
    entries: Vec<AuditEntry>,
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
    Ok(Json(Audit { entries, next, zone: zone(&tenant) }))
}
