//! Rings whoever has the duty, then the next in line: the published number stays, and the people behind it take turns.
//!
//! Settings: `rota` is the duty (platform), `turns` how many people are tried (2), `rings-s` how many seconds each has (30). A
//! caller in the table `vip` rings the person who stands beside them first.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let rota = settings::text("rota").unwrap_or_else(|| "platform".to_owned());
    let number = |key, default| settings::number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let time_ms = secs(number("rings-s", 30));
    if let Ok(Some(known)) = directory::listed("vip", &call.caller()) {
        call.because(&format!("the caller is {known}'s"));
        if rings(call, &directory::find_user(&known)?, time_ms)? {
            return Ok(());
        }
    }
    for turn in 0..number("turns", 2) {
        // Nobody may have it now, and somebody after that.
        let Ok(engineer) = schedule::on_duty(&rota, turn) else { continue };
        if rings(call, &engineer, time_ms)? {
            return Ok(());
        }
    }
    Ok(call.standard()?)
}

fn rings(call: &Call, who: &User, time_ms: u32) -> Result<bool, String> {
    let outcome = call.ring(Ring::of(&who.devices())?, time_ms)?;
    Ok(matches!(outcome, Outcome::Answered(_)))
}

callwright_guest::rule!(handle_call);
