//! The tenant's people, groups and named places.

use std::time::Duration;

use callwright_core::names::PlaceName;
use callwright_core::rule::DestinationRef;
use callwright_core::{config, place, roster, time_route};
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::directory::{self, DirectoryError, Member, Order};
use crate::handle::{Destination, Group, Named as _, Party, User};
use crate::price;
use crate::state::{RunState, Stop};

impl directory::Host for &mut RunState {}
impl directory::HostUser for &mut RunState {}
impl directory::HostGroup for &mut RunState {}

impl directory::HostWithStore<RunState> for Imports {
    fn find_user(mut host: Host<'_>, id: String) -> wasmtime::Result<Result<Resource<User>, DirectoryError>> {
        host_call(&mut host, &price::FIND_USER, &[&id], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(DirectoryError::Unavailable)) };
            let user = tenant.users.get(id.as_str());
            found(run, user.map(|user| User(user.id.clone())))
        })
    }

    fn find_group(
        mut host: Host<'_>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Group>, DirectoryError>> {
        host_call(&mut host, &price::FIND_GROUP, &[&name], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(DirectoryError::Unavailable)) };
            let group = tenant.groups.get(name.as_str());
            found(run, group.map(|group| Group(group.name.clone())))
        })
    }

    fn find_place(
        mut host: Host<'_>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Destination>, DirectoryError>> {
        host_call(&mut host, &price::FIND_PLACE, &[&name], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(DirectoryError::Unavailable)) };
            let what = format!("directory.find-place({name:?})");
            if let Some(route) = tenant.time_routes.get(name.as_str()) {
                let meant = time_route::meant(&tenant, route, run.now.wall);
                run.note_read(what, meant.why);
                return found(run, meant.to.map(Destination));
            }
            let name = PlaceName::from(name.as_str());
            let to = DestinationRef::Place(name.clone());
            let meant = place::meant(&tenant, &to, run.now.wall);
            let got = match (tenant.places.get(&name), tenant.sites.get(&name), meant.why) {
                (Some(place), ..) => place.target.to_string(),
                (None, Some(site), _) => format!("a site of {} parts", site.parts.len()),
                (None, None, Some(why)) => why,
                (None, None, None) => "no such place".to_owned(),
            };
            run.note_read(what, got);
            // A role that nobody holds now is as if there were none.
            found(run, meant.to.filter(|_| tenant.has_place(&name)).map(|_| Destination(to)))
        })
    }

    fn listed(
        mut host: Host<'_>,
        table: String,
        who: Resource<Party>,
    ) -> wasmtime::Result<Result<Option<String>, DirectoryError>> {
        host_call(&mut host, &price::LISTED, &[&table, &who], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(DirectoryError::Unavailable)) };
            let party = run.table.get(&who)?;
            let what = format!("directory.listed({table:?}, {})", party.name());
            let facts = party.facts.clone();
            let Some(rows) = tenant.tables.get(table.as_str()) else {
                run.note_read(what, "no such table");
                return Ok(Err(DirectoryError::NoSuchEntry));
            };
            let by_number = facts.number.as_ref().filter(|_| !facts.withheld).and_then(|it| rows.get(it));
            let by_user = || rows.get(&format!("user:{}", facts.user.as_ref()?));
            let value = by_number.or_else(by_user).cloned();
            run.note_read(what, value.as_deref().unwrap_or("not in it"));
            Ok(Ok(value))
        })
    }
}

impl directory::HostUserWithStore<RunState> for Imports {
    fn id(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::USER_ID, &[&user], |run| Ok(run.table.get(&user)?.0.to_string()))
    }

    fn name(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::USER_NAME, &[&user], |run| {
            let id = &run.table.get(&user)?.0;
            let known = run.tenant.as_ref().and_then(|tenant| tenant.users.get(id));
            Ok(known.map_or_else(|| id.to_string(), |user| user.name.clone()))
        })
    }

    fn zone(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::USER_ZONE, &[&user], |run| {
            let id = &run.table.get(&user)?.0;
            let own = run
                .tenant
                .as_ref()
                .and_then(|tenant| tenant.users.get(id))
                .and_then(|user| user.zone.as_ref());
            let zone = own.or(run.tenant.as_ref().map(|tenant| &tenant.zone));
            Ok(zone.and_then(|zone| zone.iana_name()).unwrap_or("UTC").to_owned())
        })
    }

    fn devices(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<Vec<Resource<Destination>>> {
        host_call(&mut host, &price::USER_DEVICES, &[&user], |run| {
            let id = &run.table.get(&user)?.0;
            let known = run.tenant.as_ref().and_then(|tenant| tenant.users.get(id));
            let devices = known.map(|user| user.devices.clone()).unwrap_or_default();
            run.handles(devices.into_iter().map(|device| Destination(DestinationRef::Device(device))))
        })
    }

    fn reach(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<Resource<Destination>> {
        host_call(&mut host, &price::USER_REACH, &[&user], |run| {
            let id = run.table.get(&user)?.0.clone();
            run.handle(Destination(DestinationRef::Person(id)))
        })
    }

    fn drop(mut host: Host<'_>, user: Resource<User>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(user)?;
        Ok(())
    }
}

impl directory::HostGroupWithStore<RunState> for Imports {
    fn name(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::GROUP_NAME, &[&group], |run| Ok(run.table.get(&group)?.0.to_string()))
    }

    fn members(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<Vec<Resource<User>>> {
        host_call(&mut host, &price::GROUP_MEMBERS, &[&group], |run| {
            let people = known(run, &group)?.map(|group| group.people().cloned().collect::<Vec<_>>());
            run.handles(people.unwrap_or_default().into_iter().map(User))
        })
    }

    fn entries(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<Vec<Member>> {
        host_call(&mut host, &price::GROUP_ENTRIES, &[&group], |run| {
            let members = known(run, &group)?.map(|group| group.members.clone()).unwrap_or_default();
            run.surcharge_for(members.len());
            let member = |to: DestinationRef| {
                Ok(match (to.user(), to.group()) {
                    (Some(user), _) => Member::Person(run.handle(User(user.clone()))?),
                    (None, Some(group)) => Member::Group(run.handle(Group(group.clone()))?),
                    (None, None) => Member::Place(run.handle(Destination(to))?),
                })
            };
            members.into_iter().map(member).collect()
        })
    }

    fn stagger_ms(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::GROUP_STAGGER_MS, &[&group], |run| {
            let stagger = known(run, &group)?.map_or(Duration::ZERO, |group| group.stagger);
            Ok(u32::try_from(stagger.as_millis()).unwrap_or(u32::MAX))
        })
    }

    fn whole(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<Resource<Destination>> {
        host_call(&mut host, &price::GROUP_WHOLE, &[&group], |run| {
            let name = run.table.get(&group)?.0.clone();
            run.handle(Destination(DestinationRef::Group(name)))
        })
    }

    fn hunts(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<Option<Order>> {
        host_call(&mut host, &price::GROUP_HUNTS, &[&group], |run| {
            Ok(known(run, &group)?.and_then(|group| group.hunt).map(order))
        })
    }

    fn ring_ms(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::GROUP_RING_MS, &[&group], |run| {
            let own = known(run, &group)?.and_then(|group| group.ring_time);
            let tenants = || run.tenant.as_ref().map_or(Duration::ZERO, |tenant| tenant.ring_time);
            Ok(u32::try_from(own.unwrap_or_else(tenants).as_millis()).unwrap_or(u32::MAX))
        })
    }

    fn follows_forwarding(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::GROUP_FOLLOWS_FORWARDING, &[&group], |run| {
            Ok(known(run, &group)?.is_some_and(|group| group.follow_forwarding))
        })
    }

    fn drop(mut host: Host<'_>, group: Resource<Group>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(group)?;
        Ok(())
    }
}

/// The group as the tenant has it now.
fn known<'a>(run: &'a RunState, group: &Resource<Group>) -> Result<Option<&'a config::Group>, Stop> {
    let name = &run.table.get(group)?.0;
    Ok(run.tenant.as_ref().and_then(|tenant| tenant.groups.get(name)))
}

fn order(order: roster::Order) -> Order {
    match order {
        roster::Order::Listed => Order::Listed,
        roster::Order::Circular => Order::Circular,
        roster::Order::LongestIdle => Order::LongestIdle,
        roster::Order::FewestCalls => Order::FewestCalls,
        roster::Order::Random => Order::Random,
    }
}

/// The handle of what a look-up found. A full table is an error that the rule can see here.
fn found<T: Send + 'static>(
    run: &mut RunState,
    found: Option<T>,
) -> Result<Result<Resource<T>, DirectoryError>, Stop> {
    let Some(found) = found else { return Ok(Err(DirectoryError::NoSuchEntry)) };
    match run.handle(found) {
        Ok(handle) => Ok(Ok(handle)),
        Err(Stop::Limit(name)) => Ok(Err(DirectoryError::LimitExceeded(name.to_owned()))),
        Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
    }
}
