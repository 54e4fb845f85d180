//! Panics in each call: `host/sim/tests/scenarios.rs` looks for its last words.

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let number = call.id();
    panic!("no place for call {number}")
}

callwright_guest::rule!(handle_call);
