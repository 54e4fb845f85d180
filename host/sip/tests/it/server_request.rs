//! The server machine of all other requests (RFC 3261 figure 8), and where responses go.

use crate::bench::{Bench, PATIENCE, ms, phone, phone_stream, reply, request};
use callwright_sip::{Event, Flow, Message, Method, Name};

#[test]
fn a_repetition_vanishes_while_nothing_was_answered() {
    // spec: RFC 3261 §17.2.2
    let mut bench = Bench::new();
    let options = request(Method::Options);
    bench.accepted(phone(), &options);
    bench.receive_message(phone(), &options);
    assert_eq!(bench.statuses(), []);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_repetition_gets_the_newest_response() {
    // spec: RFC 3261 §17.2.2
    let mut bench = Bench::new();
    let options = request(Method::Options);
    let (tx, message) = bench.accepted(phone(), &options);
    bench.respond(tx, reply(&message, 183));
    bench.receive_message(phone(), &options);
    bench.respond(tx, reply(&message, 200));
    bench.receive_message(phone(), &options);
    assert_eq!(bench.statuses(), [183, 183, 200, 200]);
}

#[test]
fn timer_j_ends_an_answered_request() {
    // spec: RFC 3261 §17.2.2
    let mut bench = Bench::new();
    let options = request(Method::Options);
    let (tx, message) = bench.accepted(phone(), &options);
    bench.respond(tx, reply(&message, 200));
    bench.pass(PATIENCE - ms(1));
    bench.receive_message(phone(), &options);
    assert_eq!(bench.statuses(), [200, 200]);
    bench.pass(ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    bench.receive_message(phone(), &options);
    assert!(matches!(&bench.events()[..], [Event::Request { .. }]));
}

#[test]
fn on_a_stream_an_answered_request_is_forgotten_at_once() {
    // spec: RFC 3261 §17.2.2
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone_stream(), &request(Method::Options));
    bench.respond(tx, reply(&message, 200));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.transmits()[0].flow, phone_stream());
}

#[test]
fn with_rport_the_answer_goes_to_the_source_and_says_so() {
    // spec: RFC 3581 §4
    let mut bench = Bench::new();
    let behind_nat = Flow::udp("203.0.113.9:31337".parse().unwrap());
    let (tx, message) = bench.accepted(behind_nat, &request(Method::Options));
    bench.respond(tx, reply(&message, 200));
    let sent = bench.transmits();
    assert_eq!(sent[0].flow, behind_nat);
    let via = Message::parse(sent[0].bytes.clone()).unwrap().top_via().unwrap();
    assert_eq!(via.received(), Some("203.0.113.9".parse().unwrap()));
    assert_eq!(via.rport(), Some(31337));
}

#[test]
fn without_rport_the_answer_goes_to_the_port_of_the_via() {
    // spec: RFC 3261 §18.2.2
    let mut bench = Bench::new();
    let source = Flow::udp("203.0.113.9:31337".parse().unwrap());
    for (sent_by, port) in [("phone.invalid:5099", 5099), ("phone.invalid", 5060)] {
        let mut options = request(Method::Options);
        options.headers.set(Name::Via, format!("SIP/2.0/UDP {sent_by};branch=z9hG4bK{port}"));
        options.headers.set(Name::CallId, sent_by);
        let (tx, message) = bench.accepted(source, &options);
        bench.respond(tx, reply(&message, 200));
        assert_eq!(bench.transmits()[0].flow, Flow::udp(format!("203.0.113.9:{port}").parse().unwrap()));
        assert_eq!(message.top_via().unwrap().received(), Some("203.0.113.9".parse().unwrap()));
    }
}

#[test]
fn a_true_via_without_rport_is_left_as_it_is() {
    // spec: RFC 3261 §18.2.1
    let mut bench = Bench::new();
    let mut options = request(Method::Options);
    options.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1");
    let (_, message) = bench.accepted(phone(), &options);
    assert_eq!(message.headers.get(&Name::Via).unwrap(), "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1");
}

#[test]
fn maddr_in_a_via_aims_no_answer_at_others() {
    // spec: RFC 3261 §18.2.2
    let mut bench = Bench::new();
    let mut options = request(Method::Options);
    options.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.7:5070;maddr=203.0.113.1;branch=z9hG4bK1");
    let (tx, message) = bench.accepted(phone(), &options);
    bench.respond(tx, reply(&message, 200));
    assert_eq!(bench.transmits()[0].flow, phone());
}

#[test]
fn only_a_request_with_the_same_method_is_a_repetition() {
    // spec: RFC 3261 §17.2.3
    let mut bench = Bench::new();
    bench.accepted(phone(), &request(Method::Options));
    bench.receive_message(phone(), &request(Method::Message));
    assert!(matches!(&bench.events()[..], [Event::Request { .. }]));
}
