//! What a source may try before it is held up, and what a device may take.

use super::*;
use crate::node::ingress::CALLS_A_DEVICE_MAX;

/// Where a guesser is.
const GUESSER: &str = "10.0.0.66:5060";
/// Guesses that are certainly too many (`guard.rs`).
const MANY: u32 = 30;

/// The challenge that an INVITE of 1011's gets there, and then the first status of one with this password.
fn tries(node: &mut Node, peer: &str, number: u32, password: &str) -> (String, Option<u16>) {
    let invite = |part: &str| {
        Message::request(Method::Invite, "sip:100@10.0.0.100")
            .with(Name::Via, format!("SIP/2.0/UDP {peer};branch=z9hG4bK{number}{part};rport"))
            .with(Name::From, format!("<sip:1011@10.0.0.100>;tag={number}{part}"))
            .with(Name::To, "<sip:100@10.0.0.100>")
            .with(Name::CallId, format!("{peer}-{number}{part}"))
            .with(Name::CSeq, "1 INVITE")
            .with(Name::Contact, format!("<sip:1011@{peer}>"))
            .with_body("application/sdp", "v=0\r\n")
    };
    let refused = sent(&receive(node, peer, &invite("a")), peer);
    let challenge = refused[0].headers.get(&Name::WwwAuthenticate).unwrap();
    let secret = digest::Secret::new(password);
    let uri = "sip:100@10.0.0.100".into();
    let proof = digest::answer(challenge, &Method::Invite, &uri, "1011", &secret, "c", 1).unwrap();
    let answer = first_response(node, peer, &invite("b").with(Name::Authorization, proof.clone()));
    (proof.lossy().into_owned(), answer.status())
}

#[test]
fn after_many_wrong_passwords_a_source_is_not_believed_with_the_right_one() {
    let mut node = node();
    for number in 0..MANY {
        assert_eq!(tries(&mut node, GUESSER, number, "wrong").1, Some(401));
    }
    assert_eq!(tries(&mut node, GUESSER, MANY, "pw1011").1, Some(401));
    assert_eq!(tries(&mut node, CALLER, MANY, "pw1011").1, Some(100), "and nobody else is held up");
}

#[test]
fn forged_credentials_hold_no_source_up() {
    let mut node = node();
    // Proofs for a challenge that another source got: what somebody can send who only writes GUESSER as his address.
    let (foreign, _) = tries(&mut node, CALLER, 0, "wrong");
    for number in 0..MANY {
        let forged = Message::request(Method::Register, "sip:10.0.0.100")
            .with(Name::Via, format!("SIP/2.0/UDP {GUESSER};branch=z9hG4bKf{number};rport"))
            .with(Name::From, "<sip:1011@10.0.0.100>;tag=f")
            .with(Name::To, "<sip:1011@10.0.0.100>")
            .with(Name::CallId, format!("forged-{number}"))
            .with(Name::CSeq, "1 REGISTER")
            .with(Name::Authorization, foreign.clone());
        receive(&mut node, GUESSER, &forged);
    }
    assert_eq!(tries(&mut node, GUESSER, MANY, "pw1011").1, Some(100));
}

#[test]
fn a_device_has_no_more_calls_than_it_may() {
    let mut node = node();
    for number in 0..CALLS_A_DEVICE_MAX {
        assert_eq!(tries(&mut node, CALLER, number, "pw1011").1, Some(100), "call {number}");
    }
    assert_eq!(tries(&mut node, CALLER, CALLS_A_DEVICE_MAX, "pw1011").1, Some(503));
}

#[test]
fn a_connection_is_believed_when_somebody_proved_on_it_to_be_a_device() {
    let mut node = node();
    let flow = Flow::tcp(CALLER.parse().unwrap(), 5);
    let mut on = |message: &Message| handle(&mut node, Input::Received { flow, bytes: message.to_bytes() });
    let believes = |effects: &[Effect]| effects.iter().any(|it| matches!(it, Effect::Believe { .. }));
    let register = |number: u8| {
        Message::request(Method::Register, "sip:10.0.0.100")
            .with(Name::Via, format!("SIP/2.0/TCP {CALLER};branch=z9hG4bKt{number}"))
            .with(Name::From, "<sip:1011@10.0.0.100>;tag=t")
            .with(Name::To, "<sip:1011@10.0.0.100>")
            .with(Name::CallId, "t")
            .with(Name::CSeq, format!("{number} REGISTER"))
    };
    let refused = on(&register(1));
    assert!(!believes(&refused));
    let challenge = sent_on(&refused, flow).headers.get(&Name::WwwAuthenticate).unwrap().clone();
    let uri = "sip:10.0.0.100".into();
    let proof =
        digest::answer(&challenge, &Method::Register, &uri, "1011", &digest::Secret::new("pw1011"), "c", 1);
    assert!(believes(&on(&register(2).with(Name::Authorization, proof.unwrap()))));
}

fn sent_on(effects: &[Effect], on: Flow) -> Message {
    let bytes = effects.iter().find_map(|effect| {
        let Effect::Transmit { flow, bytes } = effect else { return None };
        (*flow == on).then(|| Bytes::clone(bytes))
    });
    Message::parse(bytes.unwrap()).unwrap()
}
