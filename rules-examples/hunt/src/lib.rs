//! Rings the people of a group one at a time: whose last call is over longest comes first, and nobody is rung by two calls.
//!
//! Settings: `group` is whose people are rung (sales), `tries` how many of them (4), `rings-s` how many seconds each has (15),
//! `last` what rings when nobody took the call.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let number = |key, default| settings::number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let group = directory::find_group(&settings::text("group").unwrap_or_else(|| "sales".to_owned()))?;
    let time_ms = secs(number("rings-s", 15));
    let mut tried = Vec::new();
    for _ in 0..number("tries", 4) {
        let Some(person) = longest_idle(&group, &tried, time_ms)? else { break };
        call.because(&format!("{} has had no call for {} s", person.name(), stats::idle_s(&person)?));
        let ring = Ring::of(&person.devices())?;
        ring.keep_unmissed();
        if let Outcome::Answered(_) = call.ring(ring, time_ms)? {
            return Ok(());
        }
        tried.push(person);
    }
    if let Some(last) = settings::place("last") {
        call.because("nobody of the group took the call");
        if let Outcome::Answered(_) = call.ring(Ring::of([&last])?, time_ms)? {
            return Ok(());
        }
    }
    Ok(call.conclude()?)
}

/// Who is free for longest, and from now on for no other call.
fn longest_idle(group: &Group, tried: &[User], time_ms: u32) -> Result<Option<User>, String> {
    let roster = Roster::new(group);
    roster.only(&[State::Available]);
    roster.sort(&Order::LongestIdle);
    for person in tried {
        roster.without(person);
    }
    Ok(roster.take(1, time_ms)?.pop())
}

callwright_guest::rule!(handle_call);
