//! CANCEL from both sides (RFC 3261 §9).

use crate::bench::{Bench, PATIENCE, answer_to, ms, our_request, phone, reply, request};
use callwright_sip::{ClientTx, Event, Message, Method, Name, Text};

const REASON: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

fn cancel_of(invite: &Message) -> Message {
    let mut cancel = request(Method::Cancel);
    cancel.headers.set(Name::Via, invite.headers.get(&Name::Via).unwrap().clone());
    cancel
}

fn invite(bench: &mut Bench) -> (ClientTx, Message) {
    let tx = bench.endpoint.request(bench.now, phone(), our_request(Method::Invite)).unwrap();
    (tx, bench.sent().pop().unwrap().1)
}

#[test]
fn a_cancel_is_answered_and_reported_once() {
    // spec: RFC 3261 §9.2
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let (tx, message) = bench.accepted(phone(), &invite);
    bench.respond(tx, reply(&message, 180));
    bench.transmits();
    bench.receive_message(phone(), &cancel_of(&invite).with(Name::Reason, REASON));
    bench.receive_message(phone(), &cancel_of(&invite));
    let sent = bench.sent();
    assert_eq!(sent.iter().filter_map(|(_, message)| message.status()).collect::<Vec<_>>(), [200, 200]);
    assert_eq!(sent[0].1.cseq().unwrap().method, Method::Cancel);
    assert_eq!(sent[0].1.to().unwrap().tag(), Some(Text::from("ours")), "the tag is the INVITE's");
    let events = bench.events();
    let [Event::Cancelled { tx: cancelled, message }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*cancelled, tx);
    assert_eq!(message.reasons()[0].text.as_deref(), Some("Call completed elsewhere"));
}

#[test]
fn a_cancel_without_invite_gets_481() {
    // spec: RFC 3261 §9.2
    let mut bench = Bench::new();
    bench.receive_message(phone(), &request(Method::Cancel));
    assert_eq!(bench.statuses(), [481]);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_cancel_after_the_final_response_gets_200_and_changes_nothing() {
    // spec: RFC 3261 §9.2
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let (tx, message) = bench.accepted(phone(), &invite);
    bench.respond(tx, reply(&message, 200));
    bench.transmits();
    bench.receive_message(phone(), &cancel_of(&invite));
    assert_eq!(bench.statuses(), [200]);
    assert_eq!(bench.events(), []);
}

#[test]
fn our_cancel_is_held_until_the_first_provisional_response() {
    // spec: RFC 3261 §9.1
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench);
    bench.endpoint.cancel(bench.now, tx, Some(Text::from("SIP;cause=480")));
    bench.endpoint.cancel(bench.now, tx, Some(Text::from(REASON)));
    bench.endpoint.cancel(bench.now, tx, None);
    assert_eq!(bench.sent(), []);
    bench.receive_message(phone(), &Message::reply(&sent, 100));
    let (_, cancel) = bench.sent().pop().expect("the CANCEL goes out");
    assert_eq!(cancel.method(), Some(&Method::Cancel));
    assert_eq!(cancel.uri(), sent.uri());
    for name in [Name::Via, Name::From, Name::To, Name::CallId] {
        assert_eq!(cancel.headers.get(&name), sent.headers.get(&name), "{name}");
    }
    assert_eq!(cancel.headers.get(&Name::CSeq).unwrap(), "1 CANCEL");
    assert_eq!(cancel.headers.get(&Name::Reason).unwrap(), REASON);
}

#[test]
fn a_held_cancel_is_dropped_when_the_final_response_comes_first() {
    // spec: RFC 3261 §9.1
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench);
    bench.endpoint.cancel(bench.now, tx, None);
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    bench.endpoint.cancel(bench.now, tx, None);
    assert_eq!(bench.sent(), []);
    assert!(matches!(&bench.events()[..], [Event::Response { .. }]), "the user ends the dialog with BYE");
}

#[test]
fn a_held_cancel_of_a_silent_phone_ends_with_timer_b() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let (tx, _) = invite(&mut bench);
    bench.endpoint.cancel(bench.now, tx, None);
    bench.pass(PATIENCE);
    assert_eq!(bench.events(), [Event::TimedOut { tx }]);
}

#[test]
fn our_cancel_is_sent_again_until_it_is_answered() {
    // spec: RFC 3261 §17.1.2.2
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench);
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.endpoint.cancel(bench.now, tx, None);
    bench.pass(ms(2_000));
    let cancels = bench.sent();
    assert_eq!(cancels.iter().map(|(at, _)| at.as_millis()).collect::<Vec<_>>(), [0, 500, 1500]);
    bench.receive_message(phone(), &answer_to(&cancels[0].1, 200, "anas"));
    bench.pass(ms(10_000));
    assert_eq!(bench.sent(), []);
    bench.events();
    bench.receive_message(phone(), &answer_to(&sent, 487, "anas"));
    assert_eq!(bench.sent().len(), 1, "the ACK to 487");
    assert!(
        matches!(&bench.events()[..], [Event::Response { message, .. }] if message.status() == Some(487))
    );
}

#[test]
fn a_cancelled_invite_without_487_ends_after_64_t1() {
    // spec: RFC 3261 §9.1
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench);
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.pass(ms(10_000));
    bench.endpoint.cancel(bench.now, tx, None);
    bench.events();
    bench.pass(PATIENCE - ms(1));
    assert_eq!(bench.events(), []);
    bench.pass(ms(1));
    assert_eq!(bench.events(), [Event::TimedOut { tx }]);
    assert_eq!(bench.endpoint.deadline(), None);
}

#[test]
fn a_2xx_that_crosses_our_cancel_is_reported() {
    // spec: RFC 3261 §9.1
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench);
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.endpoint.cancel(bench.now, tx, None);
    bench.events();
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    assert!(
        matches!(&bench.events()[..], [Event::Response { message, .. }] if message.status() == Some(200))
    );
    bench.transmits();
    bench.pass(PATIENCE);
    assert_eq!(bench.sent(), [], "the CANCEL is not sent again");
}
