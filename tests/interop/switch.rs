//! The switch under test: the binary with a tenant of two users.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, Running, SWITCH, given, output_of, within};

/// Where the switch listens for phones.
pub(crate) const SIP: u16 = 5060;
/// How long a phone rings when nobody answers, s: a caller's script waits for it.
const RING_TIME_S: u64 = 4;
/// Where it listens for people and programs.
const HTTP: &str = "127.0.0.1:8080";

/// A device of the tenant.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) extension: &'static str,
    pub(crate) password: &'static str,
}

/// Bob's, who calls.
pub(crate) const BOB: Device = Device { extension: "1011", password: "b-11-secret" };
/// Ana's, who is called.
pub(crate) const ANA: Device = Device { extension: "1001", password: "a-01-secret" };

/// A running switch.
pub(crate) struct Switch {
    config: PathBuf,
    token: String,
    running: Running,
}

impl Switch {
    /// Starts it with a new data folder, and waits until it serves.
    pub(crate) fn start(lab: &Lab) -> Self {
        let ring_time = format!("ring-time-s = {RING_TIME_S}\n");
        let people = [person("ana", "100", ANA, ""), person("bob", "101", BOB, "")].concat();
        Self::start_with(lab, &format!("{ring_time}{people}"))
    }

    /// The same with other people: what stands in the tenant's section after its own keys.
    pub(crate) fn start_with(lab: &Lab, tenant: &str) -> Self {
        let config = lab.write("switch.toml", &config(tenant));
        let binary = given("CALLWRIGHT");
        let mut running =
            lab.start("switch", Command::new(&binary).arg("serve").arg("--config").arg(&config));
        within(Duration::from_secs(20), "the switch to listen", || {
            running.must_run();
            TcpStream::connect(HTTP).is_ok() && TcpStream::connect((SWITCH, SIP)).is_ok()
        });
        let mut switch = Self { config, token: String::new(), running };
        let new = ["token", "new", "--tenant", "acme", "--json", "--config", switch.config.to_str().unwrap()];
        let answer: Value = serde_json::from_str(&output_of(Command::new(binary).args(new))).unwrap();
        switch.token = answer["secret"].as_str().unwrap().to_owned();
        switch
    }

    /// Runs `callwright` as the tenant and returns what it prints.
    pub(crate) fn tell(&self, words: &[&str]) -> String {
        let mut command = Command::new(given("CALLWRIGHT"));
        command.args(words).args(["--server", &format!("http://{HTTP}")]);
        output_of(command.env("CALLWRIGHT_TOKEN", &self.token).env("CALLWRIGHT_TENANT", "acme"))
    }

    /// Uploads one of the example rules and makes it decide.
    pub(crate) fn activate(&self, rule: &str) {
        let built = given("CALLWRIGHT_RULES");
        let folder = rule.replace('-', "_");
        let component = built.split(':').find(|path| path.contains(rule) || path.contains(&folder));
        self.tell(&["rule", "push", "--activate", component.unwrap()]);
    }

    /// The records of all calls that are over, newest first.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.tell(&["call", "list", "--limit", "100", "--json"])).unwrap();
        let ids = list["records"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap());
        ids.map(|id| serde_json::from_str(&self.tell(&["call", "show", id, "--json"])).unwrap()).collect()
    }

    /// Fails where the switch has ended or noticed a fault of its own.
    pub(crate) fn must_be_well(&mut self) {
        self.running.must_run();
        let printed = self.running.printed();
        assert!(!printed.contains("ERROR"), "the switch broke an invariant:\n{printed}");
    }
}

/// A user with one device; `more` are other keys of theirs.
pub(crate) fn person(name: &str, extension: &str, device: Device, more: &str) -> String {
    format!(
        "[tenants.acme.users.{name}]\nname = \"{name}\"\nextension = \"{extension}\"\n{more}\n\
         devices = {{ {} = {{ label = \"desk\", password = \"{}\" }} }}\n",
        device.extension, device.password
    )
}

fn config(tenant: &str) -> String {
    format!(
        "listen = \"{SWITCH}:{SIP}\"\nhttp = \"{HTTP}\"\ndata = \"data\"\ndefault-tenant = \"acme\"\n\
         [tenants.acme]\ndomains = [\"acme.example\"]\nzone = \"Europe/Berlin\"\ndigest = \"md5\"\n{tenant}"
    )
}
