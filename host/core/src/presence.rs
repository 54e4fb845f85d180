//! Who is free: pure functions of a view.
//!
//! A device has facts (registered, ringing, on a call); a user's status follows from their devices and nothing else yet.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::Tenant;
use crate::names::{Extension, TenantId, UserId};
use crate::rule::DestinationRef;
use crate::view::{Activity, Binding, BindingKey, View};

/// Routing class of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A device is registered and nobody talks.
    Available,
    /// On a call.
    Busy,
    /// No device is registered.
    Offline,
}

/// What keeps a user from being plainly available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing.
    Nothing,
    /// A device of theirs rings.
    Ringing,
    /// On a call, or calling.
    OnCall,
}

/// A user's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserStatus {
    /// Routing class.
    pub state: State,
    /// What they do.
    pub doing: Doing,
    /// How many calls they are on, their own unanswered ones included.
    pub calls: u32,
}

/// The facts about one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// When its last registration runs out; none when no phone is registered for it.
    pub registered_until: Option<Timestamp>,
    /// Whether it rings, for any call.
    pub ringing: bool,
    /// Whether it is on a call or calls somebody.
    pub on_call: bool,
}

/// Looks up a user's status. A user whom the tenant does not have is offline.
#[must_use]
pub fn of_user(view: &View, tenant: &TenantId, user: &UserId) -> UserStatus {
    let devices = devices_behind(view, tenant, &DestinationRef::User(user.clone()));
    let activity = devices.iter().map(|device| activity(view, tenant, device));
    let total = activity.fold(Activity::default(), |sum, one| Activity {
        ringing: sum.ringing.saturating_add(one.ringing),
        dialling: sum.dialling.saturating_add(one.dialling),
        talking: sum.talking.saturating_add(one.talking),
    });
    let calls = total.dialling.saturating_add(total.talking);
    let registered = devices.iter().any(|device| bindings(view, tenant, device).next().is_some());
    let state = match (calls, registered) {
        (1.., true | false) => State::Busy,
        (0, true) => State::Available,
        (0, false) => State::Offline,
    };
    let doing = match (calls, total.ringing) {
        (1.., _) => Doing::OnCall,
        (0, 1..) => Doing::Ringing,
        (0, 0) => Doing::Nothing,
    };
    UserStatus { state, doing, calls }
}

/// Looks up the facts about a device. A device that the tenant does not have has none.
#[must_use]
pub fn of_device(view: &View, tenant: &TenantId, device: &Extension) -> DeviceFacts {
    let activity = activity(view, tenant, device);
    DeviceFacts {
        registered_until: bindings(view, tenant, device).map(|binding| binding.expires).max(),
        ringing: activity.ringing > 0,
        on_call: activity.dialling > 0 || activity.talking > 0,
    }
}

/// Whether a destination can be reached: of the devices behind it one registered is enough.
#[must_use]
pub fn reachable(view: &View, tenant: &TenantId, to: &DestinationRef) -> bool {
    devices_behind(view, tenant, to).iter().any(|device| bindings(view, tenant, device).next().is_some())
}

/// The devices behind a destination, each once, in the order of the configuration.
#[must_use]
pub fn devices_behind(view: &View, tenant: &TenantId, to: &DestinationRef) -> Vec<Extension> {
    let Some(tenant) = view.config.tenants.get(tenant) else { return Vec::new() };
    let target = match to {
        DestinationRef::Place(name) => match tenant.places.get(name) {
            Some(place) => &place.target,
            None => return Vec::new(),
        },
        DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Group(_) => to,
    };
    match target {
        DestinationRef::Device(device) => {
            tenant.devices.get_key_value(device).map(|(name, _)| name.clone()).into_iter().collect()
        }
        DestinationRef::User(user) => devices_of(tenant, std::slice::from_ref(user)),
        DestinationRef::Group(group) => {
            tenant.groups.get(group).map(|group| devices_of(tenant, &group.members)).unwrap_or_default()
        }
        // A place never stands for another place (`config::Place`).
        DestinationRef::Place(_) => Vec::new(),
    }
}

/// The phones that are registered for a device.
pub fn bindings<'a>(
    view: &'a View,
    tenant: &TenantId,
    device: &Extension,
) -> impl Iterator<Item = &'a Binding> {
    let first = BindingKey { tenant: tenant.clone(), device: device.clone(), phone: String::new() };
    let (tenant, device) = (tenant.clone(), device.clone());
    let from_first = view.bindings.range(first..);
    from_first
        .take_while(move |(key, _)| key.tenant == tenant && key.device == device)
        .map(|(_, binding)| binding.as_ref())
}

fn activity(view: &View, tenant: &TenantId, device: &Extension) -> Activity {
    view.activity.get(&(tenant.clone(), device.clone())).copied().unwrap_or_default()
}

fn devices_of(tenant: &Tenant, users: &[UserId]) -> Vec<Extension> {
    let mut seen = BTreeSet::new();
    let users = users.iter().filter_map(|user| tenant.users.get(user));
    users.flat_map(|user| &user.devices).filter(|device| seen.insert((*device).clone())).cloned().collect()
}
