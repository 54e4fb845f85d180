//! One person as a caller would find them now: their phones, what they do, and where a call to them would go.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use callwright_core::Kind;
use callwright_core::config::{Tenant, User};
use callwright_core::forwarding;
use callwright_core::names::Extension;
use callwright_core::presence::{self, Doing, State as Presence};
use callwright_core::record::Gone;
use callwright_core::view::{DeviceKey, View};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::people::Judge;
use crate::routes::{self, Told, Wanted};
use crate::{Caller, Handle};

/// The path of a person's reach.
pub(crate) fn describe(described: Described) -> Described {
    let reach = Does::get(
        "a person's phones, what they do, and where a call to them would go, now or at another time",
    )
    .query::<Wanted>()
    .answers::<Reach>();
    described.at("/v1/tenants/{tenant}/users/{name}/reach", [reach], get(of_user))
}

/// One phone of theirs.
#[derive(Serialize, ToSchema)]
struct Phone {
    #[schema(value_type = String)]
    device: Extension,
    label: String,
    /// Since when it is registered; none: it is not.
    #[schema(value_type = Option<String>)]
    registered: Option<Timestamp>,
    user_agent: Option<String>,
    /// How and when its last registration ended, where there is none now.
    #[schema(value_type = Option<Object>)]
    gone: Option<(Timestamp, Gone)>,
    ringing: bool,
    on_call: bool,
    /// Whether its person has set it silent.
    silent: bool,
    /// The events that it is told of.
    subscribed: Vec<&'static str>,
}

/// How a person can be reached.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reach {
    user: String,
    name: String,
    extension: Option<String>,
    numbers: Vec<String>,
    /// `available`, `busy` or `offline`.
    state: &'static str,
    /// `nothing`, `ringing`, `on-call` or `do-not-disturb`.
    activity: &'static str,
    calls: u32,
    phones: Vec<Phone>,
    route: Told,
    /// What keeps their wishes from coming true now; of another moment the route has it.
    warnings: Vec<String>,
    /// All of it as people read it.
    text: String,
}

/// `GET /v1/tenants/{tenant}/users/{user}/reach?at=Sun+03:00`: the phones as they are now.
pub(crate) async fn of_user(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, name)): Path<(String, String)>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Reach>, ApiError> {
    // A user may look at their own.
    let tenant = caller.own(&switch, &tenant, (Kind::Forwarding, &name))?;
    let user = tenant.users.get(name.as_str());
    let user = user.ok_or_else(|| ApiError::not_found(format!("no user `{name}`")))?;
    let view = switch.view_of(&tenant.id);
    let Query(wanted) = wanted?;
    let at = wanted.moment(&tenant, switch.now())?;
    let route = routes::told(&switch, &tenant, name, at).await?;
    let phones = phones(&view, &tenant, user);
    // Wishes may be others then, and what the rule would warn of then the route says.
    let is_now = wanted.at.is_none();
    let judge = Judge { view: &view, tenant: &tenant, now: at };
    let warnings = if is_now { judge.warnings(&user.id) } else { Vec::new() };
    let status = presence::of_user(&view, &tenant.id, &user.id);
    let mut reach = Reach {
        user: user.id.to_string(),
        name: user.name.clone(),
        extension: user.extension.as_ref().map(ToString::to_string),
        numbers: user.numbers.clone(),
        state: match status.state {
            Presence::Available => "available",
            Presence::Busy => "busy",
            Presence::Offline => "offline",
        },
        activity: match status.doing {
            Doing::Nothing => "nothing",
            Doing::Ringing => "ringing",
            Doing::OnCall => "on-call",
            Doing::DoNotDisturb => "do-not-disturb",
        },
        calls: status.calls,
        phones,
        route,
        warnings,
        text: String::new(),
    };
    reach.text = reach.told(&tenant);
    Ok(Json(reach))
}

fn phones(view: &View, tenant: &Arc<Tenant>, user: &User) -> Vec<Phone> {
    let devices = user.devices.iter().filter_map(|device| tenant.devices.get(device));
    let wishes = forwarding::of_user(view, tenant, &user.id);
    devices
        .map(|device| {
            let last = presence::bindings(view, &tenant.id, &device.extension).max_by_key(|it| it.registered);
            let facts = presence::of_device(view, &tenant.id, &device.extension);
            Phone {
                device: device.extension.clone(),
                label: device.label.clone(),
                registered: last.map(|binding| binding.registered),
                user_agent: last.map(|binding| binding.user_agent.clone()).filter(|agent| !agent.is_empty()),
                gone: view.gone.get(&(tenant.id.clone(), device.extension.clone())).copied(),
                ringing: facts.ringing,
                on_call: facts.on_call,
                silent: wishes.as_ref().is_some_and(|wishes| wishes.silent.contains(&device.extension)),
                subscribed: subscribed(view, (tenant.id.clone(), device.extension.clone())),
            }
        })
        .collect()
}

fn subscribed(view: &View, device: DeviceKey) -> Vec<&'static str> {
    let own = view.subscriptions.range((device.clone(), 0)..=(device, u64::MAX));
    let events: BTreeSet<_> = own.map(|(_, subscription)| subscription.event).collect();
    events.into_iter().collect()
}

impl Reach {
    fn told(&self, tenant: &Tenant) -> String {
        let when = |at: Timestamp| at.to_zoned(tenant.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let numbers = self.extension.iter().chain(&self.numbers).cloned().collect::<Vec<_>>().join(", ");
        let doing = if self.activity == "nothing" { String::new() } else { format!(" ({})", self.activity) };
        let mut text = format!("{} ({}), {}: {}{doing}\n", self.name, self.user, numbers, self.state);
        for phone in &self.phones {
            let is = match (phone.registered, phone.gone) {
                (Some(at), _) => {
                    let agent = phone.user_agent.as_ref().map(|agent| format!(", {agent}"));
                    format!("registered {}{}", when(at), agent.unwrap_or_default())
                }
                (None, Some((at, _))) => format!("not registered since {}", when(at)),
                (None, None) => "never registered".to_owned(),
            };
            let doing = match (phone.on_call, phone.ringing) {
                (true, _) => ", on a call",
                (false, true) => ", ringing",
                (false, false) => "",
            };
            let told = if phone.subscribed.is_empty() {
                String::new()
            } else {
                format!(", subscribed to {}", phone.subscribed.join(", "))
            };
            // Writing to a String does not fail.
            let silent = if phone.silent { ", set silent" } else { "" };
            let _ = writeln!(text, "  {} ({}): {is}{told}{silent}{doing}", phone.device, phone.label);
        }
        text.push('\n');
        text.push_str(&self.route.text);
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}
