//! Somebody has left, and their number stays: calls for them reach whoever took over, as that person wants to be reached.
//!
//! Settings: `successor` is the user who took over, `team` is who is rung where the successor does not take the call, and
//! `rings-s` is how many seconds each of them has (25).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let name = settings::text("successor").ok_or("the setting `successor` names nobody")?;
    let seconds = settings::number("rings-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(25);
    let successor = directory::find_user(&name)?;
    call.because(&format!("{} has left, {} took over", call.dialled().name(), successor.name()));
    // With their forwarding, their do-not-disturb, and a rule of their own where they have one.
    let mut last = call.ring(Ring::of([&successor.reach()])?, secs(seconds))?;
    if let (false, Some(team)) = (matches!(last, Outcome::Answered(_)), settings::place("team")) {
        call.because(&format!("{}: {last}", successor.name()));
        last = call.ring(Ring::of([&team])?, secs(seconds))?;
    }
    // The standard rule would ring phones of whoever has left.
    match last {
        Outcome::Answered(_) => Ok(()),
        _ => Ok(call.refuse(&Refusal::TemporarilyUnavailable)?),
    }
}

callwright_guest::rule!(handle_call);
