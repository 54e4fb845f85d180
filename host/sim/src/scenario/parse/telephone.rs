//! Statements about phones and their wires.

use std::time::Duration;

use callwright_sip::Transport;

use super::blueprint::Blueprint;
use crate::link::Link;
use crate::phone::manner::{Manner, OnCancel, Order, Sign, Then};
use crate::scenario::lexer::{Mistake, Words};
use crate::scenario::statement::What;
use crate::world::Unplugged;

/// `phone NAME …`
pub(super) fn phone(
    blueprint: &mut Blueprint,
    words: &mut Words,
    has_begun: bool,
) -> Result<Vec<What>, Mistake> {
    let name = words.text("a phone")?;
    if words.accept_all(&["is", "another"]) {
        let of = blueprint.phone_name(words)?;
        blueprint.add_twin(name, &of)?;
        return Ok(Vec::new());
    }
    let plan = blueprint.plan(&name)?;
    if !has_begun {
        if words.accept("offline") {
            plan.is_offline = true;
            return Ok(Vec::new());
        }
        if words.accept("over") {
            plan.setup.transport = if words.accept("tcp") {
                Transport::Tcp
            } else {
                words.expect("udp").map(|()| Transport::Udp)?
            };
            return Ok(Vec::new());
        }
        if words.accept("password") {
            plan.setup.password = words.text("a password")?;
            return Ok(Vec::new());
        }
        if words.accept_all(&["registers", "for"]) {
            plan.setup.expires_s = u32::try_from(words.duration()?.as_secs()).unwrap_or(u32::MAX);
            return Ok(Vec::new());
        }
        if words.accept_all(&["behind", "nat"]) {
            plan.setup.behind_nat = true;
            return Ok(Vec::new());
        }
        if words.accept("no-instance") {
            plan.setup.instance = None;
            return Ok(Vec::new());
        }
    }
    Ok(vec![What::Order(name, Order::Manner(manner(words)?))])
}

/// How a phone takes calls, in the words of a scenario.
fn manner(words: &mut Words) -> Result<Manner, Mistake> {
    let wanted = "what the phone does: rings, answers, busy, …";
    let rings = Manner::default();
    let mut manner = match words.text(wanted)?.as_str() {
        "rings" => Manner { sign_after: words.duration_after("late")?.unwrap_or(Duration::ZERO), ..rings },
        "answers" => answers(words)?,
        "busy" => Manner { sign: Sign::Trying, then: Then::Refuse(486), ..rings },
        "dnd" => Manner { sign: Sign::Trying, then: Then::Refuse(480), ..rings },
        "declines" => refuses_after(words, 603)?,
        "rejects" => refuses_after(words, 486)?,
        "silent" => Manner { sign: Sign::Silent, ..rings },
        "trying" => Manner { sign: Sign::Trying, ..rings },
        "sends" => {
            let status = words.number("a status")?;
            Manner { sign: Sign::Trying, ..refuses_after(words, status)? }
        }
        "deflects" => {
            words.expect("to")?;
            let then = Then::Deflect(words.text("a number")?);
            match words.duration_after("after")? {
                Some(then_after) => Manner { then, then_after, ..rings },
                None => Manner { sign: Sign::Trying, then, ..rings },
            }
        }
        "progresses" => {
            let then = if words.accept_all(&["then", "answers"]) { answers(words)? } else { rings };
            Manner { sign: Sign::Progress, ..then }
        }
        other => return Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    };
    manner.talks_for = words.duration_after("talks")?;
    Ok(manner)
}

fn answers(words: &mut Words) -> Result<Manner, Mistake> {
    let answers = Manner { then: Then::Answer, ..Manner::default() };
    if words.accept("twice") {
        let then_after = words.duration_after("after")?.unwrap_or(Duration::ZERO);
        return Ok(Manner { then: Then::AnswerTwice, then_after, ..answers });
    }
    if words.accept_all(&["after", "cancel"]) {
        return Ok(Manner { then: Then::Nothing, on_cancel: OnCancel::Answers, ..answers });
    }
    Ok(Manner { then_after: words.duration_after("after")?.unwrap_or(Duration::ZERO), ..answers })
}

fn refuses_after(words: &mut Words, status: u16) -> Result<Manner, Mistake> {
    let then_after = words.duration_after("after")?.unwrap_or(Duration::ZERO);
    Ok(Manner { then: Then::Refuse(status), then_after, ..Manner::default() })
}

/// `link NAME delay T jitter T loss P% duplicate P% reorder P% cut P%`
pub(super) fn link(blueprint: &Blueprint, words: &mut Words) -> Result<What, Mistake> {
    let name = blueprint.phone_name(words)?;
    let mut link = Link::default();
    while !words.is_empty() {
        if words.accept("delay") {
            link.delay = words.duration()?;
        } else if words.accept("jitter") {
            link.jitter = words.duration()?;
        } else if words.accept("loss") {
            link.loss_per_mille = per_mille(words)?;
        } else if words.accept("duplicate") {
            link.duplicate_per_mille = per_mille(words)?;
        } else if words.accept("reorder") {
            link.reorder_per_mille = per_mille(words)?;
        } else if words.accept("cut") {
            link.cut_per_mille = per_mille(words)?;
        } else {
            return Err(words.wrong("delay, jitter, loss, duplicate, reorder or cut"));
        }
    }
    Ok(What::Rewire(name, link))
}

fn per_mille(words: &mut Words) -> Result<u16, Mistake> {
    let text = words.text("a share as 10%")?;
    let percent = text
        .strip_suffix('%')
        .and_then(|number| number.parse::<u16>().ok())
        .filter(|percent| *percent <= 100);
    percent
        .map(|percent| percent * 10)
        .ok_or(Mistake::Expected { wanted: "a share as 10%", got: format!("`{text}`") })
}

/// `unplug NAME [with icmp]`
pub(super) fn unplug(blueprint: &Blueprint, words: &mut Words) -> Result<What, Mistake> {
    let name = blueprint.phone_name(words)?;
    let how = if words.accept_all(&["with", "icmp"]) { Unplugged::WithIcmp } else { Unplugged::Silently };
    Ok(What::Unplug(name, Some(how)))
}
