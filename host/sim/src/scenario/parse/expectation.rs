//! Statements about what is expected.

use super::blueprint::Blueprint;
use super::house::list;
use crate::scenario::lexer::{Mistake, Words};
use crate::scenario::statement::{Expectation, OfCall, OfPhone, OfRecord, Times};

/// Reads what follows `expect`.
pub(super) fn read(blueprint: &Blueprint, words: &mut Words) -> Result<Expectation, Mistake> {
    if words.accept("store") {
        return of_store(blueprint, words);
    }
    if words.accept("event") {
        return of_event(blueprint, words, Times::AtLeastOnce);
    }
    if words.accept("events") {
        let times = Times::Exactly(words.number("a number of events")?);
        return of_event(blueprint, words, times);
    }
    let name = words.text("a call or a phone")?;
    if blueprint.is_call(&name) {
        return of_call(blueprint, words).map(|what| Expectation::Call(name, what));
    }
    if blueprint.is_phone(&name) {
        return of_phone(blueprint, words).map(|what| Expectation::Phone(name, what));
    }
    Err(Mistake::Unknown { kind: "phone or call", name })
}

fn of_call(blueprint: &Blueprint, words: &mut Words) -> Result<OfCall, Mistake> {
    if words.accept("rings") {
        return Ok(OfCall::Rings { phone: blueprint.phone_name(words)?, at: words.duration_after("at")? });
    }
    if words.accept_all(&["never", "rings"]) {
        return Ok(OfCall::NeverRings { phone: blueprint.phone_name(words)? });
    }
    if words.accept_all(&["answered", "by"]) {
        return Ok(OfCall::AnsweredBy {
            phone: blueprint.phone_name(words)?,
            at: words.duration_after("at")?,
        });
    }
    if words.accept("ended") {
        return Ok(OfCall::Ended { status: words.number("a status")?, at: words.duration_after("at")? });
    }
    of_record(words).map(OfCall::Recorded)
}

fn of_record(words: &mut Words) -> Result<OfRecord, Mistake> {
    if words.accept("cause") {
        words.text("a cause").map(OfRecord::Cause)
    } else if words.accept("disposition") {
        words.text("a disposition").map(OfRecord::Disposition)
    } else if words.accept("talked") {
        words.duration().map(OfRecord::Talked)
    } else if words.accept("missed") {
        if words.accept("nobody") {
            Ok(OfRecord::Missed(Vec::new()))
        } else {
            list(words, |words| words.text("a user")).map(OfRecord::Missed)
        }
    } else if words.accept("leg") {
        Ok(OfRecord::Leg { device: words.text("a device")?, end: words.text("how it ended")? })
    } else if words.accept_all(&["ran", "nothing"]) {
        Ok(OfRecord::RanNothing)
    } else if words.accept("ran") {
        Ok(OfRecord::Ran { rule: words.text("a rule")?, outcome: words.text("a run's outcome")? })
    } else if words.accept("because") {
        words.text("text in quotes").map(OfRecord::Because)
    } else if words.accept_all(&["explained", "as"]) {
        words.text("the sentence in quotes").map(OfRecord::ExplainedAs)
    } else if words.accept("explained") {
        words.text("text in quotes").map(OfRecord::Explained)
    } else {
        Err(words.wrong("rings, answered by, ended, cause, talked, missed, leg, ran, because, …"))
    }
}

/// `store KEY = VALUE` or `store KEY empty`
fn of_store(blueprint: &Blueprint, words: &mut Words) -> Result<Expectation, Mistake> {
    let (tenant, key) = (blueprint.current(), words.text("a key")?);
    let value = if words.accept("empty") {
        None
    } else {
        words.expect("=").map_err(|_| words.wrong("= or empty"))?;
        Some(words.text("a value")?)
    };
    Ok(Expectation::Store { tenant, key, value })
}

/// `event "part"`, `event about USER "part"`, `events N [about USER] ["part"]`
fn of_event(blueprint: &Blueprint, words: &mut Words, times: Times) -> Result<Expectation, Mistake> {
    let about = if words.accept("about") { Some(blueprint.user(words.text("a user")?)?) } else { None };
    let part = words.quoted();
    if part.is_none() && times == Times::AtLeastOnce {
        return Err(words.wrong("about USER, or text in quotes"));
    }
    Ok(Expectation::Event { tenant: blueprint.current(), about, times, part })
}

fn of_phone(blueprint: &Blueprint, words: &mut Words) -> Result<OfPhone, Mistake> {
    if words.accept("cancelled") {
        Ok(OfPhone::Cancelled { reason: words.quoted() })
    } else if words.accept("released") {
        Ok(OfPhone::Released { reason: words.quoted() })
    } else if words.accept("hears") {
        blueprint.phone_name(words).map(OfPhone::Hears)
    } else if words.accept("registered") {
        Ok(OfPhone::Registered(true))
    } else if words.accept_all(&["not", "registered"]) {
        Ok(OfPhone::Registered(false))
    } else if words.accept("refused") {
        words.number("a status").map(OfPhone::Refused)
    } else if words.accept("held") {
        Ok(OfPhone::Held)
    } else if words.accept("resumed") {
        Ok(OfPhone::Resumed)
    } else if words.accept_all(&["never", "receives"]) {
        receives(words, Times::Exactly(0))
    } else if words.accept("receives") {
        let first = words.text("a message as INVITE, 180 or 2 of INVITE")?;
        if words.accept("of") {
            let count = first
                .parse()
                .map_err(|_| Mistake::Expected { wanted: "a number", got: format!("`{first}`") })?;
            return receives(words, Times::Exactly(count));
        }
        if words.accept_all(&["copies", "of"]) {
            let count = first
                .parse()
                .map_err(|_| Mistake::Expected { wanted: "a number", got: format!("`{first}`") })?;
            return receives(words, Times::Copies(count));
        }
        Ok(OfPhone::Receives { times: Times::AtLeastOnce, start: first, part: words.quoted() })
    } else {
        Err(words.wrong("cancelled, released, hears, registered, refused, held, resumed or receives"))
    }
}

fn receives(words: &mut Words, times: Times) -> Result<OfPhone, Mistake> {
    Ok(OfPhone::Receives { times, start: words.text("a message as INVITE or 180")?, part: words.quoted() })
}
