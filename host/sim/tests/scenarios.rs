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

/// Each says in one sentence why somebody did not get a call.
#[test]
fn every_missed_call_is_explained() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/missed"));
    assert!(files.len() >= 30, "{} cases", files.len());
    let asks = |file: &&PathBuf| !std::fs::read_to_string(file).unwrap().contains("explained as \"");
    let silent: Vec<_> = files.iter().filter(asks).collect();
    assert!(silent.is_empty(), "no sentence is expected: {silent:?}");
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

#[test]
fn a_rule_that_panics_says_why_and_where_in_explanation_journal_and_ladder() {
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(8, 65_530)).unwrap(), &root());
    let text = "user ana 100: desk 1001\nuser bob 101: desk 1011\nrule panics from panics.wasm\nphone 1001 answers after 1s\n\
        call c1 from 1011 to 100\nexpect c1 ran panics trap\nexpect c1 answered by 1001 at 1s\n\
        expect c1 explained \"trapped (unreachable) after logging\"\nexpect c1 cause busy\n";
    let built = root().join("guest-sdk/target/wasm32-unknown-unknown/release");
    let report = run(&parse("x", text).unwrap(), &shelf, &built).unwrap();
    assert_eq!(report.failures.iter().map(|failure| failure.line).collect::<Vec<_>>(), [9]);
    let kept = &report.records[0];
    let words = format!("panicked: no place for call {}, at src/lib.rs:7", kept.record.id);
    assert_eq!(kept.record.log.last().unwrap().message, words);
    let journal = kept.journal.join("\n");
    assert!(journal.contains("\"f\":\"log.write\"") && journal.contains(&words), "{journal}");
    let complaint = report.complaint();
    assert!(complaint.contains("rule logs: panicked: no place for call"), "{complaint}");
}

#[test]
fn a_rule_that_is_not_built_is_one_clear_error_with_the_command() {
    let nowhere = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(8, 65_530)).unwrap(), nowhere.path());
    let scenario = parse("night.scenario", "user ana 100: desk 1001\nrule follow-me").unwrap();
    let error = run(&scenario, &shelf, nowhere.path()).unwrap_err().to_string();
    let wanted = "night.scenario:2: rule `follow-me`: it is not built: `cargo xtask rule build rules-examples/follow-me` makes ";
    assert!(error.starts_with(wanted), "{error}");
}

#[test]
fn what_is_not_met_says_what_came_instead() {
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(8, 65_530)).unwrap(), &root());
    let text = "user ana 100: desk 1001\nuser bob 101: desk 1011\nphone 1001 busy\ncall c1 from 1011 to 100\n\
        expect c1 answered by 1001\nexpect c1 never rings 1001\nexpect 1001 cancelled\nexpect c1 cause no-answer\n";
    let report = run(&parse("x", text).unwrap(), &shelf, &root()).unwrap();
    let got: Vec<_> = report.failures.iter().map(|failure| (failure.line, failure.got.as_str())).collect();
    assert_eq!(
        got,
        [(5, "486 at 0.000s"), (6, "1001 rang at 0.000s"), (7, "neither CANCEL nor BYE"), (8, "busy")]
    );
    assert!(report.complaint().contains("x:5  expect c1 answered by 1001\n"));
}
