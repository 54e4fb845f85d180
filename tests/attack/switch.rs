//! The switch under attack: a process of its own on loopback, fresh for each attack.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peer::{Peer, Request};
use crate::place::Place;

/// Where free ports are looked for.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// How many of the quiet phones there are on each side of the lawful calls.
pub(crate) const LAWFUL: u16 = 40;
/// How many phones the hostile tenant has on each side of its calls.
pub(crate) const HOSTILE: u16 = 12;
/// Phones of the tenant beside those: called, calling, and the attacker's own.
pub(crate) const ANA: &str = "1001";
pub(crate) const BOB: &str = "1011";
pub(crate) const MALLORY: &str = "1021";
/// Uploads of the hostile tenant that are compiled in an hour.
pub(crate) const UPLOADS_PER_HOUR: u32 = 12;
/// The password of each device.
pub(crate) const PASSWORD: &str = "Rv7-kestrel";

/// Bytes of the longest answer of the API that is read: fifty records with their facts.
const BODY_MAX: u64 = 256 * 1024 * 1024;

/// What the API said to a change.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Value,
}

/// A running switch; it ends with this value.
pub(crate) struct Switch {
    folder: PathBuf,
    process: Child,
    sip: SocketAddr,
    http: SocketAddr,
    agent: ureq::Agent,
    /// The operator's.
    token: String,
}

impl Switch {
    pub(crate) fn start(name: &str) -> Self {
        let Place { folder, sip, http } = Place::find(&format!("attack-{name}"), PORTS);
        std::fs::write(folder.join("switch.toml"), config(sip, http)).unwrap();
        let log = File::create(folder.join("switch.log")).unwrap();
        let mut command = Command::new(std::env::var("CALLWRIGHT").expect("run `cargo xtask attack`"));
        command.args(["serve", "--config", "switch.toml"]).current_dir(&folder).stdin(Stdio::null());
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let settings = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60)));
        let agent = settings.http_status_as_error(false).build().into();
        let mut switch = Self { folder, process, sip, http, agent, token: String::new() };
        let began = Instant::now();
        while !(switch.answers() && switch.has_told_its_token()) {
            let ended = switch.process.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < Duration::from_secs(30),
                "the switch does not start: {}",
                switch.printed()
            );
        }
        switch
    }

    /// Where phones find it.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Whether it answers a stranger's OPTIONS.
    pub(crate) fn answers(&self) -> bool {
        let peer = Peer::at([127, 0, 0, 9], self.sip);
        let tries = [50, 500, 3_000].map(Duration::from_millis);
        tries.into_iter().any(|within| {
            let options = Request::new("OPTIONS", "acme.example", "probe");
            peer.send(&options);
            peer.answer_to(&options, within).is_some()
        })
    }

    /// Memory of the process that is in use now, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    /// Threads of the process.
    pub(crate) fn threads(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        u64::try_from(tasks.count()).unwrap()
    }

    /// Processes that it has started and that are still there.
    pub(crate) fn children(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        // A thread may have ended meanwhile.
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("children")).ok()
        };
        tasks.filter_map(of).map(|children| children.split_whitespace().count()).sum()
    }

    /// Asks the API as the operator, for a path below `/v1/tenants/`.
    pub(crate) fn get(&self, path: &str) -> Value {
        let request = self.agent.get(format!("http://{}/v1/tenants/{path}", self.http));
        let mut answer = request.header("Authorization", self.bearer()).call().unwrap();
        let told = answer.body_mut().with_config().limit(BODY_MAX).read_json().unwrap();
        assert_eq!(answer.status(), 200, "{path}: {told}");
        told
    }

    /// Changes something over the API.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Told {
        let request = self.agent.post(format!("http://{}/v1/tenants/{path}", self.http));
        let mut answer = request.header("Authorization", self.bearer()).send_json(body).unwrap();
        let again = answer.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = answer.body_mut().read_json().unwrap();
        Told { status: answer.status().as_u16(), retry_after_s: again, body }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// It prints the operator's token once it serves.
    fn has_told_its_token(&mut self) -> bool {
        let printed = self.printed();
        let whole = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let line = whole.map(str::trim).find(|line| line.starts_with("operator token"));
        self.token = line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned();
        !self.token.is_empty()
    }

    /// A metric without labels, such as `callwright_calls_live`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut answer = self.agent.get(format!("http://{}/metrics", self.http)).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.trim().parse().unwrap()
    }

    /// Waits until a metric has come down to `to`; what it was last.
    pub(crate) fn comes_down(&self, name: &str, to: u64, within: Duration) -> u64 {
        let until = Instant::now() + within;
        loop {
            // The picture that metrics are read from is painted anew when something happens, not when timers run out.
            self.answers();
            let value = self.metric(name);
            if value <= to || Instant::now() >= until {
                return value;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it printed that it should not have: broken invariants and panics.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let printed = self.printed();
        let bad = |line: &&str| line.contains("ERROR") || line.contains("panicked");
        printed.lines().filter(bad).map(str::to_owned).collect()
    }

    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("switch.log")).unwrap()).into_owned()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

/// Extension of the caller and of the callee of a pair of the hostile tenant's.
pub(crate) fn besieger(pair: u16) -> (String, String) {
    (format!("{}", 5_000 + pair), format!("{}", 6_000 + pair))
}

/// Extension of the caller and of the callee of a lawful pair.
pub(crate) fn lawful(pair: u16) -> (String, String) {
    (format!("{}", 2_000 + pair), format!("{}", 3_000 + pair))
}

/// Three tenants: one asks for MD5 and has the lawful phones, one for SHA-256, and one is hostile itself.
fn config(sip: SocketAddr, http: SocketAddr) -> String {
    let mut text = format!(
        "listen = \"{sip}\"\nhttp = \"{http}\"\ndata = \"data\"\ndefault-tenant = \"acme\"\n\
         [tenants.acme]\ndomains = [\"acme.example\"]\nzone = \"Europe/Berlin\"\n\
         [tenants.strict]\ndomains = [\"strict.example\"]\nzone = \"Europe/Berlin\"\ndigest = \"sha-256\"\n\
         [tenants.strict.users.eve]\nname = \"Eve\"\nextension = \"100\"\n\
         devices = {{ 1001 = {{ label = \"desk\", password = \"{PASSWORD}\" }} }}\n"
    );
    let pairs = (0..LAWFUL).map(lawful).flat_map(|(caller, callee)| [caller, callee]);
    let others = [ANA, BOB, MALLORY].map(str::to_owned);
    others.into_iter().chain(pairs).for_each(|device| text += &person("acme", &device));
    let crowd: Vec<_> = (0..HOSTILE).map(|pair| format!("\"u{}\"", besieger(pair).1)).collect();
    text += &format!(
        "[tenants.hostile]\ndomains = [\"hostile.example\"]\nzone = \"Europe/Berlin\"\n\
         rules = {{ uploads-per-hour = {UPLOADS_PER_HOUR} }}\n\
         [tenants.hostile.groups.crowd]\nextension = \"800\"\nmembers = [{}]\n\
         [tenants.hostile.places]\nnight-desk = \"group:crowd\"\n",
        crowd.join(", ")
    );
    let pairs = (0..HOSTILE).map(besieger).flat_map(|(caller, callee)| [caller, callee]);
    pairs.for_each(|device| text += &person("hostile", &device));
    text
}

fn person(tenant: &str, device: &str) -> String {
    format!(
        "[tenants.{tenant}.users.u{device}]\nname = \"User {device}\"\nextension = \"9{device}\"\n\
         devices = {{ {device} = {{ label = \"desk\", password = \"{PASSWORD}\" }} }}\n"
    )
}
