//! What users wish to become of their calls.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::forwarding as core;
use callwright_core::rule::DestinationRef;
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::forwarding::{
    self, Condition, Effect, ForwardingError, Mode, Selection, WhyNot,
};
use crate::handle::{Destination, Party, User, Wishes};
use crate::price;
use crate::state::{RunState, Stop};

impl forwarding::Host for &mut RunState {}
impl forwarding::HostWishes for &mut RunState {}

impl forwarding::HostWithStore<RunState> for Imports {
    fn of_user(
        mut host: Host<'_>,
        who: Resource<User>,
    ) -> wasmtime::Result<Result<Resource<Wishes>, ForwardingError>> {
        host_call(&mut host, &price::FORWARDING_OF_USER, &[&who], |run| {
            let user = run.table.get(&who)?.0.clone();
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(ForwardingError::Unavailable)) };
            let wishes = core::of_user(&run.view, &tenant, &user);
            let zone = core::zone_of(&tenant, &user).clone();
            let got = wishes.as_ref().map_or_else(
                || "nothing is set".to_owned(),
                |wishes| core::Standing::of(wishes, &tenant, &zone, run.now.wall).to_string(),
            );
            run.note_read(format!("forwarding.of-user(\"{user}\")"), got);
            let mut wishes = wishes.unwrap_or_default();
            if !wishes.own.is_empty() && core::talks(&run.view, &tenant, &user) {
                wishes = Arc::new(wishes.while_talking());
            }
            match run.handle(Wishes { user, wishes, zone, at: run.now.wall }) {
                Ok(handle) => Ok(Ok(handle)),
                Err(Stop::Limit(name)) => Ok(Err(ForwardingError::LimitExceeded(name.to_owned()))),
                Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
            }
        })
    }
}

impl forwarding::HostWishesWithStore<RunState> for Imports {
    fn effect(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<Effect> {
        host_call(&mut host, &price::WISHES_EFFECT, &[&wishes], |run| {
            let Wishes { wishes, zone, at, .. } = run.table.get(&wishes)?;
            Ok(effect(wishes.effect(zone, *at)))
        })
    }

    fn devices(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<Vec<Resource<Destination>>> {
        host_call(&mut host, &price::WISHES_DEVICES, &[&wishes], |run| {
            let user = run.table.get(&wishes)?.user.clone();
            let devices = run.tenant.as_ref().map(|tenant| core::devices(&run.view, tenant, &user));
            run.handles(devices.unwrap_or_default().into_iter().map(Destination))
        })
    }

    fn to(
        mut host: Host<'_>,
        wishes: Resource<Wishes>,
        when: Condition,
    ) -> wasmtime::Result<Vec<Resource<Destination>>> {
        host_call(&mut host, &price::WISHES_TO, &[&wishes, &when], |run| {
            let Wishes { wishes, zone, at, .. } = run.table.get(&wishes)?;
            let to = match condition(&when) {
                Some(condition) => wishes.to(condition, zone, *at),
                None => Vec::new(),
            };
            run.handles(to.into_iter().map(Destination))
        })
    }

    fn in_order(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::WISHES_IN_ORDER, &[&wishes], |run| {
            Ok(run.table.get(&wishes)?.wishes.in_order)
        })
    }

    fn ring_ms(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::WISHES_RING_MS, &[&wishes], |run| {
            let Wishes { wishes, .. } = run.table.get(&wishes)?;
            let time = run.tenant.as_ref().map_or(Duration::ZERO, |tenant| wishes.ring_time(tenant));
            Ok(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
        })
    }

    fn unanswered(
        mut host: Host<'_>,
        wishes: Resource<Wishes>,
    ) -> wasmtime::Result<Option<Resource<Destination>>> {
        host_call(&mut host, &price::WISHES_UNANSWERED, &[&wishes], |run| {
            let to: Option<DestinationRef> = run.table.get(&wishes)?.wishes.unanswered.clone();
            to.map(|to| run.handle(Destination(to))).transpose()
        })
    }

    fn profile(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::WISHES_PROFILE, &[&wishes], |run| {
            let profile = run.table.get(&wishes)?.wishes.profile.as_ref();
            Ok(profile.map(ToString::to_string))
        })
    }

    fn for_caller(
        mut host: Host<'_>,
        wishes: Resource<Wishes>,
        caller: Resource<Party>,
    ) -> wasmtime::Result<Option<Selection>> {
        host_call(&mut host, &price::WISHES_FOR_CALLER, &[&wishes, &caller], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(None) };
            let Wishes { wishes, zone, at, user } = run.table.get(&wishes)?;
            let found = wishes.for_caller(&run.table.get(&caller)?.facts, &tenant, zone, *at);
            let asked = (!wishes.callers.is_empty()).then(|| format!("caller lists of {user}"));
            selected(run, asked, found)
        })
    }

    fn for_now(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<Option<Selection>> {
        host_call(&mut host, &price::WISHES_FOR_NOW, &[&wishes], |run| {
            let Wishes { wishes, zone, at, user } = run.table.get(&wishes)?;
            let found = wishes.for_now(zone, *at);
            let asked = (!wishes.times.is_empty()).then(|| format!("times of {user}"));
            selected(run, asked, found)
        })
    }

    fn drop(mut host: Host<'_>, wishes: Resource<Wishes>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(wishes)?;
        Ok(())
    }
}

/// What was found, noted where there was anything to look through.
fn selected(
    run: &mut RunState,
    asked: Option<String>,
    found: Option<core::Selection>,
) -> Result<Option<Selection>, Stop> {
    if let Some(asked) = asked {
        run.note_read(asked, found.as_ref().map_or("none", |found| found.name.as_str()));
    }
    let Some(core::Selection { name, to }) = found else { return Ok(None) };
    let to = run.handles(to.into_iter().map(Destination))?;
    Ok(Some(Selection { name, to }))
}

fn effect(effect: core::Effect) -> Effect {
    match effect {
        core::Effect::Active(mode) => Effect::Active(match mode {
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

/// None for one that this version does not know.
fn condition(when: &Condition) -> Option<core::Condition> {
    match when {
        Condition::Always => Some(core::Condition::Always),
        Condition::Together => Some(core::Condition::Together),
        Condition::Busy => Some(core::Condition::Busy),
        Condition::NoAnswer => Some(core::Condition::NoAnswer),
        Condition::Unreachable => Some(core::Condition::Unreachable),
        Condition::Other(_) => None,
    }
}
