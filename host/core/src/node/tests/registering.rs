//! REGISTERs that wait for the store together.

use callwright_sip::Text;

use super::*;
use crate::names::Ticket;
use crate::registrar::BINDINGS_MAX;
use crate::seam::StoreRefused;

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
        let result = if at == 0 { Err(StoreRefused::Full) } else { Ok(()) };
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

/// One REGISTER of 1011 with these contacts, stored or not: its answer.
fn registers(node: &mut Node, number: usize, contacts: &str, stored: &Result<(), StoreRefused>) -> Message {
    let refused = sent(&receive(node, CALLER, &unproven(90)), CALLER).remove(0);
    let challenge = refused.headers.get(&Name::WwwAuthenticate).unwrap();
    let mut request = register(number, challenge);
    request.headers.set(Name::CallId, "phone");
    request.headers.set(Name::CSeq, format!("{number} REGISTER"));
    request.headers.set(Name::Contact, contacts);
    if contacts == "*" {
        request.headers.set(Name::Expires, "0");
    }
    let mut effects = receive(node, CALLER, &request);
    for ticket in tickets(&effects) {
        effects.extend(handle(node, Input::Stored { ticket, result: stored.clone() }));
    }
    sent(&effects, CALLER).remove(0)
}

fn contacts(answer: &Message) -> Vec<String> {
    answer.headers.all(&Name::Contact).map(|contact| contact.lossy().into_owned()).collect()
}

// spec: RFC 3261 §10.3
#[test]
fn of_a_contact_that_comes_twice_in_one_register_the_last_word_holds() {
    let mut node = node();
    let twice = "<sip:1011@10.0.0.11:6001>;expires=300, <sip:1011@10.0.0.11:6002>;expires=500, <sip:1011@10.0.0.11:6001>;expires=400";
    let answer = registers(&mut node, 1, twice, &Ok(()));
    assert_eq!(answer.status(), Some(200));
    let mut bound = contacts(&answer);
    bound.sort();
    assert_eq!(bound, ["<sip:1011@10.0.0.11:6001>;expires=120", "<sip:1011@10.0.0.11:6002>;expires=120"]);
    let given_back = "<sip:1011@10.0.0.11:6001>;expires=300, <sip:1011@10.0.0.11:6001>;expires=0";
    let answer = registers(&mut node, 2, given_back, &Ok(()));
    assert_eq!(contacts(&answer), ["<sip:1011@10.0.0.11:6002>;expires=120"]);
    let both = "<sip:1011@10.0.0.11:6005>, <sip:1011@10.0.0.11:6002>";
    assert_eq!(contacts(&registers(&mut node, 3, both, &Ok(()))).len(), 2);
    let answer = registers(&mut node, 4, "<sip:1011@10.0.0.11:6005>;expires=0", &Ok(()));
    assert_eq!(contacts(&answer), ["<sip:1011@10.0.0.11:6002>;expires=120"]);
    let instance = "+sip.instance=\"<urn:x:1>\"";
    let moved = format!("<sip:1011@10.0.0.11:6003>;{instance}, <sip:1011@10.0.0.11:6004>;{instance}");
    let mut bound = contacts(&registers(&mut node, 5, &moved, &Ok(())));
    bound.sort();
    assert_eq!(bound, ["<sip:1011@10.0.0.11:6002>;expires=120", "<sip:1011@10.0.0.11:6004>;expires=120"]);
}

#[test]
fn a_register_names_no_more_contacts_than_anybody_has() {
    let many = (0..=4 * BINDINGS_MAX).map(|at| format!("<sip:1011@10.0.0.11:{}>;expires=0", 7_000 + at));
    let many = many.collect::<Vec<_>>().join(", ");
    assert_eq!(registers(&mut node(), 1, &many, &Ok(())).status(), Some(403));
}

// spec: RFC 3261 §10.3
#[test]
fn what_is_given_back_and_not_stored_stays_registered() {
    let mut node = node();
    let contact = "<sip:1011@10.0.0.11:6001>";
    assert_eq!(registers(&mut node, 1, contact, &Ok(())).status(), Some(200));
    for (number, asked) in [(2, format!("{contact};expires=0")), (3, "*".to_owned())] {
        let full = Err(StoreRefused::Full);
        let refused = registers(&mut node, number, &asked, &full);
        assert_eq!(refused.status(), Some(500), "{asked}");
        let own = node.view().bindings.keys().filter(|key| key.device == "1011".into()).count();
        assert_eq!(own, 1, "{asked}");
    }
    assert_eq!(registers(&mut node, 4, contact, &Err(StoreRefused::Full)).status(), Some(200), "a refresh");
    let gone = registers(&mut node, 5, &format!("{contact};expires=0"), &Ok(()));
    assert_eq!((gone.status(), contacts(&gone).len()), (Some(200), 0));
}
