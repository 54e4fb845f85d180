//! URIs, addresses and Via values one by one.

use callwright_sip::{Host, NameAddr, Scheme, Text, Uri, ValueError, Via};

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

#[test]
fn every_part_of_a_sip_uri_is_found() {
    // spec: RFC 3261 §19.1.1
    let parsed =
        uri("sips:alice:p%20w@Atlanta.com:5061;transport=tcp;lr?subject=project%20x&priority=urgent");
    assert_eq!(parsed.scheme, Scheme::Sips);
    assert_eq!(parsed.user.as_deref(), Some("alice"));
    assert_eq!(parsed.password.as_deref(), Some("p w"));
    assert_eq!(parsed.host, Host::Name("atlanta.com".to_owned()));
    assert_eq!(parsed.port, Some(5061));
    assert_eq!(parsed.param("Transport").as_deref(), Some("tcp"));
    assert_eq!(parsed.param("lr").as_deref(), Some(""));
    assert_eq!(parsed.param("none"), None);
    assert_eq!(parsed.headers, Some(Text::from("subject=project%20x&priority=urgent")));
}

#[test]
fn users_may_hold_what_other_parts_may_not() {
    // spec: RFC 3261 §25.1
    assert_eq!(
        uri("sip:user;par=u%40example.net@example.com").user.as_deref(),
        Some("user;par=u@example.net")
    );
    assert_eq!(uri("sip:a.b?c/d@example.com").user.as_deref(), Some("a.b?c/d"));
    assert_eq!(uri("sip:*21*0170#@example.com").to_string(), "sip:*21*0170%23@example.com");
    assert_eq!(uri("sip:null-%00-null@example.com").to_string(), "sip:null-%00-null@example.com");
    assert_eq!(uri("sip:jörg@example.com").to_string(), "sip:j%C3%B6rg@example.com");
}

#[test]
fn addresses_of_both_kinds_are_hosts() {
    // spec: RFC 5118 §4.1
    assert_eq!(uri("sip:192.0.2.1").host, Host::V4("192.0.2.1".parse().unwrap()));
    let v6 = uri("sip:bob@[2001:db8::10]:5070");
    assert_eq!((v6.host.clone(), v6.port), (Host::V6("2001:db8::10".parse().unwrap()), Some(5070)));
    assert_eq!(v6.to_string(), "sip:bob@[2001:db8::10]:5070");
    assert!(Uri::parse("sip:bob@2001:db8::10").is_err(), "without brackets the port would be ambiguous");
}

#[test]
fn tel_and_other_schemes_are_read() {
    // spec: RFC 3966 §3
    let tel = uri("tel:+49-30-123;phone-context=example.com");
    assert_eq!(tel.scheme, Scheme::Tel);
    assert_eq!(tel.user.as_deref(), Some("+49-30-123"));
    assert_eq!(tel.param("phone-context").as_deref(), Some("example.com"));
    assert_eq!(tel.to_string(), "tel:+49-30-123;phone-context=example.com");
    let urn = uri("urn:service:sos.fire");
    assert_eq!(
        (urn.scheme.clone(), urn.user.as_deref()),
        (Scheme::Other("urn".to_owned()), Some("service:sos.fire"))
    );
    assert_eq!(urn.to_string(), "urn:service:sos.fire");
}

#[test]
fn what_is_no_uri_is_refused() {
    // spec: RFC 3261 §25.1
    for text in [
        "",
        "sip",
        "sip:",
        "1sip:a",
        "sip:@host",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "<sip:a>",
        "sip:a:port",
        "sip:a:",
        "sip:a:65536",
        "sip:a%4@b",
        "sip:%zz@b",
        "sip:%ff@b",
        "sip:[::1",
        "sip:[1.2.3.4]x",
        "sip:a,b",
        "tel:",
        "urn:",
        "sip:a;=x",
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
}

#[test]
fn uris_are_the_same_as_the_rfc_says() {
    // spec: RFC 3261 §19.1.4
    let same = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ];
    for (ours, theirs) in same {
        assert!(uri(ours).same_as(&uri(theirs)), "{ours} {theirs}");
        assert!(uri(theirs).same_as(&uri(ours)), "{theirs} {ours}");
    }
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:alice@atlanta.com", "sips:alice@atlanta.com"),
        ("sip:alice@atlanta.com", "sip:alice:x@atlanta.com"),
        ("tel:123", "tel:123;phone-context=a"),
        ("urn:service:sos", "urn:service:police"),
    ];
    for (ours, theirs) in different {
        assert!(!uri(ours).same_as(&uri(theirs)), "{ours} {theirs}");
        assert!(!uri(theirs).same_as(&uri(ours)), "{theirs} {ours}");
    }
}

#[test]
fn addresses_are_read_in_every_form() {
    // spec: RFC 3261 §20.10
    let quoted =
        NameAddr::parse("\"A. G. \\\"Bell\\\" <x>\" <sip:agb@bell-telephone.com;x=1> ;tag=a48s").unwrap();
    assert_eq!(quoted.display.as_deref(), Some("A. G. \"Bell\" <x>"));
    assert_eq!(quoted.uri.param("x").as_deref(), Some("1"));
    assert_eq!(quoted.tag(), Some(Text::from("a48s")));
    let bare = NameAddr::parse("sip:+12125551212@server.phone2net.com;tag=887s").unwrap();
    assert_eq!(bare.tag(), Some(Text::from("887s")));
    assert!(bare.uri.params.is_empty(), "without brackets parameters are the header's");
    let tokens = NameAddr::parse("Anonymous User<sip:c8oqz84zk7z@privacy.org>").unwrap();
    assert_eq!(tokens.display.as_deref(), Some("Anonymous User"));
    let instance =
        NameAddr::parse("<sip:a@b>;+sip.instance=\"<urn:uuid:1>\" ; expires = 60;reg-id=1").unwrap();
    assert_eq!(instance.param("+sip.instance").as_deref(), Some("<urn:uuid:1>"));
    assert_eq!(instance.param("expires").as_deref(), Some("60"));
    assert_eq!(instance.to_string(), "<sip:a@b>;+sip.instance=\"<urn:uuid:1>\";expires=60;reg-id=1");
    assert_eq!(NameAddr::written_uri("Ana < sip:%61@B;x >;tag=1").unwrap(), "sip:%61@B;x");
    assert_eq!(NameAddr::written_uri("sip:u;v@B;tag=1").unwrap(), "sip:u;v@B");
}

#[test]
fn what_is_no_address_is_refused() {
    // spec: RFC 3261 §20.10
    assert_eq!(NameAddr::parse("\"open <sip:a>"), Err(ValueError::OpenQuote));
    assert_eq!(NameAddr::parse("<sip:a"), Err(ValueError::OpenAngle));
    assert_eq!(NameAddr::parse("\"name\" sip:a"), Err(ValueError::OpenAngle));
    assert_eq!(NameAddr::parse("\"name\" x <sip:a>"), Err(ValueError::Byte(b'x')));
    for text in ["", "*", "sip:a?x=1", "<sip:a>x", "<sip:a>;x=", "a,b <sip:a>", "<>", "sip:a;x=1,2"] {
        assert!(NameAddr::parse(text).is_err(), "{text}");
    }
}

#[test]
fn via_is_read_with_its_white_space() {
    // spec: RFC 3261 §20.42
    let via = Via::parse(
        "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
    )
    .unwrap();
    assert_eq!(via.transport, Text::from("UDP"));
    assert_eq!((via.host.to_string().as_str(), via.port), ("first.example.com", Some(4000)));
    assert_eq!(via.branch().unwrap(), "z9hG4bKa7c6a8dlze.1");
    assert!(!via.wants_rport());
    assert_eq!(
        via.to_string(),
        "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1"
    );
}

#[test]
fn received_is_read_with_and_without_brackets() {
    // spec: RFC 5118 §4.5
    for text in [
        "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]",
        "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255",
    ] {
        assert_eq!(Via::parse(text).unwrap().received(), Some("2001:db8::9:255".parse().unwrap()));
    }
}

#[test]
fn what_is_no_via_is_refused() {
    // spec: RFC 3261 §20.42
    for text in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 host",
        "SIP/3 0/UDP host",
        "HTTP/2.0/TCP host",
        "SIP/2.0/UDP ho st",
        "SIP/2.0/UDP host:x",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0/U[P host",
    ] {
        assert!(Via::parse(text).is_err(), "{text}");
    }
}
