//! One number around the clock: it rings the team whose office is open, each by opening hours in its own zone.
//!
//! Settings: `teams` names groups, the nearest first (`berlin sydney chicago`); opening hours of the same name say when each
//! works. `rings-s` is how many seconds a team has (25), `night` who is rung where none is open, such as an answering service.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let teams = settings::text("teams").unwrap_or_else(|| "berlin sydney chicago".to_owned());
    let seconds = settings::number("rings-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(25);
    for name in teams.split_whitespace() {
        let opening = schedule::hours(name)?;
        if !opening.is_open() {
            call.because(&format!("{name} is closed: {}", opening.why()));
            continue;
        }
        let team = directory::find_group(name)?.whole();
        if !presence::reachable(&team) {
            call.because(&format!("{name} is open, and none of its phones can be reached"));
            continue;
        }
        let outcome = call.ring(Ring::of([&team])?, secs(seconds))?;
        if let Outcome::Answered(_) = outcome {
            return Ok(());
        }
        call.because(&format!("{name}: {outcome}"));
    }
    if let Some(night) = settings::place("night")
        && let Outcome::Answered(_) = call.ring(Ring::of([&night])?, secs(seconds))?
    {
        return Ok(());
    }
    Ok(call.conclude()?)
}

callwright_guest::rule!(handle_call);
