//! REGISTERs that wait for the store together.

use callwright_sip::Text;

use super::*;
use crate::names::Ticket;
use crate::registrar::BINDINGS_MAX;

/// A REGISTER of another phone of 1011's, in the order of their numbers.
fn register(number: usize, challenge: &Text) -> Message {
    let uri = "sip:10.0.0.100".into();
    let secret = digest::Secret::new("pw1011");
    let count = u32::try_from(number).unwrap();
    let proof = digest::answer(challenge, &Method::Register, &uri, "1011", &secret, "c", count);
    unproven(number).with(Name::Authorization, proof.unwrap())
}

fn unproven(number: usize) -> Message {
    Message::request(Method::Register, "sip:10.0.0.100")
        .with(Name::Via, format!("SIP/2.0/UDP {CALLER};branch=z9hG4bKr{number};rport"))
        .with(Name::From, "<sip:1011@10.0.0.100>;tag=r")
        .with(Name::To, "<sip:1011@10.0.0.100>")
        .with(Name::CallId, format!("phone-{number}"))
        .with(Name::CSeq, "1 REGISTER")
        .with(Name::Contact, format!("<sip:1011@10.0.0.11:{}>", 6_000 + number))
}

fn tickets(effects: &[Effect]) -> Vec<Ticket> {
    let stored = effects.iter().filter_map(|effect| {
        let Effect::Store { ticket, .. } = effect else { return None };
        Some(*ticket)
    });
    stored.collect()
}

fn status(effects: &[Effect]) -> Option<u16> {
    sent(effects, CALLER).first().and_then(Message::status)
}

#[test]
fn phones_that_wait_for_the_store_count_as_those_that_are_registered() {
    let mut node = node();
    let refused = sent(&receive(&mut node, CALLER, &unproven(0)), CALLER).remove(0);
    let challenge = refused.headers.get(&Name::WwwAuthenticate).unwrap();
    let mut waiting = Vec::new();
    for number in 1..=BINDINGS_MAX {
        waiting.extend(tickets(&receive(&mut node, CALLER, &register(number, challenge))));
    }
    assert_eq!(waiting.len(), BINDINGS_MAX);
    let early = receive(&mut node, CALLER, &register(BINDINGS_MAX + 1, challenge));
    assert_eq!((status(&early), tickets(&early).len()), (Some(503), 0), "perhaps there is room soon");
    let mut answers = Vec::new();
    for (at, ticket) in waiting.into_iter().enumerate() {
        let result = if at == 0 { Err(crate::seam::StoreRefused::Full) } else { Ok(()) };
        answers.extend(status(&handle(&mut node, Input::Stored { ticket, result })));
    }
    assert_eq!((answers[0], &answers[1..]), (503, &[200; BINDINGS_MAX - 1][..]));
    let last = tickets(&receive(&mut node, CALLER, &register(BINDINGS_MAX + 2, challenge)));
    assert_eq!(status(&handle(&mut node, Input::Stored { ticket: last[0], result: Ok(()) })), Some(200));
    let late = receive(&mut node, CALLER, &register(BINDINGS_MAX + 3, challenge));
    assert_eq!((status(&late), tickets(&late).len()), (Some(403), 0));
    let own = node.view().bindings.keys().filter(|key| key.device == "1011".into()).count();
    assert_eq!(own, BINDINGS_MAX);
}
