//! Devices that are believed by their address, and reached without registering.

use super::*;
use crate::config::{Device, EarlyDialogs, FixedContact, NumberPlan};

/// Where the gateway `gw` is; the door phone `door` has a password as little.
const GATEWAY: &str = "10.0.0.1:5060";
/// A trusted address.
const INSIDE: &str = "10.9.0.7:5060";
/// Any other.
const OUTSIDE: &str = "10.0.0.77:5060";

fn with_gateway(contact: Option<&str>) -> Arc<Config> {
    let mut tenant = tenant();
    let device = |extension: &str, contact| Device {
        extension: extension.into(),
        label: String::new(),
        user: "ana".into(),
        secret: None,
        contact,
        early_dialogs: EarlyDialogs::PerLeg,
    };
    let contact = contact.map(|peer| FixedContact { uri: format!("sip:gw@{peer}"), flow: flow(peer) });
    tenant.devices.insert("gw".into(), device("gw", contact));
    tenant.devices.insert("door".into(), device("door", None));
    tenant.plan = NumberPlan::of(tenant.devices.values(), tenant.users.values(), tenant.groups.values());
    tenant.trusted = vec!["10.9.0.0/24".parse().unwrap()];
    Arc::new(Config::new(["10.0.0.100".to_owned()].into(), Some("acme".into()), vec![tenant]))
}

fn node() -> Node {
    let mut node = super::node();
    handle(&mut node, Input::Configured(with_gateway(Some(GATEWAY))));
    node
}

fn invite(from: &str, to: &str, peer: &str) -> Message {
    Message::request(Method::Invite, format!("sip:{to}@10.0.0.100"))
        .with(Name::Via, format!("SIP/2.0/UDP {peer};branch=z9hG4bK{from}{to};rport"))
        .with(Name::From, format!("<sip:{from}@10.0.0.100>;tag=c"))
        .with(Name::To, format!("<sip:{to}@10.0.0.100>"))
        .with(Name::CallId, format!("{from}-{to}-{peer}"))
        .with(Name::CSeq, "1 INVITE")
        .with(Name::Contact, format!("<sip:{from}@{peer}>"))
        .with_body("application/sdp", "v=0\r\n")
}

/// The first status that an INVITE gets.
fn status(node: &mut Node, from: &str, peer: &str) -> Option<u16> {
    first_response(node, peer, &invite(from, "100", peer)).status()
}

#[test]
fn a_device_without_a_password_is_believed_from_a_trusted_address_alone() {
    let mut node = node();
    assert_eq!(status(&mut node, "door", INSIDE), Some(100));
    assert_eq!(status(&mut node, "door", OUTSIDE), Some(401));
}

#[test]
fn a_name_that_has_a_password_is_challenged_wherever_it_comes_from() {
    let mut node = node();
    assert_eq!(status(&mut node, "1011", INSIDE), Some(401));
    assert_eq!(status(&mut node, "nobody", INSIDE), Some(401));
}

#[test]
fn a_fixed_contact_rings_without_registering() {
    let mut node = node();
    let rings = receive(&mut node, INSIDE, &invite("door", "gw", INSIDE));
    assert_eq!(sent(&rings, GATEWAY)[0].uri().unwrap().as_str(), Some("sip:gw@10.0.0.1:5060"));
}

#[test]
fn no_register_changes_a_fixed_contact() {
    let mut node = node();
    let register = Message::request(Method::Register, "sip:10.0.0.100")
        .with(Name::Via, format!("SIP/2.0/UDP {INSIDE};branch=z9hG4bKr;rport"))
        .with(Name::From, "<sip:gw@10.0.0.100>;tag=r")
        .with(Name::To, "<sip:gw@10.0.0.100>")
        .with(Name::CallId, "r")
        .with(Name::CSeq, "1 REGISTER")
        .with(Name::Contact, "*")
        .with(Name::Expires, "0");
    let refused = receive(&mut node, INSIDE, &register);
    assert_eq!(sent(&refused, INSIDE)[0].status(), Some(403));
    assert!(node.view().bindings.values().any(|binding| binding.is_fixed()));
}

#[test]
fn a_reload_moves_and_ends_a_fixed_contact_and_the_store_hears_of_neither() {
    let mut node = node();
    let fixed = |node: &Node| {
        let view = node.view();
        view.bindings
            .values()
            .filter(|binding| binding.is_fixed())
            .map(|binding| binding.flow)
            .collect::<Vec<_>>()
    };
    assert_eq!(fixed(&node), [flow(GATEWAY)]);
    let moved = handle(&mut node, Input::Configured(with_gateway(Some(OUTSIDE))));
    assert_eq!(fixed(&node), [flow(OUTSIDE)]);
    let ended = handle(&mut node, Input::Configured(with_gateway(None)));
    assert_eq!(fixed(&node), []);
    let stored = moved.iter().chain(&ended).filter(|effect| matches!(effect, Effect::Store { .. }));
    assert_eq!(stored.count(), 0);
}

#[test]
fn a_device_without_a_password_changes_nothing_by_a_code() {
    let mut node = node();
    for (peer, status) in [(INSIDE, 403), (OUTSIDE, 401)] {
        let told = sent(&receive(&mut node, peer, &invite("door", "*50", peer)), peer);
        assert_eq!(told.last().and_then(Message::status), Some(status), "from {peer}");
    }
    assert!(node.view().wishes.is_empty());
}
