//! Every order of the events of two phones, of three with a caller who waits, and planted races that must be found.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

use std::io::Write as _;

use callwright_sim::races::{Case, Explored, Flaw, Temper, address, explore, replay};

/// Shown although the test passes: people want to see how many there were.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

fn all(cases: impl IntoIterator<Item = Case>, flaw: Option<Flaw>) -> Explored {
    let mut explored = Explored::default();
    for case in cases {
        explored.add(explore(&case, flaw));
        if explored.failure.is_some() {
            break;
        }
    }
    explored
}

/// Three phones of a caller who waits; `cargo xtask races` plays every caller, and four phones.
fn patient() -> Vec<Case> {
    Case::all(3).into_iter().filter(|case| case.temper == Temper::Patient).collect()
}

#[test]
fn no_order_of_events_breaks_a_call() {
    let mut interleavings = Vec::new();
    for (who, cases) in [("1", Case::all(1)), ("2", Case::all(2)), ("3, and a patient caller", patient())] {
        let explored = all(cases, None);
        if let Some(failure) = &explored.failure {
            panic!("{failure}\n{}", replay(&failure.case, &failure.course, None));
        }
        say(&format!(
            "\n  phones: {who}: {} interleavings, {} events",
            explored.interleavings, explored.events
        ));
        interleavings.push(explored.interleavings);
    }
    assert_eq!(
        interleavings,
        [91, 4_501, 20_640],
        "there are as many orders as there are, and none is left out"
    );
}

#[test]
fn each_planted_race_is_found_with_the_order_that_shows_it() {
    for flaw in Flaw::ALL {
        let cases = Case::all(1).into_iter().chain(Case::all(2)).chain(patient());
        let failure = all(cases, Some(flaw)).failure.unwrap_or_else(|| panic!("{flaw:?} is not found"));
        say(&format!("\n  planted {flaw:?}:\n{failure}"));
        let (case, course) = address(&failure.address()).unwrap();
        let again = replay(&case, &course, Some(flaw));
        assert_eq!((&again.events, &again.wrong), (&failure.events, &failure.wrong));
        assert!(replay(&case, &course, None).wrong.is_empty(), "the switch itself is wrong there");
    }
}
