//! The switch as a process that is killed, and its API.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The phones that register and take it back all the time.
pub(crate) const RESTLESS: [&str; 8] = ["2001", "2002", "2003", "2004", "2005", "2006", "2007", "2008"];
/// The phone that calls, and the one that answers.
pub(crate) const BOB: &str = "1011";
pub(crate) const ANA: &str = "1001";
/// Ana's extension.
pub(crate) const TO_ANA: &str = "100";
/// The password of every device.
pub(crate) const PASSWORD: &str = "one-for-all";

/// Where free ports are looked for: outside the range from which Linux gives ports to whoever asks for none, a phone
/// among them, while the switch is dead.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// Configuration, data and output of the switch, on two ports that were free.
pub(crate) struct Folder {
    path: PathBuf,
    sip: SocketAddr,
    http: SocketAddr,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let process = std::process::id();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{process}"));
        std::fs::create_dir_all(&path).unwrap();
        // Two of these tests at once begin to look far from each other.
        let from = usize::try_from(process).unwrap() * 16 % PORTS.len();
        let ports = PORTS.skip(from).chain(PORTS).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut free = ports.filter(is_free);
        let folder = Self { path, sip: free.next().unwrap(), http: free.next().unwrap() };
        std::fs::write(folder.path.join("switch.toml"), folder.config()).unwrap();
        folder
    }

    /// What the switch printed in all its lives.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path.join("switch.log")).unwrap()).into_owned()
    }

    fn config(&self) -> String {
        let device = |device: &str| format!("{device} = {{ label = \"desk\", password = \"{PASSWORD}\" }}");
        let restless: Vec<_> = RESTLESS.iter().map(|extension| device(extension)).collect();
        format!(
            "listen = \"{}\"\nhttp = \"{}\"\ndata = \"data\"\ndefault-tenant = \"acme\"\n\
             [tenants.acme]\ndomains = [\"acme.example\"]\nzone = \"Europe/Berlin\"\n\
             [tenants.acme.users.ana]\nname = \"Ana\"\nextension = \"{TO_ANA}\"\ndevices = {{ {} }}\n\
             [tenants.acme.users.bob]\nname = \"Bob\"\nextension = \"101\"\ndevices = {{ {} }}\n\
             [tenants.acme.users.cleo]\nname = \"Cleo\"\nextension = \"200\"\ndevices = {{ {} }}\n",
            self.sip,
            self.http,
            device(ANA),
            device(BOB),
            restless.join(", "),
        )
    }

    fn callwright(&self) -> Command {
        let mut command = Command::new(given("CALLWRIGHT"));
        command.current_dir(&self.path).stdin(Stdio::null());
        command
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

fn is_free(address: &SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

/// What xtask hands over in the environment.
pub(crate) fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test --only killed`"))
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
    /// Starts it and returns it once it answers a phone and a program, with the time that took. A token of an earlier
    /// life must still open the API.
    pub(crate) fn start(folder: &Folder, token: Option<String>) -> (Self, Duration) {
        let log = File::options().create(true).append(true).open(folder.path.join("switch.log")).unwrap();
        let errors = log.try_clone().unwrap();
        let began = Instant::now();
        let serve = ["serve", "--config", "switch.toml"];
        let process = folder.callwright().args(serve).stdout(log).stderr(errors).spawn().unwrap();
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
            assert!(
                ended.is_none() && began.elapsed() < Duration::from_secs(20),
                "{ended:?}: {}",
                folder.printed()
            );
        }
        let took = began.elapsed();
        switch.token = token.unwrap_or_else(|| new_token(folder));
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

    /// Its token, which outlives it.
    pub(crate) fn kill(self) -> String {
        self.token.clone()
    }

    /// Asks the API for a part of the tenant's; none where there is no such thing or nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}/v1/tenants/acme/{path}", self.api);
        let answer = self.agent.get(url).header("Authorization", format!("Bearer {}", self.token)).call();
        let mut answer = answer.ok().filter(|answer| answer.status() == 200)?;
        answer.body_mut().read_json().ok()
    }

    /// Changes something of the tenant's; the answer is the acknowledgement.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let url = format!("{}/v1/tenants/acme/{path}", self.api);
        let request = self.agent.post(url).header("Authorization", format!("Bearer {}", self.token));
        let mut answer = request.send_json(body).ok()?;
        let status = answer.status();
        let told: Value = answer.body_mut().read_json().ok()?;
        assert!(status.is_success(), "POST {path}: {status} {told}");
        Some(told)
    }

    /// The newest records.
    pub(crate) fn records(&self) -> Vec<Value> {
        let page = self.get("records?limit=20").unwrap();
        page["records"].as_array().unwrap().clone()
    }

    /// One record.
    pub(crate) fn record(&self, id: &str) -> Option<Value> {
        self.get(&format!("records/{id}"))
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

fn new_token(folder: &Folder) -> String {
    let words = ["token", "new", "--tenant", "acme", "--json", "--config", "switch.toml"];
    let output = folder.callwright().args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["secret"].as_str().unwrap().to_owned()
}
