//! What the requests within a call share (RFC 3261 §12).

use crate::bench::{answer_to, our_request, reply, request};
use callwright_sip::{Dialog, DialogError, DialogKey, Message, Method, Name, Text, dialog_key_of};

fn key(call_id: &str, local: &str, remote: &str) -> DialogKey {
    DialogKey { call_id: Text::from(call_id), local_tag: Text::from(local), remote_tag: Text::from(remote) }
}

fn routes(message: &Message) -> Vec<String> {
    message.headers.all(&Name::Route).map(ToString::to_string).collect()
}

#[test]
fn the_called_side_takes_routes_in_order_and_swaps_the_parties() {
    // spec: RFC 3261 §12.1.1
    let invite = request(Method::Invite)
        .with(Name::RecordRoute, "<sip:p1.example.com;lr>")
        .with(Name::RecordRoute, "<sip:p2.example.com;lr>");
    let mut dialog = Dialog::of_uas(&invite, &Text::from("ours")).unwrap();
    assert_eq!(dialog.key(), key("call-1@192.0.2.7", "ours", "anas"));
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().unwrap(), "sip:ana@192.0.2.7:5070");
    assert_eq!(bye.headers.get(&Name::To), invite.headers.get(&Name::From));
    assert_eq!(bye.headers.get(&Name::From).unwrap(), "<sip:bob@example.com>;tag=ours");
    assert_eq!(routes(&bye), ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]);
    assert_eq!(bye.max_forwards(), Ok(Some(70)));
    assert_eq!(bye.headers.get(&Name::Contact), None);
    assert_eq!(bye.cseq().unwrap().seq + 1, dialog.request(Method::Bye).cseq().unwrap().seq);
}

#[test]
fn the_calling_side_takes_routes_in_reverse_and_counts_on() {
    // spec: RFC 3261 §12.1.2
    let invite = our_request(Method::Invite);
    let response = answer_to(&invite, 200, "anas")
        .with(Name::RecordRoute, "<sip:p2.example.com;lr>, <sip:p1.example.com;lr>")
        .with(Name::Contact, "<sip:ana@192.0.2.99>");
    let response = Message::parse(response.to_bytes()).unwrap();
    let mut dialog = Dialog::of_uac(&invite, &response).unwrap();
    assert_eq!(dialog.key(), key("call-2", "bobs", "anas"));
    let ack = dialog.ack(1);
    assert_eq!(ack.headers.get(&Name::CSeq).unwrap(), "1 ACK");
    assert_eq!(ack.uri().unwrap(), "sip:ana@192.0.2.99");
    let update = dialog.request(Method::Update);
    assert_eq!(update.headers.get(&Name::CSeq).unwrap(), "2 UPDATE");
    assert_eq!(routes(&update), ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]);
}

#[test]
fn a_strict_router_becomes_the_request_uri() {
    // spec: RFC 3261 §12.2.1.1
    let invite = request(Method::Invite)
        .with(Name::RecordRoute, "<sip:strict.example.com;x=1?Subject=a>")
        .with(Name::RecordRoute, "<sip:p2.example.com;lr>");
    let mut dialog = Dialog::of_uas(&invite, &Text::from("ours")).unwrap();
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().unwrap(), "sip:strict.example.com;x=1");
    assert_eq!(routes(&bye), ["<sip:p2.example.com;lr>", "<sip:ana@192.0.2.7:5070>"]);
}

#[test]
fn a_request_without_a_higher_number_is_out_of_order() {
    // spec: RFC 3261 §12.2.2
    let mut invite = request(Method::Invite);
    invite.headers.set(Name::CSeq, "10 INVITE");
    let mut dialog = Dialog::of_uas(&invite, &Text::from("ours")).unwrap();
    let numbered = |cseq: &str| {
        let mut message = request(Method::parse(cseq.split(' ').nth(1).unwrap()));
        message.headers.set(Name::CSeq, cseq);
        message
    };
    dialog.received(&numbered("10 ACK")).unwrap();
    dialog.received(&numbered("12 UPDATE")).unwrap();
    for (late, seq) in [("11 BYE", 11), ("12 BYE", 12), ("12 UPDATE", 12)] {
        let error = dialog.received(&numbered(late)).unwrap_err();
        assert_eq!((error.seq, error.seen), (seq, 12));
    }
    dialog.received(&numbered("13 BYE")).unwrap();
}

#[test]
fn a_target_refresh_moves_the_target_by_the_letter() {
    // spec: RFC 3261 §12.2.2
    let mut dialog = Dialog::of_uas(&request(Method::Invite), &Text::from("ours")).unwrap();
    let mut update = request(Method::Update);
    update.headers.set(Name::Contact, "Ana <sip:An%61#1@PHONE.example.com;ob>;expires=60");
    dialog.refresh_target(&update);
    assert_eq!(dialog.request(Method::Bye).uri().unwrap(), "sip:An%61#1@PHONE.example.com;ob");
    update.headers.remove(&Name::Contact);
    dialog.refresh_target(&update);
    assert_eq!(
        dialog.target(),
        &Text::from("sip:An%61#1@PHONE.example.com;ob"),
        "without a Contact it stays"
    );
}

#[test]
fn the_2xx_replaces_the_early_dialogs_path() {
    // spec: RFC 3261 §13.2.2.4
    let invite = our_request(Method::Invite);
    let ringing = answer_to(&invite, 180, "anas");
    let mut dialog = Dialog::of_uac(&invite, &ringing).unwrap();
    assert_eq!(dialog.target(), invite.uri().unwrap(), "an 18x may lack a Contact");
    let answer = answer_to(&invite, 200, "anas")
        .with(Name::Contact, "<sip:ana@192.0.2.99>")
        .with(Name::RecordRoute, "<sip:p1.example.com;lr>");
    dialog.confirm(&answer);
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().unwrap(), "sip:ana@192.0.2.99");
    assert_eq!(routes(&bye), ["<sip:p1.example.com;lr>"]);
}

#[test]
fn no_contact_or_no_tag_makes_no_dialog() {
    // spec: RFC 3261 §12.1.2
    let invite = our_request(Method::Invite);
    assert_eq!(Dialog::of_uac(&invite, &Message::reply(&invite, 180)), Err(DialogError::NoTag));
    assert_eq!(Dialog::of_uac(&invite, &answer_to(&invite, 200, "anas")), Err(DialogError::NoContact));
    let mut without = request(Method::Invite);
    without.headers.remove(&Name::Contact);
    assert_eq!(Dialog::of_uas(&without, &Text::from("ours")), Err(DialogError::NoContact));
}

#[test]
fn a_message_says_which_dialog_it_belongs_to() {
    // spec: RFC 3261 §12
    let invite = request(Method::Invite);
    assert_eq!(dialog_key_of(&invite, true), None);
    let mut bye = request(Method::Bye);
    bye.tag_to(&Text::from("ours"));
    assert_eq!(dialog_key_of(&bye, true), Some(key("call-1@192.0.2.7", "ours", "anas")));
    let response = reply(&invite, 200);
    assert_eq!(dialog_key_of(&response, false), Some(key("call-1@192.0.2.7", "anas", "ours")));
}
