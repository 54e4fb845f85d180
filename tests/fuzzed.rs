//! Every input that was kept for fuzzing holds its property, on the stable compiler.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be read fails them")]

use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "the fuzz targets are crates of their own")]
#[path = "fuzz/admission.rs"]
mod admission;
#[expect(unreachable_pub, reason = "the fuzz targets are crates of their own")]
#[path = "fuzz/properties.rs"]
mod properties;

/// What holds for an input, or the panic that says what does not.
type Property = fn(&[u8]);

/// Every property by the name of its target, its binary and its folder of kept inputs.
const PROPERTIES: [(&str, Property); 7] = [
    ("admission", admission::admission),
    ("configuration", properties::configuration),
    ("digest", properties::digest),
    ("header", properties::header),
    ("message", properties::message),
    ("stream", properties::stream),
    ("uri", properties::uri),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_kept_input_holds_its_property() {
    for (name, property) in PROPERTIES {
        let inputs = folder().join("corpus").join(name);
        let kept = names_in(&inputs);
        assert!(kept.len() >= 5, "{name} has {} inputs to begin with", kept.len());
        for input in kept {
            println!("{name}/{input}");
            property(&std::fs::read(inputs.join(input)).unwrap());
        }
    }
}

#[test]
fn every_property_has_its_target_and_its_inputs() {
    let names = PROPERTIES.map(|(name, _)| name);
    assert_eq!(names_in(&folder().join("corpus")), names);
    assert_eq!(names_in(&folder().join("targets")), names.map(|name| format!("{name}.rs")));
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let binaries = manifest.split("[[bin]]\nname = \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert_eq!(binaries.collect::<Vec<_>>(), names);
}

#[test]
fn kept_inputs_are_not_all_refused() {
    let accepted = |name: &str, accepts: &dyn Fn(Vec<u8>) -> bool| {
        let inputs = folder().join("corpus").join(name);
        names_in(&inputs).iter().any(|input| accepts(std::fs::read(inputs.join(input)).unwrap()))
    };
    assert!(accepted("message", &|bytes| callwright_sip::Message::parse(bytes.into()).is_ok()));
    assert!(accepted("uri", &|bytes| callwright_sip::Uri::parse(bytes).is_ok()));
    assert!(accepted("configuration", &|bytes| {
        callwright_config::parse(&String::from_utf8(bytes).unwrap_or_default(), Path::new("/")).is_ok()
    }));
    assert!(accepted("digest", &|bytes| callwright_sip::digest::Credentials::parse(&bytes.into()).is_ok()));
}
