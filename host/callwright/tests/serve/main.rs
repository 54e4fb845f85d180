//! The binary as its operator meets it: start, tokens, reload, uploads, end. Ports are the system's choice, on loopback.
#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be done fails them")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[cfg(test)]
mod duties;
#[cfg(test)]
mod events;
mod nodes;
#[cfg(test)]
mod people;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod wishes;

const PROGRAM: &str = env!("CARGO_BIN_EXE_callwright");
/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
http = "127.0.0.1:0"
data = "data"
[tenants.acme]
domains = ["acme.example"]
zone = "Europe/Berlin"
users.ana = { extension = "100", devices = { 1001 = { label = "desk", password = "a-secret" } } }
users.bob = { extension = "101", devices = { 1011 = { label = "desk", password = "b-secret" }, 1012 = { label = "soft", password = "b-secret" } } }
"#;

/// A switch in a folder of its own, ended with the test.
struct Switch {
    folder: TempDir,
    child: Child,
    log: Mutex<Receiver<String>>,
    started: Value,
}

impl Switch {
    fn start() -> Self {
        Self::start_with(CONFIG)
    }

    fn start_with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("switch.toml"), config).unwrap();
        Self::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        let mut child = serve(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let mut text = String::new();
        while serde_json::from_str::<Value>(&text).is_err() {
            text.push_str(&started.recv_timeout(PATIENCE).unwrap());
        }
        Self { folder, child, log: Mutex::new(log), started: serde_json::from_str(&text).unwrap() }
    }

    fn config(&self) -> String {
        self.folder.path().join("switch.toml").display().to_string()
    }

    fn operator(&self) -> &str {
        self.started["operator_token"].as_str().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.started["http"].as_str().unwrap())
    }

    /// The status of a GET with the operator's token.
    fn get(&self, path: &str) -> u16 {
        self.answer(path).status().as_u16()
    }

    /// What a path of the tenant shows.
    fn shows(&self, path: &str) -> Value {
        self.shows_of("acme", path)
    }

    fn shows_of(&self, tenant: &str, path: &str) -> Value {
        serde_json::from_str(&self.body(&format!("/v1/tenants/{tenant}/{path}"))).unwrap()
    }

    fn body(&self, path: &str) -> String {
        self.answer(path).body_mut().read_to_string().unwrap()
    }

    fn answer(&self, path: &str) -> ureq::http::Response<ureq::Body> {
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let request = ureq::Agent::from(config).get(self.url(path));
        request.header("authorization", format!("Bearer {}", self.operator())).call().unwrap()
    }

    /// Waits until what a path of the tenant shows is as wanted.
    fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) {
        self.until_of("acme", path, wanted);
    }

    fn until_of(&self, tenant: &str, path: &str, wanted: impl Fn(&Value) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !wanted(&self.shows_of(tenant, path)) {
            assert!(Instant::now() < end, "{path} of {tenant} shows {}", self.shows_of(tenant, path));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a built-in phone of the tenant.
    fn phone(&self, extension: &str, password: &str, words: &[&str]) -> Child {
        self.phone_command(extension, password, words).stdout(Stdio::null()).spawn().unwrap()
    }

    fn phone_command(&self, extension: &str, password: &str, words: &[&str]) -> Command {
        self.phone_of("acme.example", extension, password, words)
    }

    fn phone_of(&self, domain: &str, extension: &str, password: &str, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["phone", extension, "--password", password, "--domain", domain, "--registrar"]);
        command.arg(self.started["sip"].as_str().unwrap()).args(words);
        command
    }

    /// Runs the CLI against this switch.
    fn cli(&self, token: &str, words: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(words).env("CALLWRIGHT_SERVER", self.url("")).env("CALLWRIGHT_TOKEN", token);
        command.env("CALLWRIGHT_TENANT", "acme").output().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Processes that the switch has started and that are still there.
    fn children(&self) -> String {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of = |thread: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(thread.unwrap().path().join("children"))
        };
        threads.map(|thread| of(thread).unwrap_or_default()).collect()
    }

    /// Waits for a line of the log that has all of these words.
    fn logs(&self, words: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let line =
                self.log.lock().unwrap().recv_timeout(end.saturating_duration_since(Instant::now())).unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// What a built-in phone of the tenant has to say in the end.
    fn phone_says(&self, extension: &str, password: &str, words: &[&str]) -> String {
        let output = self.phone_command(extension, password, words).output().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    }

    /// Bob calls Ana, and they talk for so many seconds.
    fn call_up(&self, talk: &str) -> LiveCall {
        let ana = self.phone("1001", "a-secret", &["--answer-after", "0"]);
        self.until("registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
        let bob = self.phone("1011", "b-secret", &["--call", "100", "--talk", talk]);
        self.until("calls", |shown| shown["calls"][0]["phase"] == "talking");
        LiveCall { ana, bob }
    }

    /// Waits for its end and starts it again.
    fn again(self) -> (Self, ExitStatus) {
        let operator = self.started["operator_token"].clone();
        let (folder, status) = self.ended();
        let mut again = Self::start_in(folder);
        again.started["operator_token"] = operator;
        (again, status)
    }

    fn end(self) -> (TempDir, ExitStatus) {
        self.signal(Signal::TERM);
        self.ended()
    }

    fn ended(mut self) -> (TempDir, ExitStatus) {
        let status = self.child.wait().unwrap();
        (std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()), status)
    }
}

/// A call between two built-in phones, which end with it.
struct LiveCall {
    ana: Child,
    bob: Child,
}

impl Drop for LiveCall {
    fn drop(&mut self) {
        for phone in [&mut self.ana, &mut self.bob] {
            // It may have ended already.
            let _ended = phone.kill();
            let _reaped = phone.wait();
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn serve(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["--json", "serve", "--config"])
        .arg(folder.join("switch.toml"))
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG");
    command
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_second_phone_of_one_extension_is_seen_by_all_and_goes_as_it_came() {
    let switch = Switch::start();
    let waits = |words: &[&str]| {
        let mut child =
            switch.phone_command("1001", "a-secret", words).stdout(Stdio::piped()).spawn().unwrap();
        let said = lines(child.stdout.take().unwrap());
        (child, said)
    };
    let (mut first, said_first) = waits(&[]);
    assert_eq!(said_first.recv_timeout(PATIENCE).unwrap(), "registered as 1001 for 60 s");
    switch.logs(&["binding gained", "1001"]);
    let (mut second, said) = waits(&["--answer-after", "0"]);
    assert_eq!(said.recv_timeout(PATIENCE).unwrap(), "registered as 1001 for 60 s");
    let told = said.recv_timeout(PATIENCE).unwrap();
    assert!(told.starts_with("also registered as 1001, and rings too: <sip:1001@127.0.0.1:"), "{told}");
    switch.logs(&["binding gained beside others", "1001"]);
    switch.until("registrations", |shown| shown["registrations"].as_array().unwrap().len() == 2);
    // The first hears of it when it registers again.
    let told = said_first.recv_timeout(PATIENCE * 2).unwrap();
    assert!(told.starts_with("also registered as 1001"), "{told}");
    let mut bob = switch.phone("1011", "b-secret", &["--call", "100", "--talk", "60"]);
    switch.until("calls", |shown| shown["calls"][0]["phase"] == "talking");
    kill_process(Pid::from_child(&second), Signal::TERM).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert_eq!(bob.wait().unwrap().code(), Some(0), "he was hung up on");
    let rest: Vec<_> = said.iter().collect();
    assert_eq!(rest.last().map(String::as_str), Some("no longer registered"), "{rest:?}");
    switch.until("registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(0));
    switch.until("registrations", |shown| shown["registrations"].as_array().unwrap().is_empty());
    // One that calls ends too, and takes its call back.
    let mut calls = switch.phone_command("1001", "a-secret", &["--call", "1011"]);
    let _bob = Ended(switch.phone("1011", "b-secret", &[]));
    switch.until("registrations", |shown| shown["registrations"][0]["device"] == "1011");
    let mut ana = calls.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    switch.until("calls", |shown| shown["calls"][0]["phase"] == "ringing");
    kill_process(Pid::from_child(&ana), Signal::INT).unwrap();
    assert_eq!(ana.wait().unwrap().code(), Some(1));
    switch.until("calls", |shown| shown["calls"].as_array().unwrap().is_empty());
    switch.until("registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn the_operators_token_is_shown_at_the_first_start_alone_and_sigterm_ends_well() {
    let switch = Switch::start();
    assert_eq!(switch.get("/v1/tenants/acme/rules"), 200);
    let secret = switch.operator().to_owned();
    let (folder, status) = switch.end();
    assert_eq!(status.code(), Some(0));
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let holds = path.is_file() && text(&std::fs::read(&path).unwrap()).contains(&secret);
        assert!(!holds, "the secret is kept in {}", path.display());
    }
    let again = Switch::start_in(folder);
    assert_eq!(again.started["operator_token"], Value::Null);
}

#[test]
fn a_tenants_token_made_beside_the_running_switch_opens_that_tenant() {
    let switch = Switch::start();
    let made = switch.cli("", &["token", "new", "--config", &switch.config(), "--tenant", "acme"]);
    let secret = text(&made.stdout).trim().to_owned();
    let listed = switch.cli(&secret, &["call", "list", "--json"]);
    assert_eq!((listed.status.code(), text(&listed.stderr).as_str()), (Some(0), ""));
    let refused = switch.cli("cw_wrong", &["call", "list"]);
    assert_eq!(refused.status.code(), Some(6));
    let said = text(&refused.stderr);
    assert!(said.starts_with("error[CW-0301]: ") && said.contains("set CALLWRIGHT_TOKEN"), "{said}");
    let no_url = switch.cli(&secret, &["call", "list", "--server", "127.0.0.1:8070"]);
    let said = text(&no_url.stderr);
    assert!(
        said.contains("`127.0.0.1:8070` is no URL of a switch\nhelp: write http://127.0.0.1:8070"),
        "{said}"
    );
    let unknown = switch.cli("", &["token", "new", "--config", &switch.config(), "--tenant", "acne"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let switch = Switch::start();
    let sip: SocketAddr = switch.started["sip"].as_str().unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = CONFIG.replacen("127.0.0.1:0", &sip.to_string(), 1);
    std::fs::write(folder.path().join("switch.toml"), config).unwrap();
    let refused = serve(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(
        error.contains(&format!("cannot listen on {sip} (TCP)")) && error.contains("ss -lntup"),
        "{error}"
    );
}

#[test]
fn a_second_switch_cannot_serve_from_the_same_folder() {
    let switch = Switch::start();
    let refused = serve(switch.folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("another switch serves"), "{}", text(&refused.stderr));
}

#[test]
fn a_reload_with_an_error_changes_nothing_and_names_the_key() {
    let switch = Switch::start();
    let path = switch.folder.path().join("switch.toml");
    let second = "\n[tenants.zeta]\ndomains = [\"zeta.example\"]\nzone = ";
    std::fs::write(&path, format!("{CONFIG}{second}\"Europe/Atlantis\"")).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["WARN", "not taken over", "tenants.zeta.zone", "Europe/Atlantis"]);
    assert_eq!(switch.get("/v1/tenants/zeta/calls"), 404);
    std::fs::write(&path, format!("{CONFIG}{second}\"UTC\"")).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded"]);
    assert_eq!(switch.get("/v1/tenants/zeta/calls"), 200);
}

#[test]
fn a_reload_that_removes_a_user_leaves_their_call_alone() {
    let switch = Switch::start();
    let mut call = switch.call_up("2");
    let without_ana: String =
        CONFIG.lines().filter(|line| !line.contains("users.ana")).map(|line| format!("{line}\n")).collect();
    std::fs::write(switch.folder.path().join("switch.toml"), without_ana).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded"]);
    switch.until("registrations", |shown| {
        shown["registrations"].as_array().unwrap().iter().all(|phone| phone["device"] == "1011")
    });
    assert_eq!(switch.shows("calls")["calls"][0]["phase"], "talking");
    assert!(call.bob.wait().unwrap().success());
    switch.until("records", |shown| !shown["records"].as_array().unwrap().is_empty());
    let record = switch.shows("records")["records"][0].clone();
    assert_eq!(record["cause"], "caller-hung-up", "{record}");
    assert!(record["talk_ms"].as_u64().unwrap() >= 1_900, "{record}");
}

#[test]
fn sigterm_lets_the_call_go_on_and_refuses_the_next() {
    let switch = Switch::start();
    let mut call = switch.call_up("8");
    switch.signal(Signal::TERM);
    switch.logs(&["INFO", "no new calls", "calls=1"]);
    assert_eq!((switch.get("/healthz"), switch.body("/healthz")), (503, "draining\n".to_owned()));
    let late = switch.phone_says("1012", "b-secret", &["--call", "101"]);
    assert!(late.contains("the call was refused with 503"), "{late}");
    assert!(call.bob.wait().unwrap().success());
    switch.logs(&["INFO", "the last call has ended"]);
    let (switch, status) = switch.again();
    assert_eq!(status.code(), Some(0));
    let records = switch.shows("records")["records"].clone();
    assert_eq!(records.as_array().unwrap().len(), 1, "{records}");
    assert_eq!(records[0]["cause"], "caller-hung-up", "{records}");
}

#[test]
fn a_second_sigterm_ends_calls_at_once() {
    let switch = Switch::start();
    let mut call = switch.call_up("60");
    switch.signal(Signal::TERM);
    switch.logs(&["INFO", "no new calls", "calls=1"]);
    switch.signal(Signal::TERM);
    switch.logs(&["WARN", "told again", "calls=1"]);
    assert!(call.bob.wait().unwrap().success(), "bob hears a BYE");
    let (switch, status) = switch.again();
    assert_eq!(status.code(), Some(0));
    assert_eq!(switch.shows("records")["records"][0]["cause"], "shutting-down");
}

#[test]
fn a_drain_ends_at_its_limit_which_a_reload_may_change() {
    let switch = Switch::start();
    let mut call = switch.call_up("60");
    std::fs::write(switch.folder.path().join("switch.toml"), format!("drain-s = 1\n{CONFIG}")).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded"]);
    switch.signal(Signal::TERM);
    switch.logs(&["WARN", "`drain-s` is over", "calls=1"]);
    assert!(call.bob.wait().unwrap().success(), "bob hears a BYE");
    let (switch, status) = switch.again();
    assert_eq!(status.code(), Some(0));
    assert_eq!(switch.shows("records")["records"][0]["cause"], "shutting-down");
}

#[test]
fn everything_that_is_wrong_with_an_upload_is_listed() {
    let switch = Switch::start();
    let folder = switch.folder.path();
    std::fs::write(folder.join("rule.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    std::fs::write(folder.join("rule.toml"), "name = \"x\"\nbind = [\"user:nobody\"]\n").unwrap();
    let refused =
        switch.cli(switch.operator(), &["rule", "push", folder.join("rule.wasm").to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(5));
    let error = text(&refused.stderr);
    assert!(error.contains("handle-call") && error.contains("nobody"), "{error}");
}

#[test]
fn a_component_that_is_too_much_to_compile_is_refused_by_the_limit_while_calls_go_on() {
    let switch = Switch::start();
    let mut ana = switch.phone("1001", "a-secret", &["--answer-after", "0"]);
    switch.until("registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
    let folder = switch.folder.path();
    std::fs::write(folder.join("rule.wasm"), monster()).unwrap();
    std::fs::write(folder.join("rule.toml"), "name = \"monster\"\nbind = [\"tenant\"]\n").unwrap();
    let component = folder.join("rule.wasm");
    let mut talked = 0;
    std::thread::scope(|scope| {
        let push =
            scope.spawn(|| switch.cli(switch.operator(), &["rule", "push", component.to_str().unwrap()]));
        while !push.is_finished() {
            let mut bob = switch.phone("1011", "b-secret", &["--call", "100", "--talk", "0"]);
            assert!(bob.wait().unwrap().success(), "a call failed");
            talked += u32::from(!push.is_finished() && !switch.children().is_empty());
        }
        let refused = push.join().unwrap();
        let error = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(5), "{error}");
        assert!(error.contains("takes more than") && error.contains("to compile"), "{error}");
    });
    assert_ne!(talked, 0, "no call was begun and ended while the compiler ran");
    assert_eq!(switch.children(), "", "the compiler is gone");
    ana.kill().unwrap();
    ana.wait().unwrap();
}

/// A rule within every bound of an upload: two thousand locals that change in nine hundred loops, one within the other.
fn monster() -> Vec<u8> {
    let locals = "i32 ".repeat(1_999);
    let step = |index: usize| format!("(local.set {index} (i32.add (local.get {index}) (i32.const 1)))");
    let steps: String = (1..2_000).map(step).collect();
    let (loops, ends) = ("(loop ".repeat(900), "(br_if 0 (local.get 0)))".repeat(900));
    let module = format!(
        "(module (memory (export \"memory\") 1)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export \"handle-call\") (param i32) (result i32) i32.const 16)
        (func (param i32) (local {locals}) {loops} {steps} {ends}))"
    );
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
    let mut bytes = wat::parse_str(&module).unwrap();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
    bytes
}
