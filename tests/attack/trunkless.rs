//! Phones that challenge the switch: it has no credentials to give to them, and asks once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_sip::{Message, Name};

use crate::Effort;
use crate::peer::{Peer, Request};
use crate::switch::{BOB, MALLORY, PASSWORD, Switch};
use crate::verdict::Verdicts;

/// How long the callee listens for what the switch would try after its challenge.
const LISTENS: Duration = Duration::from_secs(8);

/// SEC-23: a callee that asks for a proof gets none, whatever the realm.
pub(crate) fn challenges_us(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    for (status, header) in [(401, Name::WwwAuthenticate), (407, Name::ProxyAuthenticate)] {
        for realm in ["acme.example", "strict.example", "carrier.example"] {
            let heard = challenged(switch, status, &header, realm);
            let leaked =
                heard.requests.iter().any(|request| request.to_lowercase().contains("authorization:"));
            let claim = format!("a callee's {status} for {realm} gets no credentials");
            verdicts.check(claim, !leaked, leaked.to_string(), "false");
            verdicts.check(
                format!("the caller of {status} for {realm} is not challenged by the callee"),
                heard
                    .caller
                    .is_some_and(|status| (400..700).contains(&status) && status != 401 && status != 407),
                format!("{:?}", heard.caller),
                "a final answer of our own",
            );
        }
    }
}

/// SEC-24: a callee that challenges each request with another nonce is asked at most twice.
pub(crate) fn challenges_us_for_ever(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let rounds = if effort == Effort::Quick { 3 } else { 50 };
    let mut most = 0;
    for _ in 0..rounds {
        let heard = challenged(switch, 401, &Name::WwwAuthenticate, "acme.example");
        most = most.max(heard.requests.iter().filter(|request| request.starts_with("INVITE ")).count());
    }
    verdicts.at_most(
        "INVITEs to a callee that always challenges",
        u64::try_from(most).unwrap(),
        2,
        "requests",
    );
    let left = switch.comes_down("callwright_calls_live", 0, Duration::from_secs(10));
    verdicts.at_most("calls left over", left, 0, "calls");
}

/// What was heard on both sides.
struct Heard {
    requests: Vec<String>,
    caller: Option<u16>,
}

/// Calls Bob, whose phone answers each INVITE with a challenge.
fn challenged(switch: &Switch, status: u16, header: &Name, realm: &str) -> Heard {
    let callee = Peer::at([127, 13, 1, 1], switch.sip());
    let (_, registered) = callee.ask_as(&Request::register("acme.example", BOB), BOB);
    assert_eq!(registered.unwrap().status(), Some(200));
    let caller = Peer::at([127, 13, 1, 2], switch.sip());
    let invite = Request::invite(&format!("{BOB}@acme.example"), MALLORY);
    let refusal = caller.ask(&invite).unwrap();
    caller.acknowledge(&invite, &refusal);
    let invite = invite.proven(&refusal, MALLORY, PASSWORD);
    caller.send(&invite);
    let mut heard = Heard { requests: Vec::new(), caller: None };
    let mut until = Instant::now() + LISTENS;
    while Instant::now() < until {
        if let Some(datagram) = callee.hear(Duration::from_millis(10)) {
            heard.requests.push(String::from_utf8_lossy(&datagram).into_owned());
            let message = Message::parse(Bytes::from(datagram)).unwrap();
            if message.method().is_some_and(|method| method.as_bytes() == b"INVITE") {
                let nonce = crate::peer::unique();
                let value =
                    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"");
                let mut challenge = Message::reply(&message, status).with(header.clone(), value);
                challenge.tag_to(&"bob".into());
                callee.send_raw(&challenge.to_bytes());
            }
        }
        if let Some(answer) = caller.final_answer(&invite, Duration::from_millis(10)) {
            caller.acknowledge(&invite, &answer);
            heard.caller = answer.status();
            // A second try would come at once.
            until = until.min(Instant::now() + Duration::from_millis(300));
        }
    }
    let mut unregister = Request::register("acme.example", BOB);
    unregister.headers = vec![("Expires".to_owned(), "0".to_owned())];
    let (_, gone) = callee.ask_as(&unregister, BOB);
    assert_eq!(gone.unwrap().status(), Some(200));
    heard
}
