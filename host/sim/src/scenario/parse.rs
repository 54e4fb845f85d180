//! Reads a scenario, statement by statement.

pub(super) mod blueprint;
mod duty;
mod expectation;
mod feature;
mod forwarding;
mod house;
mod rule;
mod telephone;

use super::lexer::{Mistake, Words, statements};
use super::statement::{Statement, What};
use super::{Scenario, ScenarioError};
use crate::phone::manner::{Dial, Offer, Order, Which};
use blueprint::Blueprint;
use jiff::SignedDuration;

/// Reads a scenario. `file` is the name that errors show.
///
/// # Errors
/// [`ScenarioError`] with file and line for the first statement that cannot be read.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let at = |line: usize| move |mistake: Mistake| ScenarioError { file: file.to_owned(), line, mistake };
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for words in statements(line).map_err(at(number + 1))? {
            lines.push((number + 1, words));
        }
    }
    let mut blueprint = Blueprint::default();
    // People and phones first: the rest may name them before they are introduced.
    let mut rest = Vec::new();
    for (line, mut words) in lines {
        if !house::statement(&mut blueprint, &mut words, line).map_err(at(line))? {
            rest.push((line, blueprint.current(), words));
        }
    }
    let mut all = Vec::new();
    let mut has_begun = false;
    for (line, tenant, mut words) in rest {
        blueprint.enter(&tenant);
        let what = statement(&mut blueprint, &mut words, has_begun).map_err(at(line))?;
        words.end().map_err(at(line))?;
        for what in what {
            has_begun |= !what.sets_up();
            all.push(Statement {
                line,
                source: text.lines().nth(line - 1).unwrap_or_default().trim().to_owned(),
                what,
            });
        }
    }
    Ok(blueprint.scenario(file, all))
}

fn statement(blueprint: &mut Blueprint, words: &mut Words, has_begun: bool) -> Result<Vec<What>, Mistake> {
    if words.accept("phone") {
        return telephone::phone(blueprint, words, has_begun);
    }
    if words.accept("expect") {
        return Ok(vec![What::Expect(expectation::read(blueprint, words)?)]);
    }
    let what = if words.accept("wait") {
        What::Wait(words.duration()?)
    } else if words.accept("call") {
        call(blueprint, words)?
    } else if words.accept("hangup") {
        What::HangUp(blueprint.call(words)?)
    } else if words.accept("link") {
        telephone::link(blueprint, words)?
    } else if words.accept("store") {
        store(words)?
    } else if words.accept_all(&["rules", "take"]) {
        What::RulesTake(words.duration()?)
    } else if words.accept("register") {
        What::Order(blueprint.phone_name(words)?, Order::Register)
    } else if words.accept("unregister") {
        What::Order(blueprint.phone_name(words)?, Order::Unregister)
    } else if words.accept("unplug") {
        telephone::unplug(blueprint, words)?
    } else if words.accept("plug") {
        words.expect("in")?;
        What::Unplug(blueprint.phone_name(words)?, None)
    } else if words.accept("close") {
        What::Close(blueprint.phone_name(words)?)
    } else if words.accept_all(&["reload", "without"]) {
        let user = words.text("a user")?;
        What::Reload { tenant: blueprint.current(), without: blueprint.user(user)? }
    } else if words.accept("forwarding") {
        return forwarding::statement(blueprint, words, has_begun);
    } else if words.accept("switch") {
        switch(words)?
    } else if words.accept_all(&["clock", "jumps"]) {
        clock(words)?
    } else {
        key(blueprint, words)?
    };
    Ok(vec![what])
}

fn call(blueprint: &mut Blueprint, words: &mut Words) -> Result<What, Mistake> {
    let name = blueprint.new_call(words)?;
    words.expect("from")?;
    let from = blueprint.phone_name(words)?;
    words.expect("to")?;
    let mut dial = Dial::new(&name, &words.text("an extension or number")?);
    if words.accept_all(&["without", "offer"]) {
        dial.offer = Offer::Late;
    }
    while words.accept("with") {
        let header = words.text("a header as \"Name: value\"")?;
        let Some((name, value)) = header.split_once(':') else {
            return Err(Mistake::Expected {
                wanted: "a header as \"Name: value\"",
                got: format!("\"{header}\""),
            });
        };
        dial.headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(What::Call { from, dial })
}

fn switch(words: &mut Words) -> Result<What, Mistake> {
    if words.accept("drains") {
        Ok(What::Drain)
    } else if words.accept_all(&["shuts", "down"]) {
        Ok(What::ShutDown)
    } else {
        words.expect("restarts").map_err(|_| words.wrong("drains, shuts down or restarts"))?;
        Ok(What::Restart(words.duration_after("after")?.unwrap_or_default()))
    }
}

fn clock(words: &mut Words) -> Result<What, Mistake> {
    let is_back = words.accept("back");
    let by = SignedDuration::try_from(words.duration()?).unwrap_or(SignedDuration::MAX);
    Ok(What::ClockJumps(if is_back { -by } else { by }))
}

fn store(words: &mut Words) -> Result<What, Mistake> {
    if words.accept("delays") {
        Ok(What::StoreDelay(words.duration()?))
    } else if words.accept("fails") {
        Ok(What::StoreFails(true))
    } else if words.accept("works") {
        Ok(What::StoreFails(false))
    } else {
        Err(words.wrong("delays, fails or works"))
    }
}

/// `1003 hangs up`: a key of a phone, for its latest call.
fn key(blueprint: &Blueprint, words: &mut Words) -> Result<What, Mistake> {
    let phone = blueprint.phone_name(words).map_err(|mistake| match mistake {
        Mistake::Unknown { name, .. } => Mistake::Unknown { kind: "statement or phone", name },
        other @ (Mistake::Expected { .. }
        | Mistake::Taken { .. }
        | Mistake::OpenQuote
        | Mistake::Rule { .. }) => other,
    })?;
    let order = if words.accept_all(&["hangs", "up"]) {
        Order::HangUp(Which::Latest)
    } else if words.accept("holds") {
        Order::Hold(Which::Latest)
    } else if words.accept("resumes") {
        Order::Resume(Which::Latest)
    } else if words.accept("refreshes") {
        Order::Refresh(Which::Latest)
    } else if words.accept("answers") {
        Order::Answer
    } else if let Some(order) = feature::key(words)? {
        order
    } else {
        return Err(words.wrong("hangs up, holds, resumes, refreshes, answers, subscribes or sets"));
    };
    Ok(What::Order(phone, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        parse("night.scenario", text).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_say_file_and_line_and_what_is_wrong() {
        let people = "user ana 100: desk 1001\nuser bob 101: desk 1011\n";
        let cases = [
            ("call c1 from 1099 to 100", "night.scenario:3: there is no phone `1099`"),
            ("expect c9 rings 1001", "night.scenario:3: there is no phone or call `c9`"),
            (
                "phone 1001 sings",
                "night.scenario:3: expected what the phone does: rings, answers, busy, …, got `sings`",
            ),
            (
                "call c1 from 1011 to 100 loudly",
                "night.scenario:3: expected the end of the statement, got `loudly`",
            ),
            ("user ana 102: desk 1021", "night.scenario:3: there is a user `ana` already"),
            ("wait four", "night.scenario:3: expected a time as 4s, 250ms or 1m30s, got `four`"),
            (
                "at 2026-13-01 18:02 Europe/Berlin",
                "night.scenario:3: expected a date as 2026-11-20, got `2026-13-01`",
            ),
            ("sing", "night.scenario:3: there is no statement or phone `sing`"),
        ];
        for (line, wanted) in cases {
            assert_eq!(mistake(&format!("{people}{line}")), wanted);
        }
    }

    #[test]
    fn names_may_be_used_before_they_are_introduced() {
        assert!(
            parse(
                "x",
                "group sales 200: ana\nplace night = user:ana\nphone 1001 busy\nuser ana 100: desk 1001"
            )
            .is_ok()
        );
    }
}
