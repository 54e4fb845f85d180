//! Rings desk and soft phone together and the mobile a little later; the first to answer gets the call.
//!
//! Setting: `mobile-after-s` is how many seconds the others have to themselves (10).

use callwright_guest::prelude::*;

/// How long the mobile rings before the call moves on.
const MOBILE_RINGS_S: u32 = 20;

fn handle_call(call: &Call) -> Result<(), String> {
    let wait_s =
        settings::number("mobile-after-s").and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(10);
    let ring = Ring::new();
    for device in call.dialled_user()?.devices() {
        let leg = Leg::new(&device);
        if device.label() == "mobile" {
            leg.start_after(secs(wait_s));
        }
        ring.add(leg)?;
    }
    let outcome = call.ring(ring, secs(wait_s.saturating_add(MOBILE_RINGS_S)))?;
    if let Outcome::Answered(_) = outcome {
        return Ok(());
    }
    call.because(&format!("neither desk, soft phone nor mobile took the call: {outcome}"));
    Ok(call.standard()?)
}

callwright_guest::rule!(handle_call);
