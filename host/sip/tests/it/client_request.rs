//! The client machine of all other requests (RFC 3261 figure 6).

use crate::bench::{Bench, PATIENCE, answer_to, ms, our_request, phone, phone_stream};
use callwright_sip::{Event, Method};

#[test]
fn a_request_is_sent_again_by_timer_e_until_timer_f() {
    // spec: RFC 3261 §17.1.2.2
    let mut bench = Bench::new();
    let tx = bench.endpoint.request(bench.now, phone(), our_request(Method::Options)).unwrap();
    bench.pass(PATIENCE);
    assert_eq!(bench.times(), [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(bench.events(), [Event::TimedOut { tx }]);
    assert_eq!(bench.endpoint.transactions(), (0, 0));
}

#[test]
fn after_a_provisional_response_it_is_sent_again_every_t2() {
    // spec: RFC 3261 §17.1.2.2
    let mut bench = Bench::new();
    let tx = bench.endpoint.request(bench.now, phone(), our_request(Method::Bye)).unwrap();
    let (_, sent) = bench.sent().pop().unwrap();
    bench.pass(ms(600));
    bench.receive_message(phone(), &answer_to(&sent, 183, "anas"));
    bench.pass(ms(9_000));
    assert_eq!(bench.times(), [500, 4600, 8600]);
    bench.pass(PATIENCE);
    assert!(bench.events().contains(&Event::TimedOut { tx }), "timer F counts from the beginning");
}

#[test]
fn a_final_response_is_reported_once_until_timer_k() {
    // spec: RFC 3261 §17.1.2.2
    let mut bench = Bench::new();
    bench.endpoint.request(bench.now, phone(), our_request(Method::Bye)).unwrap();
    let (_, sent) = bench.sent().pop().unwrap();
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    bench.receive_message(phone(), &answer_to(&sent, 200, "anas"));
    assert_eq!(bench.events().len(), 1);
    bench.pass(ms(4_999));
    assert_eq!(bench.endpoint.transactions(), (0, 1));
    bench.pass(ms(1));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.sent(), []);
}

#[test]
fn on_a_stream_it_goes_out_once_and_its_answer_ends_it() {
    // spec: RFC 3261 §17.1.2.2
    let mut bench = Bench::new();
    bench.endpoint.request(bench.now, phone_stream(), our_request(Method::Bye)).unwrap();
    bench.pass(ms(10_000));
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    bench.receive_message(phone_stream(), &answer_to(&sent[0].1, 183, "anas"));
    bench.pass(ms(10_000));
    assert_eq!(bench.sent(), [], "nor again after a provisional response");
    bench.receive_message(phone_stream(), &answer_to(&sent[0].1, 200, "anas"));
    assert_eq!(bench.endpoint.transactions(), (0, 0));
    assert_eq!(bench.events().len(), 2);
}

#[test]
fn the_same_deadline_twice_changes_nothing() {
    let mut bench = Bench::new();
    bench.endpoint.request(bench.now, phone(), our_request(Method::Options)).unwrap();
    bench.pass(ms(500));
    bench.endpoint.tick(ms(500));
    bench.endpoint.tick(ms(500));
    assert_eq!(bench.times(), [0, 500]);
}
