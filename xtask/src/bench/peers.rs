//! Who is measured: our switch with a rule, and Kamailio with the same decision in three languages.

use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::load::{CALLEES, Running, data};
use crate::shell;

/// How many users can be called.
const USERS: u32 = 10_000;
/// What our configurations begin with.
pub(super) const HEAD: &str = "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\ndefault-tenant = \"bench\"\n\
    log = \"warn\"\n[tenants.bench]\ndomains = [\"bench.example\"]\nzone = \"UTC\"\n\
    trusted = [\"127.0.0.1\"]\nrules = { runs-max = 10000, fuel-per-s = 1000000000000 }\n";
/// Who calls.
pub(super) const CALLER: &str = "[tenants.bench.users.caller]\n\
    devices.caller = { label = \"caller\", contact = \"sip:127.0.0.1:27100\" }\n";
/// What a target gets to start.
const START: Duration = Duration::from_secs(30);
/// Where Kamailio listens, as its configuration says.
const KAMAILIO: &str = "127.0.0.1:25060";

/// One that routes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Our switch with `hello-ring`, which looks the dialled person up and rings their devices.
    Callwright,
    /// Kamailio's own language.
    KamailioNative,
    /// Kamailio with Lua.
    KamailioLua,
    /// Kamailio with Python.
    KamailioPython,
}

/// A peer that takes calls.
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) address: SocketAddr,
}

impl Peer {
    pub(super) const ALL: [Self; 4] =
        [Self::Callwright, Self::KamailioNative, Self::KamailioLua, Self::KamailioPython];

    /// Its name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Callwright => "callwright",
            Self::KamailioNative => "kamailio-native",
            Self::KamailioLua => "kamailio-lua",
            Self::KamailioPython => "kamailio-python",
        }
    }

    /// Starts it with all users.
    pub(super) fn start(self, folder: &Path, built: &Built) -> anyhow::Result<Started> {
        let started = match self {
            Self::Callwright => callwright(folder, built),
            Self::KamailioNative => kamailio(folder, &[]),
            Self::KamailioLua => kamailio(folder, &["-A", "KEMI", "-A", "LUA"]),
            Self::KamailioPython => kamailio(folder, &["-A", "KEMI", "-A", "PYTHON"]),
        };
        started.with_context(|| {
            format!("{} does not start; what it printed is in {}", self.name(), folder.display())
        })
    }
}

/// What was built for the run.
pub(super) struct Built {
    /// The switch.
    pub(super) callwright: PathBuf,
    /// The component of `hello-ring`.
    pub(super) rule: PathBuf,
}

fn kamailio(folder: &Path, defines: &[&str]) -> anyhow::Result<Started> {
    let modules = std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path().join("kamailio/modules"));
    let modules =
        modules.into_iter().find(|path| path.is_dir()).context("no modules of Kamailio under /usr/lib")?;
    let config = std::fs::read_to_string(data("kamailio").join("kamailio.cfg"))?;
    let config = config.replace("@FOLDER@", &data("kamailio").display().to_string());
    let file = folder.join("kamailio.cfg");
    std::fs::write(&file, config.replace("@MODULES@", &modules.display().to_string()))?;
    let mut command = shell::program("kamailio");
    command
        .current_dir(folder)
        .arg("-f")
        .arg(file)
        .args(["-DD", "-E", "-m", "3072", "-M", "32", "-x", "qm", "-Y"]);
    command.arg(folder).args(defines);
    let mut running = Running::start(into(command, &File::create(folder.join("log"))?)?)?;
    // It has no line that says so; what ends at once has not started.
    std::thread::sleep(Duration::from_secs(3));
    running.must_run("it has ended")?;
    Ok(Started { running, address: KAMAILIO.parse()? })
}

fn callwright(folder: &Path, built: &Built) -> anyhow::Result<Started> {
    switch(folder, built, &configuration()?)
}

/// Starts our switch with this configuration and the rule.
pub(super) fn switch(folder: &Path, built: &Built, configuration: &str) -> anyhow::Result<Started> {
    std::fs::write(folder.join("switch.toml"), configuration)?;
    let output = folder.join("started.json");
    let mut command = Command::new(&built.callwright);
    command.current_dir(folder).args(["--json", "serve", "--config", "switch.toml"]).stdin(Stdio::null());
    command.stdout(File::create(&output)?).stderr(File::create(folder.join("log"))?);
    let mut running = Running::start(command)?;
    let until = Instant::now() + START;
    let told: Value = loop {
        running.must_run("it has ended")?;
        if let Ok(told) = serde_json::from_str(&std::fs::read_to_string(&output)?) {
            break told;
        }
        if Instant::now() > until {
            bail!("it says nothing for {} s", START.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let word =
        |key: &str| told.get(key).and_then(Value::as_str).with_context(|| format!("it told no `{key}`"));
    let (sip, http, token) = (word("sip")?, word("http")?, word("operator_token")?);
    let mut push = Command::new(&built.callwright);
    push.args(["rule", "push", "--activate"]).arg(&built.rule).current_dir(folder);
    push.env("CALLWRIGHT_SERVER", format!("http://{http}")).env("CALLWRIGHT_TOKEN", token);
    push.env("CALLWRIGHT_TENANT", "bench").stdin(Stdio::null()).stdout(Stdio::null());
    shell::Budget::unbounded().run(&mut push)?;
    Ok(Started { running, address: sip.parse()? })
}

/// Every user has one device, which is where the callees are; the caller is believed by the address.
fn configuration() -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    text.push_str(CALLER);
    for user in 0..USERS {
        write!(
            text,
            "[tenants.bench.users.n{user:05}]\nextension = \"u{user:05}\"\n\
             devices.d{user:05} = {{ label = \"desk\", contact = \"sip:d{user}@{CALLEES}\" }}\n"
        )?;
    }
    Ok(text)
}

fn into(mut command: Command, log: &File) -> std::io::Result<Command> {
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    Ok(command)
}

/// The users as sipp reads them.
pub(super) fn users() -> String {
    (0..USERS).fold("RANDOM\n".to_owned(), |mut all, user| {
        let _written = writeln!(all, "u{user:05};");
        all
    })
}
