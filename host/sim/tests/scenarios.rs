//! Plays every scenario of this crate and of the example rules: the name of a file is the rule that it proves.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

use std::path::{Path, PathBuf};

use callwright_rules::{Engine, EngineLimits};
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::scenario::{parse, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|ending| ending == "scenario"))
        .collect();
    files.sort();
    files
}

/// Plays each file twice and returns what was wrong.
fn play_all(files: &[PathBuf]) -> Vec<String> {
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(64, 65_530)).unwrap(), &root());
    let only = std::env::var("SCENARIO").ok();
    let wanted =
        |file: &&PathBuf| only.as_ref().is_none_or(|only| file.to_string_lossy().contains(only.as_str()));
    let play = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).unwrap();
        let beside = file.parent().unwrap();
        let scenario = parse(&name, &text).map_err(|error| error.to_string())?;
        let report = run(&scenario, &shelf, beside).map_err(|error| error.to_string())?;
        let again = run(&scenario, &shelf, beside).map_err(|error| error.to_string())?;
        match report.complaint() {
            complaint if !complaint.is_empty() => Err(complaint),
            _ if report.digest != again.digest => Err(format!("{name}: two runs of one scenario differ")),
            _ => Ok(()),
        }
    };
    files.iter().filter(wanted).filter_map(|file| play(file).err()).collect()
}

#[test]
fn every_scenario_of_the_simulator_holds() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    assert!(!files.is_empty());
    let wrong = play_all(&files);
    assert!(wrong.is_empty(), "{} scenarios fail\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_scenario_of_the_example_rules_holds() {
    let examples = std::fs::read_dir(root().join("rules-examples")).unwrap();
    let mut folders: Vec<_> = examples
        .map(|entry| entry.unwrap().path().join("scenarios"))
        .filter(|folder| folder.is_dir())
        .collect();
    folders.sort();
    let files: Vec<_> = folders.iter().flat_map(|folder| files(folder)).collect();
    assert!(!files.is_empty());
    let wrong = play_all(&files);
    assert!(wrong.is_empty(), "{} scenarios fail\n\n{}", wrong.len(), wrong.join("\n"));
}
