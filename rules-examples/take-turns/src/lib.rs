//! Rings the people of a group one after the other and begins with another one each time, so that nobody gets all the calls.
//!
//! Settings: `group` is whose people are rung (sales), `rings-s` how many seconds each has (15).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let name = settings::text("group").unwrap_or_else(|| "sales".to_owned());
    let seconds = settings::number("rings-s").and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(15);
    let mut people = directory::find_group(&name)?.members();
    if people.is_empty() {
        return Ok(call.standard()?);
    }
    // Two calls that come at the same moment still get two numbers.
    let turn = store::add(&format!("turn of {name}"), 1, 0)?;
    let first = (turn - 1).rem_euclid(i32::try_from(people.len()).unwrap_or(i32::MAX));
    people.rotate_left(usize::try_from(first).unwrap_or(0));
    for person in &people {
        call.because(&format!("{} is next", person.name()));
        let ring = Ring::of(&person.devices())?;
        ring.keep_unmissed();
        if let Outcome::Answered(_) = call.ring(ring, secs(seconds))? {
            return Ok(());
        }
    }
    Ok(call.standard()?)
}

callwright_guest::rule!(handle_call);
