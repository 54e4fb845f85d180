//! Which phones are reachable now, and which are told of what changes.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;
use callwright_core::names::{Extension, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::{Caller, Handle};

/// The paths of registrations and subscriptions.
pub(crate) fn describe(described: Described) -> Described {
    let all = Does::get("the phones that are reachable now").answers::<Registrations>();
    let told = Does::get("the phones that are told of what changes").answers::<Subscriptions>();
    described.at("/v1/tenants/{tenant}/registrations", [all], get(list)).at(
        "/v1/tenants/{tenant}/subscriptions",
        [told],
        get(subscriptions),
    )
}

/// One binding of one device.
#[derive(Serialize, ToSchema)]
pub(crate) struct Registration {
    #[schema(value_type = String)]
    device: Extension,
    label: Option<String>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    contact: String,
    transport: &'static str,
    peer: String,
    user_agent: String,
    #[schema(value_type = String)]
    registered: Timestamp,
    #[schema(value_type = String)]
    expires: Timestamp,
    behind_nat: bool,
    #[schema(value_type = Option<String>)]
    suspect_since: Option<Timestamp>,
}

/// All registrations of a tenant, by device.
#[derive(Serialize, ToSchema)]
pub(crate) struct Registrations {
    registrations: Vec<Registration>,
}

/// `GET /v1/tenants/{tenant}/registrations`
pub(crate) async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<Registrations>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let view = switch.view_of(&tenant.id);
    let own = view.bindings.iter().filter(|(key, _)| key.tenant == tenant.id);
    let registrations = own.map(|(key, binding)| {
        let device = tenant.devices.get(&key.device);
        Registration {
            device: key.device.clone(),
            label: device.map(|device| device.label.clone()),
            user: device.map(|device| device.user.clone()),
            contact: binding.contact.clone(),
            transport: binding.flow.transport.as_str(),
            peer: binding.flow.peer.to_string(),
            user_agent: binding.user_agent.clone(),
            registered: binding.registered,
            expires: binding.expires,
            behind_nat: binding.behind_nat,
            suspect_since: binding.suspect_since,
        }
    });
    Ok(Json(Registrations { registrations: registrations.collect() }))
}

/// One phone that is told of what changes.
#[derive(Serialize, ToSchema)]
struct Subscription {
    #[schema(value_type = String)]
    device: Extension,
    label: Option<String>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// The event package.
    event: &'static str,
    transport: &'static str,
    peer: String,
    #[schema(value_type = String)]
    since: Timestamp,
    #[schema(value_type = String)]
    expires: Timestamp,
}

/// All subscriptions of a tenant, by device.
#[derive(Serialize, ToSchema)]
pub(crate) struct Subscriptions {
    subscriptions: Vec<Subscription>,
}

/// `GET /v1/tenants/{tenant}/subscriptions`
pub(crate) async fn subscriptions(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<Subscriptions>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let view = switch.view_of(&tenant.id);
    let own = view.subscriptions.iter().filter(|(((of, _), _), _)| *of == tenant.id);
    let subscriptions = own.map(|(((_, extension), _), subscription)| {
        let device = tenant.devices.get(extension);
        Subscription {
            device: extension.clone(),
            label: device.map(|device| device.label.clone()),
            user: device.map(|device| device.user.clone()),
            event: subscription.event,
            transport: subscription.flow.transport.as_str(),
            peer: subscription.flow.peer.to_string(),
            since: subscription.since,
            expires: subscription.expires,
        }
    });
    Ok(Json(Subscriptions { subscriptions: subscriptions.collect() }))
}
