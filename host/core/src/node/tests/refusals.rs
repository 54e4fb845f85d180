//! What is refused for what it is, whoever sent it or once its sender is known.

use super::*;

fn request(method: Method, uri: &str) -> Message {
    let name = method.to_string();
    Message::request(method, uri)
        .with(Name::Via, format!("SIP/2.0/UDP {CALLER};branch=z9hG4bKr;rport"))
        .with(Name::From, "<sip:1011@10.0.0.100>;tag=c")
        .with(Name::To, "<sip:100@10.0.0.100>")
        .with(Name::CallId, "r")
        .with(Name::CSeq, format!("1 {name}"))
}

/// What a request is answered at once.
fn answer(request: &Message) -> Message {
    sent(&receive(&mut node(), CALLER, request), CALLER).remove(0)
}

/// What an INVITE is answered first when its sender has proved who it is.
fn proven(change: impl Fn(Message) -> Message) -> Message {
    let mut node = node();
    let invite = super::proven(&mut node, |branch| change(invite(branch)));
    first_response(&mut node, CALLER, &invite)
}

#[test]
fn a_scheme_that_is_never_served_is_416() {
    // spec: RFC 3261 §8.2.2.1
    for method in [Method::Options, Method::Invite, Method::Register] {
        assert_eq!(answer(&request(method, "urn:service:sos")).status(), Some(416));
    }
    for uri in ["sips:100@10.0.0.100", "tel:100"] {
        assert_eq!(answer(&request(Method::Options, uri)).status(), Some(200), "{uri}");
    }
}

#[test]
fn a_method_that_nobody_knows_is_501_and_one_that_is_not_for_us_405() {
    // spec: RFC 3261 §8.2.1
    for (method, status) in [(Method::parse("BREW"), 501), (Method::Message, 405), (Method::Refer, 405)] {
        let answer = answer(&request(method, "sip:100@10.0.0.100"));
        assert_eq!(answer.status(), Some(status));
        assert!(answer.headers.get(&Name::Allow).is_some());
    }
}

#[test]
fn nothing_but_a_sip_address_is_registered() {
    // spec: RFC 3261 §10.2
    let mut register = request(Method::Register, "sip:10.0.0.100");
    assert_eq!(answer(&register).status(), Some(401));
    register.headers.set(Name::To, "<tel:100>");
    assert_eq!(answer(&register).status(), Some(400));
}

#[test]
fn a_body_that_no_phone_reads_is_415_with_what_they_read() {
    // spec: RFC 3261 §8.2.3
    let refused = proven(|invite| invite.with_body("text/html", "<p>"));
    assert_eq!(refused.status(), Some(415));
    assert_eq!(refused.headers.get(&Name::Accept).unwrap().as_str(), Some("application/sdp"));
    for kind in ["Application/SDP; charset=utf-8", "multipart/mixed;boundary=b"] {
        assert_eq!(proven(|invite| invite.with_body(kind, "v=0")).status(), Some(100), "{kind}");
    }
    let optional = |invite: Message| {
        invite.with_body("text/html", "<p>").with(Name::ContentDisposition, "render; Handling=optional")
    };
    assert_eq!(proven(optional).status(), Some(100));
    assert_eq!(proven(|invite| invite.with_body("text/html", "")).status(), Some(100), "no body is no kind");
}

#[test]
fn a_caller_that_accepts_no_description_is_406() {
    // spec: RFC 3261 §20.1
    for (accept, status) in [
        ("text/html", 406),
        ("", 406),
        ("text/html, application/sdp;level=1", 100),
        ("application/*", 100),
        ("*/*", 100),
        ("multipart/mixed", 100),
    ] {
        let first = proven(|invite| invite.with(Name::Accept, accept));
        assert_eq!(first.status(), Some(status), "{accept}");
    }
}

#[test]
fn a_contact_with_headers_is_rung_without_them() {
    // spec: RFC 3261 §19.1.5
    for (contact, asked) in [
        ("sip:1001@10.0.0.1?Route=%3Csip:evil.example%3E", "sip:1001@10.0.0.1"),
        ("sip:10.0.0.1?Subject=x", "sip:10.0.0.1"),
        ("sip:what?@10.0.0.1;transport=udp", "sip:what?@10.0.0.1;transport=udp"),
    ] {
        let mut binding = Binding::clone(node().view().bindings.values().next().unwrap());
        contact.clone_into(&mut binding.contact);
        assert_eq!(binding.request_uri(), asked);
    }
}

#[test]
fn a_domain_that_nobody_serves_here_is_not_the_default_tenant_s() {
    let status = |uri| answer(&request(Method::Options, uri)).status();
    for (uri, expected) in [
        ("sip:100@10.0.0.100", 200),
        ("sip:100@192.0.2.77:5070", 200),
        ("sip:100@[2001:db8::9]", 200),
        ("sip:100@acme.example", 200),
        ("sip:100@nowhere.example", 404),
        ("sip:nowhere.example", 404),
    ] {
        assert_eq!(status(uri), Some(expected), "{uri}");
    }
}
