//! What the operator and the tenants have configured: people, devices, groups, named places, opening hours.
//!
//! Plain values, already checked by whoever read the file; the core only looks things up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::digest::{Algorithm, Secret};
use callwright_sip::{Flow, Host};
use ipnet::IpNet;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::codes::CodePlan;
use crate::forwarding::{Partial, Wishes};
use crate::names::{
    Extension, GroupName, HoursName, PlaceName, ProfileName, RotaName, TableName, TenantId, UserId, Version,
};
use crate::place::{Role, Site};
use crate::roster::Order;
use crate::rota::Rota;
use crate::rule::{DestinationRef, Refusal};
use crate::time_route::TimeRoute;

/// Everything configured, swapped as a whole on reload.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Hosts (names or addresses, without port) that mean this switch and no tenant.
    pub own_hosts: BTreeSet<String>,
    /// Tenant of a request that names none.
    pub default_tenant: Option<TenantId>,
    /// All tenants.
    pub tenants: BTreeMap<TenantId, Arc<Tenant>>,
    /// The rule that decides calls which no rule of their tenant is bound to; without it the fallback does.
    pub standard: Option<Version>,
    domains: BTreeMap<String, TenantId>,
}

/// One customer: their domains and everything in them.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name in logs, records and the API.
    pub id: TenantId,
    /// SIP domains; the first is written into URIs.
    pub domains: Vec<String>,
    /// What devices prove themselves for, where it is not the first domain.
    pub realm: Option<String>,
    /// Zone of opening hours and of times that people read.
    pub zone: TimeZone,
    /// The one digest algorithm that is offered.
    pub digest: Algorithm,
    /// Bounds of a registration's expiry.
    pub expiry: Expiry,
    /// Source addresses whose devices without a password need not prove themselves.
    pub trusted: Vec<IpNet>,
    /// People by name.
    pub users: BTreeMap<UserId, User>,
    /// Devices by extension.
    pub devices: BTreeMap<Extension, Device>,
    /// Groups by name.
    pub groups: BTreeMap<GroupName, Group>,
    /// Named places.
    pub places: BTreeMap<PlaceName, Place>,
    /// Named opening hours.
    pub hours: BTreeMap<HoursName, Hours>,
    /// Days off that several hours share, by the name of their list; hours have them among their own.
    pub holidays: BTreeMap<String, BTreeMap<Date, String>>,
    /// Duties that go round.
    pub rotas: BTreeMap<RotaName, Rota>,
    /// Names that mean somebody else at another time; no place has one of them.
    pub time_routes: BTreeMap<PlaceName, TimeRoute>,
    /// Names that somebody holds.
    pub roles: BTreeMap<PlaceName, Role>,
    /// Locations.
    pub sites: BTreeMap<PlaceName, Site>,
    /// Tables: a value beside a number, or beside `user:NAME`.
    pub tables: BTreeMap<TableName, Table>,
    /// Profiles that its people can choose, beside the built-in ones.
    pub profiles: BTreeMap<ProfileName, Partial>,
    /// Numbers that are emergency calls, as dialled.
    pub emergency: BTreeSet<String>,
    /// What happens to a call whose rule has none of its own.
    pub fallback: Fallback,
    /// How long devices ring where nobody says otherwise.
    pub ring_time: Duration,
    /// How long one ring of a phone takes, by which people count.
    pub cadence: Duration,
    /// What phones dial to change how calls reach their user.
    pub codes: CodePlan,
    /// All of a user's devices ring again where the one that they chose to ring alone is offline.
    pub cold_route_falls_back: bool,
    /// Whether a phone's 3xx is followed where it leads to somebody of the tenant (TELEPHONY T18).
    pub follow_deflections: bool,
    /// How long a leg may stay without any response before it is unreachable.
    pub response_timeout: Duration,
    /// Session interval that we ask for, in seconds (RFC 4028 §4).
    pub session_expires_s: u32,
    /// How many rules of this tenant may run at once.
    pub runs_max: u32,
    /// Fuel that the tenant's rules may spend a second, averaged over ten seconds.
    pub fuel_per_s: u64,
    /// How many versions of its rules it may have compiled in an hour.
    pub uploads_per_hour: u32,
    /// What dialled numbers stand for; [`NumberPlan::of`] makes it from the people, devices and groups above.
    pub plan: NumberPlan,
}

/// What each dialled number, extension or name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberPlan(BTreeMap<Arc<str>, DestinationRef>);

/// Bounds of a registration's expiry, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Shorter is refused with 423.
    pub min_s: u32,
    /// Longer is shortened.
    pub max_s: u32,
    /// Where the phone asks for none.
    pub default_s: u32,
}

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Their name in rules and records.
    pub id: UserId,
    /// Name shown to people.
    pub name: String,
    /// Their unified extension: dialling it is calling the person.
    pub extension: Option<Extension>,
    /// Their numbers in E.164.
    pub numbers: Vec<String>,
    /// Their own zone, where it is not the tenant's.
    pub zone: Option<TimeZone>,
    /// Their devices, in the order of the file.
    pub devices: Vec<Extension>,
    /// Whether their devices ring while they are on a call; `None`: on for direct calls, off for groups.
    pub call_waiting: Option<bool>,
    /// Their forwarding wishes, until they save others.
    pub forwarding: Option<Arc<Wishes>>,
}

/// A phone.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its own extension; also its digest user name.
    pub extension: Extension,
    /// What people call it: desk, soft, mobile.
    pub label: String,
    /// Whose it is.
    pub user: UserId,
    /// What it proves itself with; without one it is believed where the tenant trusts the address, and nowhere else.
    pub secret: Option<Secret>,
    /// Where it is always reached, without registering.
    pub contact: Option<FixedContact>,
    /// How many early dialogs it can follow as a caller (RFC 3261 §13.2.2.4).
    pub early_dialogs: EarlyDialogs,
}

/// Where a device is that does not register: a gateway, or a machine of the tenant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedContact {
    /// The Request-URI of what is sent there.
    pub uri: String,
    /// The way there.
    pub flow: Flow,
}

/// What a calling phone makes of several 18x with different To tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyDialogs {
    /// It keeps them apart, as RFC 3261 asks: each leg has its own.
    #[default]
    PerLeg,
    /// It follows one only: all legs share a tag and SDP comes in the 200 alone.
    One,
}

/// Values beside numbers in E.164 and people (`user:NAME`).
pub type Table = BTreeMap<String, String>;

/// People who are rung together.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Dialling it rings the group.
    pub extension: Option<Extension>,
    /// Who is in it, in order: people, other groups, places.
    pub members: Vec<DestinationRef>,
    /// Its people are rung as they want to be reached, by their own rules, and not by their devices alone.
    pub follow_forwarding: bool,
    /// In which order its members are tried one by one; none: all are rung together.
    pub hunt: Option<Order>,
    /// Where all are rung together: how long after the one before it each member begins to ring.
    pub stagger: Duration,
    /// How long its members ring, each or all together, where it is not the tenant's time.
    pub ring_time: Option<Duration>,
}

/// A destination with a name of its own.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub name: PlaceName,
    /// Who or what it is at present: never another place.
    pub target: DestinationRef,
}

/// Opening hours by weekday, with exceptions by date.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// Their name.
    pub name: HoursName,
    /// Their own zone, where it is not the tenant's.
    pub zone: Option<TimeZone>,
    /// Spans within a day; an end before or at its start runs into the next day.
    pub weekly: Vec<WeeklySpan>,
    /// Days that replace the week's entry. No spans: closed all day.
    pub exceptions: BTreeMap<Date, Exception>,
}

/// One weekly entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklySpan {
    /// The day on which it starts.
    pub day: Weekday,
    /// Opens, local time.
    pub from: Time,
    /// Closes, local time; midnight is 00:00.
    pub to: Time,
}

/// A holiday or special day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Shown as the reason.
    pub name: String,
    /// Open spans of that day.
    pub spans: Vec<(Time, Time)>,
}

/// What happens to a call when its rule does not decide it (RULES §2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The dialled user's devices, then the final response by the best outcome.
    #[default]
    RingDialled,
    /// Another destination for so long, then the final response by the best outcome.
    Ring {
        /// Who is rung.
        to: DestinationRef,
        /// For how long, in milliseconds.
        for_ms: u32,
    },
    /// The call is refused.
    Refuse(Refusal),
}

impl Config {
    /// Everything configured, with tenants found by name and by domain.
    #[must_use]
    pub fn new(own_hosts: BTreeSet<String>, default_tenant: Option<TenantId>, tenants: Vec<Tenant>) -> Self {
        let mut config = Self { own_hosts, default_tenant, ..Self::default() };
        tenants.into_iter().for_each(|tenant| config.add(Arc::new(tenant)));
        config
    }

    /// The part that a node needs which owns these tenants and no other.
    #[must_use]
    pub fn only(&self, owns: impl Fn(&TenantId) -> bool) -> Self {
        Self {
            own_hosts: self.own_hosts.clone(),
            default_tenant: self.default_tenant.clone().filter(&owns),
            standard: self.standard.clone(),
            tenants: self
                .tenants
                .iter()
                .filter(|(id, _)| owns(id))
                .map(|(id, it)| (id.clone(), Arc::clone(it)))
                .collect(),
            domains: self
                .domains
                .iter()
                .filter(|(_, id)| owns(id))
                .map(|(domain, id)| (domain.clone(), id.clone()))
                .collect(),
        }
    }

    /// The same with one tenant more, or with another in place of the one of that name.
    #[must_use]
    pub fn with(&self, tenant: Arc<Tenant>) -> Self {
        let mut config = self.without(&tenant.id);
        config.add(tenant);
        config
    }

    /// Adds a tenant that is not there.
    pub fn add(&mut self, tenant: Arc<Tenant>) {
        for domain in &tenant.domains {
            self.domains.insert(domain.to_ascii_lowercase(), tenant.id.clone());
        }
        self.tenants.insert(tenant.id.clone(), tenant);
    }

    /// The same without a tenant.
    #[must_use]
    pub fn without(&self, tenant: &TenantId) -> Self {
        let mut config = self.clone();
        let gone = config.tenants.remove(tenant);
        for domain in gone.iter().flat_map(|gone| &gone.domains) {
            config.domains.remove(&domain.to_ascii_lowercase());
        }
        config
    }

    /// Finds the tenant of a request: host of the Request-URI; where that is an address or our name, host of From; where
    /// that is too, the default (ARCHITECTURE §4). A domain that is nobody's here has no tenant.
    ///
    /// Of a part of the configuration it finds the same tenant, where the part has it.
    #[must_use]
    pub fn tenant_of(&self, asked: &Host, from: &Host) -> Option<&Arc<Tenant>> {
        for host in [asked, from] {
            let (is_name, host) = (matches!(host, Host::Name(_)), host.to_string());
            if let Some(tenant) = self.tenant_of_domain(&host) {
                return Some(tenant);
            }
            // An address is a machine's and no tenant's: behind a translation we do not know all of ours.
            if is_name && !self.own_hosts.contains(&host.to_ascii_lowercase()) {
                return None;
            }
        }
        self.default_tenant.as_ref().and_then(|id| self.tenants.get(id))
    }

    /// Finds the tenant that serves a domain.
    #[must_use]
    pub fn tenant_of_domain(&self, host: &str) -> Option<&Arc<Tenant>> {
        self.domains.get(&host.to_ascii_lowercase()).and_then(|id| self.tenants.get(id))
    }
}

impl Tenant {
    /// Says in words what a destination names and the tenant does not have.
    #[must_use]
    pub fn lacks(&self, to: &DestinationRef) -> Option<String> {
        let (known, kind, name) = match to {
            DestinationRef::Device(device) => (self.devices.contains_key(device), "device", device.as_str()),
            DestinationRef::User(user) | DestinationRef::Person(user) => {
                (self.users.contains_key(user), "user", user.as_str())
            }
            DestinationRef::Group(group) => (self.groups.contains_key(group), "group", group.as_str()),
            DestinationRef::Place(place) => (self.has_place(place), "place", place.as_str()),
            // Whether a number can be called is seen when it is.
            DestinationRef::Number(number) => (true, "number", number.as_str()),
        };
        (!known).then(|| format!("no {kind} `{name}`"))
    }

    /// Whose phone a destination is, where it is one.
    #[must_use]
    pub fn owner(&self, to: &DestinationRef) -> Option<&UserId> {
        match to {
            DestinationRef::Device(device) => self.devices.get(device).map(|device| &device.user),
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_) => None,
        }
    }

    /// Whether a name is that of something that rings, whenever that is.
    #[must_use]
    pub fn has_place(&self, name: &PlaceName) -> bool {
        self.places.contains_key(name) || self.sites.contains_key(name) || self.is_held(name)
    }

    /// Whether a name means whoever it is at the moment: a role, or a name that depends on the time.
    #[must_use]
    pub fn is_held(&self, name: &PlaceName) -> bool {
        self.roles.contains_key(name) || self.time_routes.contains_key(name)
    }

    /// What devices prove themselves for (RFC 7616 §3.3).
    #[must_use]
    pub fn realm(&self) -> &str {
        self.realm.as_deref().unwrap_or_else(|| self.domain())
    }

    /// The domain written into URIs.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.domains.first().map_or(self.id.as_str(), String::as_str)
    }
}

impl NumberPlan {
    /// Lists every extension and number once. Of two that claim the same the first wins: device, user, group.
    #[must_use]
    pub fn of<'a>(
        devices: impl IntoIterator<Item = &'a Device>,
        users: impl IntoIterator<Item = &'a User>,
        groups: impl IntoIterator<Item = &'a Group>,
    ) -> Self {
        let mut plan: Vec<(Arc<str>, DestinationRef)> = Vec::new();
        for device in devices {
            plan.push(((&device.extension).into(), DestinationRef::Device(device.extension.clone())));
        }
        for user in users {
            let to = DestinationRef::User(user.id.clone());
            plan.extend(user.extension.iter().map(|extension| (extension.into(), to.clone())));
            plan.extend(user.numbers.iter().map(|number| (number.as_str().into(), to.clone())));
            plan.push(((&user.id).into(), to));
        }
        for group in groups {
            let to = DestinationRef::Group(group.name.clone());
            plan.extend(group.extension.iter().map(|extension| (extension.into(), to.clone())));
        }
        // A stable sort leaves the first of equals first; and a tree of a sorted list has full leaves.
        plan.sort_by(|(one, _), (other, _)| one.cmp(other));
        plan.dedup_by(|(later, _), (first, _)| later == first);
        Self(plan.into_iter().collect())
    }

    /// The same with the numbers of roles, which no other has.
    #[must_use]
    pub fn with_roles<'a>(mut self, roles: impl IntoIterator<Item = &'a Role>) -> Self {
        for role in roles {
            let to = DestinationRef::Place(role.name.clone());
            self.0.extend(role.extension.iter().map(|extension| (extension.into(), to.clone())));
        }
        self
    }

    /// What a number, extension or user name stands for.
    #[must_use]
    pub fn find(&self, dialled: &str) -> Option<&DestinationRef> {
        self.0.get(dialled)
    }
}
