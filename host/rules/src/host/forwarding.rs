//! What users wish to become of their calls.

use std::sync::Arc;

use callwright_core::config::Tenant;
use callwright_core::forwarding as core;
use callwright_core::group;
use callwright_core::names::UserId;
use callwright_core::presence;
use callwright_core::rule::{self as facts, DestinationRef};
use jiff::tz::TimeZone;
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::forwarding::{
    self, Condition, Effect, ForwardingError, Mode, Route, Selection, Selector, Way, WhyNot, Wishes,
};
use crate::handle::{Destination, Party, User};
use crate::price;
use crate::state::{RunState, Stop};

impl forwarding::Host for &mut RunState {}

impl forwarding::HostWithStore<RunState> for Imports {
    fn of_user(mut host: Host<'_>, who: Resource<User>) -> wasmtime::Result<Result<Wishes, ForwardingError>> {
        host_call(&mut host, &price::FORWARDING_OF_USER, &[&who], |run| {
            let user = run.table.get(&who)?.0.clone();
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(ForwardingError::Unavailable)) };
            let set = core::of_user(&run.view, &tenant, &user);
            let got = set.as_ref().map_or_else(
                || "nothing is set".to_owned(),
                |set| {
                    core::Standing::of(set, &tenant, core::zone_of(&tenant, &user), run.now.wall).to_string()
                },
            );
            run.note_read(format!("forwarding.of-user(\"{user}\")"), got);
            let wishes = held(run, &tenant, &user, set);
            limited(shown(run, &tenant, &user, &wishes))
        })
    }

    fn selected(
        mut host: Host<'_>,
        who: Resource<User>,
        caller: Resource<Party>,
    ) -> wasmtime::Result<Result<Option<Selection>, ForwardingError>> {
        host_call(&mut host, &price::FORWARDING_SELECTED, &[&who, &caller], |run| {
            let user = run.table.get(&who)?.0.clone();
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(ForwardingError::Unavailable)) };
            let wishes = held(run, &tenant, &user, core::of_user(&run.view, &tenant, &user));
            limited(selection(run, &tenant, &user, &wishes, &caller))
        })
    }
}

/// What holds of somebody's wishes, set or not, while they talk or do not.
fn held(
    run: &RunState,
    tenant: &Arc<Tenant>,
    user: &UserId,
    wishes: Option<Arc<core::Wishes>>,
) -> Arc<core::Wishes> {
    let wishes = wishes.unwrap_or_default();
    if !wishes.own.is_empty() && core::talks(&run.view, tenant, user) {
        return Arc::new(wishes.while_talking());
    }
    wishes
}

/// A full table of handles is an error that the rule can see.
fn limited<T>(result: Result<T, Stop>) -> Result<Result<T, ForwardingError>, Stop> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Limit(name)) => Ok(Err(ForwardingError::LimitExceeded(name.to_owned()))),
        Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
    }
}

fn shown(
    run: &mut RunState,
    tenant: &Arc<Tenant>,
    user: &UserId,
    wishes: &core::Wishes,
) -> Result<Wishes, Stop> {
    let (zone, at) = (core::zone_of(tenant, user), run.now.wall);
    let devices = core::devices(&run.view, tenant, user);
    let devices = destinations(run, devices)?;
    let route = wishes.cold_route.clone().filter(|to| tenant.lacks(to).is_none());
    let route = route.map(|to| routed(run, tenant, to)).transpose()?;
    let mut ways = Vec::new();
    for condition in core::Condition::ALL {
        let to = wishes.to(condition, zone, at);
        if !to.is_empty() {
            ways.push(Way { when: when(condition), to: destinations(run, to)? });
        }
    }
    let unanswered = wishes.unanswered.clone().map(|to| run.handle(Destination(to))).transpose()?;
    let ring_ms = u32::try_from(wishes.ring_time(tenant).as_millis()).unwrap_or(u32::MAX);
    Ok(Wishes {
        profile: wishes.profile.as_ref().map(ToString::to_string),
        effect: effect(wishes.effect(tenant, zone, at)),
        devices,
        route,
        ways,
        nowhere: wishes.nowhere(zone, at).into_iter().map(when).collect(),
        in_order: wishes.in_order,
        ring_ms,
        unanswered,
        selective: !(wishes.callers.is_empty() && wishes.times.is_empty()),
        lasting: wishes.targets().any(|to| group::lasts(tenant, to, at).is_some()),
    })
}

fn routed(run: &mut RunState, tenant: &Tenant, to: DestinationRef) -> Result<Route, Stop> {
    let offline = !presence::reachable(&run.view, &tenant.id, &to);
    Ok(Route { to: run.handle(Destination(to))?, offline })
}

/// What was found, noted where there was anything to look through.
fn selection(
    run: &mut RunState,
    tenant: &Arc<Tenant>,
    user: &UserId,
    wishes: &core::Wishes,
    caller: &Resource<Party>,
) -> Result<Option<Selection>, Stop> {
    let (zone, at): (&TimeZone, _) = (core::zone_of(tenant, user), run.now.wall);
    let caller = &run.table.get(caller)?.facts;
    // Of a call that nobody has made it is not known who makes it.
    let (of_caller, of_time) = match wishes.holds(zone, at) {
        false => ("paused, as all forwarding is", "paused, as all forwarding is"),
        true if *caller == facts::Party::default() => ("no caller is given", "none applies now"),
        true => ("none applies to this caller", "none applies now"),
    };
    let found = wishes.for_caller(caller, tenant, zone, at);
    if !wishes.callers.is_empty() {
        note(run, format!("caller lists of {user}"), found.as_ref(), of_caller);
    }
    let (by, found) = match found {
        Some(found) => (Selector::CallerList, Some(found)),
        None => {
            let found = wishes.for_now(zone, at);
            if !wishes.times.is_empty() {
                note(run, format!("times of {user}"), found.as_ref(), of_time);
            }
            (Selector::TimeTarget, found)
        }
    };
    let Some(core::Selection { name, to }) = found else { return Ok(None) };
    Ok(Some(Selection { by, name, to: destinations(run, to)? }))
}

fn note(run: &mut RunState, asked: String, found: Option<&core::Selection>, none: &str) {
    run.note_read(asked, found.map_or(none, |found| found.name.as_str()));
}

fn destinations(run: &mut RunState, to: Vec<DestinationRef>) -> Result<Vec<Resource<Destination>>, Stop> {
    run.handles(to.into_iter().map(Destination))
}

fn effect(effect: core::Effect) -> Effect {
    match effect {
        // What may not be called is the outcome of its leg: a rule that rings it hears so, and goes on.
        core::Effect::Active(mode) | core::Effect::Blocked(mode) => Effect::Active(match mode {
            core::Mode::RingAll => Mode::RingAll,
            core::Mode::NoAnswer => Mode::NoAnswer,
            core::Mode::Failover => Mode::Failover,
            core::Mode::ForwardOnly => Mode::ForwardOnly,
            core::Mode::ByCondition => Mode::ByCondition,
            // Off is a reason for nothing to be in effect, and no mode of what is.
            core::Mode::Off => Mode::Other(mode.word().to_owned()),
        }),
        core::Effect::Inactive(why) => Effect::Inactive(match why {
            core::WhyNot::Suspended => WhyNot::Suspended,
            core::WhyNot::NoNumbers => WhyNot::NoNumbers,
            core::WhyNot::QueueSignIn => WhyNot::QueueSignIn,
            core::WhyNot::ModeOff => WhyNot::ModeOff,
            core::WhyNot::OutsideSchedule => WhyNot::OutsideSchedule,
        }),
    }
}

fn when(condition: core::Condition) -> Condition {
    match condition {
        core::Condition::Always => Condition::Always,
        core::Condition::Together => Condition::Together,
        core::Condition::Busy => Condition::Busy,
        core::Condition::NoAnswer => Condition::NoAnswer,
        core::Condition::Unreachable => Condition::Unreachable,
    }
}
