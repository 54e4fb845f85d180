//! The tenants of a virtual world, built up statement by statement and turned into the switch's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::Config;
use callwright_core::config::{
    Device, EarlyDialogs, Expiry, Fallback, Group, Hours, NumberPlan, Place, Table, Tenant, User,
};
use callwright_core::names::{
    Extension, GroupName, HoursName, PlaceName, RotaName, TableName, TenantId, UserId, Version,
};
use callwright_core::place::{Role, Site};
use callwright_core::rota::Rota;
use callwright_core::rule::DestinationRef;
use callwright_core::time_route::TimeRoute;
use callwright_sip::digest::{Algorithm, Secret};
use jiff::tz::TimeZone;

/// The numbers that are emergency calls in every virtual tenant.
const EMERGENCY: [&str; 3] = ["112", "911", "999"];

/// One tenant in the making.
#[derive(Clone, Debug)]
pub(crate) struct Household {
    pub(crate) id: TenantId,
    pub(crate) domain: String,
    pub(crate) zone: TimeZone,
    pub(crate) digest: Algorithm,
    pub(crate) expiry: Expiry,
    pub(crate) ring_time: Duration,
    pub(crate) cadence: Duration,
    pub(crate) cold_route_falls_back: bool,
    pub(crate) follow_deflections: bool,
    pub(crate) response_timeout: Duration,
    pub(crate) session_expires_s: u32,
    pub(crate) runs_max: u32,
    pub(crate) fallback: Fallback,
    pub(crate) users: Vec<User>,
    pub(crate) devices: Vec<Device>,
    pub(crate) groups: Vec<Group>,
    pub(crate) places: Vec<Place>,
    pub(crate) hours: BTreeMap<HoursName, Hours>,
    pub(crate) rotas: BTreeMap<RotaName, Rota>,
    pub(crate) time_routes: BTreeMap<PlaceName, TimeRoute>,
    pub(crate) roles: BTreeMap<PlaceName, Role>,
    pub(crate) sites: BTreeMap<PlaceName, Site>,
    pub(crate) tables: BTreeMap<TableName, Table>,
}

impl Household {
    /// A tenant without anybody in it.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            domain: format!("{id}.example"),
            zone: TimeZone::UTC,
            digest: Algorithm::Md5,
            expiry: Expiry { min_s: 60, max_s: 3600, default_s: 600 },
            ring_time: Duration::from_secs(25),
            cadence: Duration::from_secs(5),
            cold_route_falls_back: false,
            follow_deflections: true,
            response_timeout: Duration::from_secs(4),
            session_expires_s: 1800,
            runs_max: 100,
            fallback: Fallback::RingDialled,
            users: Vec::new(),
            devices: Vec::new(),
            groups: Vec::new(),
            places: Vec::new(),
            hours: BTreeMap::new(),
            rotas: BTreeMap::new(),
            time_routes: BTreeMap::new(),
            roles: BTreeMap::new(),
            sites: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// Adds a person with devices, each with a label; the password of a device follows from its extension.
    pub(crate) fn user(&mut self, id: &str, name: &str, extension: &str, devices: &[(String, String)]) {
        for (label, device) in devices {
            self.devices.push(Device {
                extension: device.as_str().into(),
                label: label.clone(),
                user: id.into(),
                secret: Some(Secret::new(password_of(device))),
                contact: None,
                early_dialogs: EarlyDialogs::PerLeg,
            });
        }
        self.users.push(User {
            id: id.into(),
            name: name.to_owned(),
            extension: Some(extension.into()),
            numbers: Vec::new(),
            zone: None,
            devices: devices.iter().map(|(_, device)| Extension::from(device.as_str())).collect(),
            call_waiting: None,
            forwarding: None,
        });
    }

    /// Adds a group.
    pub(crate) fn group(&mut self, name: &str, extension: Option<&str>, members: &[DestinationRef]) {
        self.groups.push(Group {
            name: GroupName::from(name),
            extension: extension.map(Into::into),
            members: members.to_vec(),
            follow_forwarding: false,
            hunt: None,
            stagger: Duration::ZERO,
            ring_time: None,
        });
    }

    /// Somebody leaves, and their phones with them.
    pub(crate) fn remove(&mut self, user: &UserId) {
        self.users.retain(|known| known.id != *user);
        self.devices.retain(|device| device.user != *user);
        self.groups.iter_mut().for_each(|group| group.members.retain(|member| member.user() != Some(user)));
    }

    /// The tenant as the switch knows it.
    pub(crate) fn tenant(&self) -> Tenant {
        Tenant {
            trusted: Vec::new(),
            id: self.id.clone(),
            domains: vec![self.domain.clone()],
            realm: None,
            zone: self.zone.clone(),
            digest: self.digest,
            expiry: self.expiry,
            plan: NumberPlan::of(&self.devices, &self.users, &self.groups).with_roles(self.roles.values()),
            users: self.users.iter().map(|user| (user.id.clone(), user.clone())).collect(),
            devices: self.devices.iter().map(|device| (device.extension.clone(), device.clone())).collect(),
            groups: self.groups.iter().map(|group| (group.name.clone(), group.clone())).collect(),
            places: self.places.iter().map(|place| (PlaceName::clone(&place.name), place.clone())).collect(),
            hours: self.hours.clone(),
            holidays: BTreeMap::new(),
            rotas: self.rotas.clone(),
            time_routes: self.time_routes.clone(),
            roles: self.roles.clone(),
            sites: self.sites.clone(),
            tables: self.tables.clone(),
            profiles: BTreeMap::new(),
            emergency: EMERGENCY.iter().map(|number| (*number).to_owned()).collect(),
            fallback: self.fallback.clone(),
            ring_time: self.ring_time,
            cadence: self.cadence,
            codes: callwright_core::codes::CodePlan::default(),
            cold_route_falls_back: self.cold_route_falls_back,
            follow_deflections: self.follow_deflections,
            response_timeout: self.response_timeout,
            session_expires_s: self.session_expires_s,
            runs_max: self.runs_max,
            fuel_per_s: 1_000_000_000,
            uploads_per_hour: 30,
        }
    }
}

/// The password that a device of a virtual tenant has.
pub(crate) fn password_of(device: &str) -> String {
    format!("secret of {device}")
}

/// The configuration of a switch for these tenants; the first is the default one.
pub(crate) fn config_of(households: &[Household], own_host: &str, standard: Option<Version>) -> Arc<Config> {
    let default = households.first().map(|household| household.id.clone());
    let tenants = households.iter().map(Household::tenant).collect();
    let mut config = Config::new(BTreeSet::from([own_host.to_owned()]), default, tenants);
    config.standard = standard;
    Arc::new(config)
}
