//! One tenant of the file: what it may do, and everything in it. Every extension means one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callwright_core::codes::CodePlan;
use callwright_core::config::{Expiry, Fallback, NumberPlan, Tenant};
use callwright_core::forwarding::Wishes;
use callwright_core::rule::{DestinationRef, Refusal};
use callwright_sip::digest::Algorithm;
use jiff::tz::TimeZone;

use super::document::{Table, Value};
use super::numbers::{Numbers, Owner, is_extension};
use super::people::{self, People, Realm};
use super::sections::Section;
use super::{address, duty, forwarding, groups, hours, is_host, places};

/// Bounds of a registration where the file has none.
const EXPIRY: Expiry = Expiry { min_s: 60, max_s: 3_600, default_s: 600 };
/// Emergency numbers where the file has none; 933 is the test number of North America.
const EMERGENCY: [&str; 4] = ["112", "911", "999", "933"];
/// How long devices ring where the file does not say.
const RING_TIME_S: u32 = 25;
/// How long one ring of a phone takes where the file does not say; 6 s in North America.
const RING_CADENCE_S: u32 = 5;
/// A leg without any response for so long is unreachable (TELEPHONY T5).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(4);
/// The session interval that we ask for; RFC 4028 §4.2 recommends it.
const SESSION_EXPIRES_S: u32 = 1_800;
/// How many rules of a tenant run at once, and what they may spend, where the file does not say.
const RUNS_MAX: u32 = 200;
const FUEL_PER_S: u64 = 500_000_000;
/// How many versions of a tenant are compiled in an hour, where the file does not say: compiling one may take ten seconds
/// of a core.
const UPLOADS_PER_HOUR: u32 = 30;
/// A day, the longest time in the file.
pub(super) const DAY_S: u32 = 86_400;

/// Reads one entry of `[tenants]`.
pub(super) fn read(
    name: &str,
    value: &Value<'_>,
    own_hosts: &BTreeSet<String>,
    taken: &mut BTreeMap<String, String>,
    sections: &[Section<'_>],
) -> Option<Tenant> {
    let table = value.table()?;
    is_name(name, value);
    let codes = codes(&table);
    let mut numbers = Numbers::beside(codes.clone());
    let emergency = emergency(&table, &mut numbers);
    let domains = domains(name, &table, own_hosts, taken);
    let digest = table.get("digest").and_then(|value| algorithm(&value)).unwrap_or(Algorithm::Md5);
    let own_realm = table.get("realm").and_then(|value| realm(&value));
    let realm = Realm { name: own_realm.as_ref().or(domains.first()).cloned().unwrap_or_default(), digest };
    let People { users, devices } = people::read(name, &table, sections, &realm, &mut numbers);
    let groups = groups::read(&table, &mut numbers);
    let days_off = duty::holidays(&table);
    let plan = NumberPlan::of(devices.values(), users.values(), groups.values());
    let mut tenant = Tenant {
        id: name.into(),
        domains,
        realm: own_realm,
        zone: table.require("zone").and_then(|value| zone(&value)).unwrap_or(TimeZone::UTC),
        digest,
        trusted: address::trusted(&table),
        expiry: table.get("expiry").and_then(|value| expiry(&value)).unwrap_or(EXPIRY),
        users,
        devices,
        groups,
        places: BTreeMap::new(),
        hours: hours::read_all(table.names("hours"), &days_off),
        holidays: days_off.into_iter().map(|(name, days)| (name.to_owned(), days)).collect(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: forwarding::profiles(&table),
        emergency,
        fallback: Fallback::default(),
        ring_time: seconds(&table, "ring-time-s", RING_TIME_S),
        cadence: seconds(&table, "ring-cadence-s", RING_CADENCE_S),
        codes,
        cold_route_falls_back: cold_route_falls_back(&table),
        follow_deflections: table.get("follow-deflections").and_then(|value| value.flag()).unwrap_or(true),
        response_timeout: RESPONSE_TIMEOUT,
        session_expires_s: SESSION_EXPIRES_S,
        runs_max: RUNS_MAX,
        fuel_per_s: FUEL_PER_S,
        uploads_per_hour: UPLOADS_PER_HOUR,
        plan,
    };
    limit(&table, &mut tenant);
    name_what_rings(&table, &mut tenant, &mut numbers);
    groups::lead_somewhere(&table, &tenant);
    forwarding_ends_somewhere(&table, &tenant);
    tenant.fallback = table.get("fallback").and_then(|value| fallback(&value, &tenant)).unwrap_or_default();
    table.done();
    Some(tenant)
}

/// Reads what the tenant's rules may use.
fn limit(table: &Table<'_>, tenant: &mut Tenant) {
    let Some(limits) = table.get("rules").and_then(|value| value.table()) else { return };
    let runs = limits.get("runs-max").and_then(|value| value.small(1..=10_000));
    let fuel = limits.get("fuel-per-s").and_then(|value| value.number(1..=u64::from(u32::MAX) * 1_000));
    let uploads = limits.get("uploads-per-hour").and_then(|value| value.small(1..=100_000));
    tenant.uploads_per_hour = uploads.unwrap_or(UPLOADS_PER_HOUR);
    tenant.runs_max = runs.unwrap_or(RUNS_MAX);
    tenant.fuel_per_s = fuel.unwrap_or(FUEL_PER_S);
    limits.done();
}

/// Reads all that has a name of its own and is no person, device or group. Each may name what was read before it.
fn name_what_rings(table: &Table<'_>, tenant: &mut Tenant, numbers: &mut Numbers) {
    tenant.places = places::places(table, tenant);
    tenant.sites = places::sites(table, tenant);
    tenant.rotas = duty::rotas(table, tenant);
    tenant.time_routes = duty::time_routes(table, tenant);
    tenant.tables = duty::tables(table, tenant);
    tenant.roles = places::roles(table, tenant, numbers);
    tenant.plan = std::mem::take(&mut tenant.plan).with_roles(tenant.roles.values());
}

/// Checks a name that rules, logs and URIs of the API use.
pub(super) fn is_name(name: &str, value: &Value<'_>) -> bool {
    let fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let fine = fine && (1..=64).contains(&name.len());
    if !fine {
        value.wrong(format!("`{name}` is no name: use up to 64 letters, digits, `-`, `_` and `.`"));
    }
    fine
}

/// A zone of the IANA database.
pub(super) fn zone(value: &Value<'_>) -> Option<TimeZone> {
    let name = value.text()?;
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        value.wrong(format!("no zone `{name}`: write one of the IANA database, as Europe/Berlin"));
    }
    zone
}

fn domains(
    tenant: &str,
    table: &Table<'_>,
    own_hosts: &BTreeSet<String>,
    taken: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let Some(list) = table.require("domains") else { return Vec::new() };
    let mut domains = Vec::new();
    for value in list.list() {
        let Some(text) = value.text() else { continue };
        let domain = text.to_ascii_lowercase();
        if !is_host(&domain) {
            value.wrong(format!("`{text}` is no domain"));
        } else if own_hosts.contains(&domain) {
            value.wrong(format!(
                "`{text}` means the switch itself: name the tenant in `default-tenant` instead"
            ));
        } else if let Some(other) = taken.insert(domain.clone(), tenant.to_owned()) {
            value.wrong(format!("`{text}` already belongs to tenant `{other}`"));
        }
        domains.push(domain);
    }
    if domains.is_empty() {
        list.wrong("must name at least one domain");
    }
    domains
}

/// What devices prove themselves for, as it stands between quotation marks.
fn realm(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let is_fine = |letter: char| letter.is_ascii_graphic() && !['"', '\\'].contains(&letter);
    if text.is_empty() || text.len() > 253 || !text.chars().all(is_fine) {
        value.wrong(format!("`{text}` is no realm: write a domain"));
        return None;
    }
    Some(text.to_owned())
}

fn algorithm(value: &Value<'_>) -> Option<Algorithm> {
    match value.text()? {
        "md5" => Some(Algorithm::Md5),
        "sha-256" => Some(Algorithm::Sha256),
        other => {
            value.wrong(format!("`{other}` is neither \"md5\" nor \"sha-256\""));
            None
        }
    }
}

fn expiry(value: &Value<'_>) -> Option<Expiry> {
    let table = value.table()?;
    let read = |key, default| table.get(key).and_then(|value| value.small(1..=DAY_S)).unwrap_or(default);
    let expiry = Expiry {
        min_s: read("min-s", EXPIRY.min_s),
        max_s: read("max-s", EXPIRY.max_s),
        default_s: read("default-s", EXPIRY.default_s),
    };
    table.done();
    if expiry.min_s > expiry.default_s || expiry.default_s > expiry.max_s {
        let Expiry { min_s, max_s, default_s } = expiry;
        value.wrong(format!("min-s {min_s}, default-s {default_s} and max-s {max_s} are out of order"));
    }
    Some(expiry)
}

fn seconds(table: &Table<'_>, key: &'static str, default_s: u32) -> Duration {
    let read = table.get(key).and_then(|value| value.small(1..=DAY_S));
    Duration::from_secs(u64::from(read.unwrap_or(default_s)))
}

/// What becomes of calls whose one device is offline: `"unreachable"`, or `"ring-all"`.
fn cold_route_falls_back(table: &Table<'_>) -> bool {
    let Some(value) = table.get("cold-route-offline") else { return false };
    match value.text() {
        Some("ring-all") => true,
        Some("unreachable") | None => false,
        Some(other) => {
            value.wrong(format!("`{other}` is neither \"unreachable\" nor \"ring-all\""));
            false
        }
    }
}

/// `codes = { route-here = "*50", gsm = false }`: what stands there in place of what is usual; an empty text is no code.
fn codes(table: &Table<'_>) -> CodePlan {
    let mut plan = CodePlan::default();
    let Some(value) = table.get("codes") else { return plan };
    let Some(codes) = value.table() else { return plan };
    for (key, code) in [
        ("route-here", &mut plan.route_here),
        ("route-to", &mut plan.route_to),
        ("route-all", &mut plan.route_all),
        ("undisturbed", &mut plan.undisturbed),
        ("disturbed", &mut plan.disturbed),
    ] {
        if let Some(text) = codes.get(key).and_then(|value| value.text()) {
            *code = Some(text.to_owned()).filter(|text| !text.is_empty());
        }
    }
    plan.gsm = codes.get("gsm").and_then(|value| value.flag()).unwrap_or(true);
    codes.done();
    for conflict in plan.conflicts() {
        value.wrong(conflict);
    }
    plan
}

fn emergency(table: &Table<'_>, numbers: &mut Numbers) -> BTreeSet<String> {
    let Some(list) = table.get("emergency") else {
        numbers.take_emergency(&EMERGENCY);
        return EMERGENCY.map(str::to_owned).into();
    };
    let mut all = BTreeSet::new();
    for value in list.list() {
        let Some(number) = value.text() else { continue };
        if is_extension(number, &value) {
            numbers.take(number, Owner::Emergency, &value);
            all.insert(number.to_owned());
        }
    }
    all
}

/// Reports people who forward to what the tenant does not have.
fn forwarding_ends_somewhere(table: &Table<'_>, tenant: &Tenant) {
    for (name, profile) in &tenant.profiles {
        for missing in forwarding::astray(&profile.over(&Wishes::default()), tenant) {
            table.lacks("profiles", format!("`{name}` {missing}"));
        }
    }
    for (user, wishes) in tenant.users.values().filter_map(|user| Some((user, user.forwarding.as_ref()?))) {
        for missing in forwarding::missing(wishes, user, tenant) {
            // Of people whom a file tells of in a piece of its own there is no more here than their name.
            match table.below(&["users", user.id.as_str(), "forwarding"]) {
                Some(value) => value.wrong(missing),
                None => table.lacks("users", format!("`{}` {missing}", user.id)),
            }
        }
    }
}

/// Reports a destination that the tenant does not have.
fn exists(target: &DestinationRef, tenant: &Tenant, value: &Value<'_>) {
    if let Some(missing) = tenant.lacks(target) {
        value.wrong(missing);
    }
}

/// `"ring-dialled"`, `"refuse-busy"` and its like, or `{ ring = "user:ana", for-s = 20 }`.
fn fallback(value: &Value<'_>, tenant: &Tenant) -> Option<Fallback> {
    if value.is_table() {
        let table = value.table()?;
        let ring = table.require("ring");
        let to = ring.as_ref().and_then(|ring| ring.parsed::<DestinationRef>());
        if let (Some(ring), Some(to)) = (&ring, &to) {
            exists(to, tenant, ring);
        }
        let for_s = table.get("for-s").and_then(|value| value.small(1..=DAY_S)).unwrap_or(RING_TIME_S);
        table.done();
        return Some(Fallback::Ring { to: to?, for_ms: for_s * 1_000 });
    }
    match value.text()? {
        "ring-dialled" => Some(Fallback::RingDialled),
        "refuse-busy" => Some(Fallback::Refuse(Refusal::Busy)),
        "refuse-declined" => Some(Fallback::Refuse(Refusal::Declined)),
        "refuse-not-found" => Some(Fallback::Refuse(Refusal::NotFound)),
        "refuse-temporarily-unavailable" => Some(Fallback::Refuse(Refusal::TemporarilyUnavailable)),
        other => {
            value.wrong(format!(
                "`{other}` is no fallback: write \"ring-dialled\", \"refuse-busy\", \"refuse-declined\", \
                 \"refuse-not-found\", \"refuse-temporarily-unavailable\" or {{ ring = \"user:ana\", for-s = 20 }}"
            ));
            None
        }
    }
}
