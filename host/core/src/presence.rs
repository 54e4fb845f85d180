//! Who is free: pure functions of a view.
//!
//! A device has facts (registered, ringing, on a call); a user's status follows from their devices and nothing else yet.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::Tenant;
use crate::forwarding;
use crate::group;
use crate::names::{Extension, TenantId, UserId};
use crate::rule::DestinationRef;
use crate::view::{Activity, Binding, BindingKey, View};

/// Routing class of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Does not want to be disturbed.
    DoNotDisturb,
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
    let wishes = view.config.tenants.get(tenant).and_then(|tenant| forwarding::of_user(view, tenant, user));
    let is_silent = wishes.is_some_and(|wishes| wishes.do_not_disturb);
    let state = match (calls, registered) {
        (1.., true | false) => State::Busy,
        (0, true) if is_silent => State::Busy,
        (0, true) => State::Available,
        (0, false) => State::Offline,
    };
    let doing = match (calls, total.ringing) {
        (1.., _) => Doing::OnCall,
        (0, _) if is_silent => Doing::DoNotDisturb,
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
        DestinationRef::Place(name) => match (tenant.places.get(name), tenant.sites.get(name)) {
            (Some(place), _) => &place.target,
            (None, Some(site)) => {
                let mut devices = Vec::new();
                for device in site.parts.iter().flat_map(|part| devices_behind(view, &tenant.id, part)) {
                    if !devices.contains(&device) {
                        devices.push(device);
                    }
                }
                return devices;
            }
            (None, None) => return Vec::new(),
        },
        DestinationRef::Number(number) => match tenant.plan.find(number) {
            Some(own) => own,
            None => return Vec::new(),
        },
        DestinationRef::Device(_)
        | DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Group(_) => to,
    };
    match target {
        DestinationRef::Device(device) => {
            tenant.devices.get_key_value(device).map(|(name, _)| name.clone()).into_iter().collect()
        }
        DestinationRef::User(user) | DestinationRef::Person(user) => {
            devices_of(tenant, std::slice::from_ref(user))
        }
        DestinationRef::Group(group) => devices_of(tenant, &group::everybody(tenant, group)),
        // A place never stands for another place (`config::Place`), nor a number for a number.
        DestinationRef::Place(_) | DestinationRef::Number(_) => Vec::new(),
    }
}

/// The people behind a destination, each once.
#[must_use]
pub fn people_behind(view: &View, tenant: &TenantId, to: &DestinationRef) -> BTreeSet<UserId> {
    let Some(known) = view.config.tenants.get(tenant) else { return BTreeSet::new() };
    let devices = devices_behind(view, tenant, to);
    let owners = devices.iter().filter_map(|device| known.devices.get(device));
    to.user().cloned().into_iter().chain(owners.map(|device| device.user.clone())).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::config::{Config, Place};
    use crate::testing;

    #[test]
    fn a_user_without_a_registered_device_is_offline() {
        let view = view(&[], &[]);
        let status = UserStatus { state: State::Offline, doing: Doing::Nothing, calls: 0 };
        assert_eq!(of_user(&view, &acme(), &"ana".into()), status);
        assert!(!reachable(&view, &acme(), &"user:ana".parse().unwrap()));
    }

    #[test]
    fn one_registered_device_makes_a_user_and_their_group_reachable() {
        let view = view(&["1003"], &[]);
        assert_eq!(of_user(&view, &acme(), &"ana".into()).state, State::Available);
        for (to, expected) in [
            ("user:ana", true),
            ("group:sales", true),
            ("device:1003", true),
            ("place:night-desk", false),
            ("user:bob", false),
            ("device:1001", false),
            ("user:eve", false),
        ] {
            assert_eq!(reachable(&view, &acme(), &to.parse().unwrap()), expected, "{to}");
        }
    }

    #[test]
    fn ringing_is_available_and_talking_is_busy_even_unregistered() {
        let ringing = Activity { ringing: 1, ..Activity::default() };
        let talking = Activity { talking: 1, dialling: 1, ..Activity::default() };
        let status = |activity| of_user(&view(&["1001"], &[("1001", activity)]), &acme(), &"ana".into());
        assert_eq!(status(ringing), UserStatus { state: State::Available, doing: Doing::Ringing, calls: 0 });
        assert_eq!(status(talking), UserStatus { state: State::Busy, doing: Doing::OnCall, calls: 2 });
        let view = view(&[], &[("1002", talking)]);
        assert_eq!(of_user(&view, &acme(), &"ana".into()).state, State::Busy);
    }

    #[test]
    fn a_device_is_registered_until_its_last_binding_ends() {
        let view =
            view(&["1001", "1001", "1011"], &[("1001", Activity { ringing: 1, ..Activity::default() })]);
        let facts = of_device(&view, &acme(), &"1001".into());
        assert_eq!(facts.registered_until, Some(Timestamp::from_second(1_001).unwrap()));
        assert!(facts.ringing && !facts.on_call);
        assert_eq!(of_device(&view, &"other".into(), &"1001".into()), DeviceFacts::default());
    }

    #[test]
    fn devices_behind_a_group_come_once_in_the_order_of_the_configuration() {
        let view = view(&[], &[]);
        let devices = |to: &str| devices_behind(&view, &acme(), &to.parse().unwrap());
        assert_eq!(devices("group:sales"), ["1001", "1002", "1003", "1011"].map(Extension::from));
        assert_eq!(devices("place:night-desk"), ["1011"].map(Extension::from));
        assert_eq!(devices("device:9"), []);
    }

    fn acme() -> TenantId {
        "acme".into()
    }

    /// Bindings in order, each ending a second after the one before it; and what devices do.
    fn view(registered: &[&str], active: &[(&str, Activity)]) -> View {
        let mut tenant = testing::tenant();
        let night = Place { name: "night-desk".into(), target: DestinationRef::User("bob".into()) };
        tenant.places.insert(night.name.clone(), night);
        let config = Config::new(BTreeSet::new(), None, vec![tenant]);
        let mut view = View { config: Arc::new(config), ..View::default() };
        for (second, device) in (1_000..).zip(registered) {
            let binding = testing::binding(device, second);
            view.bindings.insert(binding.key.clone(), Arc::new(binding));
        }
        for (device, activity) in active {
            view.activity.insert((acme(), (*device).into()), *activity);
        }
        view
    }
}
