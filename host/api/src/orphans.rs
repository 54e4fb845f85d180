//! What of a tenant leads nowhere.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;
use callwright_core::orphan::{self, Orphan, orphans};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::rules::zone;
use crate::{Caller, Handle};

/// The path of orphans.
pub(crate) fn describe(described: Described) -> Described {
    let all = Does::get("phones, people, groups and rules that lead nowhere").answers::<Orphans>();
    described.at("/v1/tenants/{tenant}/orphans", [all], get(list))
}

/// One of them, and the same in words.
#[derive(Serialize, ToSchema)]
struct Told {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    orphan: Orphan,
    text: String,
}

/// All of them: people and devices, then groups, then rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct Orphans {
    orphans: Vec<Told>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/orphans`
pub(crate) async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<Orphans>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let found = orphans(&switch.view_of(&tenant.id), &tenant, switch.now());
    let told = |orphan| Told { text: orphan::told(&orphan, &tenant), orphan };
    Ok(Json(Orphans { orphans: found.into_iter().map(told).collect(), zone: zone(&tenant) }))
}
