//! Calls in progress, and what remains of those that are over.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use callwright_core::names::{CallId, Extension, RuleName, UserId, Version};
use callwright_core::record::CallRecord;
use callwright_core::rule::Party;
use callwright_core::view::{CallView, Phase};
use callwright_store::{CallFilter, Cursor, Ended};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::rules::zone;
use crate::{Caller, Handle, switch};

/// How many records a page holds when nobody asks for another number.
const PAGE: usize = 50;

/// The paths of calls.
pub(crate) fn describe(described: Described) -> Described {
    described
        .at(
            "/v1/tenants/{tenant}/calls",
            [Does::get("the calls in progress").answers::<LiveCalls>()],
            get(live),
        )
        .at(
            "/v1/tenants/{tenant}/records",
            [Does::get("records of calls, newest first").query::<Wanted>().answers::<Records>()],
            get(list),
        )
        .at("/v1/tenants/{tenant}/records/{id}", [Does::get("one record")], get(record))
        .at(
            "/v1/tenants/{tenant}/records/{id}/journal",
            [Does::get("the journal of its rule's run, JSON Lines")],
            get(journal),
        )
        .at(
            "/v1/tenants/{tenant}/records/{id}/explain",
            [Does::get("why the call ended where it did")],
            get(explain),
        )
}

/// One call in progress.
#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct Live {
    #[schema(value_type = String)]
    id: CallId,
    #[schema(value_type = Object)]
    caller: Party,
    #[schema(value_type = Option<String>)]
    from_device: Option<Extension>,
    number: String,
    #[schema(value_type = String)]
    began: Timestamp,
    #[schema(value_type = Option<String>)]
    rule: Option<RuleName>,
    #[schema(value_type = Option<String>)]
    version: Option<Version>,
    #[serde(flatten)]
    phase: LivePhase,
}

/// What it is doing.
#[derive(Serialize, ToSchema)]
#[serde(tag = "phase", rename_all = "kebab-case")]
enum LivePhase {
    Deciding,
    Ringing {
        #[schema(value_type = Vec<String>)]
        devices: Vec<Extension>,
    },
    Talking {
        #[schema(value_type = String)]
        device: Extension,
        #[schema(value_type = Option<String>)]
        user: Option<UserId>,
        #[schema(value_type = String)]
        since: Timestamp,
    },
}

impl From<&CallView> for Live {
    fn from(call: &CallView) -> Self {
        let (rule, version) = call.rule.clone().unzip();
        Self {
            id: call.id.clone(),
            caller: call.caller.clone(),
            from_device: call.from_device.clone(),
            number: call.number.clone(),
            began: call.began,
            rule,
            version,
            phase: match &call.phase {
                Phase::Deciding => LivePhase::Deciding,
                Phase::Ringing(devices) => LivePhase::Ringing { devices: devices.clone() },
                Phase::Talking { device, user, since } => {
                    LivePhase::Talking { device: device.clone(), user: user.clone(), since: *since }
                }
            },
        }
    }
}

/// All calls in progress of a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveCalls {
    calls: Vec<Live>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/calls`
pub(crate) async fn live(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<LiveCalls>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let view = switch.view_of(&tenant.id);
    let own = view.calls.values().filter(|call| call.tenant == tenant.id);
    let calls = own.map(|call| Live::from(call.as_ref())).collect();
    Ok(Json(LiveCalls { calls, zone: zone(&tenant) }))
}

/// What a page of records may be narrowed to.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    ended: Option<String>,
    #[param(value_type = Option<String>)]
    user: Option<UserId>,
    number: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Records, newest first, and where to go on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Records {
    #[schema(value_type = Vec<Object>)]
    records: Vec<Arc<CallRecord>>,
    /// For `after` of the next page; none at the end.
    next: Option<String>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/records`
pub(crate) async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Records>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let Query(wanted) = wanted?;
    let after = match wanted.after {
        Some(text) => Some(text.parse::<Cursor>().map_err(|error| ApiError::bad_request(error.to_string()))?),
        None => None,
    };
    let filter = CallFilter {
        since: wanted.since,
        until: wanted.until,
        ended: wanted.ended.as_deref().map(ended).transpose()?,
        user: wanted.user,
        number: wanted.number,
    };
    let limit = wanted.limit.unwrap_or(PAGE);
    let id = tenant.id.clone();
    let page = switch::ask(&switch, move |store| store.calls(&id, &filter, after.as_ref(), limit)).await??;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Json(Records { records: page.calls, next, zone: zone(&tenant) }))
}

fn ended(word: &str) -> Result<Ended, ApiError> {
    Ended::from_word(word).ok_or_else(|| {
        ApiError::bad_request(format!("`{word}` is no way to end: write answered, rejected or caller-gone"))
    })
}

/// `GET /v1/tenants/{tenant}/records/{id}`
pub(crate) async fn record(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<Arc<CallRecord>>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    find(&switch, &tenant.id, id).await.map(Json)
}

/// `GET /v1/tenants/{tenant}/records/{id}/journal`: JSON Lines, as the run wrote them.
pub(crate) async fn journal(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let record = find(&switch, &tenant.id, id).await?;
    let (owner, id) = (tenant.id.clone(), record.id.clone());
    let lines = switch::ask(&switch, move |store| store.journal(&owner, id.as_str())).await??;
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    Ok(([(CONTENT_TYPE, "application/jsonl")], text))
}

/// `GET /v1/tenants/{tenant}/records/{id}/explain`: why the call ended where it did.
pub(crate) async fn explain(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    #[derive(Serialize)]
    struct Explained {
        id: CallId,
        sentence: String,
        facts: Vec<callwright_core::explain::Line>,
        text: String,
    }
    let tenant = caller.tenant(&switch, &tenant)?;
    let record = find(&switch, &tenant.id, id).await?;
    let explanation = callwright_core::explain::explain(&record, &tenant.zone);
    let text = explanation.to_string();
    let id = record.id.clone();
    Ok(Json(Explained { id, sentence: explanation.sentence, facts: explanation.facts, text }))
}

/// The record of a call that is over; a call in progress has none yet, and the answer says so.
async fn find(
    switch: &Handle,
    tenant: &callwright_core::names::TenantId,
    id: String,
) -> Result<Arc<CallRecord>, ApiError> {
    let (owner, wanted) = (tenant.clone(), id.clone());
    let found = switch::ask(switch, move |store| store.call(&owner, &wanted)).await?;
    found.map_err(|error| {
        let view = switch.view_of(tenant);
        let going_on = view.calls.get(&CallId::from(id)).is_some_and(|call| call.tenant == *tenant);
        let error = ApiError::from(error);
        if going_on {
            error.help("the call is still going on; its record is written when it ends")
        } else {
            error
        }
    })
}
