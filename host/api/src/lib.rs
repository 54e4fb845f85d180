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
mod metrics;
mod overlap;
mod people;
mod registrations;
mod routes;
mod rules;
mod switch;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use callwright_store::TokenHash;

use access::Caller;
use error::ApiError;
pub use metrics::Meters;
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
    let tenant = Router::new()
        .route("/rules", get(rules::list).post(rules::upload).layer(DefaultBodyLimit::max(UPLOAD_MAX)))
        .route("/rules/{rule}/versions", get(rules::versions))
        .route("/rules/{rule}/history", get(rules::history))
        .route("/rules/{rule}/activate", post(rules::activate))
        .route("/rules/{rule}/rollback", post(rules::roll_back))
        .route("/rules/{rule}/deactivate", post(rules::deactivate))
        .route("/numbers/{number}/route", get(routes::of_number))
        .route("/registrations", get(registrations::list))
        .route("/calls", get(calls::live))
        .route("/records", get(calls::list))
        .route("/records/{id}", get(calls::record))
        .route("/records/{id}/journal", get(calls::journal))
        .route("/records/{id}/explain", get(calls::explain))
        .route("/audit", get(audit::list))
        .merge(people::routes());
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::scrape))
        .route("/v1/token", get(access::whoami))
        .merge(people::tenant_routes())
        .nest("/v1/tenants/{tenant}", tenant)
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
