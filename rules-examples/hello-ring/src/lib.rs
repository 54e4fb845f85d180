//! Rings every device of the person who was dialled for 20 seconds, then gives the call to the tenant's standard rule.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let ring = Ring::of(&call.dialled_user()?.devices())?;
    let outcome = call.ring(ring, secs(20))?;
    if let Outcome::Answered(_) = outcome {
        return Ok(());
    }
    call.because(&format!("none of their devices took the call: {outcome}"));
    Ok(call.standard()?)
}

callwright_guest::rule!(handle_call);
