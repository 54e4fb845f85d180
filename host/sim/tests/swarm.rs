//! Thousands of random worlds, and a planted fault for each invariant that the same worlds must report.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

use std::io::Write as _;
use std::path::Path;

use callwright_rules::{Engine, EngineLimits, Rule};
use callwright_sim::Fault;
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::swarm::{Swarm, replay, run};

/// Worlds of the test command.
const SEEDS: u64 = 2_000;
/// Worlds in which a planted fault must be reported.
const SEEDS_OF_A_FAULT: u64 = 200;

/// The rules of `rules-examples/`, which some worlds use.
fn examples() -> Vec<Rule> {
    let engine = Engine::new(EngineLimits::capped(64, 65_530)).unwrap();
    let shelf = Shelf::new(engine, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    shelf.examples().unwrap_or_else(|error| panic!("{error}"))
}

/// Shown although the test passes: people want to see what the swarm met.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[test]
fn nothing_that_must_not_happen_happens_in_any_world_and_everything_rare_does() {
    let swarm = Swarm { components: examples(), fault: None };
    let outcome = run(&swarm, 0..SEEDS);
    say(&format!("\n{outcome}"));
    if let Some(failure) = &outcome.failure {
        panic!("{outcome}\n{}", replay(&swarm, failure.seed));
    }
    assert_eq!(outcome.worlds, SEEDS);
    assert_eq!(outcome.tally.missing(), [], "never met");
}

#[test]
fn each_planted_fault_is_reported_within_200_worlds() {
    let reports: Vec<_> = Fault::ALL
        .into_iter()
        .map(|fault| {
            let outcome = run(&Swarm { fault: Some(fault), ..Swarm::default() }, 0..SEEDS_OF_A_FAULT);
            let found = outcome.failure.as_ref().map(|failure| (failure.seed, failure.violations.clone()));
            let is_found = found.as_ref().is_some_and(|(_, violations)| {
                violations.iter().any(|violation| violation.invariant == fault.breaks())
            });
            (fault, is_found, found)
        })
        .collect();
    for (fault, _, found) in &reports {
        say(&format!(
            "  planted {fault:?}: {}\n",
            found.as_ref().map_or("not found".to_owned(), |(seed, violations)| format!(
                "seed {seed}, {}",
                violations[0]
            ))
        ));
    }
    let missed: Vec<_> =
        reports.iter().filter(|(_, is_found, _)| !is_found).map(|(fault, _, found)| (fault, found)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_seed_gives_the_same_world_twice() {
    let swarm = Swarm { components: examples(), fault: None };
    for seed in 0..20 {
        assert_eq!(replay(&swarm, seed).trace.digest(), replay(&swarm, seed).trace.digest(), "seed {seed}");
    }
}
