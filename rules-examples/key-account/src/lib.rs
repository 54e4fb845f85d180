//! A key account reaches the person who knows it, whatever the others do: their phones ring even while they talk, marked as
//! what it is. Everybody else, and a key account whose manager does not answer, takes the way that all calls take.
//!
//! Settings: `table` names who belongs to whom (`key-accounts`), `label` stands before the caller's name (KEY), `rings-s` is
//! how many seconds the manager has (20).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let table = settings::text("table").unwrap_or_else(|| "key-accounts".to_owned());
    let Some(manager) = directory::listed(&table, &call.caller())? else {
        return Ok(call.standard()?);
    };
    let manager = directory::find_user(&manager)?;
    call.because(&format!("the caller stands in {table}, with {}", manager.name()));
    let seconds = settings::number("rings-s").and_then(|n| u32::try_from(n).ok()).unwrap_or(20);
    let label = settings::text("label").unwrap_or_else(|| "KEY".to_owned());
    let ring = Ring::new();
    for device in manager.devices() {
        let leg = Leg::new(&device);
        leg.label(&label);
        ring.add(leg)?;
    }
    ring.ring_busy();
    match call.ring(ring, secs(seconds))? {
        Outcome::Answered(_) => Ok(()),
        outcome => {
            call.because(&format!("{}: {outcome}", manager.name()));
            Ok(call.standard()?)
        }
    }
}

callwright_guest::rule!(handle_call);
