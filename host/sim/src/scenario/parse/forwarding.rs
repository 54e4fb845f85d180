//! `forwarding ana no-answer to user:bob, number:+4930123456 rings 3`: how somebody wishes to be reached.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::forwarding::{CallerList, Condition, Mode, TimeTarget, When, Wish, Wishes};

use super::blueprint::Blueprint;
use super::house::{destination, list};
use crate::scenario::lexer::{Mistake, Words};
use crate::scenario::statement::What;

/// From the beginning, or saved in the middle of the time line; then it replaces what was.
pub(super) fn statement(
    blueprint: &mut Blueprint,
    words: &mut Words,
    has_begun: bool,
) -> Result<Vec<What>, Mistake> {
    let name = words.text("a user")?;
    let user = blueprint.user(name)?;
    let (wishes, lasts) = wishes(blueprint, words)?;
    let wishes = Arc::new(wishes);
    if has_begun || lasts.is_some() {
        return Ok(vec![What::Wished(blueprint.current(), user, wishes, lasts)]);
    }
    for known in blueprint.house().users.iter_mut().filter(|known| known.id == user) {
        known.forwarding = Some(Arc::clone(&wishes));
    }
    Ok(Vec::new())
}

/// And for how long they hold; none: for good.
fn wishes(blueprint: &mut Blueprint, words: &mut Words) -> Result<(Wishes, Option<Duration>), Mistake> {
    let (mut wishes, mut lasts) = (Wishes::default(), None);
    while !words.is_empty() {
        if let Some(mode) = Mode::CHOICES.into_iter().find(|mode| words.accept(mode.word())) {
            wishes.choose(mode);
        } else if words.accept("to") {
            wishes.numbers = list(words, destination)?;
        } else if words.accept("on") {
            let (condition, wish) = condition(words)?;
            wishes.conditions.insert(condition, wish);
        } else if words.accept("own") {
            wishes.own = list(words, |words| words.text("a number"))?.into_iter().collect();
        } else if words.accept_all(&["in", "order"]) {
            wishes.in_order = true;
        } else if words.accept("rings") {
            wishes.rings = Some(words.number("how many rings")?);
        } else if words.accept("unanswered") {
            wishes.unanswered = Some(destination(words)?);
        } else if words.accept("only") {
            wishes.cold_route = Some(destination(words)?);
        } else if words.accept("during") {
            wishes.when = When::Custom(hours(blueprint, words)?);
        } else if words.accept("list") {
            wishes.callers.push(caller_list(words)?);
        } else if words.accept("at") {
            wishes.times.push(time_target(blueprint, words)?);
        } else if words.accept_all(&["engaged", "to"]) {
            wishes.busy_to = list(words, destination)?;
        } else if words.accept("profile") {
            wishes.profile = Some(words.text("a profile")?.into());
        } else if words.accept("suspended") {
            wishes.enabled = false;
        } else if words.accept("undisturbed") {
            wishes.do_not_disturb = true;
        } else if words.accept("silent") {
            wishes.silent = list(words, |words| Ok(words.text("a device")?.into()))?.into_iter().collect();
        } else if words.accept_all(&["signed", "in", "to"]) {
            wishes.queues = list(words, |words| words.text("a queue"))?.into_iter().collect();
        } else if words.accept_all(&["for", "the", "next"]) {
            lasts = Some(words.duration()?);
        } else {
            return Err(words.wrong(
                "a mode, to, on, own, in order, rings, unanswered, only, during, list, at, engaged to, profile, suspended, undisturbed, silent, signed in to or for the next",
            ));
        }
    }
    Ok((wishes, lasts))
}

/// `busy to group:sales`, `no-answer after 15s to user:bob`
fn condition(words: &mut Words) -> Result<(Condition, Wish), Mistake> {
    let known = Condition::ALL.into_iter().find(|condition| words.accept(condition.word()));
    let condition = known.ok_or_else(|| words.wrong("always, together, busy, no-answer or unreachable"))?;
    let after = words.duration_after("after")?;
    let to = if words.accept("to") { list(words, destination)? } else { Vec::new() };
    Ok((condition, Wish { active: true, to, after }))
}

/// `vip of user:bob, withheld to user:cleo`
fn caller_list(words: &mut Words) -> Result<CallerList, Mistake> {
    let name = words.text("a name")?;
    words.expect("of")?;
    let wanted = "number:+4930*, user:NAME, group:NAME or withheld";
    let from = list(words, |words| {
        let text = words.text(wanted)?;
        text.parse().map_err(|_| Mistake::Expected { wanted, got: format!("`{text}`") })
    })?;
    words.expect("to")?;
    Ok(CallerList { name, from, to: list(words, destination)? })
}

/// `lunch during office to user:bob`
fn time_target(blueprint: &mut Blueprint, words: &mut Words) -> Result<TimeTarget, Mistake> {
    let name = words.text("a name")?;
    words.expect("during")?;
    let when = When::Custom(hours(blueprint, words)?);
    words.expect("to")?;
    Ok(TimeTarget { name, when, to: list(words, destination)? })
}

fn hours(blueprint: &mut Blueprint, words: &mut Words) -> Result<callwright_core::config::Hours, Mistake> {
    let name = words.text("named hours")?;
    let found = blueprint.house().hours.get(name.as_str()).cloned();
    found.ok_or(Mistake::Unknown { kind: "hours", name })
}
