//! Parties and destinations.

use callwright_core::config::Tenant;
use callwright_core::group;
use callwright_core::label::with_extension;
use callwright_core::rule::DestinationRef;
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::types::{self, Place};
use crate::handle::{Destination, Party};
use crate::price;
use crate::state::RunState;

impl types::Host for &mut RunState {}
impl types::HostParty for &mut RunState {}
impl types::HostDestination for &mut RunState {}

impl types::HostPartyWithStore<RunState> for Imports {
    fn name(mut host: Host<'_>, party: Resource<Party>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::PARTY_NAME, &[&party], |run| {
            Ok(run.table.get(&party)?.facts.name.clone())
        })
    }

    fn number(mut host: Host<'_>, party: Resource<Party>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::PARTY_NUMBER, &[&party], |run| {
            let facts = &run.table.get(&party)?.facts;
            Ok(facts.number.clone().filter(|_| !facts.withheld))
        })
    }

    fn user_id(mut host: Host<'_>, party: Resource<Party>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::PARTY_USER_ID, &[&party], |run| {
            Ok(run.table.get(&party)?.facts.user.as_ref().map(ToString::to_string))
        })
    }

    fn withheld(mut host: Host<'_>, party: Resource<Party>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::PARTY_WITHHELD, &[&party], |run| {
            Ok(run.table.get(&party)?.facts.withheld)
        })
    }

    fn drop(mut host: Host<'_>, party: Resource<Party>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(party)?;
        Ok(())
    }
}

impl types::HostDestinationWithStore<RunState> for Imports {
    fn label(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::DESTINATION_LABEL, &[&to], |run| {
            let to = run.table.get(&to)?.0.clone();
            Ok(run.label(&to))
        })
    }

    fn full_label(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::DESTINATION_FULL_LABEL, &[&to], |run| {
            let to = run.table.get(&to)?.0.clone();
            let label = run.label(&to);
            Ok(with_extension(&to, label))
        })
    }

    fn place(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<Place> {
        host_call(&mut host, &price::DESTINATION_PLACE, &[&to], |run| {
            let to = &run.table.get(&to)?.0;
            Ok(place(run.tenant.as_deref(), to))
        })
    }

    fn lasts_ms(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<Option<u32>> {
        host_call(&mut host, &price::DESTINATION_LASTS_MS, &[&to], |run| {
            let to = &run.table.get(&to)?.0;
            let lasts = run.tenant.as_ref().and_then(|tenant| group::lasts(tenant, to, run.now.wall));
            Ok(lasts.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)))
        })
    }

    fn drop(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(to)?;
        Ok(())
    }
}

/// The kind of thing that rings.
fn place(tenant: Option<&Tenant>, to: &DestinationRef) -> Place {
    match to {
        DestinationRef::Device(_) => Place::Device,
        DestinationRef::User(_) | DestinationRef::Person(_) => Place::User,
        DestinationRef::Group(_) => Place::Group,
        DestinationRef::Place(name) if tenant.is_some_and(|tenant| tenant.is_held(name)) => Place::Role,
        DestinationRef::Place(name) if tenant.is_some_and(|tenant| tenant.sites.contains_key(name)) => {
            Place::Site
        }
        DestinationRef::Place(name) => {
            match tenant.and_then(|tenant| tenant.places.get(name)).map(|place| &place.target) {
                Some(DestinationRef::Device(_)) => Place::Device,
                Some(DestinationRef::User(_) | DestinationRef::Person(_)) => Place::User,
                Some(DestinationRef::Group(_)) => Place::Group,
                Some(DestinationRef::Number(_)) => Place::Outside,
                Some(DestinationRef::Place(_)) | None => Place::Other("unknown".to_owned()),
            }
        }
        DestinationRef::Number(_) => Place::Outside,
    }
}
