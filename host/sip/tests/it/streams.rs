//! Cutting streams into messages, and ending those that cannot be cut.

use crate::bench::{Bench, ms, phone_stream, raw, reply, request};
use bytes::Bytes;
use callwright_sip::{EndpointSettings, Event, Fault, Flow, HEADER_BLOCK_MAX, MESSAGE_MAX, Method};

fn other_stream() -> Flow {
    Flow::tcp("192.0.2.9:40002".parse().unwrap(), 2)
}

fn requests(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Request { .. })).count()
}

/// The fault for which a stream was closed.
fn fault_of(bench: &mut Bench) -> Fault {
    let events = bench.events();
    let [Event::Malformed { error, .. }, Event::Closed { flow }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*flow, phone_stream());
    assert_eq!(bench.closed(), [phone_stream()]);
    error.fault.clone()
}

#[test]
fn a_message_may_be_split_at_every_byte() {
    // spec: RFC 3261 §18.3
    let bytes = request(Method::Message).with_body("text/plain", "a body\r\n\r\nwith empty lines").to_bytes();
    for cut in 0..=bytes.len() {
        let mut bench = Bench::new();
        bench.receive(phone_stream(), bytes.slice(..cut));
        bench.receive(phone_stream(), bytes.slice(cut..));
        assert_eq!(requests(&bench.events()), 1, "cut at {cut}");
        assert_eq!(bench.closed(), []);
    }
}

#[test]
fn a_message_may_come_byte_by_byte() {
    // spec: RFC 3261 §18.3
    let mut bench = Bench::new();
    let bytes = request(Method::Message).with_body("text/plain", "body").to_bytes();
    for at in 0..bytes.len() {
        assert_eq!(requests(&bench.events()), 0);
        bench.receive(phone_stream(), bytes.slice(at..=at));
    }
    assert_eq!(requests(&bench.events()), 1);
    assert_eq!(bench.endpoint.deadline(), None, "nothing is waited for between messages");
}

#[test]
fn one_piece_may_hold_many_messages() {
    // spec: RFC 3261 §18.3
    let mut bench = Bench::new();
    let one = request(Method::Message).with_body("text/plain", "body").to_bytes();
    let mut bytes = b"\r\n".to_vec();
    for _ in 0..3 {
        bytes.extend_from_slice(&one);
    }
    bytes.extend_from_slice(&one[..40]);
    bench.receive(phone_stream(), bytes);
    assert_eq!(requests(&bench.events()), 3);
    bench.receive(phone_stream(), one.slice(40..));
    assert_eq!(requests(&bench.events()), 1);
}

#[test]
fn a_double_line_end_gets_a_single_one() {
    // spec: RFC 5626 §3.5.1
    let mut bench = Bench::new();
    for piece in ["\r\n", "\r", "\n"] {
        assert_eq!(bench.transmits().len(), 0);
        bench.receive(phone_stream(), piece);
    }
    let sent = bench.transmits();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].bytes, Bytes::from_static(b"\r\n"));
    assert_eq!(sent[0].flow, phone_stream());
    bench.receive(phone_stream(), "\r\n\r\n".repeat(1000));
    assert_eq!(bench.transmits().len(), 1, "many pings in one piece are no lever");
}

#[test]
fn a_pong_is_not_answered() {
    // spec: RFC 5626 §3.5.1
    let mut bench = Bench::new();
    bench.receive(phone_stream(), "\r\n");
    bench.receive(phone_stream(), request(Method::Options).to_bytes());
    assert_eq!(bench.transmits().len(), 0);
    assert_eq!(requests(&bench.events()), 1);
}

#[test]
fn what_is_no_sip_closes_the_stream_at_its_first_line() {
    // spec: RFC 3261 §7.1
    for garbage in
        [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\n", b"hello\r\n", b"SIP/2.0 99999 no\r\n"]
    {
        let mut bench = Bench::new();
        bench.receive(phone_stream(), Bytes::copy_from_slice(garbage));
        assert_eq!(fault_of(&mut bench), Fault::StartLine);
        assert_eq!(bench.transmits().len(), 0);
    }
}

#[test]
fn a_length_that_cannot_be_believed_closes_the_stream() {
    // spec: RFC 3261 §18.3
    let start = "OPTIONS sip:bob@example.com SIP/2.0";
    let giant = format!("Content-Length: {}", MESSAGE_MAX + 1);
    let overflow = format!("l: {}", "9".repeat(40));
    for lines in [
        &[start, "Call-ID: 1", "", ""][..],
        &[start, "Content-Length: -1", "", ""],
        &[start, "Content-Length: ten", "", ""],
        &[start, "Content-Length: 0", "l: 5", "", ""],
        &[start, &giant, "", ""],
        &[start, &overflow, "", ""],
    ] {
        let mut bench = Bench::new();
        bench.receive(phone_stream(), raw(lines));
        assert_eq!(fault_of(&mut bench), Fault::ContentLength, "{lines:?}");
    }
}

#[test]
fn a_request_whose_body_has_no_end_is_answered_before_its_stream_is_closed() {
    // spec: RFC 3261 §18.3
    let mut bench = Bench::new();
    let bytes = String::from_utf8(request(Method::Options).to_bytes().to_vec()).unwrap();
    bench.receive(phone_stream(), bytes.replace("Content-Length: 0\r\n", ""));
    assert_eq!(bench.statuses(), [400]);
    assert_eq!(fault_of(&mut bench), Fault::ContentLength);
}

#[test]
fn headers_without_end_close_the_stream() {
    let mut bench = Bench::new();
    bench.receive(phone_stream(), "OPTIONS sip:bob@example.com SIP/2.0\r\n");
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    for _ in 0..HEADER_BLOCK_MAX / line.len() {
        bench.receive(phone_stream(), line.clone());
    }
    assert_eq!(bench.closed(), []);
    bench.receive(phone_stream(), line);
    assert_eq!(fault_of(&mut bench), Fault::TooLong);
}

#[test]
fn a_piece_larger_than_the_buffer_closes_the_stream() {
    let mut bench = Bench::new();
    bench.receive(phone_stream(), vec![b'x'; callwright_sip::STREAM_BUFFER_MAX + 1]);
    assert_eq!(fault_of(&mut bench), Fault::TooLong);
}

#[test]
fn a_message_that_does_not_end_closes_its_stream_and_no_other() {
    let mut bench = Bench::new();
    let bytes = request(Method::Options).to_bytes();
    bench.receive(phone_stream(), bytes.slice(..50));
    bench.receive(other_stream(), "\r\n\r\n");
    bench.pass(ms(20_000));
    bench.receive(phone_stream(), bytes.slice(50..60));
    bench.pass(ms(11_999));
    assert_eq!(bench.closed(), []);
    bench.pass(ms(1));
    assert_eq!(fault_of(&mut bench), Fault::Truncated);
    bench.receive(other_stream(), bytes);
    assert_eq!(requests(&bench.events()), 1);
}

#[test]
fn a_broken_message_between_good_ones_is_answered_and_the_stream_goes_on() {
    // spec: RFC 3261 §8.2
    let mut bench = Bench::new();
    let mut broken = request(Method::Options);
    broken.headers.set(callwright_sip::Name::CSeq, "first OPTIONS");
    let mut bytes = broken.to_bytes().to_vec();
    bytes.extend_from_slice(&request(Method::Options).to_bytes());
    bench.receive(phone_stream(), bytes);
    assert_eq!(bench.statuses(), [400]);
    assert_eq!(requests(&bench.events()), 1);
    assert_eq!(bench.closed(), []);
}

#[test]
fn a_refused_stream_is_read_no_further() {
    let mut bench = Bench::new();
    bench.receive(phone_stream(), "hello\r\n");
    fault_of(&mut bench);
    bench.receive(phone_stream(), request(Method::Options).to_bytes());
    bench.endpoint.closed(bench.now, phone_stream());
    assert_eq!(bench.events(), [], "its end was reported before");
    bench.receive(phone_stream(), request(Method::Options).to_bytes());
    assert_eq!(requests(&bench.events()), 1, "the number may be given anew");
}

#[test]
fn a_stream_that_the_peer_closes_is_reported() {
    let mut bench = Bench::new();
    bench.receive(phone_stream(), request(Method::Options).to_bytes().slice(..30));
    bench.endpoint.closed(bench.now, phone_stream());
    assert_eq!(bench.events(), [Event::Closed { flow: phone_stream() }]);
    assert_eq!(bench.endpoint.deadline(), None);
}

#[test]
fn a_stream_too_many_is_closed_and_the_others_stay() {
    let mut settings = EndpointSettings::new(1, "198.51.100.1", 5060);
    settings.streams_max = 1;
    let mut bench = Bench::with(settings);
    bench.receive(phone_stream(), "\r\n");
    bench.receive(other_stream(), request(Method::Options).to_bytes());
    assert_eq!(bench.closed(), [other_stream()]);
    assert_eq!(bench.events(), [Event::Closed { flow: other_stream() }]);
    bench.receive(phone_stream(), request(Method::Options).to_bytes());
    assert_eq!(requests(&bench.events()), 1);
}

#[test]
fn an_answer_goes_down_the_requests_connection() {
    // spec: RFC 3261 §18.2.2
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone_stream(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 180));
    assert_eq!(bench.transmits()[0].flow, phone_stream());
}
