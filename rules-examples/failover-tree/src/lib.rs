//! The failover tree of a number that must not fail: one site, else the other, else an answering service. What cannot be
//! reached is skipped without ringing into nothing, and the explanation says so.
//!
//! Settings: `tree` names places in their order (`site-a site-b answering-service`), `rings-s` is how long each rings (20).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let tree = settings::text("tree").unwrap_or_else(|| "site-a site-b answering-service".to_owned());
    let seconds = settings::number("rings-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(20);
    for name in tree.split_whitespace() {
        let place = directory::find_place(name)?;
        if !presence::reachable(&place) {
            call.because(&format!("{name} is not reachable"));
            continue;
        }
        match call.ring(Ring::of([&place])?, secs(seconds))? {
            Outcome::Answered(_) => return Ok(()),
            // Somebody looked at the call and said no: it is not tried elsewhere.
            Outcome::Declined => return Ok(call.conclude()?),
            outcome => call.because(&format!("{name}: {outcome}")),
        }
    }
    Ok(call.conclude()?)
}

callwright_guest::rule!(handle_call);
