//! Answers that leave no memory: challenges, malformed requests, and their bound.

use crate::bench::{Bench, phone, phone_stream, raw, request};
use callwright_sip::{Event, Fault, Message, Method, Name};

fn ask(bench: &mut Bench, request: &Message) -> Message {
    bench.receive_message(phone(), request);
    let Some(Event::Request { message, .. }) = bench.events().pop() else { panic!("no request") };
    message
}

#[test]
fn a_stateless_answer_is_sent_once_and_leaves_nothing() {
    // spec: RFC 3261 §8.2.7
    let mut bench = Bench::new();
    let message = ask(&mut bench, &request(Method::Register));
    bench.endpoint.answer_statelessly(phone(), &message, Message::reply(&message, 401));
    let first = bench.sent();
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.endpoint.deadline(), None);
    let message = ask(&mut bench, &request(Method::Register));
    bench.endpoint.answer_statelessly(phone(), &message, Message::reply(&message, 401));
    assert_eq!(bench.sent()[0].1, first[0].1, "a repetition gets the same answer, To tag included");
    assert!(first[0].1.to().unwrap().tag().is_some());
}

#[test]
fn the_ack_to_a_stateless_refusal_vanishes() {
    // spec: RFC 3261 §8.2.7
    let mut bench = Bench::new();
    bench.receive_message(phone(), &request(Method::Ack));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.statuses(), []);
}

#[test]
fn an_answer_to_a_stranger_sheds_what_is_over_the_bound() {
    let mut bench = Bench::new();
    let short = Message::request(Method::Options, "sip:a")
        .with(Name::Via, "SIP/2.0/UDP h;branch=z9hG4bKs")
        .with(Name::From, "<sip:a>;tag=1")
        .with(Name::To, "<sip:a>")
        .with(Name::CallId, "c")
        .with(Name::CSeq, "1 OPTIONS");
    let length = short.to_bytes().len();
    let message = ask(&mut bench, &short);
    let long = Message::reply(&message, 401)
        .with(Name::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\"")
        .with(Name::Server, "x".repeat(400))
        .with_body("text/plain", "y".repeat(400));
    bench.endpoint.answer_statelessly(phone(), &message, long);
    let sent = bench.transmits();
    assert!(sent[0].bytes.len() <= length + 300, "{} after {length}", sent[0].bytes.len());
    let answer = Message::parse(sent[0].bytes.clone()).unwrap();
    assert!(answer.headers.get(&Name::WwwAuthenticate).is_some(), "what the phone needs stays");
    let endless = Message::reply(&message, 401).with(Name::WwwAuthenticate, "z".repeat(1000));
    bench.endpoint.answer_statelessly(phone(), &message, endless);
    assert_eq!(bench.transmits(), []);
}

#[test]
fn the_bound_holds_for_compact_requests_too() {
    let mut bench = Bench::new();
    let bytes = raw(&[
        "OPTIONS sip:a SIP/2.0",
        "v:SIP/2.0/UDP h;rport;branch=z9hG4bKs",
        "f:<sip:a>;tag=1",
        "t:<sip:a>",
        "i:c",
        "CSeq:1 OPTIONS",
        "",
        "",
    ]);
    bench.receive(phone(), bytes.clone());
    let Some(Event::Request { message, .. }) = bench.events().pop() else { panic!("no request") };
    for filler in 0..400 {
        let response = Message::reply(&message, 404).with(Name::RetryAfter, "9".repeat(filler));
        bench.endpoint.answer_statelessly(phone(), &message, response);
    }
    let longest = bench.transmits().iter().map(|sent| sent.bytes.len()).max().unwrap();
    assert!(longest <= bytes.len() + 300, "{longest} after {}", bytes.len());
}

#[test]
fn on_a_stream_an_answer_has_no_bound() {
    let mut bench = Bench::new();
    bench.receive_message(phone_stream(), &request(Method::Options));
    let Some(Event::Request { flow, message }) = bench.events().pop() else { panic!("no request") };
    let long = Message::reply(&message, 200).with(Name::Server, "x".repeat(4000));
    bench.endpoint.answer_statelessly(flow, &message, long);
    assert!(bench.transmits()[0].bytes.len() > 4000);
}

#[test]
fn a_broken_request_gets_400_where_its_sender_can_be_told() {
    // spec: RFC 3261 §21.4.1
    let mut bench = Bench::new();
    let mut broken = request(Method::Options);
    broken.headers.set(Name::From, "\"Ana <sip:ana@example.com>;tag=1");
    bench.receive_message(phone(), &broken);
    let sent = bench.sent();
    assert_eq!(sent[0].1.status(), Some(400));
    assert!(sent[0].1.to().unwrap().tag().is_some());
    assert_eq!(sent[0].1.top_via().unwrap().rport(), Some(5070));
    assert!(matches!(&bench.events()[..], [Event::Malformed { .. }]));
}

#[test]
fn another_version_gets_505() {
    // spec: RFC 3261 §21.5.6
    let mut bench = Bench::new();
    let bytes = String::from_utf8(request(Method::Options).to_bytes().to_vec()).unwrap();
    bench.receive(phone(), bytes.replacen("SIP/2.0", "SIP/7.0", 1));
    assert_eq!(bench.statuses(), [505]);
    // Who speaks it signs its Via with it too, and hears it back as it was.
    bench.receive(phone(), bytes.replace("SIP/2.0", "SIP/7.0"));
    let sent = bench.sent();
    assert_eq!(sent[0].1.status(), Some(505));
    assert_eq!(sent[0].1.top_via().unwrap().version.unwrap().as_str(), Some("7.0"));
}

#[test]
fn a_request_without_from_to_and_call_id_is_told_so() {
    // spec: RFC 4475 §3.3.1
    let mut bench = Bench::new();
    let mut broken = request(Method::Options);
    for name in [Name::From, Name::To, Name::CallId] {
        broken.headers.remove(&name);
    }
    bench.receive_message(phone(), &broken);
    assert_eq!(bench.statuses(), [400]);
    broken.headers.remove(&Name::CSeq);
    bench.receive_message(phone(), &broken);
    assert_eq!(bench.transmits(), [], "without CSeq nobody knows what was answered");
}

#[test]
fn a_method_that_cseq_contradicts_gets_400() {
    // spec: RFC 3261 §8.1.1.5
    let mut bench = Bench::new();
    let mut broken = request(Method::Options);
    broken.headers.set(Name::CSeq, "1 INVITE");
    bench.receive_message(phone(), &broken);
    assert_eq!(bench.statuses(), [400]);
    let events = bench.events();
    assert!(matches!(&events[..], [Event::Malformed { error, .. }] if error.fault == Fault::MethodMismatch));
}

#[test]
fn broken_responses_and_acks_are_never_answered() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let mut ack = request(Method::Ack);
    ack.headers.set(Name::CSeq, "none ACK");
    bench.receive_message(phone(), &ack);
    let mut response = Message::reply(&request(Method::Options), 200);
    response.headers.remove(&Name::CSeq);
    bench.receive_message(phone(), &response);
    bench.receive(phone(), "complete nonsense\r\n\r\n");
    assert_eq!(bench.transmits(), []);
    assert_eq!(bench.events().len(), 3);
}

#[test]
fn datagrams_that_only_hold_a_nat_open_are_no_messages() {
    let mut bench = Bench::new();
    for keep_alive in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        bench.receive(phone(), keep_alive.to_vec());
    }
    assert_eq!(bench.events(), []);
    assert_eq!(bench.transmits(), []);
}
