//! Who is free.

use callwright_core::names::{Extension, UserId};
use callwright_core::presence::{self as facts, DeviceFacts, Doing, State as Class, UserStatus};
use callwright_core::rule::DestinationRef;
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::presence::{self, Activity, PresenceError, State};
use crate::handle::{Destination, DeviceStatus, Named as _, Status, User};
use crate::price;
use crate::state::{RunState, Stop};

impl presence::Host for &mut RunState {}
impl presence::HostStatus for &mut RunState {}
impl presence::HostDeviceStatus for &mut RunState {}

impl presence::HostWithStore<RunState> for Imports {
    fn of_user(
        mut host: Host<'_>,
        who: Resource<User>,
    ) -> wasmtime::Result<Result<Resource<Status>, PresenceError>> {
        host_call(&mut host, &price::OF_USER, &[&who], |run| {
            let user = run.table.get(&who)?.0.clone();
            let status = facts::of_user(&run.view, &run.call.tenant, &user);
            run.note_read(format!("presence.of-user(\"{user}\")"), user_words(&user, &status));
            limited(run.handle(Status { user, status }))
        })
    }

    fn of_device(
        mut host: Host<'_>,
        to: Resource<Destination>,
    ) -> wasmtime::Result<Result<Resource<DeviceStatus>, PresenceError>> {
        host_call(&mut host, &price::OF_DEVICE, &[&to], |run| {
            let Some(device) = device(run, &to)? else {
                return Ok(Err(PresenceError::Other("the destination is not a device".to_owned())));
            };
            let facts = facts::of_device(&run.view, &run.call.tenant, &device);
            run.note_read(format!("presence.of-device(\"{device}\")"), device_words(&device, &facts));
            let left = facts.registered_until.map(|until| until.duration_since(run.now.wall).as_secs());
            let expires_in_s = left.map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX));
            limited(run.handle(DeviceStatus { device, facts, expires_in_s }))
        })
    }

    fn reachable(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::REACHABLE, &[&to], |run| {
            let to = run.table.get(&to)?.0.clone();
            let meant = run.meant(&to);
            let reachable = meant.is_some_and(|to| facts::reachable(&run.view, &run.call.tenant, &to));
            let got = if reachable { "a phone is registered" } else { "no phone is registered" };
            let shown = Destination(to).name();
            run.note_read(format!("presence.reachable(\"{shown}\")"), got);
            Ok(reachable)
        })
    }
}

impl presence::HostStatusWithStore<RunState> for Imports {
    fn state(mut host: Host<'_>, status: Resource<Status>) -> wasmtime::Result<State> {
        host_call(&mut host, &price::STATUS_STATE, &[&status], |run| {
            Ok(match run.table.get(&status)?.status.state {
                Class::Available => State::Available,
                Class::Busy => State::Busy,
                Class::Offline => State::Offline,
            })
        })
    }

    fn activity(mut host: Host<'_>, status: Resource<Status>) -> wasmtime::Result<Activity> {
        host_call(&mut host, &price::STATUS_ACTIVITY, &[&status], |run| {
            Ok(match run.table.get(&status)?.status.doing {
                Doing::Nothing => Activity::None,
                Doing::Ringing => Activity::Ringing,
                Doing::OnCall => Activity::OnCall,
                Doing::DoNotDisturb => Activity::DoNotDisturb,
            })
        })
    }

    fn calls(mut host: Host<'_>, status: Resource<Status>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::STATUS_CALLS, &[&status], |run| Ok(run.table.get(&status)?.status.calls))
    }

    fn drop(mut host: Host<'_>, status: Resource<Status>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(status)?;
        Ok(())
    }
}

impl presence::HostDeviceStatusWithStore<RunState> for Imports {
    fn registered(mut host: Host<'_>, device: Resource<DeviceStatus>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::DEVICE_REGISTERED, &[&device], |run| {
            Ok(run.table.get(&device)?.facts.registered_until.is_some())
        })
    }

    fn ringing(mut host: Host<'_>, device: Resource<DeviceStatus>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::DEVICE_RINGING, &[&device], |run| {
            Ok(run.table.get(&device)?.facts.ringing)
        })
    }

    fn on_call(mut host: Host<'_>, device: Resource<DeviceStatus>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::DEVICE_ON_CALL, &[&device], |run| {
            Ok(run.table.get(&device)?.facts.on_call)
        })
    }

    fn expires_in_s(mut host: Host<'_>, device: Resource<DeviceStatus>) -> wasmtime::Result<Option<u32>> {
        host_call(&mut host, &price::DEVICE_EXPIRES_IN_S, &[&device], |run| {
            Ok(run.table.get(&device)?.expires_in_s)
        })
    }

    fn drop(mut host: Host<'_>, device: Resource<DeviceStatus>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(device)?;
        Ok(())
    }
}

/// The device that a destination is, a named place looked through.
fn device(run: &RunState, to: &Resource<Destination>) -> Result<Option<Extension>, Stop> {
    let Some(to) = run.meant(&run.table.get(to)?.0) else { return Ok(None) };
    let target = match &to {
        DestinationRef::Place(name) => {
            run.tenant.as_ref().and_then(|tenant| tenant.places.get(name)).map(|place| &place.target)
        }
        DestinationRef::Device(_)
        | DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Group(_)
        | DestinationRef::Number(_) => Some(&to),
    };
    Ok(match target {
        Some(DestinationRef::Device(device)) => Some(device.clone()),
        Some(
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_),
        )
        | None => None,
    })
}

pub(super) fn limited<T>(handle: Result<T, Stop>) -> Result<Result<T, PresenceError>, Stop> {
    match handle {
        Ok(handle) => Ok(Ok(handle)),
        Err(Stop::Limit(name)) => Ok(Err(PresenceError::LimitExceeded(name.to_owned()))),
        Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
    }
}

fn user_words(user: &UserId, status: &UserStatus) -> String {
    match (status.state, status.doing) {
        (Class::Busy | Class::Available, Doing::DoNotDisturb) => {
            format!("{user} does not want to be disturbed")
        }
        (Class::Busy, _) => format!("{user} is on a call"),
        (Class::Offline, _) => format!("{user} has no registered device"),
        (Class::Available, Doing::Ringing) => format!("{user} is available, a device rings"),
        (Class::Available, Doing::Nothing | Doing::OnCall) => format!("{user} is available"),
    }
}

fn device_words(device: &Extension, facts: &DeviceFacts) -> String {
    match (facts.registered_until, facts.on_call, facts.ringing) {
        (None, _, _) => format!("{device} is not registered"),
        (Some(_), true, _) => format!("{device} is on a call"),
        (Some(_), false, true) => format!("{device} rings"),
        (Some(_), false, false) => format!("{device} is registered and free"),
    }
}
