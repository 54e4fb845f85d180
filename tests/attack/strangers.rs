//! Requests without proof, or with somebody else's name.

use std::time::{Duration, Instant};

use crate::Effort;
use crate::peer::{Peer, Request};
use crate::switch::{ANA, BOB, MALLORY, Switch};
use crate::verdict::Verdicts;

/// SEC-05: credentials that are no credentials.
pub(crate) fn odd_credentials(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let peer = Peer::at([127, 7, 5, 1], switch.sip());
    let whole = "Digest username=\"1001\", realm=\"acme.example\", nonce=\"n\", uri=\"sip:acme.example\", \
                 response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"";
    let odd = [
        "Digest".to_owned(),
        "Digest ".to_owned(),
        "Basic YTpi".to_owned(),
        ",,,,".to_owned(),
        "Digest username".to_owned(),
        "Digest username=\"".to_owned(),
        "Digest username=\"1001".to_owned(),
        "Digest username=\"1001\", realm=\"acme.example\"".to_owned(),
        whole.replace("MD5", "ROT13"),
        whole.replace("MD5", "MD5-sess"),
        whole.replace("qop=auth,", "qop=auth-int,"),
        whole.replace("qop=auth, nc=00000001,", ""),
        whole.replace("00000001", "zzzzzzzz"),
        whole.replace("00000001", "FFFFFFFFFF"),
        whole.replace("acme.example\", nonce", "other.example\", nonce"),
        whole.replace("response=\"0123456789abcdef0123456789abcdef\"", "response=\"\""),
        whole.replace("username=\"1001\"", "username=\"\""),
        whole.replace("username=\"1001\"", &format!("username=\"{}\"", "9".repeat(4_000))),
        whole.replace("nonce=\"n\"", &format!("nonce=\"{}\"", "f".repeat(4_000))),
        whole.replace("nonce=\"n\"", "nonce=\"\u{e9}\u{20ac}ffffffffffffffffffffffffffff\""),
    ];
    let mut wrong = Vec::new();
    for value in &odd {
        let request = Request::register("acme.example", ANA).with("Authorization", value);
        let status = peer.status(&request);
        if ![400, 401].contains(&status) {
            wrong.push(format!("{status} to `{value:.60}`"));
        }
    }
    let many = (0..100)
        .fold(Request::register("acme.example", ANA), |request, _| request.with("Authorization", whole));
    verdicts.all("odd credentials are refused", odd.len(), &wrong, "400 or 401");
    verdicts.answered("a hundred credentials in one request", peer.status(&many), &[400, 401, 513]);
}

/// SEC-20: a stranger whose From is a user's.
pub(crate) fn borrowed_names(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let _ana = crate::phones::Callee::start(switch, ANA, callwright_sim::phone::manner::Then::Nothing);
    // The address that the phone itself has, and another one.
    for address in [[127, 0, 3, 1], [127, 7, 20, 1]] {
        let peer = Peer::at(address, switch.sip());
        for name in [ANA, BOB, "91001"] {
            let claim = format!("an INVITE from {name} at {} without proof", peer.local().ip());
            verdicts.answered(claim, peer.status(&Request::invite("91011@acme.example", name)), &[401]);
        }
        let asserted = Request::invite("91011@acme.example", "anonymous")
            .with("P-Asserted-Identity", "<sip:1001@acme.example>")
            .with("Remote-Party-ID", "<sip:1001@acme.example>;party=calling");
        verdicts.answered("an asserted identity proves nothing", peer.status(&asserted), &[401]);
    }
    verdicts.at_most("calls begun", switch.metric("callwright_calls_total"), 0, "calls");
    named_as_somebody_else(switch, verdicts);
}

/// What a device says of itself counts for nothing: the callee sees who proved to be there.
fn named_as_somebody_else(switch: &Switch, verdicts: &mut Verdicts) {
    let callee = Peer::at([127, 7, 20, 9], switch.sip());
    let register = Request::register("acme.example", BOB);
    let (_, registered) = callee.ask_as(&register, BOB);
    verdicts.answered("the callee registers", registered.and_then(|it| it.status()).unwrap_or(0), &[200]);
    let mallory = Peer::at([127, 7, 20, 10], switch.sip());
    let invite = Request::invite(&format!("{BOB}@acme.example"), ANA)
        .with("P-Asserted-Identity", "\"Boss\" <sip:1001@acme.example>")
        .with("Diversion", "<sip:1001@acme.example>");
    let refusal = mallory.ask(&invite).unwrap();
    mallory.send(&invite.proven(&refusal, MALLORY, crate::switch::PASSWORD));
    let until = Instant::now() + Duration::from_secs(5);
    let mut rung = None;
    while rung.is_none() && Instant::now() < until {
        let heard = callee.hear(Duration::from_millis(100));
        rung = heard.and_then(|datagram| crate::smuggling::invite_in(&[datagram]));
    }
    let told = rung.unwrap_or_default();
    let lines = || told.lines().filter(|line| !line.starts_with("To:") && !line.starts_with("Via:"));
    let shows = lines().any(|line| line.starts_with("From:") && line.contains(MALLORY));
    let lies = lines().any(|line| line.contains("1001") || line.contains("Boss"));
    verdicts.check(
        "the callee sees who proved to be there",
        shows && !lies,
        format!("{shows}, {lies}"),
        "true, false",
    );
}

/// SEC-27: the methods that other switches forgot to ask a proof for.
pub(crate) fn other_methods(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let peer = Peer::at([127, 7, 27, 1], switch.sip());
    for (method, allowed) in [
        ("MESSAGE", &[401, 405][..]),
        ("SUBSCRIBE", &[401, 489]),
        ("PUBLISH", &[401, 489]),
        ("REFER", &[401, 405]),
        ("NOTIFY", &[401, 481]),
        ("INFO", &[401, 481]),
        ("UPDATE", &[401, 481]),
        ("FOO", &[401, 501]),
    ] {
        let request = Request::new(method, &format!("9{ANA}@acme.example"), ANA)
            .with("Event", "message-summary")
            .with("Refer-To", "<sip:91011@acme.example>")
            .with_body("Messages-Waiting: yes\r\nMessage-Account: sip:x@acme.example\r\n");
        verdicts.answered(format!("{method} out of a dialog without proof"), peer.status(&request), allowed);
    }
    let key = Request::new("SUBSCRIBE", &format!("9{ANA}@acme.example"), ANA)
        .with("Event", "as-feature-event")
        .with("Content-Type", "application/x-as-feature-event+xml")
        .with_body("<SetDoNotDisturb><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>");
    verdicts.answered("a key of somebody's phone without proof", peer.status(&key), &[401]);
    let kept = switch.metric("callwright_transactions");
    verdicts.at_most("transactions kept for them", kept, 0, "transactions");
    let stranger = switch.metric("callwright_calls_total");
    verdicts.at_most("calls begun", stranger, 0, "calls");
}
