//! An incident must reach somebody, and soon: whoever has the duty alone, then the next in line beside them, then everybody
//! of the team, also those who talk. Nobody waits for a phone that is off or says no.
//!
//! Settings: `rota` is the duty (`incident`), `team` the group that is rung at last (`incident`), `step-s` how many seconds
//! each step has (15). `bridge` is where the call ends when nobody of them answers, such as `place:noc`.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let rota = settings::text("rota").unwrap_or_else(|| "incident".to_owned());
    let team = settings::text("team").unwrap_or_else(|| "incident".to_owned());
    let step_ms = secs(settings::number("step-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(15));
    let ring = Ring::new();
    // A rota may have a gap, and its next in line all the same.
    for turn in 0..2 {
        let Ok(engineer) = schedule::on_duty(&rota, turn) else { continue };
        call.because(&format!("{} has turn {turn} of {rota}", engineer.name()));
        for device in engineer.devices() {
            let leg = Leg::new(&device);
            leg.start_after(step_ms * turn);
            ring.add(leg)?;
        }
    }
    if let Outcome::Answered(_) = call.ring(ring, step_ms * 2)? {
        return Ok(());
    }
    let everybody = Ring::of([&directory::find_group(&team)?.whole()])?;
    everybody.ring_busy();
    if let Outcome::Answered(_) = call.ring(everybody, step_ms)? {
        return Ok(());
    }
    if let Some(bridge) = settings::place("bridge") {
        call.because(&format!("nobody of {team} answers"));
        if let Outcome::Answered(_) = call.ring(Ring::of([&bridge])?, step_ms * 2)? {
            return Ok(());
        }
    }
    Ok(call.conclude()?)
}

callwright_guest::rule!(handle_call);
