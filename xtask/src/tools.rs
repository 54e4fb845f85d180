//! What the commands need on the machine, installed on demand: Debian's packages, rustup's components, tools of cargo's. Each is
//! a matter of milliseconds when it is there, and an error with the command to run when it cannot be had.

use std::path::PathBuf;

use anyhow::bail;

use crate::shell::{self, Budget};

/// A program and the Debian package that brings it.
struct Program {
    name: &'static str,
    package: &'static str,
}

const COMPILER: &[Program] = &[Program { name: "cc", package: "build-essential" }];

/// What the real phones need.
const PHONES: &[Program] = &[
    Program { name: "sipp", package: "sip-tester" },
    Program { name: "baresip", package: "baresip-core" },
    Program { name: "sox", package: "sox" },
    Program { name: "ip", package: "iproute2" },
    Program { name: "unshare", package: "util-linux" },
];

/// What calls are measured with, and beside.
const LOAD: &[Program] =
    &[Program { name: "sipp", package: "sip-tester" }, Program { name: "kamailio", package: "kamailio" }];
/// What instructions are counted with, and called meanwhile.
const COUNTING: &[Program] = &[
    Program { name: "sipp", package: "sip-tester" },
    Program { name: "valgrind", package: "valgrind" },
    Program { name: "unshare", package: "util-linux" },
];
/// Kamailio's other languages are modules, which `PATH` does not show.
const KAMAILIO_MODULES: [(&str, &str); 2] =
    [("app_lua.so", "kamailio-lua-modules"), ("app_python3.so", "kamailio-python3-modules")];

/// The cargo-deny that is built where none is found; newer ones read the same configuration.
const CARGO_DENY: &str = "0.20.2";
/// The cargo-fuzz that is built where none is found.
const CARGO_FUZZ: &str = "0.13.2";

/// SQLite is compiled from C, and the standard rule, which the binary carries, for WebAssembly.
pub(crate) fn ensure_compiler() -> anyhow::Result<()> {
    ensure(COMPILER)?;
    crate::guests::ensure_toolchain().map(drop)
}

/// sipp, baresip and what the tests of them use.
pub(crate) fn ensure_phones() -> anyhow::Result<()> {
    ensure(PHONES)
}

/// sipp and valgrind.
pub(crate) fn ensure_counting() -> anyhow::Result<()> {
    ensure(COUNTING)
}

/// sipp, and Kamailio with Lua and Python.
pub(crate) fn ensure_kamailio() -> anyhow::Result<()> {
    ensure(LOAD)?;
    let folders = std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path().join("kamailio/modules"));
    let folders: Vec<PathBuf> = folders.collect();
    for (module, package) in KAMAILIO_MODULES {
        let is_there = || folders.iter().any(|folder| folder.join(module).is_file());
        if is_there() {
            continue;
        }
        shell::say(&format!("installing {package}"));
        if !apt_get(&["install", "-y", "--no-install-recommends"], &[package]) || !is_there() {
            bail!("`{module}` is missing and could not be installed; run: sudo apt-get install -y {package}");
        }
    }
    Ok(())
}

/// `rustfmt` and `clippy` of the pinned toolchain.
pub(crate) fn ensure_component(component: &str) -> anyhow::Result<()> {
    let subcommand = if component == "rustfmt" { "fmt" } else { component };
    if shell::succeeds(shell::cargo().args([subcommand, "--version"])) {
        return Ok(());
    }
    shell::say(&format!("installing the toolchain's {component}"));
    match Budget::unbounded().run(shell::program("rustup").args(["component", "add", component])) {
        Ok(()) => Ok(()),
        Err(error) => bail!("{component} is missing ({error:#}); run: rustup component add {component}"),
    }
}

/// The path of a cargo-deny: the one installed, else one of our own under `target/`, built once.
pub(crate) fn ensure_cargo_deny(budget: Budget) -> anyhow::Result<PathBuf> {
    // Without what it needs for advisories alone.
    ensure_built(budget, "cargo-deny", CARGO_DENY, &["--no-default-features"], is_recent)
}

/// The path of a cargo-fuzz, in the same way.
pub(crate) fn ensure_cargo_fuzz(budget: Budget) -> anyhow::Result<PathBuf> {
    ensure_built(budget, "cargo-fuzz", CARGO_FUZZ, &[], |version| version.starts_with("cargo-fuzz 0.1"))
}

/// A tool of cargo's: the one installed if it `suits` by what it says of its version, else one of our own.
fn ensure_built(
    budget: Budget,
    name: &str,
    version: &str,
    words: &[&str],
    suits: fn(&str) -> bool,
) -> anyhow::Result<PathBuf> {
    let tools = shell::target().join("tools");
    let own = tools.join("bin").join(name);
    for found in [PathBuf::from(name), own.clone()] {
        if shell::output(shell::program(&found).arg("--version")).is_some_and(|text| suits(&text)) {
            return Ok(found);
        }
    }
    shell::say(&format!("building {name}, once (one to three minutes on two cores)"));
    // Without optimisation: it runs for seconds, and takes minutes longer to build with it.
    let install = ["install", name, "--locked", "--debug", "--version", version];
    match budget.run(shell::cargo().args(install).args(words).arg("--root").arg(&tools)) {
        Ok(()) => Ok(own),
        Err(error) => bail!("{name} is missing ({error:#}); run: cargo install {name} --locked"),
    }
}

/// Whether `cargo-deny 0.20.2` is new enough for `deny.toml`.
fn is_recent(version: &str) -> bool {
    let minor = version.trim().strip_prefix("cargo-deny 0.").and_then(|rest| rest.split('.').next());
    minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= 18)
}

fn ensure(programs: &[Program]) -> anyhow::Result<()> {
    let packages: Vec<&str> = programs.iter().filter(|it| !is_there(it.name)).map(|it| it.package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let wanted = packages.join(" ");
    shell::say(&format!("installing {wanted}"));
    // A second attempt after an update: the lists of a fresh machine are empty or old.
    let installed = apt_get(&["install", "-y", "--no-install-recommends"], &packages)
        || (apt_get(&["update"], &[]) && apt_get(&["install", "-y", "--no-install-recommends"], &packages));
    let missing = programs.iter().find(|it| !is_there(it.name));
    match missing {
        None => Ok(()),
        Some(program) if installed => {
            bail!("`{}` is still missing after installing {wanted}", program.name)
        }
        Some(program) => bail!(
            "`{}` is missing and could not be installed; run: sudo apt-get update && sudo apt-get install -y {wanted}",
            program.name
        ),
    }
}

/// Runs `apt-get`, through `sudo` for whoever is not root; unattended, `sudo` must not ask.
fn apt_get(verb: &[&str], packages: &[&str]) -> bool {
    let mut command = if rustix::process::geteuid().is_root() {
        shell::program("apt-get")
    } else {
        let mut sudo = shell::program("sudo");
        if shell::unattended() {
            sudo.arg("-n");
        }
        sudo.arg("apt-get");
        sudo
    };
    command.args(verb).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    Budget::unbounded().run(&mut command).is_ok()
}

/// Whether a program is in `PATH`, or where Debian puts the administrator's programs.
fn is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(administrators).any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::is_recent;

    #[test]
    fn a_cargo_deny_that_does_not_know_our_configuration_is_not_used() {
        assert!(is_recent("cargo-deny 0.20.2\n"));
        assert!(is_recent("cargo-deny 0.18.0"));
        assert!(!is_recent("cargo-deny 0.14.2"));
        assert!(!is_recent("error: no such command"));
    }
}
