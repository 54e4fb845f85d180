//! The configuration file: read as a whole, refused as a whole, every error named by its key path; and tenants that are in no
//! file, made of documents with the same keys.
//!
//! The grammar is `docs/configuration.md` and `docs/people.md`. What comes out is plain values; nothing here opens a file, a socket or a database.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::Config;
use callwright_core::config::Tenant;
use callwright_core::names::TenantId;
use toml::de::DeTable;

mod address;
mod document;
mod duty;
mod forwarding;
mod groups;
mod hours;
mod household;
mod numbers;
mod people;
mod places;
mod report;
mod sections;
pub mod shape;
mod tenant;
mod wished;

use document::{Table, Value};
pub use household::{Document, assemble, wishes};
pub use report::Problem;
use report::{Origin, Report};
use sections::Sections;
pub use wished::document as forwarding_document;

/// Where the API listens when the file does not say.
const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// How many nodes a switch has at most; a machine with more cores than this wants several switches.
pub const NODES_MAX: u16 = 64;

/// How long calls may go on when the file does not say: less than the 90 s after which systemd kills a service.
const DRAIN_S: u32 = 60;
/// Longer than a day nobody waits for the end.
const DRAIN_MAX_S: u32 = 86_400;

/// The file, understood.
#[derive(Clone, Debug)]
pub struct Settings {
    /// UDP and TCP, on one port.
    pub listen: SocketAddr,
    /// Host written into Via and Contact.
    pub advertise: String,
    /// The HTTP API; always loopback.
    pub http: SocketAddr,
    /// Folder of everything that survives.
    pub data: PathBuf,
    /// How many nodes share the tenants.
    pub nodes: u16,
    /// How long calls may go on when the switch is told to end.
    pub drain: Duration,
    /// Filter of the log, as `info` or `callwright_core=debug`.
    pub log: String,
    /// Tenants and everything in them.
    pub switch: Arc<Config>,
}

/// Checks the text of a configuration file; relative paths in it are meant from `folder`.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str, folder: &Path) -> Result<Settings, Vec<Problem>> {
    let report = Report::new(text);
    let settings = read_sections(&Sections::of(text), &report, folder);
    if report.must_be_whole() {
        return parse_whole(text, folder);
    }
    judge(settings, report)
}

/// As [`parse`], in one piece: for a file that tells of one person in several places.
fn parse_whole(text: &str, folder: &Path) -> Result<Settings, Vec<Problem>> {
    let report = Report::new(text);
    let settings = read_sections(&Sections::whole(text), &report, folder);
    judge(settings, report)
}

fn judge(settings: Option<Settings>, report: Report<'_>) -> Result<Settings, Vec<Problem>> {
    let mut problems = report.into_problems();
    // What cannot be read as TOML hides what follows it: that need not be missing.
    if problems.iter().any(|problem| problem.path.is_empty()) {
        problems.retain(|problem| !problem.what.starts_with("is missing"));
    }
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        Some(_) | None => Err(problems),
    }
}

fn read_sections(sections: &Sections<'_>, report: &Report<'_>, folder: &Path) -> Option<Settings> {
    let origin = Origin::new(report, sections.starts.clone());
    let (document, errors) = DeTable::parse_recoverable(&sections.rest);
    for error in errors {
        origin.add("", error.span().unwrap_or_default(), error.message());
    }
    read(Table::root(&document, &origin), sections, folder)
}

fn read(root: Table<'_>, sections: &Sections<'_>, folder: &Path) -> Option<Settings> {
    let listen = root.require("listen").and_then(|value| value.parsed::<SocketAddr>());
    let advertise = advertised(&root, listen);
    let http = match root.get("http") {
        Some(value) => loopback(&value),
        None => Some(HTTP),
    };
    let data = root.require("data").and_then(|value| value.text()).map(|data| folder.join(data));
    let nodes = match root.get("nodes") {
        Some(value) => value.small(1..=u32::from(NODES_MAX)).and_then(|nodes| u16::try_from(nodes).ok()),
        None => Some(1),
    };
    let drain_s = match root.get("drain-s") {
        Some(value) => value.small(0..=DRAIN_MAX_S),
        None => Some(DRAIN_S),
    };
    let log = root.get("log").and_then(|value| value.text()).unwrap_or("info").to_owned();
    let tenants = tenants(&root, &own_hosts(listen, advertise.as_deref()), sections);
    let default_tenant = root.get("default-tenant").and_then(|value| {
        let name = TenantId::from(value.text()?);
        // Where the file has no tenant at all, they are made through the API, this one among them.
        if !tenants.is_empty() && !tenants.iter().any(|tenant| tenant.id == name) {
            value.wrong(format!("no tenant `{name}`"));
        }
        Some(name)
    });
    root.done();
    let (listen, advertise) = (listen?, advertise?);
    let own_hosts = own_hosts(Some(listen), Some(&advertise));
    let switch = Arc::new(Config::new(own_hosts, default_tenant, tenants));
    let drain = Duration::from_secs(u64::from(drain_s?));
    Some(Settings { listen, advertise, http: http?, data: data?, nodes: nodes?, drain, log, switch })
}

/// The host that peers are told to answer to; an address for all interfaces is none.
fn advertised(root: &Table<'_>, listen: Option<SocketAddr>) -> Option<String> {
    match root.get("advertise") {
        Some(value) => {
            let host = value.text()?;
            if is_host(host) {
                return Some(host.to_owned());
            }
            value.wrong("must be a host name or an address, without a port");
            None
        }
        None => {
            let listen = listen?;
            if listen.ip().is_unspecified() {
                let why = format!(
                    "is missing: phones cannot be told to answer to {}, where `listen` is",
                    listen.ip()
                );
                root.lacks("advertise", why);
                return None;
            }
            Some(host_of(listen.ip()))
        }
    }
}

fn loopback(value: &Value<'_>) -> Option<SocketAddr> {
    let address: SocketAddr = value.parsed()?;
    if !address.ip().is_loopback() {
        value.wrong("must be a loopback address: put a proxy that speaks TLS before it");
    }
    Some(address)
}

/// Names and addresses that mean the switch itself and no tenant.
fn own_hosts(listen: Option<SocketAddr>, advertise: Option<&str>) -> BTreeSet<String> {
    let mut hosts: BTreeSet<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
    hosts.extend(listen.filter(|listen| !listen.ip().is_unspecified()).map(|listen| host_of(listen.ip())));
    hosts.extend(advertise.map(str::to_ascii_lowercase));
    hosts
}

/// An address as a SIP URI has it.
fn host_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn is_host(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inside) = bracketed {
        return inside.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// All tenants; no domain belongs to two of them or to the switch itself.
fn tenants(root: &Table<'_>, own_hosts: &BTreeSet<String>, sections: &Sections<'_>) -> Vec<Tenant> {
    let mut domains: BTreeMap<String, String> = BTreeMap::new();
    let all = root.get("tenants").map(|all| all.entries()).unwrap_or_default();
    if sections.people.keys().any(|tenant| !all.iter().any(|(name, _)| name == tenant)) {
        root.report().is_divided();
    }
    let read = |(name, value): (&str, Value<'_>)| {
        let people = sections.people.get(name).map(Vec::as_slice).unwrap_or_default();
        tenant::read(name, &value, own_hosts, &mut domains, people)
    };
    all.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests;
