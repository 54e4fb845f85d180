//! Rules as a whole: components from text, run through the front door.

#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

mod driving;
mod kept;
mod outcomes;
mod picked;
mod spare;
mod support;
mod upload;
