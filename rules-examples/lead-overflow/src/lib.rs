//! A lead must not wait: the person first, and a little later others beside them, who may be quicker.
//!
//! Settings: `backup` joins (`group:sales`) after `primary-s` seconds (12), or at once where the person cannot be rung;
//! everybody together has `rings-s` seconds (40). `alone` takes the person out when the others begin.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let number = |key, default| settings::number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let (primary_ms, whole_ms) = (secs(number("primary-s", 12)), secs(number("rings-s", 40)));
    let ring = Ring::new();
    for device in call.dialled_user()?.devices() {
        let leg = Leg::new(&device);
        if settings::flag("alone").unwrap_or(false) {
            leg.ring_for(primary_ms);
        }
        ring.add(leg)?;
    }
    let backup = settings::place("backup").map_or_else(|| group("sales"), Ok)?;
    let overflow = Leg::new(&backup);
    // Sooner where none of the person's phones is alive any more.
    overflow.start_after(primary_ms);
    ring.add(overflow)?;
    match call.ring(ring, whole_ms)? {
        Outcome::Answered(_) => Ok(()),
        outcome => {
            call.because(&format!("neither the person nor {}: {outcome}", backup.label()));
            Ok(call.conclude()?)
        }
    }
}

fn group(name: &str) -> Result<Destination, String> {
    Ok(directory::find_group(name)?.whole())
}

callwright_guest::rule!(handle_call);
