//! The HTTP API: what the CLI, and later the console, know of a running switch.
//!
//! [`router`] is the whole of it; it reads the node's pictures and the store through a [`Switch`] and shows what the
//! driver counts in [`Meters`]. It owns no socket, thread or clock, and no knowledge of calls or of Wasm: the binary
//! listens, and checks and compiles what is uploaded.
//!
//! Every path under `/v1/tenants/{tenant}` wants `Authorization: Bearer …`. The operator's token opens every tenant, a
//! tenant's token that tenant alone; whatever else exists is 404 to it. Answers are JSON, errors included:
//! `{"error": {"code": …, "what": …, "cause": […], "hint": …}}`.

mod access;
mod audit;
mod calls;
mod error;
mod events;
mod metrics;
mod openapi;
mod orphans;
mod overlap;
mod people;
mod person;
mod registrations;
mod routes;
mod rules;
mod switch;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use callwright_store::TokenHash;

use access::{Caller, Whoami};
use error::ApiError;
pub use metrics::Meters;
use openapi::{Described, Does};
pub use rules::WITHDRAWN_BY;
pub use switch::{
    ChangeError, DocumentChange, Expects, Overloaded, Pending, Query, Switch, TooOften, Upload, UploadError,
};

/// The longest body of any request but an upload, in bytes.
pub const BODY_MAX: usize = 16 * 1024;

/// The longest document of a tenant, in bytes: a thousand holidays.
pub const DOCUMENT_MAX: usize = 128 * 1024;

/// The longest body of an upload: a component of 3 MiB as text, and its `rule.toml`.
pub const UPLOAD_MAX: usize = 4 * 1024 * 1024 + 128 * 1024;

pub(crate) type Handle = Arc<dyn Switch>;

/// The API of one switch, ready to be served.
pub fn router(switch: Arc<dyn Switch>) -> Router {
    let described = Described::default()
        .at("/healthz", [Does::get("whether the switch takes calls").without_token()], get(health))
        .at("/metrics", [Does::get("metrics for Prometheus").without_token()], get(metrics::scrape))
        .at("/v1/token", [Does::get("what the token opens").answers::<Whoami>()], get(access::whoami))
        .at(
            "/v1/tenants/{tenant}/audit",
            [Does::get("who changed what, newest first").query::<audit::Wanted>().answers::<audit::Audit>()],
            get(audit::list),
        );
    let described = [
        people::describe,
        person::describe,
        rules::describe,
        calls::describe,
        routes::describe,
        orphans::describe,
        events::describe,
        registrations::describe,
    ]
    .into_iter()
    .fold(described, |described, more| more(described));
    described
        .into_router()
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(switch)
}

/// Whether the switch serves: it takes calls, and the store answers, whatever it has to say to no token at all.
async fn health(State(switch): State<Handle>) -> Result<(StatusCode, &'static str), ApiError> {
    if switch.views().iter().any(|view| view.closing) {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "draining\n"));
    }
    switch::ask(&switch, |store| store.token(&TokenHash::of(""))).await??;
    Ok((StatusCode::OK, "ok\n"))
}

async fn unknown() -> impl IntoResponse {
    ApiError::not_found("there is nothing at this path").help("docs/api.md lists every path")
}

async fn wrong_method() -> impl IntoResponse {
    ApiError::wrong_method()
}

#[cfg(test)]
mod tests;
