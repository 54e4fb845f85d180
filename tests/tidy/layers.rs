//! The layers of ARCHITECTURE.md, read from `cargo metadata`: a crate depends on lower ones alone, each heavy library has
//! one home, and what runs inside the sandbox depends on nothing of the host.

use std::process::Command;

use serde_json::Value;

use crate::tree::{Offences, none, root};

/// The crates of the host by layer.
const LAYERS: [(&str, u8); 9] = [
    ("callwright-sip", 0),
    ("callwright-media", 0),
    ("callwright-core", 1),
    ("callwright-config", 2),
    ("callwright-rules", 2),
    ("callwright-store", 2),
    ("callwright-api", 3),
    ("callwright-sim", 3),
    ("callwright", 4),
];

/// Crates beside the layers, which nothing may depend on.
const BESIDE: [&str; 4] = ["callwright-bench", "callwright-bench-rules", "callwright-tests", "xtask"];

/// Libraries that only these crates of ours may use, tests excepted.
const HOMES: [(&str, &[&str]); 8] = [
    ("anyhow", &["callwright", "callwright-bench", "callwright-bench-rules", "callwright-tests", "xtask"]),
    ("axum", &["callwright-api", "callwright"]),
    ("clap", &["callwright", "xtask"]),
    ("rusqlite", &["callwright-store"]),
    (
        "serde_json",
        &[
            "callwright-bench-rules",
            "callwright-config",
            "callwright-rules",
            "callwright-store",
            "callwright-api",
            "callwright-sim",
            "callwright",
            "xtask",
        ],
    ),
    ("tokio", &["callwright-api", "callwright"]),
    ("toml", &["callwright-config", "callwright-rules"]),
    ("wasmtime", &["callwright-rules"]),
];

/// One dependency of a crate of ours.
struct Edge {
    from: String,
    to: String,
    only_tests: bool,
    path: Option<String>,
}

fn edges(manifest: &str) -> Vec<Edge> {
    let words = ["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path", manifest];
    let output = Command::new(env!("CARGO")).args(words).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    edges_of(&serde_json::from_slice(&output.stdout).unwrap())
}

fn edges_of(metadata: &Value) -> Vec<Edge> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap() {
            edges.push(Edge {
                from: text(&package["name"]),
                to: text(&dependency["name"]),
                only_tests: dependency["kind"] == "dev",
                path: dependency["path"].as_str().map(str::to_owned),
            });
        }
    }
    edges
}

fn layer(package: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == package).map(|(_, layer)| *layer)
}

fn wrong_layers(edges: &[Edge]) -> Offences {
    let mut offences = Offences::new();
    for Edge { from, to, path, .. } in edges.iter().filter(|edge| edge.path.is_some()) {
        match (layer(from), layer(to)) {
            _ if BESIDE.contains(&to.as_str()) => {
                offences.push(format!("{from} depends on {to}: nothing may"));
            }
            (Some(above), Some(below)) if below >= above => {
                offences
                    .push(format!("{from} (layer {above}) depends on {to} (layer {below}): only lower ones"));
            }
            (_, None) => offences.push(format!("{to} ({path:?}) has no layer in tests/tidy/layers.rs")),
            (None, Some(_)) if !BESIDE.contains(&from.as_str()) => {
                offences.push(format!("{from} has no layer in tests/tidy/layers.rs"));
            }
            (Some(_) | None, Some(_)) => {}
        }
    }
    offences
}

fn away_from_home(edges: &[Edge]) -> Offences {
    let mut offences = Offences::new();
    for edge in edges.iter().filter(|edge| !edge.only_tests) {
        let Some((_, homes)) = HOMES.iter().find(|(library, _)| *library == edge.to) else { continue };
        if !homes.contains(&edge.from.as_str()) {
            offences.push(format!("{} uses {}, which belongs to {}", edge.from, edge.to, homes.join(", ")));
        }
    }
    offences
}

/// What a rule is built from: the SDK, the WIT, and libraries from outside.
fn host_in_guest(edges: &[Edge]) -> Offences {
    let inside = |path: &str| {
        let rest = path.strip_prefix(root().to_str().unwrap()).unwrap_or(path);
        rest.starts_with("/guest-sdk/") || rest.starts_with("/rules-examples/")
    };
    let outside = edges.iter().filter(|edge| edge.path.as_deref().is_some_and(|path| !inside(path)));
    outside
        .map(|edge| format!("{} depends on {}: a guest knows wit/ and its SDK alone", edge.from, edge.to))
        .collect()
}

#[test]
fn a_crate_depends_on_lower_layers_alone() {
    none(&wrong_layers(&edges("Cargo.toml")));
}

#[test]
fn a_heavy_library_stays_in_its_home() {
    none(&away_from_home(&edges("Cargo.toml")));
}

#[test]
fn guests_depend_on_the_wit_and_the_sdk_alone() {
    none(&host_in_guest(&edges("guest-sdk/Cargo.toml")));
}

fn planted(from: &str, to: &str, path: Option<&str>, only_tests: bool) -> Vec<Edge> {
    vec![Edge { from: from.to_owned(), to: to.to_owned(), path: path.map(str::to_owned), only_tests }]
}

#[test]
fn a_dependency_upwards_or_sideways_is_found() {
    for (from, to) in [
        ("callwright-core", "callwright-rules"),
        ("callwright-sip", "callwright-media"),
        ("callwright-store", "callwright-rules"),
        ("callwright", "xtask"),
        ("callwright-core", "callwright-helpers"),
        ("callwright-helpers", "callwright-sip"),
    ] {
        assert_eq!(wrong_layers(&planted(from, to, Some("/x"), false)).len(), 1, "{from} -> {to}");
    }
    assert!(wrong_layers(&planted("callwright-rules", "callwright-core", Some("/x"), true)).is_empty());
}

#[test]
fn a_heavy_library_away_from_its_home_is_found() {
    assert_eq!(away_from_home(&planted("callwright-core", "tokio", None, false)).len(), 1);
    assert_eq!(away_from_home(&planted("callwright-sim", "wasmtime", None, false)).len(), 1);
    assert!(away_from_home(&planted("callwright-core", "serde_json", None, true)).is_empty());
}

#[test]
fn a_guest_that_reaches_into_the_host_is_found() {
    let host = root().join("host/core");
    assert_eq!(host_in_guest(&planted("hello-ring", "callwright-core", host.to_str(), false)).len(), 1);
    let sdk = root().join("guest-sdk/rust");
    assert!(host_in_guest(&planted("hello-ring", "callwright-guest", sdk.to_str(), false)).is_empty());
}

#[test]
fn dependencies_are_read_from_the_metadata() {
    let metadata = serde_json::json!({"packages": [{"name": "a", "dependencies": [
        {"name": "b", "kind": null, "path": "/b"}, {"name": "c", "kind": "dev"}]}]});
    let edges = edges_of(&metadata);
    assert!(edges[0].path.as_deref() == Some("/b") && !edges[0].only_tests);
    assert!(edges[1].path.is_none() && edges[1].only_tests);
}
