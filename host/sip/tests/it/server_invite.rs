//! The INVITE server machine: RFC 3261 figure 7 with Accepted of RFC 6026 §7.1.

use crate::bench::{Bench, PATIENCE, ack_to, by_branch, ms, phone, phone_stream, reply, request};
use callwright_sip::{Event, Message, Method, Name};

#[test]
fn an_invite_without_a_response_gets_its_100_after_200_ms() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    bench.accepted(phone(), &request(Method::Invite).with(Name::Timestamp, "54"));
    bench.pass(ms(199));
    assert_eq!(bench.sent(), []);
    bench.pass(ms(1_000));
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, sent[0].1.status()), (ms(200), Some(100)));
    assert_eq!(sent[0].1.headers.get(&Name::Timestamp).unwrap(), "54");
    assert_eq!(sent[0].1.to().unwrap().tag(), None, "a 100 makes no dialog");
}

#[test]
fn whatever_else_is_said_spares_the_100() {
    // spec: RFC 3261 §17.2.1
    for status in [180, 200, 486] {
        let mut bench = Bench::new();
        let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
        bench.pass(ms(100));
        bench.respond(tx, reply(&message, status));
        bench.pass(ms(300));
        assert_eq!(bench.statuses(), [status]);
    }
}

#[test]
fn a_repeated_invite_gets_the_newest_provisional_response() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let (tx, message) = bench.accepted(phone(), &invite);
    bench.receive_message(phone(), &invite);
    assert_eq!(bench.statuses(), [100], "at once, for the first was not heard or not answered");
    bench.respond(tx, reply(&message, 180));
    bench.receive_message(phone(), &invite);
    assert_eq!(bench.statuses(), [180, 180]);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_refusal_is_sent_again_by_timer_g_until_timer_h() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 486));
    bench.pass(PATIENCE * 2);
    assert_eq!(bench.times(), [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(bench.endpoint.transactions(), (0, 0), "timer H ends it");
    assert_eq!(bench.endpoint.deadline(), None);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_repeated_invite_gets_the_refusal_again() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let (tx, message) = bench.accepted(phone(), &invite);
    bench.respond(tx, reply(&message, 486));
    bench.receive_message(phone(), &invite);
    assert_eq!(bench.statuses(), [486, 486]);
}

#[test]
fn an_ack_ends_the_refusal_and_timer_i_the_transaction() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    let refusal = reply(&message, 486);
    bench.respond(tx, refusal.clone());
    bench.transmits();
    let ack = ack_to(&refusal, "z9hG4bKphone1");
    bench.receive_message(phone(), &ack);
    bench.receive_message(phone(), &ack);
    bench.receive_message(phone(), &request(Method::Invite));
    bench.pass(ms(4999));
    assert_eq!(bench.statuses(), [], "Confirmed is silent");
    assert_eq!(bench.endpoint.transactions(), (1, 0));
    bench.pass(ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.events(), [], "an ACK to a refusal is the endpoint's own business");
}

#[test]
fn on_a_stream_a_refusal_goes_out_once_and_its_ack_ends_all() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone_stream(), &request(Method::Invite));
    let refusal = reply(&message, 486);
    bench.respond(tx, refusal.clone());
    bench.pass(ms(20_000));
    assert_eq!(bench.times(), [0]);
    bench.receive_message(phone_stream(), &ack_to(&refusal, "z9hG4bKphone1"));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
}

#[test]
fn on_a_stream_timer_h_still_ends_a_refusal_without_ack() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone_stream(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 486));
    bench.pass(PATIENCE);
    assert_eq!(bench.endpoint.transactions(), (0, 0));
}

#[test]
fn a_2xx_is_sent_again_until_its_ack_which_is_reported_once() {
    // spec: RFC 3261 §13.3.1.4
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    let answer = reply(&message, 200);
    bench.respond(tx, answer.clone());
    bench.pass(ms(2000));
    let ack = ack_to(&answer, "z9hG4bKanother");
    bench.receive_message(phone(), &ack);
    bench.receive_message(phone(), &by_branch(ack, "z9hG4bKyetanother"));
    bench.pass(ms(20_000));
    assert_eq!(bench.times(), [0, 500, 1500]);
    let events = bench.events();
    assert!(matches!(&events[..], [Event::Acknowledged { tx: acked, .. }] if *acked == tx), "{events:?}");
}

#[test]
fn a_2xx_is_sent_again_on_streams_too() {
    // spec: RFC 3261 §13.3.1.4
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone_stream(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 200));
    bench.pass(ms(1500));
    assert_eq!(bench.times(), [0, 500, 1500]);
}

#[test]
fn a_repeated_invite_vanishes_in_accepted() {
    // spec: RFC 6026 §7.1
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let (tx, message) = bench.accepted(phone(), &invite);
    let answer = reply(&message, 200);
    bench.respond(tx, answer.clone());
    bench.receive_message(phone(), &ack_to(&answer, "z9hG4bKanother"));
    bench.transmits();
    bench.events();
    bench.pass(ms(31_000));
    bench.receive_message(phone(), &invite);
    assert_eq!(bench.statuses(), []);
    assert_eq!(bench.events(), [], "no ghost call");
    bench.pass(ms(1000));
    assert_eq!(bench.endpoint.transactions(), (0, 0), "timer L ends it");
    assert_eq!(bench.events(), []);
}

#[test]
fn a_2xx_without_ack_is_reported_after_64_t1() {
    // spec: RFC 3261 §13.3.1.4
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 200));
    bench.pass(PATIENCE - ms(1));
    assert_eq!(bench.events(), []);
    bench.pass(ms(1));
    assert_eq!(bench.events(), [Event::NeverAcknowledged { tx }]);
    assert_eq!(bench.endpoint.deadline(), None);
}

#[test]
fn an_ack_with_another_tag_or_number_acknowledges_nothing() {
    // spec: RFC 3261 §13.2.2.4
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    let answer = reply(&message, 200);
    bench.respond(tx, answer.clone());
    let mut foreign = ack_to(&answer, "z9hG4bKanother");
    foreign.headers.set(Name::To, "<sip:bob@example.com>;tag=other");
    bench.receive_message(phone(), &foreign);
    let mut late = ack_to(&answer, "z9hG4bKanother");
    late.headers.set(Name::CSeq, "2 ACK");
    bench.receive_message(phone(), &late);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_second_final_response_is_not_sent() {
    // spec: RFC 3261 §17.2.1
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    bench.respond(tx, reply(&message, 200));
    bench.respond(tx, reply(&message, 486));
    bench.respond(tx, reply(&message, 180));
    assert_eq!(bench.statuses(), [200]);
}

#[test]
fn a_response_without_to_tag_gets_the_same_tag_each_time() {
    // spec: RFC 3261 §8.2.6.2
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    bench.respond(tx, Message::reply(&message, 180));
    bench.respond(tx, Message::reply(&message, 486));
    let tags: Vec<_> = bench.sent().iter().map(|(_, sent)| sent.to().unwrap().tag().unwrap()).collect();
    assert_eq!(tags[0], tags[1]);
    assert!(tags[0].as_str().unwrap().starts_with("0001"), "a tag begins with the node's number");
}

#[test]
fn a_request_by_another_branch_is_merged_and_gets_482() {
    // spec: RFC 3261 §8.2.2.2
    let mut bench = Bench::new();
    bench.accepted(phone(), &request(Method::Invite));
    bench.receive_message(phone(), &by_branch(request(Method::Invite), "z9hG4bKotherpath"));
    assert_eq!(bench.statuses(), [482]);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_branch_of_rfc_2543_is_matched_by_all_fields() {
    // spec: RFC 3261 §17.2.3
    let mut bench = Bench::new();
    let mut invite = by_branch(request(Method::Invite), "1");
    let (tx, message) = bench.accepted(phone(), &invite);
    bench.receive_message(phone(), &invite);
    assert_eq!(bench.statuses(), [100], "the same fields are a repetition");
    bench.respond(tx, reply(&message, 486));
    bench.transmits();
    bench.receive_message(phone(), &ack_to(&reply(&message, 486), "1"));
    bench.pass(ms(5000));
    assert_eq!(bench.times(), [] as [u128; 0], "its ACK ends the refusal");
    invite.headers.set(Name::CallId, "another");
    bench.receive_message(phone(), &invite);
    assert!(matches!(&bench.events()[..], [Event::Request { .. }]), "the same branch in another call is new");
}

#[test]
fn a_phone_that_acks_a_2xx_by_the_invites_branch_is_understood() {
    // spec: RFC 3261 §17.2.3
    let mut bench = Bench::new();
    let (tx, message) = bench.accepted(phone(), &request(Method::Invite));
    let answer = reply(&message, 200);
    bench.respond(tx, answer.clone());
    bench.receive_message(phone(), &ack_to(&answer, "z9hG4bKphone1"));
    assert!(matches!(&bench.events()[..], [Event::Acknowledged { .. }]));
}

#[test]
fn a_branch_that_is_the_cookie_alone_identifies_nothing() {
    // spec: RFC 4475 §3
    let mut bench = Bench::new();
    let invite = by_branch(request(Method::Invite), "z9hG4bK");
    bench.accepted(phone(), &invite);
    let mut another = invite;
    another.headers.set(Name::CallId, "another");
    bench.receive_message(phone(), &another);
    assert!(matches!(&bench.events()[..], [Event::Request { .. }]));
}
