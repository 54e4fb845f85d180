//! Rings the person who was dialled while the company is open, and the night desk while it is closed.
//!
//! Settings: `hours` names the opening hours (`office`), `night` is where calls go outside them (`place:night-desk`).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let name = settings::text("hours").unwrap_or_else(|| "office".into());
    let opening = schedule::hours(&name)?;
    if opening.is_open() {
        call.because(&format!("{name} is open: {}", opening.why()));
        by_day(call)
    } else {
        call.because(&format!("{name} is closed: {}", opening.why()));
        by_night(call)
    }
}

fn by_day(call: &Call) -> Result<(), String> {
    let ring = Ring::of(&call.dialled_user()?.devices())?;
    let outcome = call.ring(ring, secs(20))?;
    if let Outcome::Answered(_) = outcome {
        return Ok(());
    }
    call.because(&format!("none of their devices took the call: {outcome}"));
    Ok(call.standard()?)
}

/// The standard rule would wake the person who was dialled, so a call that the night desk does not take is refused.
fn by_night(call: &Call) -> Result<(), String> {
    let night = match settings::place("night") {
        Some(place) => place,
        None => directory::find_place("night-desk")?,
    };
    let outcome = call.ring(Ring::of([&night])?, secs(25))?;
    if let Outcome::Answered(_) = outcome {
        return Ok(());
    }
    call.because(&format!("{}: {outcome}", night.label()));
    Ok(call.refuse(&Refusal::TemporarilyUnavailable)?)
}

callwright_guest::rule!(handle_call);
