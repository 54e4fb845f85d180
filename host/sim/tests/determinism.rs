//! The same seed gives the same world, byte for byte, in another process too.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

use std::path::Path;
use std::process::Command;

use callwright_rules::{Engine, EngineLimits};
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::scenario::{parse, run};
use callwright_sim::swarm::{Swarm, replay};

/// Set in the process that only tells its digests.
const TELLS: &str = "CALLWRIGHT_TELLS_DIGESTS";
/// Random worlds that are compared, besides all scenarios.
const SEEDS: u64 = 40;

#[test]
fn another_process_plays_every_scenario_and_seed_the_same_way() {
    let own = digests();
    if std::env::var_os(TELLS).is_some() {
        own.iter().for_each(|line| println!("digest {line}"));
        return;
    }
    let this_test = "another_process_plays_every_scenario_and_seed_the_same_way";
    let told = Command::new(std::env::current_exe().unwrap())
        .args([this_test, "--exact", "--nocapture"])
        .env(TELLS, "1")
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let other: Vec<_> =
        told.lines().filter_map(|line| line.split_once("digest ").map(|(_, digest)| digest)).collect();
    assert_eq!(own, other);
}

/// One line a world: its name and the digest of everything that happened in it.
fn digests() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(8, 65_530)).unwrap(), &root);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let scenarios =
        files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "scenario")).map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let scenario = parse(&name, &std::fs::read_to_string(file).unwrap()).unwrap();
            format!("{name} {}", run(&scenario, &shelf, &folder).unwrap().digest)
        });
    let seeds =
        (0..SEEDS).map(|seed| format!("seed {seed} {}", replay(&Swarm::default(), seed).trace.digest()));
    scenarios.chain(seeds).collect()
}
