//! Many phones in one program: they register, stay registered, and hold calls. `cargo xtask bench load` drives it.
//!
//! Arguments: the switch's address, how many phones, how many calls, how many registrations on their way at once. It reads
//! one order a line (`register`, `hold SECONDS`, `hang-up`, `unregister`) and answers each with one JSON object.
//!
//! Phone `d0000000` has the password `secret`; the first half of the phones calls the other half. A thousand phones share a
//! socket, so that the switch sees many sources.

#![expect(clippy::print_stdout, reason = "the answers")]

mod crowd;
mod phone;

use std::io::BufRead as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crowd::Crowd;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [switch, phones, calls, window] = arguments.as_slice() else {
        bail!("bench-phones SWITCH PHONES CALLS WINDOW");
    };
    let mut crowd = Crowd::new(switch.parse()?, phones.parse()?, calls.parse()?, window.parse()?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_once(' ').unwrap_or((&line, "")) {
            ("register", _) => crowd.register(true)?,
            ("unregister", _) => crowd.register(false)?,
            ("hold", seconds) => {
                let seconds = seconds.parse().with_context(|| format!("no number of seconds: {seconds}"))?;
                crowd.hold(Duration::from_secs(seconds))?
            }
            ("hang-up", _) => crowd.hang_up()?,
            (other, _) => bail!("no order: {other}"),
        };
        println!("{answer}");
    }
    Ok(())
}
