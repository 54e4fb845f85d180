//! Refuses callers whom nobody takes, and calls that somebody may not make; every other call is the standard rule's.
//!
//! Settings: `callers` is a table of callers with the reason why they are refused (blocked-callers), `numbers` one of callers with
//! the numbers that they may not call, separated by blanks (barred-numbers). A list that is not there refuses nobody.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let caller = call.caller();
    let beside = |setting: &str, default: &str| {
        let table = settings::text(setting).unwrap_or_else(|| default.to_owned());
        directory::listed(&table, &caller).ok().flatten()
    };
    if let Some(why) = beside("callers", "blocked-callers") {
        call.because(&format!("the caller is blocked: {why}"));
        return Ok(call.refuse(&Refusal::Other("caller blocked".to_owned()))?);
    }
    let number = call.dialled().number().unwrap_or_default();
    if let Some(barred) = beside("numbers", "barred-numbers")
        && barred.split_whitespace().any(|one| one == number)
    {
        call.because(&format!("the caller may not call {number}"));
        return Ok(call.refuse(&Refusal::Other("number barred".to_owned()))?);
    }
    Ok(call.standard()?)
}

callwright_guest::rule!(handle_call);
