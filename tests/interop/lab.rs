//! Where a test happens: its folder, the machine's own network, and the programs it started.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The switch, and the first of the addresses on the bridge.
pub(crate) const SWITCH: &str = "10.99.0.1";

/// A test's folder and its programs.
pub(crate) struct Lab {
    folder: PathBuf,
}

impl Lab {
    /// An empty folder, in a network that holds nothing but this machine.
    pub(crate) fn new(name: &str) -> Self {
        network();
        let folder = root().join("target/interop").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// A file in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file into the test's folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts a program; what it prints goes to `NAME.log`.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Running {
        let log = self.path(&format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let errors = output.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        Running { name: name.to_owned(), child, log }
    }
}

impl Drop for Lab {
    #[expect(clippy::print_stderr, reason = "a failing test says where to look")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what every program printed and sent: {}", self.folder.display());
        }
    }
}

/// A program that ends with the test.
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits for its end and returns whether it succeeded.
    pub(crate) fn succeeds_within(&mut self, time: Duration) -> bool {
        let mut status = None;
        within(time, &format!("the end of {}", self.name), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }

    /// Fails where it has ended already.
    pub(crate) fn must_run(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} has ended ({status}): {}", self.name, self.printed());
        }
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn end(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        run("kill", ["-TERM", &self.child.id().to_string()]);
        let until = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// A host of its own on the bridge: a network namespace.
pub(crate) struct Host {
    name: String,
    /// Our end of its cable.
    outside: String,
    address: String,
}

impl Host {
    /// `number` is the last part of its address, from 2.
    pub(crate) fn new(name: &str, number: u8) -> Self {
        network();
        let address = format!("10.99.0.{number}");
        let outside = format!("to-{name}");
        run("ip", ["netns", "add", name]);
        run("ip", ["link", "add", &outside, "type", "veth", "peer", "name", "eth0", "netns", name]);
        run("ip", ["link", "set", &outside, "master", "bridge", "up"]);
        run("ip", ["-n", name, "address", "add", &format!("{address}/24"), "dev", "eth0"]);
        run("ip", ["-n", name, "link", "set", "eth0", "up"]);
        run("ip", ["-n", name, "link", "set", "lo", "up"]);
        // baresip takes its own address from the default route.
        run("ip", ["-n", name, "route", "add", "default", "via", SWITCH]);
        Self { name: name.to_owned(), outside, address }
    }

    /// Its address on the bridge.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A program to be run on it.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The kernel takes a namespace apart later; the next test needs the cable's name now.
        run("ip", ["link", "delete", &self.outside]);
        run("ip", ["netns", "delete", &self.name]);
    }
}

/// Waits until something is so, or fails naming it.
pub(crate) fn within(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + time;
    while !is_so() {
        assert!(Instant::now() < until, "waited {time:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Fails where anybody listens on a port: a forgotten phone would answer for the one under test.
pub(crate) fn must_be_free(port: u16) {
    let address: SocketAddr = format!("{SWITCH}:{port}").parse().unwrap();
    UdpSocket::bind(address).unwrap_or_else(|error| panic!("UDP port {port} is taken: {error}"));
    TcpListener::bind(address).unwrap_or_else(|error| panic!("TCP port {port} is taken: {error}"));
}

/// Runs a program to its end and returns what it prints.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new(program);
    output_of(command.args(arguments))
}

/// [`run`] for a prepared command.
pub(crate) fn output_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// What xtask hands over in the environment.
pub(crate) fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test --only interop`"))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Builds the bridge once. The namespaces this process was started in belong to it alone.
fn network() {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        given("CALLWRIGHT");
        // `ip netns` keeps its names here; the machine's own must not be seen.
        run("mount", ["-t", "tmpfs", "none", "/run"]);
        run("ip", ["link", "set", "lo", "up"]);
        run("ip", ["link", "add", "bridge", "type", "bridge"]);
        run("ip", ["address", "add", &format!("{SWITCH}/24"), "dev", "bridge"]);
        run("ip", ["link", "set", "bridge", "up"]);
    });
}
