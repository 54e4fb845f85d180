//! A team that knows its callers: who talked with them last rings first, the others join, and nobody is rung in vain.
//!
//! Settings: `group` is the team (support), `hours` when it is there (office), `rings-s` how long it rings (25), `night` what
//! rings instead. A caller in the table `teams` gets the team that stands beside them.

use callwright_guest::prelude::*;

/// How many are rung for one call, and how long after each other they start.
const PEOPLE: u32 = 3;
const STEP_S: u32 = 6;
/// For so many days a caller is remembered.
const DAYS: u32 = 30;

fn handle_call(call: &Call) -> Result<(), String> {
    let text = |key, default: &str| settings::text(key).unwrap_or_else(|| default.to_owned());
    let time_ms = secs(settings::number("rings-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(25));
    let hours = schedule::hours(&text("hours", "office"))?;
    if !hours.is_open() {
        call.because(&format!("closed: {}", hours.why()));
        return night(call, time_ms);
    }
    // A tenant without that table has one team.
    let special = directory::listed("teams", &call.caller()).ok().flatten();
    let group = directory::find_group(&special.unwrap_or_else(|| text("group", "support")))?;
    let mut people = free(&group, time_ms)?;
    if let Some(known) = stats::last_agent(&call.caller(), DAYS)? {
        let known = known.id();
        people.sort_by_key(|person| person.id() != known);
        if people.first().is_some_and(|first| first.id() == known) {
            call.because(&format!("{known} talked with this caller last"));
        }
    }
    if people.is_empty() {
        return night(call, time_ms);
    }
    let ring = Ring::new();
    for (person, turn) in people.iter().zip(0..) {
        for device in person.devices() {
            let leg = Leg::new(&device);
            leg.start_after(secs(STEP_S * turn));
            ring.add(leg)?;
        }
    }
    match call.ring(ring, time_ms)? {
        Outcome::Answered(_) => Ok(()),
        _ => night(call, time_ms),
    }
}

/// Who is free, those with the fewest calls first, and for no other call meanwhile.
fn free(group: &Group, time_ms: u32) -> Result<Vec<User>, String> {
    let roster = Roster::new(group);
    roster.only(&[State::Available]);
    roster.sort(&Order::FewestCalls);
    Ok(roster.take(PEOPLE, time_ms)?)
}

/// Nobody of the team takes the call.
fn night(call: &Call, time_ms: u32) -> Result<(), String> {
    if let Some(night) = settings::place("night")
        && let Outcome::Answered(_) = call.ring(Ring::of([&night])?, time_ms)?
    {
        return Ok(());
    }
    Ok(call.conclude()?)
}

callwright_guest::rule!(handle_call);
