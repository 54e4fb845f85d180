//! What a dialled number stands for, and which devices a destination comes down to.

use std::sync::Arc;

use callwright_sip::Uri;

use crate::cause;
use crate::config::{Tenant, User};
use crate::forwarding;
use crate::group;
use crate::names::{Extension, GroupName, PlaceName, UserId};
use crate::record::NotRung;
use crate::rule::{DestinationRef, Party};
use crate::switchboard::bindings_of;
use crate::view::{Binding, View};

/// Calls a device can have while call waiting lets it ring (TELEPHONY T11).
const CALLS_A_DEVICE: u32 = 2;
/// Of a group or a location so many are told by name who are not rung.
const TOLD_MAX: usize = 12;

/// The number that a Request-URI dials: its user part without visual separators (RFC 3966 §5.1.1).
pub(crate) fn dialled_number(uri: &Uri) -> String {
    let user = uri.user.as_deref().unwrap_or_default();
    let is_number = user.chars().all(|c| c.is_ascii_digit() || "+-.()*#".contains(c));
    if is_number { user.chars().filter(|c| !"-.()".contains(*c)).collect() } else { user.to_owned() }
}

/// The caller, as only their authenticated device makes them (TELEPHONY T22).
pub(crate) fn caller_of(tenant: &Tenant, device: &Extension, withheld: bool) -> Party {
    let user = tenant.devices.get(device).and_then(|device| tenant.users.get(&device.user));
    if withheld {
        return Party { withheld: true, ..Party::default() };
    }
    Party {
        name: user.map_or_else(String::new, |user| user.name.clone()),
        number: Some(
            user.and_then(|user| user.extension.clone()).unwrap_or_else(|| device.clone()).to_string(),
        ),
        user: user.map(|user| user.id.clone()),
        withheld: false,
    }
}

/// The dialled party.
pub(crate) fn dialled_party(tenant: &Tenant, number: &str, to: Option<&DestinationRef>) -> Party {
    let user = match to {
        Some(DestinationRef::User(user) | DestinationRef::Person(user)) => tenant.users.get(user),
        Some(DestinationRef::Device(device)) => {
            tenant.devices.get(device).and_then(|device| tenant.users.get(&device.user))
        }
        Some(DestinationRef::Group(_) | DestinationRef::Place(_) | DestinationRef::Number(_)) | None => None,
    };
    Party {
        name: user.map_or_else(String::new, |user| user.name.clone()),
        number: Some(number.to_owned()),
        user: user.map(|user| user.id.clone()),
        withheld: false,
    }
}

/// A device that a destination comes down to, with its reachable phones.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) device: Extension,
    pub(crate) user: Option<UserId>,
    pub(crate) bindings: Vec<Arc<Binding>>,
}

/// What a destination comes down to now.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The devices that can ring, or why none can.
    pub(crate) reached: Result<Vec<Reach>, NotRung>,
    /// Who is not rung and why, as it is told: the destination itself, or some of a group or a location.
    pub(crate) left_out: Vec<(DestinationRef, NotRung)>,
}

impl Found {
    fn of(to: &DestinationRef, reached: Result<Vec<Reach>, NotRung>) -> Self {
        let left_out = reached.as_ref().err().map(|why| (to.clone(), why.clone()));
        Self { reached, left_out: left_out.into_iter().collect() }
    }

    /// The same of a name for a destination: that nobody is rung is told of the name.
    fn by_name(self, name: &DestinationRef) -> Self {
        match self.reached {
            Ok(_) => self,
            Err(_) => Self::of(name, self.reached),
        }
    }
}

/// For which call devices are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    /// Who calls, as far as that is known: as a member of a group they are engaged by this very call.
    pub(crate) caller: Option<&'a UserId>,
    /// Rings devices of people on a call too.
    pub(crate) ring_busy: bool,
}

/// Finds the devices of a destination that can ring now, or why none can.
///
/// A group's members are skipped one by one; only when none is left is the group not rung.
pub(crate) fn reach(view: &View, tenant: &Tenant, to: &DestinationRef, call: For<'_>) -> Found {
    match to {
        DestinationRef::Device(device) => {
            let owner = tenant.devices.get(device).and_then(|device| tenant.users.get(&device.user));
            // Busy belongs to the person, whichever of their devices is rung (TELEPHONY T11).
            let found = match owner.filter(|owner| is_engaged(view, tenant, owner, call.ring_busy, true)) {
                Some(_) => Err(NotRung::Busy),
                None => devices(view, tenant, [device], call.ring_busy),
            };
            Found::of(to, found)
        }
        DestinationRef::User(user) | DestinationRef::Person(user) => {
            Found::of(to, of_user(view, tenant, user, call.ring_busy, true))
        }
        DestinationRef::Group(group) => match tenant.groups.contains_key(group) {
            true => of_people(view, tenant, (to, true), &group::everybody(tenant, group), call),
            false => Found::of(to, Err(NotRung::Unknown)),
        },
        DestinationRef::Place(place) => of_place(view, tenant, place, call).by_name(to),
        // A number of the tenant's own stays in the house; the plan gives people, groups and devices, and no number.
        DestinationRef::Number(number) => match tenant.plan.find(number) {
            Some(DestinationRef::Number(_)) | None => Found::of(to, Err(NotRung::NoTrunk)),
            Some(
                own @ (DestinationRef::Device(_)
                | DestinationRef::User(_)
                | DestinationRef::Person(_)
                | DestinationRef::Group(_)
                | DestinationRef::Place(_)),
            ) => reach(view, tenant, own, call).by_name(to),
        },
    }
}

/// The devices of a group's own people, without those of groups within it.
pub(crate) fn of_group(view: &View, tenant: &Tenant, group: &GroupName, call: For<'_>) -> Found {
    let to = DestinationRef::Group(group.clone());
    match tenant.groups.get(group) {
        Some(group) => {
            let is_whole = group.members.iter().all(|member| member.user().is_some());
            of_people(view, tenant, (&to, is_whole), group.people(), call)
        }
        None => Found::of(&to, Err(NotRung::Unknown)),
    }
}

/// `is_whole` where the people are all that is in the group: only then it can be told as one.
fn of_people<'a>(
    view: &View,
    tenant: &Tenant,
    (to, is_whole): (&DestinationRef, bool),
    people: impl IntoIterator<Item = &'a UserId>,
    call: For<'_>,
) -> Found {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    // Also of a group that has nobody.
    let mut why = NotRung::NotRegistered { last: None };
    for member in people {
        match of_user(view, tenant, member, call.ring_busy, false) {
            Ok(mut reached) => found.append(&mut reached),
            Err(NotRung::Busy) if call.caller == Some(member) => {
                left_out.push((DestinationRef::User(member.clone()), NotRung::Caller));
            }
            Err(reason) => {
                left_out.push((DestinationRef::User(member.clone()), reason.clone()));
                why = weightier(why, reason);
            }
        }
    }
    let is_one = is_whole && left_out.iter().all(|(_, other)| is_told_by(&why, other));
    match (found.is_empty(), is_one) {
        (true, true) => Found::of(to, Err(why)),
        (true, false) => Found { reached: Err(why), left_out: told(to, left_out) },
        (false, _) => Found { reached: Ok(found), left_out: told(to, left_out) },
    }
}

/// Of two reasons the one that counts for whoever nobody rings for (TELEPHONY T10): whom a call finds engaged is there.
fn weightier(one: NotRung, other: NotRung) -> NotRung {
    let counts = |why: &NotRung| why.outcome().map(|outcome| cause::rank(&outcome));
    match (counts(&one), counts(&other)) {
        (Some(first), Some(second)) if first < second => one,
        (Some(_), None) => one,
        (_, _) => other,
    }
}

/// Whether what is told of a group as a whole is true of a member who is left out for another reason: nobody expects a member
/// without a phone to be on a call.
fn is_told_by(whole: &NotRung, member: &NotRung) -> bool {
    match (whole, member) {
        (NotRung::Busy | NotRung::DoNotDisturb, NotRung::NotRegistered { .. }) => true,
        (whole, member) => std::mem::discriminant(whole) == std::mem::discriminant(member),
    }
}

/// As many of them as are told by name, and how many more there are.
fn told(to: &DestinationRef, mut left_out: Vec<(DestinationRef, NotRung)>) -> Vec<(DestinationRef, NotRung)> {
    let more = left_out.len().saturating_sub(TOLD_MAX);
    left_out.truncate(TOLD_MAX);
    if more > 0 {
        left_out.push((to.clone(), NotRung::More(u32::try_from(more).unwrap_or(u32::MAX))));
    }
    left_out
}

/// A place, or a location; whoever holds a role has been found before.
fn of_place(view: &View, tenant: &Tenant, place: &PlaceName, call: For<'_>) -> Found {
    let to = DestinationRef::Place(place.clone());
    if let Some(site) = tenant.sites.get(place) {
        return of_site(view, tenant, (&to, &site.parts), call);
    }
    if tenant.is_held(place) {
        return Found::of(&to, Err(NotRung::Vacant));
    }
    match tenant.places.get(place).map(|place| &place.target) {
        Some(DestinationRef::Place(_)) | None => Found::of(&to, Err(NotRung::Unknown)),
        Some(
            target @ (DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Number(_)),
        ) => reach(view, tenant, target, call),
    }
}

fn of_site(
    view: &View,
    tenant: &Tenant,
    (to, parts): (&DestinationRef, &[DestinationRef]),
    call: For<'_>,
) -> Found {
    let (mut found, mut left_out): (Vec<Reach>, Vec<_>) = (Vec::new(), Vec::new());
    let mut why = NotRung::Unknown;
    for part in parts {
        let part = reach(view, tenant, part, call);
        left_out.extend(part.left_out);
        match part.reached {
            Ok(reached) => {
                let is_new = |reach: &Reach| !found.iter().any(|known| known.device == reach.device);
                let new: Vec<_> = reached.into_iter().filter(is_new).collect();
                found.extend(new);
            }
            Err(reason) => why = weightier(why, reason),
        }
    }
    match found.is_empty() {
        true => Found::of(to, Err(why)),
        false => Found { reached: Ok(found), left_out: told(to, left_out) },
    }
}

fn of_user(
    view: &View,
    tenant: &Tenant,
    user: &UserId,
    ring_busy: bool,
    direct: bool,
) -> Result<Vec<Reach>, NotRung> {
    let user = tenant.users.get(user).ok_or(NotRung::Unknown)?;
    if is_engaged(view, tenant, user, ring_busy, direct) {
        return Err(NotRung::Busy);
    }
    devices(view, tenant, &user.devices, ring_busy)
}

/// Whether a person is on a call and takes no other meanwhile.
fn is_engaged(view: &View, tenant: &Tenant, user: &User, ring_busy: bool, direct: bool) -> bool {
    let waiting = ring_busy || user.call_waiting.unwrap_or(direct);
    !waiting && is_busy(view, tenant, &user.devices)
}

fn devices<'a>(
    view: &View,
    tenant: &Tenant,
    list: impl IntoIterator<Item = &'a Extension>,
    ring_busy: bool,
) -> Result<Vec<Reach>, NotRung> {
    let mut found = Vec::new();
    let (mut busy, mut silent) = (false, false);
    let mut last = None;
    for device in list {
        let key = (tenant.id.clone(), device.clone());
        let user = tenant.devices.get(device).map(|device| &device.user);
        if user.is_some_and(|user| is_silent(view, tenant, device, user)) {
            silent = true;
            continue;
        }
        let bindings: Vec<_> = bindings_of(view, &key).cloned().collect();
        if bindings.is_empty() {
            if let Some((when, how)) = view.gone.get(&key)
                && last.as_ref().is_none_or(|(_, latest, _)| latest < when)
            {
                last = Some((device.clone(), *when, *how));
            }
            continue;
        }
        if !ring_busy && view.activity.get(&key).is_some_and(|activity| activity.talking >= CALLS_A_DEVICE) {
            busy = true;
            continue;
        }
        found.push(Reach { device: device.clone(), user: user.cloned(), bindings });
    }
    match (found.is_empty(), silent, busy) {
        (false, ..) => Ok(found),
        (true, _, true) => Err(NotRung::Busy),
        (true, true, false) => Err(NotRung::DoNotDisturb),
        (true, false, false) => Err(NotRung::NotRegistered { last }),
    }
}

/// Whether a device, or the person whose it is, is not to be disturbed: whoever asks, it does not ring.
fn is_silent(view: &View, tenant: &Tenant, device: &Extension, owner: &UserId) -> bool {
    let wishes = forwarding::of_user(view, tenant, owner);
    wishes.is_some_and(|wishes| wishes.do_not_disturb || wishes.silent.contains(device))
}

/// Whether any device of a person is on a call, held ones and early outgoing ones included (TELEPHONY T11).
pub(crate) fn is_busy(view: &View, tenant: &Tenant, devices: &[Extension]) -> bool {
    devices.iter().any(|device| {
        let key = (tenant.id.clone(), device.clone());
        view.activity.get(&key).is_some_and(|activity| activity.talking > 0 || activity.dialling > 0)
    })
}
