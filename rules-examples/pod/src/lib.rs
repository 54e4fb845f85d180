//! Rings the free people of a small group, all at once: nobody hears a phone ring that cannot be answered, and nobody who
//! talks is disturbed. Only where nobody is free do those ring who have call waiting.
//!
//! Settings: `pod` is the group (`pod`), `most` how many of it ring together (5), `rings-s` how long (30).

use callwright_guest::prelude::*;

fn handle_call(call: &Call) -> Result<(), String> {
    let number = |key, default| settings::number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let name = settings::text("pod").unwrap_or_else(|| "pod".to_owned());
    let pod = directory::find_group(&name)?;
    let ring = Ring::new();
    let mut free = 0;
    for member in pod.members() {
        if presence::of_user(&member)?.state() == presence::State::Available && free < number("most", 5) {
            free += 1;
            for device in member.devices() {
                ring.add(Leg::new(&device))?;
            }
        }
    }
    if free == 0 {
        call.because(&format!("nobody of {name} is free"));
        ring.add(Leg::new(&pod.whole()))?;
    }
    // It is nobody's call in particular, so nobody has missed it.
    ring.keep_unmissed();
    match call.ring(ring, secs(number("rings-s", 30)))? {
        Outcome::Answered(_) => Ok(()),
        _ => Ok(call.conclude()?),
    }
}

callwright_guest::rule!(handle_call);
