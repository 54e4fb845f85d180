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
/// The tenant that is called.
pub(super) const TENANT: &str = "bench";
/// The tenants of two nodes: each belongs to another.
const TENANTS: [&str; 2] = [TENANT, "other"];
/// What a target gets to start; under valgrind it takes ten seconds.
const START: Duration = Duration::from_secs(60);
/// Where Kamailio listens, as its configuration says.
const KAMAILIO: &str = "127.0.0.1:25060";

/// One that routes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Our switch with `hello-ring`, which looks the dialled person up and rings their devices.
    Callwright,
    /// The same with two nodes and a tenant for each, called in turns from one address.
    CallwrightTwo,
    /// Our switch without a rule of the tenant's, so that the standard rule decides.
    CallwrightStandard,
    /// Another build of ours, with `hello-ring`: what there was before.
    CallwrightBefore,
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
    pub(super) const ALL: [Self; 7] = [
        Self::Callwright,
        Self::CallwrightTwo,
        Self::CallwrightStandard,
        Self::CallwrightBefore,
        Self::KamailioNative,
        Self::KamailioLua,
        Self::KamailioPython,
    ];

    /// Its name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Callwright => "callwright",
            Self::CallwrightTwo => "callwright-2",
            Self::CallwrightStandard => "callwright-standard",
            Self::CallwrightBefore => "callwright-before",
            Self::KamailioNative => "kamailio-native",
            Self::KamailioLua => "kamailio-lua",
            Self::KamailioPython => "kamailio-python",
        }
    }

    /// Starts it with all users.
    pub(super) fn start(self, folder: &Path, built: &Built) -> anyhow::Result<Started> {
        let started = match self {
            Self::Callwright => callwright(folder, &built.callwright, Some(&built.rule), &TENANTS[..1]),
            Self::CallwrightTwo => callwright(folder, &built.callwright, Some(&built.rule), &TENANTS),
            Self::CallwrightStandard => callwright(folder, &built.callwright, None, &TENANTS[..1]),
            Self::CallwrightBefore => {
                let (before, rule) = built.before.as_ref().context("`--before` names no program")?;
                callwright(folder, before, Some(rule), &TENANTS[..1])
            }
            Self::KamailioNative => kamailio(folder, &[]),
            Self::KamailioLua => kamailio(folder, &["-A", "KEMI", "-A", "LUA"]),
            Self::KamailioPython => kamailio(folder, &["-A", "KEMI", "-A", "PYTHON"]),
        };
        started.with_context(|| {
            format!("{} does not start; what it printed is in {}", self.name(), folder.display())
        })
    }
}

/// A build of ours to compare with.
#[derive(clap::Args)]
pub(super) struct Before {
    /// Another build of callwright, to compare with what is built now.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// The component of `hello-ring` for that build, where it does not know all of today's interfaces.
    #[arg(long, value_name = "FILE", requires = "before")]
    before_rule: Option<PathBuf>,
}

impl Before {
    pub(super) fn is_named(&self) -> bool {
        self.before.is_some()
    }

    /// The program, and its rule, which is today's unless another was named.
    pub(super) fn files(&self, rule: &Path) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
        let Some(before) = &self.before else { return Ok(None) };
        let whole =
            |path: &Path| path.canonicalize().with_context(|| format!("there is no `{}`", path.display()));
        Ok(Some((whole(before)?, whole(self.before_rule.as_deref().unwrap_or(rule))?)))
    }
}

/// What was built for the run.
pub(super) struct Built {
    /// The switch.
    pub(super) callwright: PathBuf,
    /// Another build of it to compare with, and its rule.
    pub(super) before: Option<(PathBuf, PathBuf)>,
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

/// Starts our switch with a node for each tenant.
fn callwright(
    folder: &Path,
    program: &Path,
    rule: Option<&PathBuf>,
    tenants: &[&str],
) -> anyhow::Result<Started> {
    let mut text = format!("nodes = {}\n{}", tenants.len(), head());
    for name in tenants {
        text.push_str(&tenant(name));
        text.push_str(&caller(name));
        for user in 0..USERS {
            write!(
                text,
                "[tenants.{name}.users.n{user:05}]\nextension = \"u{user:05}\"\n\
                 devices.d{user:05} = {{ label = \"desk\", contact = \"sip:d{user}@{CALLEES}\" }}\n"
            )?;
        }
    }
    switch(folder, program, rule, &text, tenants)
}

/// What our configurations begin with.
pub(super) fn head() -> String {
    let default = TENANTS[0];
    format!(
        "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\ndefault-tenant = \"{default}\"\nlog = \"warn\"\n"
    )
}

/// A tenant of which nothing is held up; its people and their devices follow.
pub(super) fn tenant(name: &str) -> String {
    format!(
        "[tenants.{name}]\ndomains = [\"{name}.example\"]\nzone = \"UTC\"\ntrusted = [\"127.0.0.1\"]\n\
         rules = {{ runs-max = 10000, fuel-per-s = 1000000000000 }}\n"
    )
}

/// Who calls, believed by the address.
pub(super) fn caller(tenant: &str) -> String {
    format!(
        "[tenants.{tenant}.users.caller]\n\
         devices.caller = {{ label = \"caller\", contact = \"sip:127.0.0.1:27100\" }}\n"
    )
}

/// A line of what sipp reads: who is called, and the domain of who calls.
pub(super) fn called(user: impl std::fmt::Display, tenant: &str) -> String {
    format!("{user};{tenant}.example;\n")
}

/// Starts our switch with this configuration, and the rule in each tenant where there is one.
pub(super) fn switch(
    folder: &Path,
    program: &Path,
    rule: Option<&PathBuf>,
    configuration: &str,
    tenants: &[&str],
) -> anyhow::Result<Started> {
    std::fs::write(folder.join("switch.toml"), configuration)?;
    let output = folder.join("started.json");
    let mut command = Command::new(program);
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
    for (tenant, rule) in tenants.iter().zip(rule.into_iter().cycle()) {
        let mut push = Command::new(program);
        push.args(["rule", "push", "--activate"]).arg(rule).current_dir(folder);
        push.env("CALLWRIGHT_SERVER", format!("http://{http}")).env("CALLWRIGHT_TOKEN", token);
        push.env("CALLWRIGHT_TENANT", tenant).stdin(Stdio::null()).stdout(Stdio::null());
        shell::Budget::unbounded().run(&mut push)?;
    }
    Ok(Started { running, address: sip.parse()? })
}

fn into(mut command: Command, log: &File) -> std::io::Result<Command> {
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    Ok(command)
}

/// The users of a peer as sipp reads them: one after the other, since a phone that is called too often at once is busy.
pub(super) fn users(peer: Peer) -> String {
    let tenants = if peer == Peer::CallwrightTwo { &TENANTS[..] } else { &TENANTS[..1] };
    let lines =
        (0..USERS).flat_map(|user| tenants.iter().map(move |tenant| called(format!("u{user:05}"), tenant)));
    format!("SEQUENTIAL\n{}", lines.collect::<String>())
}
