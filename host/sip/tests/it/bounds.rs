//! Every table has its end, and reaching it is an ordinary error.

use crate::bench::{Bench, ack_to, answer_to, by_branch, our_request, phone, raw, reply, request};
use bytes::Bytes;
use callwright_sip::{
    EndpointSettings, Event, Fault, Full, HEADER_BLOCK_MAX, HEADERS_MAX, MESSAGE_MAX, Message, Method, Name,
    Text,
};

fn fault(bytes: impl Into<Bytes>) -> Fault {
    Message::parse(bytes.into()).unwrap_err().fault
}

#[test]
fn a_transaction_too_many_is_full() {
    let mut settings = EndpointSettings::new(1, "198.51.100.1", 5060);
    settings.transactions_max = 1;
    let mut bench = Bench::with(settings);
    let (first, _) = bench.accepted(phone(), &request(Method::Options));
    let mut another = request(Method::Options);
    another.headers.set(Name::CallId, "another");
    another.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKanother;rport");
    bench.receive_message(phone(), &another);
    let Some(Event::Request { flow, message }) = bench.events().pop() else { panic!("no request") };
    assert_eq!(bench.endpoint.accept(bench.now, flow, &message), Err(Full));
    assert_eq!(
        bench.endpoint.accept(bench.now, flow, &request(Method::Options)),
        Ok(first),
        "the known one is there"
    );
    bench.endpoint.request(bench.now, phone(), our_request(Method::Options)).unwrap();
    assert_eq!(bench.endpoint.request(bench.now, phone(), our_request(Method::Options)), Err(Full));
}

#[test]
fn a_new_request_takes_the_place_of_the_oldest_that_was_answered() {
    let mut settings = EndpointSettings::new(1, "198.51.100.1", 5060);
    settings.transactions_max = 2;
    let mut bench = Bench::with(settings);
    let numbered = |number: u32| {
        let mut register = request(Method::Register);
        register.headers.set(Name::CallId, format!("call-{number}"));
        let via = format!("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK{number};rport");
        register.headers.set(Name::Via, via);
        register
    };
    for number in 1..=3 {
        let register = numbered(number);
        let (tx, message) = bench.accepted(phone(), &register);
        bench.endpoint.respond(bench.now, tx, Message::reply(&message, 200));
    }
    assert_eq!(bench.endpoint.transactions(), (2, 0));
    bench.statuses();
    for (number, known) in [(3, true), (2, true), (1, false)] {
        bench.receive_message(phone(), &numbered(number));
        let asked = bench.events().iter().any(|event| matches!(event, Event::Request { .. }));
        assert_eq!((bench.statuses().len(), asked), (usize::from(known), !known), "{number}");
    }
    let (_, _) = bench.accepted(phone(), &numbered(4));
    let (_, _) = bench.accepted(phone(), &numbered(5));
    bench.receive_message(phone(), &numbered(6));
    let Some(Event::Request { flow, message }) = bench.events().pop() else { panic!("no request") };
    assert_eq!(bench.endpoint.accept(bench.now, flow, &message), Err(Full), "what has no answer yet stays");
}

#[test]
fn a_new_invite_takes_the_place_of_the_oldest_that_was_acknowledged() {
    // deviation of RFC 6026 §7.1, §7.2
    let mut settings = EndpointSettings::new(1, "198.51.100.1", 5060);
    settings.transactions_max = 2;
    let mut bench = Bench::with(settings);
    let ask = |number: u32| {
        let mut invite = request(Method::Invite);
        invite.headers.set(Name::CallId, format!("call-{number}"));
        by_branch(invite, &format!("z9hG4bK{number}"))
    };
    for number in 1..=3 {
        let (tx, message) = bench.accepted(phone(), &ask(number));
        let answer = reply(&message, 200);
        bench.respond(tx, answer.clone());
        bench.receive_message(phone(), &ack_to(&answer, &format!("z9hG4bKack{number}")));
    }
    bench.accepted(phone(), &ask(4));
    assert_eq!(bench.endpoint.transactions(), (2, 0));
    bench.accepted(phone(), &ask(5));
    bench.receive_message(phone(), &ask(6));
    let refused = bench.endpoint.accept(bench.now, phone(), &ask(6));
    assert_eq!(refused, Err(Full), "what has no answer yet stays");
    bench.events();
    bench.transmits();

    let ours = |bench: &mut Bench| bench.endpoint.request(bench.now, phone(), our_request(Method::Invite));
    let mut answered = Vec::new();
    for _ in 1..=3 {
        let tx = ours(&mut bench).unwrap();
        let (_, sent) = bench.sent().pop().unwrap();
        let answer = answer_to(&sent, 200, "anas");
        bench.receive_message(phone(), &answer);
        bench.endpoint.acknowledge(bench.now, tx, &Text::from("anas"), our_request(Method::Ack));
        bench.transmits();
        answered.push(tx);
    }
    assert_eq!(bench.endpoint.transactions().1, 2);
    assert!(bench.events().contains(&Event::Forgotten { tx: answered[0] }));
    let waiting = [ours(&mut bench), ours(&mut bench)];
    assert!(waiting.iter().all(Result::is_ok));
    assert_eq!(ours(&mut bench), Err(Full), "what has no answer yet stays");
}

#[test]
fn a_message_too_long_is_refused() {
    let mut bytes = request(Method::Message).to_bytes().to_vec();
    bytes.resize(MESSAGE_MAX + 1, b' ');
    assert_eq!(fault(bytes), Fault::TooLong);
}

#[test]
fn headers_too_long_are_refused_and_the_sender_is_told() {
    let mut bench = Bench::new();
    let long = request(Method::Options).with(Name::Subject, "x".repeat(HEADER_BLOCK_MAX));
    bench.receive_message(phone(), &long);
    assert_eq!(bench.statuses(), [513]);
}

#[test]
fn headers_too_many_are_refused() {
    let mut message = request(Method::Options);
    for _ in 0..=HEADERS_MAX {
        message.headers.push(Name::Subject, "x");
    }
    assert_eq!(fault(message.to_bytes()), Fault::TooManyHeaders);
}

#[test]
fn hops_and_contacts_in_one_line_count_each() {
    let vias = vec!["SIP/2.0/UDP h;branch=z9hG4bK1"; HEADERS_MAX + 1].join(",");
    let bytes = raw(&["OPTIONS sip:a SIP/2.0", &format!("Via: {vias}"), "", ""]);
    assert_eq!(fault(bytes), Fault::TooManyHeaders);
}
