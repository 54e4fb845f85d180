//! Rules into components: a compiler that has the target, then cargo in the workspace of the rules.
//!
//! The linker `wasm-component-ld` comes with every Rust toolchain and makes a component of a plain `cargo build`, so
//! nothing else is needed but the target's standard library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::shell::{self, Budget};

const TARGET: &str = "wasm32-unknown-unknown";
/// As in `rules-examples/.cargo/config.toml`, which only a cargo in that folder reads.
const LINKER_FLAGS: &str = "-C link-arg=-zstack-size=131072";
/// What `rustup` gets to fetch the target, usually a matter of seconds.
const RUSTUP_TIME: Duration = Duration::from_secs(120);
/// What the other way gets; it takes about 70 s.
const FALLBACK_TIME: Duration = Duration::from_secs(900);

/// A compiler that has the target.
pub(crate) struct Toolchain {
    /// Where it is not the one that builds the host.
    compiler: Option<PathBuf>,
    linker: PathBuf,
}

/// Finds a compiler with the target, and installs what it lacks: with `rustup`, or where that fails from Debian's packages.
pub(crate) fn ensure_toolchain() -> anyhow::Result<Toolchain> {
    let sysroot = PathBuf::from(ask(shell::program("rustc").args(["--print", "sysroot"]))?);
    let version = ask(shell::program("rustc").arg("-vV"))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    let linker = sysroot.join("lib/rustlib").join(host).join("bin/wasm-component-ld");
    if !linker.is_file() {
        bail!(
            "the linker for rules is missing: {}\n  help: it comes with rustup's toolchains: `rustup toolchain install`",
            linker.display()
        );
    }
    if has_target(&sysroot) {
        return Ok(Toolchain { compiler: None, linker });
    }
    let private = private_prefix()?;
    let compiler = Some(private.join("rustc"));
    if has_target(&private.join("usr")) {
        return Ok(Toolchain { compiler, linker });
    }
    shell::say(&format!("adding {TARGET} to the toolchain"));
    let rustup = Budget::of(RUSTUP_TIME).run(shell::program("rustup").args(["target", "add", TARGET]));
    let Err(rustup) = rustup else {
        return Ok(Toolchain { compiler: None, linker });
    };
    shell::say(&format!("{rustup:#}; building the standard library for {TARGET} instead, about 70 s"));
    let script = shell::root().join("xtask/rust-wasm-toolchain.sh");
    if let Err(script) = Budget::of(FALLBACK_TIME).run(shell::program(script).arg(&private)) {
        bail!(
            "Rust has no {TARGET} here, and it could not be installed\n  {rustup:#}\n  {script:#}\n  \
             help: `rustup target add {TARGET}`, in this repository"
        );
    }
    Ok(Toolchain { compiler, linker })
}

/// Builds rules of `rules-examples/`, by the names of their folders. Returns their components in the same order.
pub(crate) fn build(examples: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = shell::root().join("rules-examples");
    let manifests = examples.iter().map(|name| folder.join(name).join("Cargo.toml")).collect::<Vec<_>>();
    if let Some(absent) = manifests.iter().find(|manifest| !manifest.is_file()) {
        bail!("there is no such rule: {}", absent.display());
    }
    let mut command = cargo_build(&ensure_toolchain()?, &shell::root().join("guest-sdk/Cargo.toml"));
    for name in examples {
        command.args(["--package", name]);
    }
    if shell::unattended() {
        command.arg("--locked");
    }
    let built = components(&mut command)?;
    manifests.iter().map(|manifest| component_of(&built, manifest)).collect()
}

/// Builds every rule of `rules-examples/`. Returns their components, ordered by name.
pub(crate) fn build_all() -> anyhow::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(shell::root().join("rules-examples"))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            names.extend(path.file_name().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    build(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Builds the rule whose crate is in a folder, wherever that is. Returns its component.
pub(crate) fn build_path(path: &Path) -> anyhow::Result<PathBuf> {
    let manifest = path.join("Cargo.toml").canonicalize().map_err(|error| {
        let shown = path.display();
        anyhow!("there is no rule in {shown}: its Cargo.toml: {error}\n  help: `cargo xtask rule new NAME` makes one in rules-examples/NAME")
    })?;
    let built = components(&mut cargo_build(&ensure_toolchain()?, &manifest))?;
    component_of(&built, &manifest)
}

/// The crate's manifest and its component.
type Built = (PathBuf, PathBuf);

/// The component of one crate, with the rule's `rule.toml` beside it under the same name.
fn component_of(built: &[Built], manifest: &Path) -> anyhow::Result<PathBuf> {
    let found = built.iter().find(|(of, _)| of == manifest);
    let (_, component) = found.with_context(|| {
        format!(
            "{} builds no component\n  help: it needs `[lib]` with `crate-type = [\"cdylib\"]`",
            manifest.display()
        )
    })?;
    // An upload is the component and this file: the copy keeps them together.
    let about = manifest.with_file_name("rule.toml");
    std::fs::copy(&about, component.with_extension("toml")).map_err(|error| {
        let shown = about.display();
        anyhow!("{shown}: {error}\n  help: it holds the rule's name, fallback, bindings and settings")
    })?;
    Ok(component.clone())
}

/// All rules share one target folder, so that the SDK is compiled once.
fn cargo_build(toolchain: &Toolchain, manifest: &Path) -> Command {
    let mut command = shell::cargo();
    command
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(shell::root().join("guest-sdk/target"))
        .arg("--manifest-path")
        .arg(manifest)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &toolchain.linker)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", LINKER_FLAGS)
        .envs(toolchain.compiler.iter().map(|compiler| ("RUSTC", compiler)));
    command
}

/// Runs cargo, its progress going where ours goes, and reads from its messages what it made.
fn components(command: &mut Command) -> anyhow::Result<Vec<Built>> {
    let ended = command.stderr(Stdio::inherit()).output().context("cargo could not be started")?;
    if !ended.status.success() {
        bail!("the rule does not build, see above");
    }
    let messages = String::from_utf8(ended.stdout).context("cargo's messages are not UTF-8")?;
    Ok(messages.lines().filter_map(component_in).collect())
}

/// A component that one of cargo's messages tells of.
fn component_in(message: &str) -> Option<Built> {
    let message: Value = serde_json::from_str(message).ok()?;
    let component = message.get("filenames")?.as_array()?.iter().find_map(|file| {
        let file = Path::new(file.as_str()?);
        file.extension().is_some_and(|extension| extension == "wasm").then(|| file.to_owned())
    })?;
    Some((message.get("manifest_path")?.as_str()?.into(), component))
}

/// What a program prints, without the end of the line.
fn ask(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{name}` could not be started"))?;
    if !ended.status.success() {
        bail!("`{name}` failed: {}", ended.status);
    }
    Ok(String::from_utf8(ended.stdout)
        .with_context(|| format!("`{name}` printed no text"))?
        .trim_end()
        .to_owned())
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

/// Where the compiler from Debian's packages is kept; `cargo clean` does not reach it.
fn private_prefix() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("callwright-wasm-toolchain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_a_component_is_an_error_that_says_what_it_needs() {
        let built = r#"{"reason":"compiler-artifact","manifest_path":"/r/hello/Cargo.toml","filenames":["/t/hello.wasm"]}"#;
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/r/sdk/Cargo.toml","filenames":["/t/libsdk.rlib"]}"#;
        let built: Vec<Built> = [library, built, "not JSON"].into_iter().filter_map(component_in).collect();

        assert_eq!(built, [("/r/hello/Cargo.toml".into(), "/t/hello.wasm".into())]);
        let error = component_of(&built, Path::new("/r/sdk/Cargo.toml")).unwrap_err().to_string();
        assert!(error.contains("cdylib"), "{error}");
    }

    #[test]
    fn a_folder_without_a_crate_is_an_error_that_says_how_to_begin() {
        let error = format!("{:#}", build_path(Path::new("/nonexistent/rule")).unwrap_err());
        let (cause, help) = error.split_once("\n  help: ").unwrap();
        assert!(cause.contains("/nonexistent/rule") && cause.contains("No such file"), "{error}");
        assert!(help.starts_with("`cargo xtask rule new NAME`"), "{error}");
    }
}
