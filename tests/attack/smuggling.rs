//! Headers and line ends that try to reach the other side or the inside.

use std::time::Duration;

use bytes::Bytes;
use callwright_sip::Message;

use crate::Effort;
use crate::peer::{Peer, Request};
use crate::switch::{BOB, MALLORY, PASSWORD, Switch};
use crate::verdict::Verdicts;

/// How long a callee waits for its INVITE.
const PATIENCE: Duration = Duration::from_secs(5);

/// SEC-29: a header of the caller's in whatever spelling means nothing inside and does not reach the callee.
pub(crate) fn headers(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let names = [
        "X-Bypass-me",
        "X-Bypass-me ",
        "X-Bypass-me\t",
        "x-BYPASS-ME",
        "X-Callwright-Tenant",
        "X-Callwright-Tenant ",
        "P-Asserted-Identity",
        "P-Asserted-Identity ",
        "p-asserted-identity\t",
        "P-Preferred-Identity",
        "Remote-Party-ID",
        "Diversion",
        "History-Info",
        "Identity",
        "P-Charging-Vector",
        "Proxy-Authorization",
        "Alert-Info",
        "Call-Info",
        "Replaces",
        "Route ",
        "X-\u{0430}uth",
    ];
    let (mut wrong, mut reached) = (Vec::new(), 0);
    for name in names {
        // Folded and doubled as well: each form has been read as something else by somebody.
        let marked =
            format!("<sip:smuggled@acme.example>\r\n ;folded=smuggled\r\n{name}: <sip:smuggled@x.invalid>");
        let heard = rung(switch, |invite| invite.with(name, &marked));
        match heard {
            Rung::With(invite) if invite.to_lowercase().contains("smuggled") => {
                wrong.push(format!("`{name}` was relayed"));
            }
            Rung::With(_) => reached += 1,
            Rung::Refused(400 | 420 | 513) => {}
            Rung::Refused(status) => wrong.push(format!("`{name}` was answered {status}")),
        }
    }
    verdicts.check(
        "the call itself arrives",
        reached > 10,
        format!("{reached} of {}", names.len()),
        "more than 10",
    );
    verdicts.all("headers of the caller's reach nobody", names.len(), &wrong, "not relayed, or refused");
}

/// SEC-30: line ends in what the caller says of itself begin no line at the callee's.
pub(crate) fn line_ends(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let names = [
        "\"Eve%0d%0aX-Injected: y\"",
        "\"Eve\\\r\n X-Injected: y\"",
        "\"Eve\\\\r\\\\nX-Injected: y\"",
        "\"Eve\u{2028}X-Injected: y\"",
        "\"Eve\u{0}X-Injected: y\"",
        "\"Eve\rX-Injected: y\"",
        "\"Eve\nX-Injected: y\"",
    ];
    let (mut wrong, mut reached) = (Vec::new(), 0);
    for name in names {
        for place in ["From", "Subject", "Diversion", "Session-ID", "User-Agent"] {
            let heard = rung(switch, |mut invite| {
                if place == "From" {
                    invite.from = format!("{name} {}", invite.from);
                    return invite;
                }
                invite.with(place, &format!("{name} <sip:eve@acme.example>"))
            });
            match heard {
                Rung::With(invite)
                    if invite.lines().any(|line| line.trim_start().starts_with("X-Injected")) =>
                {
                    wrong.push(format!("{name:?} in {place} began a line"));
                }
                Rung::With(_) => reached += 1,
                Rung::Refused(0 | 400) => {}
                Rung::Refused(status) => wrong.push(format!("{name:?} in {place} was answered {status}")),
            }
        }
    }
    let numbers = ["1011%0d%0aX-Injected:%20y", "1011%0aX-Injected", "1011%00", "1011;x=%0d%0aX-Injected:y"];
    for number in numbers {
        match rung(switch, |mut invite| {
            invite.uri = format!("sip:{number}@acme.example");
            invite
        }) {
            Rung::With(invite) if invite.lines().any(|line| line.starts_with("X-Injected")) => {
                wrong.push(format!("{number} began a line"));
            }
            Rung::With(_) | Rung::Refused(400 | 404 | 484) => {}
            Rung::Refused(status) => wrong.push(format!("{number} was answered {status}")),
        }
    }
    verdicts.check("the call itself arrives", reached > 10, reached.to_string(), "more than 10");
    let tried = names.len() * 5 + numbers.len();
    verdicts.all(
        "line ends begin no line on the other side",
        tried,
        &wrong,
        "no line of the caller's making",
    );
}

/// What came of a call.
enum Rung {
    /// The INVITE that the callee got.
    With(String),
    /// The final answer to the caller; 0 where there was none.
    Refused(u16),
}

/// Mallory calls Bob with an INVITE that was tampered with.
fn rung(switch: &Switch, tamper: impl FnOnce(Request) -> Request) -> Rung {
    let callee = Peer::at([127, 8, 1, 1], switch.sip());
    let register = Request::register("acme.example", BOB);
    let (_, registered) = callee.ask_as(&register, BOB);
    assert_eq!(registered.unwrap().status(), Some(200));
    let caller = Peer::at([127, 8, 1, 2], switch.sip());
    let invite = tamper(Request::invite(&format!("{BOB}@acme.example"), MALLORY));
    let refusal = caller.ask(&invite);
    let status = refusal.as_ref().and_then(Message::status).unwrap_or(0);
    let outcome = match refusal.filter(|_| status == 401) {
        None => Rung::Refused(status),
        Some(refusal) => {
            let proven = invite.proven(&refusal, MALLORY, PASSWORD);
            caller.send(&proven);
            ended(&caller, &callee, &proven)
        }
    };
    let mut unregister = Request::register("acme.example", BOB);
    unregister.headers = vec![("Expires".to_owned(), "0".to_owned())];
    let (_, gone) = callee.ask_as(&unregister, BOB);
    assert_eq!(gone.unwrap().status(), Some(200));
    outcome
}

/// Waits for the INVITE at the callee's or the refusal at the caller's, and takes the call back.
fn ended(caller: &Peer, callee: &Peer, invite: &Request) -> Rung {
    let until = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < until {
        if let Some(heard) = callee.hear(Duration::from_millis(5)).and_then(|datagram| invite_in(&[datagram]))
        {
            // Nobody is at home: the call is over before the next one begins.
            let rung = Message::parse(Bytes::from(heard.clone())).unwrap();
            let mut refusal = Message::reply(&rung, 480);
            refusal.tag_to(&"bob".into());
            callee.send_raw(&refusal.to_bytes());
            if let Some(answer) = caller.final_answer(invite, PATIENCE) {
                caller.acknowledge(invite, &answer);
            }
            return Rung::With(heard);
        }
        if let Some(answer) = caller.final_answer(invite, Duration::from_millis(5)) {
            caller.acknowledge(invite, &answer);
            return Rung::Refused(answer.status().unwrap_or(0));
        }
    }
    Rung::Refused(0)
}

/// The first INVITE among datagrams.
pub(crate) fn invite_in(datagrams: &[Vec<u8>]) -> Option<String> {
    datagrams.iter().map(|it| String::from_utf8_lossy(it).into_owned()).find(|it| it.starts_with("INVITE "))
}
