//! The switch as a process that is killed, drained and told to read its files again; and its API.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::place::Place;

/// The phones that register and take it back all the time.
pub(crate) const RESTLESS: [&str; 8] = ["2001", "2002", "2003", "2004", "2005", "2006", "2007", "2008"];
/// How many pairs of phones there are beside those, of which one calls the other. A busy person takes one call more, so
/// twice as many calls can be up at once.
pub(crate) const PAIRS: u16 = 130;
/// The password of every device.
pub(crate) const PASSWORD: &str = "one-for-all";

/// Where free ports are looked for.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// How long the switch may take to start before it counts as dead.
const START_MAX: Duration = Duration::from_secs(20);

/// How long the record of a call may take.
const RECORDED_WITHIN: Duration = Duration::from_secs(10);

/// The caller and the callee of a pair, and the number by which one calls the other.
pub(crate) fn pair(number: u16) -> (String, String, String) {
    (format!("{}", 4_000 + number), format!("{}", 5_000 + number), format!("9{}", 5_000 + number))
}

/// Configuration, data and output of the switch, on two ports that were free.
pub(crate) struct Folder {
    path: PathBuf,
    sip: SocketAddr,
    http: SocketAddr,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let Place { folder, sip, http } = Place::find(&format!("crash-{name}"), PORTS);
        let folder = Self { path: folder, sip, http };
        folder.configure("");
        folder
    }

    /// What the switch printed in all its lives.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path.join("switch.log")).unwrap()).into_owned()
    }

    /// Waits until the switch has printed those words so often, and says whether it has.
    pub(crate) fn prints(&self, words: &str, times: usize, within: Duration) -> bool {
        let until = Instant::now() + within;
        while self.printed().matches(words).count() < times {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the configuration, with some more behind it.
    pub(crate) fn configure(&self, more: &str) {
        let mut text = format!(
            "listen = \"{}\"\nhttp = \"{}\"\ndata = \"data\"\ndefault-tenant = \"acme\"\n\
             [tenants.acme]\ndomains = [\"acme.example\"]\nzone = \"Europe/Berlin\"\n\
             rules = {{ uploads-per-hour = 10000 }}\n",
            self.sip, self.http,
        );
        let pairs = (0..PAIRS).map(pair).flat_map(|(caller, callee, _)| [caller, callee]);
        for device in pairs.chain(RESTLESS.map(str::to_owned)) {
            text += &format!(
                "[tenants.acme.users.u{device}]\nname = \"User {device}\"\nextension = \"9{device}\"\n\
                 devices = {{ {device} = {{ label = \"desk\", password = \"{PASSWORD}\" }} }}\n"
            );
        }
        std::fs::write(self.path.join("switch.toml"), text + more).unwrap();
    }
}

impl Drop for Folder {
    #[expect(clippy::print_stderr, reason = "it belongs to what a failed test prints")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("configuration, data and output of the switch: {}", self.path.display());
        } else {
            std::fs::remove_dir_all(&self.path).unwrap();
        }
    }
}

/// What xtask hands over in the environment.
pub(crate) fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask crash`"))
}

/// The switch in one of its lives.
pub(crate) struct Switch {
    process: Mutex<Child>,
    sip: SocketAddr,
    api: String,
    token: String,
    agent: ureq::Agent,
}

impl Switch {
    /// Starts it and returns it once it answers a phone and a program, with the time that took. The token of its first life
    /// must still open the API.
    pub(crate) fn start(folder: &Folder) -> (Self, Duration) {
        Self::start_by(folder, Command::new(given("CALLWRIGHT")))
    }

    /// The same by a program that becomes the switch; what is said to the switch follows.
    pub(crate) fn start_by(folder: &Folder, mut command: Command) -> (Self, Duration) {
        let log = File::options().create(true).append(true).open(folder.path.join("switch.log")).unwrap();
        let errors = log.try_clone().unwrap();
        let began = Instant::now();
        command.args(["serve", "--config", "switch.toml"]).current_dir(&folder.path).stdin(Stdio::null());
        let process = command.stdout(log).stderr(errors).spawn().unwrap();
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30)));
        let mut switch = Self {
            process: Mutex::new(process),
            sip: folder.sip,
            api: format!("http://{}", folder.http),
            token: String::new(),
            agent: config.http_status_as_error(false).build().into(),
        };
        while !(switch.is_healthy() && switch.answers_a_phone()) {
            let ended = switch.process.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_MAX, "{ended:?}: {}", folder.printed());
        }
        let took = began.elapsed();
        switch.token = operators_token(folder);
        (switch, took)
    }

    fn is_healthy(&self) -> bool {
        let answer = self.agent.get(format!("{}/healthz", self.api)).call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    fn answers_a_phone(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let options = format!(
            "OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:probe@acme.example>;tag={port}\r\nTo: <sip:acme.example>\r\n\
             Call-ID: {port}@probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            port = local.port()
        );
        socket.send_to(options.as_bytes(), self.sip).is_ok() && socket.recv(&mut [0; 2_048]).is_ok()
    }

    /// Where phones find it.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Kills it where it stands.
    pub(crate) fn die(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.lock().unwrap()), signal).unwrap();
    }

    /// How it ended by itself; none where it has not within that time.
    pub(crate) fn ended_within(&self, within: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            let ended = self.process.lock().unwrap().try_wait().unwrap();
            if ended.is_some() || Instant::now() >= until {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks the API for a part of the tenant's; none where there is no such thing or nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let answer = self.agent.get(self.url(path)).header("Authorization", self.bearer()).call();
        let mut answer = answer.ok().filter(|answer| answer.status() == 200)?;
        answer.body_mut().read_json().ok()
    }

    /// Wants to change something of the tenant's: the status and the answer; none where nobody answers.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.agent.post(self.url(path)).header("Authorization", self.bearer());
        let mut answer = request.send_json(body).ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_json().ok()?))
    }

    /// Changes something of the tenant's; the answer is the acknowledgement.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let (status, told) = self.ask(path, body)?;
        assert!((200..300).contains(&status), "POST {path}: {status} {told}");
        Some(told)
    }

    /// Sets something of the tenant's; the answer is the acknowledgement, none where nobody answers.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.agent.put(self.url(path)).header("Authorization", self.bearer());
        let mut answer = request.send_json(body).ok()?;
        let (status, told) = (answer.status().as_u16(), answer.body_mut().read_json::<Value>().ok()?);
        assert!((200..300).contains(&status), "PUT {path}: {status} {told}");
        Some(told)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/tenants/acme/{path}", self.api)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// The newest records.
    pub(crate) fn records(&self) -> Vec<Value> {
        let page = self.get("records?limit=20").unwrap();
        page["records"].as_array().unwrap().clone()
    }

    /// All records by the ids of their calls.
    pub(crate) fn all_records(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("records?limit=500{after}")).unwrap();
            let records = page["records"].as_array().unwrap();
            all.extend(
                records.iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone())),
            );
            let Some(next) = page["next"].as_str() else { return all };
            after = format!("&after={next}");
        }
    }

    /// All records, once there are so many: that of the last call is written a moment after it.
    pub(crate) fn records_of(&self, calls: usize) -> BTreeMap<String, Value> {
        let until = Instant::now() + RECORDED_WITHIN;
        loop {
            let records = self.all_records();
            if records.len() >= calls || Instant::now() >= until {
                return records;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The devices that are registered.
    pub(crate) fn registered(&self) -> BTreeSet<String> {
        let list = self.get("registrations").unwrap();
        let devices = list["registrations"].as_array().unwrap().iter();
        devices.map(|registration| registration["device"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.die();
    }
}

/// The token that the first life of the switch has shown.
fn operators_token(folder: &Folder) -> String {
    let printed = folder.printed();
    let token = printed
        .lines()
        .find(|line| line.contains("operator token"))
        .and_then(|line| line.split(' ').next_back());
    token.unwrap_or_else(|| panic!("no token in {printed}")).to_owned()
}
