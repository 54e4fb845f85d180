//! The assistant takes an executive's calls, the executive those that must not wait: of the inner circle, and of callers who
//! have tried in vain often enough.
//!
//! Settings: `assistant` is the user who comes first (assistant), `office` the group that comes last (board-office),
//! `urgent-calls` after how many calls in vain a caller is let through (3), `rings-s` how long each step rings (15).

use callwright_guest::prelude::*;

/// This hour and the one before it.
const HOURS: u32 = 2;

fn handle_call(call: &Call) -> Result<(), String> {
    let boss = directory::find_user(&call.for_user().ok_or("the rule is bound to no person")?)?;
    let number = |key, default| settings::number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let time_ms = secs(number("rings-s", 15));
    if let Entry::Nested(rule) = call.entered() {
        // Whoever rings a person from within a rule means them and nobody else.
        call.because(&format!("rung from within {rule}"));
        return match rings(call, &boss.devices(), true, time_ms)? {
            true => Ok(()),
            false => Ok(call.conclude()?),
        };
    }
    let text = |key, default: &str| settings::text(key).unwrap_or_else(|| default.to_owned());
    let is_urgent = is_urgent(call, number("urgent-calls", 3))?;
    if !is_urgent {
        let assistant = directory::find_user(&text("assistant", "assistant"))?;
        if rings(call, &[assistant.reach()], false, time_ms)? {
            return Ok(());
        }
    }
    let is_free = presence::of_user(&boss)?.state() == State::Available;
    if (is_urgent || is_free) && rings(call, &boss.devices(), is_urgent, time_ms)? {
        return Ok(());
    }
    let office = directory::find_group(&text("office", "board-office"))?;
    if rings(call, &[office.whole()], false, time_ms)? {
        return Ok(());
    }
    Ok(call.conclude()?)
}

/// Whether a caller is let through, and says why.
fn is_urgent(call: &Call, calls: u32) -> Result<bool, String> {
    let caller = call.caller();
    // A tenant without that table has no inner circle.
    if let Ok(Some(_)) = directory::listed("inner-circle", &caller) {
        call.because("the caller is of the inner circle");
        return Ok(true);
    }
    let in_vain = stats::calls_from(&caller, HOURS, true)?;
    if in_vain >= calls {
        call.because(&format!("the caller has called {in_vain} times in vain"));
    }
    Ok(in_vain >= calls)
}

/// One step of the ladder; whether somebody answered.
fn rings(call: &Call, to: &[Destination], also_busy: bool, time_ms: u32) -> Result<bool, String> {
    let ring = Ring::of(to)?;
    if also_busy {
        ring.ring_busy();
    }
    Ok(matches!(call.ring(ring, time_ms)?, Outcome::Answered(_)))
}

callwright_guest::rule!(handle_call);
