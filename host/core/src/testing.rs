//! Values that tests begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use callwright_sip::Flow;
use callwright_sip::digest::{Algorithm, Secret};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{Device, EarlyDialogs, Expiry, Fallback, Group, NumberPlan, Tenant, User};
use crate::names::Extension;
use crate::rule::DestinationRef;
use crate::view::{Binding, BindingKey};

/// Ana (100: desk 1001, soft 1002, mobile 1003) and Bob (101: desk 1011) of acme.example; group sales (200) is both.
pub(crate) fn tenant() -> Tenant {
    let devices: BTreeMap<Extension, Device> = [
        device("1001", "desk", "ana"),
        device("1002", "soft", "ana"),
        device("1003", "mobile", "ana"),
        device("1011", "desk", "bob"),
    ]
    .into_iter()
    .map(|device| (device.extension.clone(), device))
    .collect();
    let user = |id: &str, name: &str, extension: &str, devices: &[&str]| User {
        id: id.into(),
        name: name.to_owned(),
        extension: Some(extension.into()),
        numbers: Vec::new(),
        zone: None,
        devices: devices.iter().map(|device| Extension::from(*device)).collect(),
        call_waiting: None,
        forwarding: None,
    };
    let users: BTreeMap<_, _> = [
        user("ana", "Ana Alvarez", "100", &["1001", "1002", "1003"]),
        user("bob", "Bob Brown", "101", &["1011"]),
    ]
    .into_iter()
    .map(|user| (user.id.clone(), user))
    .collect();
    let sales = sales();
    let groups = BTreeMap::from([(sales.name.clone(), sales)]);
    Tenant {
        id: "acme".into(),
        domains: vec!["acme.example".to_owned()],
        realm: None,
        zone: TimeZone::UTC,
        digest: Algorithm::Md5,
        trusted: Vec::new(),
        expiry: Expiry { min_s: 60, max_s: 3600, default_s: 600 },
        plan: NumberPlan::of(devices.values(), users.values(), groups.values()),
        users,
        devices,
        groups,
        places: BTreeMap::new(),
        hours: BTreeMap::new(),
        holidays: BTreeMap::new(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: BTreeMap::new(),
        emergency: BTreeSet::from(["112".to_owned()]),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        cadence: Duration::from_secs(5),
        codes: crate::codes::CodePlan::default(),
        cold_route_falls_back: false,
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1800,
        runs_max: 100,
        fuel_per_s: 1_000_000_000,
        uploads_per_hour: 30,
    }
}

/// Ana and Bob.
fn sales() -> Group {
    Group {
        name: "sales".into(),
        extension: Some("200".into()),
        members: vec![DestinationRef::User("ana".into()), DestinationRef::User("bob".into())],
        follow_forwarding: false,
        hunt: None,
        stagger: Duration::ZERO,
        ring_time: None,
    }
}

fn device(extension: &str, label: &str, user: &str) -> Device {
    Device {
        extension: extension.into(),
        label: label.to_owned(),
        user: user.into(),
        secret: Some(Secret::new(format!("pw{extension}"))),
        contact: None,
        early_dialogs: EarlyDialogs::PerLeg,
    }
}

/// A phone of a device of acme, registered until so many seconds after 1970.
pub(crate) fn binding(device: &str, until_s: i64) -> Binding {
    Binding {
        key: BindingKey { tenant: "acme".into(), device: device.into(), phone: format!("phone-{until_s}") },
        contact: format!("sip:{device}@192.0.2.1"),
        flow: Flow::udp(SocketAddr::from(([192, 0, 2, 1], 5060))),
        call_id: "id".into(),
        cseq: 1,
        registered: Timestamp::UNIX_EPOCH,
        expires: Timestamp::from_second(until_s).unwrap_or(Timestamp::MAX),
        user_agent: String::new(),
        behind_nat: false,
        suspect_since: None,
    }
}
