//! Where a call to a number would go.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::explain::{self, Changed, RouteText};
use callwright_core::names::UserId;
use callwright_core::route::Decider;
use callwright_core::rule::DestinationRef;
use callwright_store::{Action, AuditFilter};
use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::{Caller, Handle, switch};

/// How many entries of the log are looked through for the last change that held.
const CHANGES: usize = 20;

/// The path of routes.
pub(crate) fn describe(described: Described) -> Described {
    let told =
        Does::get("where a call would go if nobody answered, and why").query::<Wanted>().answers::<Told>();
    described.at("/v1/tenants/{tenant}/numbers/{number}/route", [told], get(of_number))
}

/// What may be asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The moment of the call; now where nobody says.
    pub(crate) at: Option<String>,
}

impl Wanted {
    /// When that is, in the tenant's zone.
    pub(crate) fn moment(&self, tenant: &Tenant, now: Timestamp) -> Result<Timestamp, ApiError> {
        let Some(text) = &self.at else { return Ok(now) };
        moment(text, &tenant.zone, now).ok_or_else(|| {
            ApiError::bad_request(format!("`{text}` is no moment"))
                .help("write as `Sun 03:00`, `03:00`, `2026-12-24 18:00` or 2026-12-24T17:00:00Z")
        })
    }
}

/// A route in words.
#[derive(Serialize, ToSchema)]
#[schema(as = Route)]
pub(crate) struct Told {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    route: RouteText,
    pub(crate) text: String,
}

/// `GET /v1/tenants/{tenant}/numbers/{number}/route?at=Sun+03:00`: where a call would go if nobody answered.
pub(crate) async fn of_number(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, number)): Path<(String, String)>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Told>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let Query(wanted) = wanted?;
    let at = wanted.moment(&tenant, switch.now())?;
    told(&switch, &tenant, number, at).await.map(Json)
}

/// Follows a call and says in words where it went.
pub(crate) async fn told(
    switch: &Handle,
    tenant: &Arc<Tenant>,
    number: String,
    at: Timestamp,
) -> Result<Told, ApiError> {
    let route = switch.foretell(Arc::clone(tenant), number.clone(), at).await?;
    let user = tenant.plan.find(&number).and_then(DestinationRef::user).cloned();
    let changed = changed(switch, tenant, &route.decider, user).await?;
    let route = RouteText { changed, ..explain::route(&route, tenant, &number, at) };
    let text = route.to_string();
    Ok(Told { route, text })
}

/// Who made it what it is: whoever activated the rule, or saved what the person wishes.
async fn changed(
    switch: &Handle,
    tenant: &Arc<Tenant>,
    decider: &Decider,
    user: Option<UserId>,
) -> Result<Option<Changed>, ApiError> {
    let (owner, zone) = (tenant.id.clone(), tenant.zone.clone());
    let when = move |at: Timestamp| at.to_zoned(zone.clone()).strftime("%A %Y-%m-%d %H:%M").to_string();
    match (decider, user) {
        (Decider::Rule(rule, _), _) => {
            let name = rule.name.clone();
            let history = switch::ask(switch, move |store| store.history(&owner, &name)).await??;
            Ok(history.into_iter().next().map(|last| Changed {
                when: when(last.at),
                by: last.by,
                until: None,
            }))
        }
        (Decider::Standard(_), Some(user)) => {
            let name = Some(user.as_str().to_owned());
            let filter = AuditFilter { kind: Some(Kind::Forwarding), name, before: None };
            let log = switch::ask(switch, move |store| store.audit(&owner, &filter, CHANGES)).await??;
            // A draft that somebody prepared has changed nothing.
            let last = log
                .into_iter()
                .find(|entry| entry.action != Action::Staged && entry.action != Action::Discarded);
            Ok(last.map(|last| Changed { when: when(last.at), by: last.who, until: last.until.map(when) }))
        }
        (
            Decider::Standard(_)
            | Decider::Emergency
            | Decider::Code
            | Decider::Nobody
            | Decider::Device(_)
            | Decider::Fallback,
            _,
        ) => Ok(None),
    }
}

/// A moment as people write it: with a date, with a weekday, or the next time that the clock shows it.
pub(crate) fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let (day, time) =
        text.trim().rsplit_once(' ').map_or((None, text.trim()), |(day, time)| (Some(day), time));
    // People leave out the first zero.
    let time = if time.find(':') == Some(1) { format!("0{time}") } else { time.to_owned() };
    let whole = day.map_or_else(|| time.clone(), |day| format!("{day} {time}"));
    if let Ok(local) = whole.parse::<DateTime>() {
        return zone.to_timestamp(local).ok();
    }
    let time: Time = time.parse().ok()?;
    let weekday = match day {
        Some(day) => Some(weekday(day)?),
        None => None,
    };
    let today = now.to_zoned(zone.clone()).date();
    // A time that a jump of the clock leaves out is looked for a week later too.
    (0..=14).map(|days| today.saturating_add(days.days())).find_map(|date| {
        let is_day = weekday.is_none_or(|weekday| weekday == date.weekday());
        let at = zone.to_timestamp(date.to_datetime(time)).ok()?;
        (is_day && at >= now).then_some(at)
    })
}

/// `Sun` or `sunday`.
fn weekday(text: &str) -> Option<Weekday> {
    let wanted = text.to_ascii_lowercase();
    Weekday::Monday.cycle_forward().take(7).find(|day| {
        let name = explain::weekday_name(*day).to_ascii_lowercase();
        wanted.len() >= 3 && name.starts_with(&wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_next_time_that_the_tenants_clock_shows_it() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-11-20T17:02:00Z".parse().unwrap();
        let at = |text| moment(text, &zone, now).map(|at| at.to_string());
        assert_eq!(at("Sun 03:00").as_deref(), Some("2026-11-22T02:00:00Z"));
        assert_eq!(at("Sun 3:00"), at("Sun 03:00"));
        assert_eq!(at("2026-12-24 8:00").as_deref(), Some("2026-12-24T07:00:00Z"));
        assert_eq!(at("friday 18:00").as_deref(), Some("2026-11-27T17:00:00Z"));
        assert_eq!(at("18:30").as_deref(), Some("2026-11-20T17:30:00Z"));
        assert_eq!(at("2026-12-24 18:00").as_deref(), Some("2026-12-24T17:00:00Z"));
        assert_eq!(at("2026-12-24T17:00:00Z").as_deref(), Some("2026-12-24T17:00:00Z"));
        assert_eq!(at("someday"), None);
        assert_eq!(at("xx 03:00"), None);
    }
}
