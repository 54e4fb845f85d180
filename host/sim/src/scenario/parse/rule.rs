//! Statements about rules: components by name or file, and scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_core::kept::KeptAsk;
use callwright_core::rule::{BindTarget, LegPlan, RingPlan, RunOutcome, Setting};

use super::blueprint::{Blueprint, RulePlan, RuleSource};
use super::house::{destination, list, refusal};
use crate::runs::{Script, Step};
use crate::scenario::lexer::{Mistake, Words};

/// `rule NAME [from FILE] [bound to …] [with …]`
pub(super) fn component(blueprint: &mut Blueprint, words: &mut Words, line: usize) -> Result<(), Mistake> {
    let name = words.text("a rule's name")?;
    let source =
        if words.accept("from") { RuleSource::File(words.text("a file")?) } else { RuleSource::Example };
    let bind = bound_to(words)?;
    let settings =
        if words.accept("with") { list(words, setting)?.into_iter().collect() } else { BTreeMap::new() };
    let tenant = blueprint.current();
    blueprint.rules.push(RulePlan { line, tenant, name: name.into(), source, bind, settings });
    Ok(())
}

/// `script NAME [bound to …]: STEP then STEP`
pub(super) fn script(blueprint: &mut Blueprint, words: &mut Words, line: usize) -> Result<(), Mistake> {
    let name = words.text("a script's name")?;
    let bind = Some(bound_to(words)?.unwrap_or_else(|| vec![BindTarget::Tenant]));
    words.colon()?;
    let mut script = Script::default();
    loop {
        script.steps.push(step(words)?);
        if !words.accept("then") {
            break;
        }
    }
    let tenant = blueprint.current();
    let source = RuleSource::Script(script);
    blueprint.rules.push(RulePlan {
        line,
        tenant,
        name: name.into(),
        source,
        bind,
        settings: BTreeMap::new(),
    });
    Ok(())
}

fn bound_to(words: &mut Words) -> Result<Option<Vec<BindTarget>>, Mistake> {
    if !words.accept_all(&["bound", "to"]) {
        return Ok(None);
    }
    let wanted = "tenant, user:NAME, group:NAME or number:DIGITS";
    list(words, |words| {
        let text = words.text(wanted)?;
        match text.split_once(':') {
            None if text == "tenant" => Ok(BindTarget::Tenant),
            Some(("user", name)) => Ok(BindTarget::User(name.into())),
            Some(("group", name)) => Ok(BindTarget::Group(name.into())),
            Some(("number", number)) => Ok(BindTarget::Number(number.to_owned())),
            Some(_) | None => Err(Mistake::Expected { wanted, got: format!("`{text}`") }),
        }
    })
    .map(Some)
}

fn setting(words: &mut Words) -> Result<(String, Setting), Mistake> {
    let name = words.text("a setting's name")?;
    words.expect("=")?;
    if let Some(text) = words.quoted() {
        return Ok((name, Setting::Text(text)));
    }
    let text = words.text("a value")?;
    let value = match (text.parse::<i32>(), text.as_str(), text.parse()) {
        (Ok(number), ..) => Setting::Number(number),
        (Err(_), "true" | "yes", _) => Setting::Flag(true),
        (Err(_), "false" | "no", _) => Setting::Flag(false),
        (Err(_), _, Ok(place)) => Setting::Place(place),
        (Err(_), _, Err(_)) => Setting::Text(text),
    };
    Ok((name, value))
}

fn step(words: &mut Words) -> Result<Step, Mistake> {
    if words.accept("because") {
        return words.text("the reason in quotes").map(Step::Because);
    }
    if words.accept("warn") {
        return words.text("the warning in quotes").map(Step::Warn);
    }
    if words.accept("ring") {
        return ring(words);
    }
    if words.accept("standard") {
        return Ok(Step::Standard);
    }
    if words.accept("refuse") {
        return refusal(words).map(Step::Refuse);
    }
    if words.accept("store") {
        return keeping(words).map(Step::Keep);
    }
    if words.accept("take") {
        return words.duration().map(Step::Take);
    }
    if words.accept("hang") {
        return Ok(Step::Hang);
    }
    end(words).map(Step::End)
}

/// `get KEY`, `set KEY VALUE [for T]`, `remove KEY`, `add KEY NUMBER [for T]`, `claim KEY [for T]`
fn keeping(words: &mut Words) -> Result<KeptAsk, Mistake> {
    let wanted = "get, set, remove, add or claim";
    let what = words.text(wanted)?;
    let key = words.text("a key")?;
    let ttl = |words: &mut Words| {
        let time = words.duration_after("for")?.unwrap_or(Duration::ZERO);
        Ok(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
    };
    match what.as_str() {
        "get" => Ok(KeptAsk::Get { key }),
        "set" => Ok(KeptAsk::Set { key, value: words.text("a value")?, ttl_s: ttl(words)? }),
        "remove" => Ok(KeptAsk::Remove { key }),
        "add" => Ok(KeptAsk::Add { key, by: words.number("a number")?, ttl_s: ttl(words)? }),
        "claim" => Ok(KeptAsk::Claim { key, ttl_s: ttl(words)? }),
        other => Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    }
}

fn end(words: &mut Words) -> Result<RunOutcome, Mistake> {
    let wanted = "because, warn, ring, standard, refuse, store, take, hang, return, trap, out-of-fuel, fail \"words\" or ends LIMIT";
    match words.text(wanted)?.as_str() {
        "return" => Ok(RunOutcome::Ok),
        "trap" => Ok(RunOutcome::Trap("unreachable".to_owned())),
        "out-of-fuel" => Ok(RunOutcome::FuelExhausted("handle-call".to_owned())),
        "fail" => Ok(RunOutcome::Declined(words.text("the words in quotes")?)),
        "ends" => limit(words),
        other => Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    }
}

fn limit(words: &mut Words) -> Result<RunOutcome, Mistake> {
    let wanted = "a run's outcome as memory-limit or host-busy";
    match words.text(wanted)?.as_str() {
        "deadline-exceeded" => Ok(RunOutcome::DeadlineExceeded),
        "memory-limit" => Ok(RunOutcome::MemoryLimit),
        "table-limit" => Ok(RunOutcome::TableLimit),
        "stack-overflow" => Ok(RunOutcome::StackOverflow),
        "bad-output" => Ok(RunOutcome::BadOutput),
        "host-busy" => Ok(RunOutcome::HostBusy),
        "internal" => Ok(RunOutcome::Internal("planted".to_owned())),
        other => Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    }
}

/// `DEST [after T] [ring-for T] [label TEXT], … for T [stop-on-decline] [ring-busy] [keep-unmissed] [skip-rung] [trap after T]`
fn ring(words: &mut Words) -> Result<Step, Mistake> {
    let legs = list(words, |words| {
        let to = destination(words)?;
        let start_after = words.duration_after("after")?.unwrap_or(Duration::ZERO);
        let ring_for = words.duration_after("ring-for")?;
        let label = if words.accept("label") { Some(words.text("a label")?) } else { None };
        Ok(LegPlan { to, start_after, ring_for, label })
    })?;
    words.expect("for")?;
    let mut plan = RingPlan { legs, time: words.duration()?, ..RingPlan::default() };
    loop {
        if words.accept("stop-on-decline") {
            plan.stop_on_decline = true;
        } else if words.accept("ring-busy") {
            plan.ring_busy = true;
        } else if words.accept("keep-unmissed") {
            plan.keep_unmissed = true;
        } else if words.accept("skip-rung") {
            plan.skip_rung = true;
        } else if words.accept_all(&["trap", "after"]) {
            return Ok(Step::RingThenEnd(
                plan,
                words.duration()?,
                RunOutcome::Trap("unreachable".to_owned()),
            ));
        } else {
            return Ok(Step::Ring(plan));
        }
    }
}
