//! Every method in every state of a dialog, the wrong ones above all.

use std::time::Duration;

use callwright_sim::phone::manner::Then;
use callwright_sip::{Message, Name};

use crate::Effort;
use crate::peer::{Peer, Request, SDP};
use crate::phones::Callee;
use crate::switch::{ANA, MALLORY, Switch};
use crate::verdict::Verdicts;

/// How long a call may take to ring or to be answered.
const SETUP: Duration = Duration::from_secs(5);

/// Where a dialog stands when the method comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none of these tags.
    Unknown,
    /// The INVITE rings.
    Early,
    /// The INVITE was answered, and the ACK is missing.
    Unacknowledged,
    /// Both talk.
    Confirmed,
    /// A BYE ended it.
    Ended,
    /// The INVITE was taken back, and refused with 487.
    Cancelled,
}

const STATES: [State; 6] =
    [State::Unknown, State::Early, State::Unacknowledged, State::Confirmed, State::Ended, State::Cancelled];

const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "UPDATE",
    "INFO",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "MESSAGE",
    "REFER",
    "FOO",
];

/// SEC-07: each gets the answer of the RFC, and nothing is left over.
pub(crate) fn matrix(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    for state in STATES {
        let then =
            if matches!(state, State::Early | State::Cancelled) { Then::Nothing } else { Then::Answer };
        let _ana = (state != State::Unknown).then(|| Callee::start(switch, ANA, then));
        let mut wrong = Vec::new();
        for method in METHODS {
            let peer = Peer::at([127, 11, 7, 1], switch.sip());
            let status = meet(&peer, state, method);
            let allowed = expected(state, method);
            if !allowed.contains(&status) {
                wrong.push(format!("{method} was answered {status}, not {allowed:?}"));
            }
        }
        verdicts.all(format!("each method, {state:?}"), METHODS.len(), &wrong, "the answer of the RFC");
        let left = switch.comes_down("callwright_calls_live", 0, Duration::from_secs(5));
        verdicts.at_most(format!("calls left over, {state:?}"), left, 0, "calls");
    }
    without_description_after_bye(switch, verdicts);
}

/// The answers that are right; 0 is none. RFC 3261 §8.2.1, §9.2, §12.2.2, §14.2, §15.1.2; RFC 3311 §5.2; RFC 3262 §3;
/// RFC 6665 §4.2.1.
fn expected(state: State, method: &str) -> &'static [u16] {
    match (state, method) {
        // An ACK is never answered.
        (_, "ACK") => &[0],
        // What is refused or over is taken back no more, but the CANCEL itself is right.
        (State::Early, "CANCEL") => &[200],
        (State::Unacknowledged | State::Confirmed | State::Ended | State::Cancelled, "CANCEL") => &[200, 481],
        (State::Ended | State::Cancelled, "BYE") => &[200, 481],
        (State::Unknown | State::Ended | State::Cancelled, _) => &[481],
        (State::Early | State::Unacknowledged | State::Confirmed, "BYE") => &[200],
        // A second INVITE while the first is open is 491 or 500 (RFC 3261 §14.2), or meets a dialog that is not yet ours.
        (State::Early, "INVITE") => &[491, 500, 481],
        (State::Early, "OPTIONS" | "UPDATE" | "INFO" | "MESSAGE") => &[200, 481, 491, 500],
        (State::Early, _) => &[405, 481, 489, 403],
        (State::Unacknowledged, "INVITE" | "UPDATE") => &[200, 491, 500],
        (State::Confirmed, "INVITE" | "UPDATE") => &[200],
        (State::Unacknowledged | State::Confirmed, "OPTIONS") => &[200],
        // These are relayed, and a phone may not know them.
        (State::Unacknowledged | State::Confirmed, "INFO" | "MESSAGE") => {
            &[200, 405, 415, 469, 481, 491, 500, 501]
        }
        (State::Unacknowledged | State::Confirmed, _) => &[403, 405, 481, 489, 501],
    }
}

/// Brings a call into the state, sends the method, ends the call; what the method was answered.
fn meet(peer: &Peer, state: State, method: &str) -> u16 {
    let (invite, last) = bring(peer, state);
    let request = within(&invite, last.as_ref(), method, 10);
    let status = match method {
        // It has the number and the branch of the INVITE.
        "CANCEL" => {
            let mut cancel = invite.clone();
            "CANCEL".clone_into(&mut cancel.method);
            cancel.cseq = invite.cseq.replace("INVITE", "CANCEL");
            cancel.headers.clear();
            cancel.body.clear();
            peer.status(&cancel)
        }
        "ACK" => {
            peer.send(&request);
            let answer = peer.answer_to(&request, Duration::from_millis(100));
            answer.and_then(|answer| answer.status()).unwrap_or(0)
        }
        _ => {
            let answer = peer.ask(&request);
            if let Some(answer) = answer.as_ref().filter(|_| method == "INVITE") {
                acknowledge(peer, &request, answer);
            }
            answer.and_then(|answer| answer.status()).unwrap_or(0)
        }
    };
    end(peer, state, &invite, last.as_ref());
    status
}

/// The INVITE, and the last answer to it.
fn bring(peer: &Peer, state: State) -> (Request, Option<Message>) {
    let invite = Request::invite(&format!("{ANA}@acme.example"), MALLORY);
    if state == State::Unknown {
        return (invite, None);
    }
    let refusal = peer.ask(&invite).unwrap();
    peer.acknowledge(&invite, &refusal);
    let invite = invite.proven(&refusal, MALLORY, crate::switch::PASSWORD);
    peer.send(&invite);
    let mut last = peer.answer_to(&invite, SETUP).unwrap();
    if matches!(state, State::Unacknowledged | State::Confirmed | State::Ended) {
        while last.status() < Some(200) {
            last = peer.answer_to(&invite, SETUP).unwrap();
        }
        assert_eq!(last.status(), Some(200));
    }
    match state {
        State::Unknown | State::Early | State::Unacknowledged => {}
        State::Confirmed => acknowledge(peer, &invite, &last),
        State::Ended => {
            acknowledge(peer, &invite, &last);
            assert_eq!(peer.status(&within(&invite, Some(&last), "BYE", 5)), 200);
        }
        State::Cancelled => {
            take_back(peer, &invite);
            let refused = peer.final_answer(&invite, SETUP).unwrap();
            assert_eq!(refused.status(), Some(487));
            peer.acknowledge(&invite, &refused);
        }
    }
    (invite, Some(last))
}

/// Leaves nothing behind.
fn end(peer: &Peer, state: State, invite: &Request, last: Option<&Message>) {
    match state {
        State::Early => {
            take_back(peer, invite);
            if let Some(refused) = peer.final_answer(invite, Duration::from_millis(300)) {
                peer.acknowledge(invite, &refused);
            }
        }
        State::Unacknowledged | State::Confirmed => {
            if let Some(last) = last {
                acknowledge(peer, invite, last);
            }
            peer.status(&within(invite, last, "BYE", 90));
        }
        State::Unknown | State::Ended | State::Cancelled => {}
    }
}

fn take_back(peer: &Peer, invite: &Request) {
    let mut cancel = invite.clone();
    "CANCEL".clone_into(&mut cancel.method);
    cancel.cseq = invite.cseq.replace("INVITE", "CANCEL");
    cancel.headers.clear();
    cancel.body.clear();
    peer.send(&cancel);
}

/// A 2xx gets an ACK with a branch of its own, anything else one with that of the INVITE (RFC 3261 §13.2.2.4, §17.1.1.3).
fn acknowledge(peer: &Peer, invite: &Request, answer: &Message) {
    if answer.status() != Some(200) {
        peer.acknowledge(invite, answer);
        return;
    }
    let number = invite.cseq.split(' ').next().unwrap().parse().unwrap();
    peer.send(&within(invite, Some(answer), "ACK", number));
}

/// A request within the dialog that `last` made, or within one that nobody knows.
fn within(invite: &Request, last: Option<&Message>, method: &str, number: u32) -> Request {
    let mut request = invite.next(method, number);
    match last {
        Some(last) => {
            request.to = last.headers.get(&Name::To).unwrap().lossy().into_owned();
            request.call_id = last.call_id().unwrap().lossy().into_owned();
        }
        None => request.to = format!("{};tag=nobody", invite.to),
    }
    if ["INVITE", "UPDATE"].contains(&method) {
        request = request.with("Content-Type", "application/sdp").with_body(SDP);
    }
    request
}

/// A re-INVITE without description after the BYE has brought another switch down (CVE-2021-31878).
fn without_description_after_bye(switch: &Switch, verdicts: &mut Verdicts) {
    let _ana = Callee::start(switch, ANA, Then::Answer);
    let peer = Peer::at([127, 11, 7, 2], switch.sip());
    let (invite, last) = bring(&peer, State::Ended);
    let mut late = within(&invite, last.as_ref(), "INVITE", 11);
    late.headers.clear();
    late.body.clear();
    verdicts.answered("a re-INVITE without description after the BYE", peer.status(&late), &[481]);
}
