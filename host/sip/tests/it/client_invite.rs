//! The INVITE client machine: RFC 3261 figure 5 with Accepted of RFC 6026 §7.2.

use crate::bench::{Bench, PATIENCE, answer_to, ms, our_request, phone, phone_stream};
use callwright_sip::{ClientTx, Event, FORKS_MAX, Flow, Message, Method, Name, Text};

/// Sends our INVITE and returns it as it went out.
fn invite(bench: &mut Bench, flow: Flow) -> (ClientTx, Message) {
    let tx = bench.endpoint.request(bench.now, flow, our_request(Method::Invite)).unwrap();
    let (_, sent) = bench.sent().pop().unwrap();
    (tx, sent)
}

fn statuses(events: &[Event]) -> Vec<u16> {
    let status = |event: &Event| {
        let Event::Response { message, .. } = event else { panic!("{event:?} is no response") };
        message.status()
    };
    events.iter().filter_map(status).collect()
}

#[test]
fn a_request_of_ours_carries_our_via_with_a_branch_of_the_node() {
    // spec: RFC 3261 §8.1.1.7
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    let via = sent.top_via().unwrap();
    assert_eq!(via.host.to_string(), "198.51.100.1");
    assert!(via.wants_rport());
    assert!(via.branch().unwrap().as_str().unwrap().starts_with("z9hG4bK0001"));
}

#[test]
fn an_invite_is_sent_again_by_timer_a_until_timer_b() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let tx = bench.endpoint.request(bench.now, phone(), our_request(Method::Invite)).unwrap();
    bench.pass(PATIENCE - ms(1));
    assert_eq!(bench.times(), [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(bench.events(), []);
    bench.pass(ms(1));
    assert_eq!(bench.events(), [Event::TimedOut { tx }]);
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.endpoint.deadline(), None);
}

#[test]
fn on_a_stream_an_invite_goes_out_once() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let tx = bench.endpoint.request(bench.now, phone_stream(), our_request(Method::Invite)).unwrap();
    bench.pass(PATIENCE);
    assert_eq!(bench.times(), [0]);
    assert_eq!(bench.events(), [Event::TimedOut { tx }]);
}

#[test]
fn a_provisional_response_ends_repetitions_and_patience() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    bench.receive_message(phone(), &Message::reply(&sent, 100));
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.pass(PATIENCE * 4);
    assert_eq!(bench.times(), [] as [u128; 0]);
    assert_eq!(statuses(&bench.events()), [100, 180, 180]);
    assert_eq!(bench.endpoint.transactions(), (0, 1), "how long it rings is the user's to say");
}

#[test]
fn a_refusal_is_acked_each_time_and_reported_once() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    bench.receive_message(phone(), &answer_to(&sent, 180, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 486, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 486, "anas"));
    let acks = bench.sent();
    assert_eq!(acks.len(), 2);
    assert_eq!(statuses(&bench.events()), [180, 486]);
    bench.pass(PATIENCE - ms(1));
    bench.receive_message(phone(), &answer_to(&sent, 486, "anas"));
    assert_eq!(bench.sent().len(), 1);
    bench.pass(ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 0), "timer D ends it");
}

#[test]
fn the_ack_to_a_refusal_is_the_invites_own() {
    // spec: RFC 3261 §17.1.1.3
    let mut bench = Bench::new();
    let message = our_request(Method::Invite).with(Name::Route, "<sip:proxy.example.com;lr>");
    bench.endpoint.request(bench.now, phone(), message).unwrap();
    let (_, sent) = bench.sent().pop().unwrap();
    bench.receive_message(phone(), &answer_to(&sent, 404, "anas"));
    let (_, ack) = bench.sent().pop().unwrap();
    assert_eq!(ack.method(), Some(&Method::Ack));
    assert_eq!(ack.uri(), sent.uri());
    for name in [Name::Via, Name::From, Name::CallId, Name::Route, Name::MaxForwards] {
        assert_eq!(ack.headers.get(&name), sent.headers.get(&name), "{name}");
    }
    assert_eq!(ack.headers.get(&Name::CSeq).unwrap(), "1 ACK");
    assert_eq!(ack.to().unwrap().tag(), Some(Text::from("anas")));
}

#[test]
fn on_a_stream_a_refused_invite_is_forgotten_at_once() {
    // spec: RFC 3261 §17.1.1.2
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone_stream());
    bench.receive_message(phone_stream(), &answer_to(&sent, 486, "anas"));
    assert_eq!(bench.sent().len(), 1, "the ACK");
    assert_eq!(bench.endpoint.transactions(), (0, 0));
}

#[test]
fn a_repeated_2xx_vanishes_and_gets_the_users_ack_again() {
    // spec: RFC 3261 §13.2.2.4
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench, phone());
    let answer = answer_to(&sent, 200, "anas");
    bench.receive_message(phone(), &answer);
    bench.receive_message(phone(), &answer);
    assert_eq!(bench.sent(), [], "no ACK before the user's");
    let ack = our_request(Method::Ack);
    bench.endpoint.acknowledge(bench.now, tx, &Text::from("anas"), ack);
    bench.receive_message(phone(), &answer);
    let acks = bench.sent();
    assert_eq!(acks.len(), 2);
    assert_eq!(acks[0].1, acks[1].1);
    assert_ne!(acks[0].1.top_via().unwrap().branch(), sent.top_via().unwrap().branch());
    assert_eq!(statuses(&bench.events()), [200]);
}

#[test]
fn a_2xx_with_another_to_tag_is_reported_too() {
    // spec: RFC 6026 §7.2
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench, phone());
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 200, "desk"));
    assert_eq!(statuses(&bench.events()), [200, 200]);
    bench.endpoint.acknowledge(bench.now, tx, &Text::from("desk"), our_request(Method::Ack));
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    assert_eq!(bench.sent().len(), 1, "each fork has its own ACK");
}

#[test]
fn forks_beyond_the_bound_are_dropped() {
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    for fork in 0..=FORKS_MAX {
        bench.receive_message(phone(), &answer_to(&sent, 200, &format!("fork{fork}")));
    }
    assert_eq!(bench.events().len(), FORKS_MAX);
}

#[test]
fn timer_m_ends_an_accepted_invite() {
    // spec: RFC 6026 §7.2
    let mut bench = Bench::new();
    let (tx, sent) = invite(&mut bench, phone_stream());
    bench.receive_message(phone_stream(), &answer_to(&sent, 200, "anas"));
    assert_eq!(statuses(&bench.events()), [200]);
    bench.pass(PATIENCE - ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 1));
    let known = bench.endpoint.invite(tx).map(|(flow, invite)| (flow, invite.to_bytes()));
    assert_eq!(known, Some((phone_stream(), sent.to_bytes())), "another phone may answer it");
    bench.pass(ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.events(), [Event::Forgotten { tx }]);
    assert_eq!(bench.endpoint.invite(tx), None);
}

#[test]
fn a_late_provisional_or_refusal_of_an_accepted_invite_vanishes() {
    // spec: RFC 6026 §7.2
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 180, "desk"));
    bench.receive_message(phone(), &answer_to(&sent, 486, "desk"));
    assert_eq!(statuses(&bench.events()), [200]);
}

#[test]
fn a_closed_flow_fails_what_waits_for_an_answer() {
    // spec: RFC 3261 §17.1.4
    let mut bench = Bench::new();
    let (waiting, _) = invite(&mut bench, phone());
    let (_, answered) = invite(&mut bench, phone());
    let other = Flow::udp("192.0.2.8:5060".parse().unwrap());
    invite(&mut bench, other);
    bench.receive_message(phone(), &answer_to(&answered, 200, "anas"));
    bench.events();
    bench.endpoint.closed(bench.now, phone());
    assert_eq!(bench.events(), [Event::Failed { tx: waiting }]);
    assert_eq!(bench.endpoint.transactions(), (0, 2));
}

#[test]
fn a_response_that_nobody_asked_for_vanishes() {
    // spec: RFC 3261 §17.1.3
    let mut bench = Bench::new();
    let (_, sent) = invite(&mut bench, phone());
    let mut foreign = answer_to(&sent, 200, "anas");
    foreign.headers.set(Name::Via, "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKguessed");
    bench.receive_message(phone(), &foreign);
    let mut other_method = answer_to(&sent, 200, "anas");
    other_method.headers.set(Name::CSeq, "1 BYE");
    bench.receive_message(phone(), &other_method);
    let astray = answer_to(&sent, 200, "anas").with(Name::Via, "SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx");
    bench.receive_message(phone(), &astray);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.sent(), []);
}
