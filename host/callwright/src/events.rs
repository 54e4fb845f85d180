//! `callwright events`: what happened to a tenant without anybody doing it, and what happens next, also while the switch restarts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::text;
use crate::cli::{EventsArgs, Remote};
use crate::client::{Client, segment};
use crate::clock::Clock;
use crate::error::UserError;
use crate::output::Output;

/// How long one request waits for an event, in seconds.
const WAIT_S: u64 = 25;
/// The longest pause before a switch that is away is asked again.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Events, oldest first.
#[derive(Debug, Deserialize, Serialize)]
struct Page {
    events: Vec<Value>,
    /// The last of them, or what was asked for where there is none.
    next: Option<i64>,
    zone: Option<String>,
}

/// Lists what happened without anybody doing it, and waits for more where that is wanted.
///
/// # Errors
/// As the switch says. Following goes on where the switch is away for a while, and ends where it refuses.
pub(crate) fn run(wanted: &EventsArgs, remote: &Remote, out: &Output) -> Result<(), UserError> {
    let client = Client::of(remote)?;
    let tenant = client.tenant(remote.tenant.as_deref())?;
    let path = match &wanted.user {
        Some(user) => format!("/v1/tenants/{tenant}/users/{}/events", segment(user)),
        None => format!("/v1/tenants/{tenant}/events"),
    };
    let page: Page = client.get(&format!("{path}?limit={}", wanted.limit))?;
    if !wanted.follow {
        out.result(&page, || match lines(&page).as_slice() {
            [] => "nothing happened".to_owned(),
            told => told.join("\n"),
        });
        return Ok(());
    }
    let ask = |after| client.get(&format!("{path}?after={after}&wait-s={WAIT_S}"));
    let tell = |page: &Page| {
        for (event, line) in page.events.iter().zip(lines(page)) {
            out.result(event, || line);
        }
    };
    let missed = |error: &UserError, pause: Duration, is_first: bool| {
        if is_first {
            let why = error.cause.first().map(|why| format!(" ({why})")).unwrap_or_default();
            out.warning(format!("{}{why}; trying again, Ctrl-C ends this", error.what));
        }
        std::thread::sleep(pause);
    };
    Err(follow(&page, ask, tell, missed))
}

/// Tells each event as it happens, once, until the switch refuses to say more. `missed` hears how long to wait after a try that
/// may go well later, and whether the one before it went well.
fn follow(
    first: &Page,
    mut ask: impl FnMut(i64) -> Result<Page, UserError>,
    mut tell: impl FnMut(&Page),
    mut missed: impl FnMut(&UserError, Duration, bool),
) -> UserError {
    tell(first);
    let mut last = first.next.unwrap_or(0);
    let mut misses = 0_u32;
    loop {
        match ask(last) {
            Ok(page) => {
                misses = 0;
                tell(&page);
                last = page.next.unwrap_or(last);
            }
            Err(error) if error.may_pass() => {
                let pause = Duration::from_secs(1) * 2_u32.saturating_pow(misses.min(5));
                missed(&error, pause.min(PAUSE_MAX), misses == 0);
                misses = misses.saturating_add(1);
            }
            Err(error) => return error,
        }
    }
}

/// A line for each event.
fn lines(page: &Page) -> Vec<String> {
    let clock = Clock::of(&json!({ "zone": page.zone }));
    let line = |event: &Value| format!("{} {}", clock.time(&text(event, "at")), text(event, "text"));
    page.events.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn page(ids: &[i64], after: i64) -> Page {
        let events = ids.iter().map(|id| json!({ "id": id })).collect();
        Page { events, next: Some(ids.last().copied().unwrap_or(after)), zone: None }
    }

    fn error(code: &'static str) -> UserError {
        UserError::new(code, Exit::Remote, code)
    }

    #[test]
    fn a_switch_that_is_away_is_asked_again_and_no_event_is_lost_or_told_twice() {
        let away = || Err(error("CW-0201"));
        let mut answers = vec![Ok(page(&[8, 9], 7)), away(), Err(error("CW-0307")), Ok(page(&[], 9))];
        answers.extend((0..7).map(|_| away()));
        answers.extend([Ok(page(&[12], 9)), away(), Err(error("CW-0301"))]);
        let mut answers = answers.into_iter();
        let (mut asked, mut told, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
        let ended = follow(
            &page(&[7], 0),
            |after| {
                asked.push(after);
                answers.next().unwrap()
            },
            |page| told.extend(page.events.iter().map(|event| event["id"].as_i64().unwrap())),
            |_, pause, is_first| pauses.push((pause.as_secs(), is_first)),
        );
        assert_eq!(ended.code, "CW-0301", "a token that opens nothing any more ends it");
        assert_eq!(told, [7, 8, 9, 12]);
        assert_eq!(asked, [7, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 12, 12]);
        let (seconds, first): (Vec<_>, Vec<_>) = pauses.into_iter().unzip();
        assert_eq!(seconds, [1, 2, 1, 2, 4, 8, 16, 30, 30, 1]);
        assert_eq!(
            first.iter().filter(|is_first| **is_first).count(),
            3,
            "once for each time that it is away"
        );
    }

    #[test]
    fn whatever_the_switch_refuses_ends_it() {
        for code in ["CW-0301", "CW-0302", "CW-0303", "CW-0312", "CW-0202"] {
            let ended = follow(&page(&[], 0), |_| Err(error(code)), |_| {}, |_, _, _| panic!("it waits"));
            assert_eq!(ended.code, code);
        }
    }
}
