//! What happened to a tenant without anybody doing it, and of that what is about one user.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::names::UserId;
use callwright_store::{EVENTS_PAGE_MAX, Event, Happened, Store};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::rules::zone;
use crate::{Caller, Handle, switch};

/// How many events are listed when nobody asks for another number.
const PAGE: usize = 50;
/// How long one request waits at most, in seconds.
const WAIT_MAX_S: u64 = 30;

/// Which events, and how long to wait for one.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Wanted {
    /// The id of an event: those after it. Without it the newest are listed.
    after: Option<i64>,
    /// At most 500; 50 without it.
    limit: Option<usize>,
    /// Where there is none, how many seconds to wait for one; at most 30.
    wait_s: Option<u64>,
}

/// Events, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<Shown>,
    /// For `after` of the next request; what was asked for where there is nothing new.
    next: Option<i64>,
    zone: Option<String>,
}

/// One event.
#[derive(Serialize, ToSchema)]
struct Shown {
    /// A later one is higher.
    id: i64,
    /// In words: with the rule and the call for an admin, for a user alone what it is.
    text: String,
    /// When, and what: `at`, `what`, and what belongs to it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    event: Facts,
}

/// An event but for its number.
#[derive(Serialize)]
struct Facts {
    at: jiff::Timestamp,
    #[serde(flatten)]
    what: Happened,
}

pub(crate) fn describe(described: Described) -> Described {
    let described = described.at(
        "/v1/tenants/{tenant}/events",
        [Does::get("what happened without anybody doing it, oldest first")
            .query::<Wanted>()
            .answers::<Events>()],
        get(of_tenant),
    );
    described.at(
        "/v1/tenants/{tenant}/users/{name}/events",
        [Does::get("what happened that is about a user, oldest first").query::<Wanted>().answers::<Events>()],
        get(of_user),
    )
}

/// `GET /v1/tenants/{tenant}/events`
async fn of_tenant(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Events>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    listed(&switch, &tenant, (None, Happened::to_string), wanted?.0).await
}

/// `GET /v1/tenants/{tenant}/users/{user}/events`
async fn of_user(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, name)): Path<(String, String)>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Events>, ApiError> {
    // What their rules and wishes came to is theirs to read, like the wishes themselves.
    let tenant = caller.own(&switch, &tenant, (Kind::Forwarding, &name))?;
    let user = tenant.users.get(name.as_str()).map(|user| user.id.clone());
    let user = user.ok_or_else(|| ApiError::not_found(format!("no user `{name}`")))?;
    let words = if caller.is_user() { Happened::in_person } else { Happened::to_string };
    listed(&switch, &tenant, (Some(user), words), wanted?.0).await
}

async fn listed(
    switch: &Handle,
    tenant: &Tenant,
    (about, words): (Option<UserId>, fn(&Happened) -> String),
    wanted: Wanted,
) -> Result<Json<Events>, ApiError> {
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, EVENTS_PAGE_MAX);
    let mut left = Duration::from_secs(wanted.wait_s.unwrap_or(0).min(WAIT_MAX_S));
    let events = loop {
        // Listened for before it is asked: what happens between is not missed.
        let happened = switch.happened(left);
        let (id, about) = (tenant.id.clone(), about.clone());
        let asked = move |store: &dyn Store| store.events(&id, about.as_ref(), wanted.after, limit);
        let events = switch::ask(switch, asked).await??;
        if !events.is_empty() || left.is_zero() {
            break events;
        }
        left = happened.await.unwrap_or_default();
    };
    let next = events.last().map(|event| event.id).or(wanted.after);
    let shown = |Event { id, at, what }: Event| Shown { id, text: words(&what), event: Facts { at, what } };
    Ok(Json(Events { events: events.into_iter().map(shown).collect(), next, zone: zone(tenant) }))
}
