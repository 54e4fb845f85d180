//! Builds the standard rule, which the binary carries (ADR 9).
//!
//! It is the same build as that of `cargo xtask rule build rules-examples/standard`, in the same folder, so that whoever has
//! done the one need not wait for the other.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for input in ["rules-examples/standard", "guest-sdk/rust", "guest-sdk/Cargo.toml", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let guests = root.join("guest-sdk");
    let sysroot = sysroot()?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What is set for the host is not meant for a rule.
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_build(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    cargo
        .args(["build", "--quiet", "--release", "--locked", "--package", "standard", "--target", TARGET])
        .arg("--manifest-path")
        .arg(guests.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(guests.join("target"))
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker(&sysroot)?)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C link-arg=-zstack-size=131072");
    if !has_target(&sysroot) {
        cargo.env("RUSTC", private_compiler()?);
    }
    let ended = cargo.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if !ended.success() {
        return Err("the standard rule does not build, see above".to_owned());
    }
    let built = guests.join("target").join(TARGET).join("release/standard.wasm");
    let kept = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?).join("standard.wasm");
    std::fs::copy(&built, kept).map_err(|error| format!("{}: {error}", built.display()))?;
    Ok(())
}

/// Whether a variable of the environment was set by the cargo that runs this, or for what it builds.
fn is_of_this_build(name: &str) -> bool {
    let of_cargo =
        ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PROFILE_", "CARGO_CFG_"];
    let of_rustc = ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC"];
    of_rustc.contains(&name) || of_cargo.iter().any(|start| name.starts_with(start))
}

fn sysroot() -> Result<PathBuf, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output();
    let printed = printed.map_err(|error| format!("rustc does not start: {error}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim_end()))
}

fn linker(sysroot: &Path) -> Result<PathBuf, String> {
    let host = env::var("HOST").map_err(|error| format!("cargo names no HOST: {error}"))?;
    Ok(sysroot.join("lib/rustlib").join(host).join("bin/wasm-component-ld"))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

/// What `cargo xtask` installs where rustup does not have the target.
fn private_compiler() -> Result<PathBuf, String> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let private = cache.map(|cache| cache.join("callwright-wasm-toolchain"));
    private.filter(|private| has_target(&private.join("usr"))).map(|private| private.join("rustc")).ok_or_else(|| {
        format!("Rust has no {TARGET} here: `rustup target add {TARGET}`, or `cargo xtask rule build rules-examples/standard`")
    })
}
