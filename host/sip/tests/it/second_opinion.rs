//! Another parser's reading of the same values.
//!
//! `rsip` 0.4 reads the plainest values as we do. The other tests pin legal ones that it refuses or misreads without a
//! word, which is why we read all of them ourselves.

use callwright_sip::digest::Credentials;
use callwright_sip::{CSeq, NameAddr, Text, Uri, Via};
use rsip::headers::{ToTypedHeader, UntypedHeader};

#[test]
fn where_both_read_a_uri_they_agree() {
    for text in [
        "sip:bob@example.com",
        "sips:bob@example.com:5061",
        "sip:bob:pw@10.0.0.1:5070;transport=tcp;lr",
        "sip:example.com",
    ] {
        let ours = Uri::parse(text).unwrap();
        let theirs = rsip::Uri::try_from(text).unwrap();
        assert_eq!(ours.user.as_deref(), theirs.user(), "{text}");
        assert_eq!(ours.host.to_string(), theirs.host().to_string(), "{text}");
        assert_eq!(ours.port, theirs.port().map(|port| *port.value()), "{text}");
        assert_eq!(ours.param("lr").is_some(), theirs.params.contains(&rsip::Param::Lr), "{text}");
    }
}

#[test]
fn where_both_read_a_header_they_agree() {
    let from = "\"Ana\" <sip:ana@example.com>;tag=abc";
    let theirs = rsip::headers::From::new(from).typed().unwrap();
    let ours = NameAddr::parse(from).unwrap();
    assert_eq!(ours.tag().unwrap().as_str(), theirs.tag().map(|tag| tag.value()));
    assert_eq!(ours.uri.to_string(), theirs.uri.to_string());
    let via = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;received=192.0.2.2";
    let theirs = rsip::headers::Via::new(via).typed().unwrap();
    let ours = Via::parse(via).unwrap();
    assert_eq!(ours.branch().unwrap().as_str(), theirs.branch().map(|branch| branch.value()));
    assert_eq!(ours.received(), theirs.received().unwrap());
}

#[test]
fn a_dot_in_the_user_makes_it_part_of_their_host() {
    // spec: RFC 3261 §25.1
    let text = "sip:ana.maria@example.com";
    let ours = Uri::parse(text).unwrap();
    assert_eq!((ours.user.as_deref(), ours.host.to_string()), (Some("ana.maria"), "example.com".to_owned()));
    let theirs = rsip::Uri::try_from(text).unwrap();
    assert_eq!((theirs.user(), theirs.host().to_string()), (None, "ana.maria@example.com".to_owned()));
}

#[test]
fn headers_of_a_uri_are_part_of_their_host() {
    // spec: RFC 3261 §19.1.1
    let text = "sip:ana@example.com?subject=x";
    assert_eq!(Uri::parse(text).unwrap().host.to_string(), "example.com");
    assert_eq!(rsip::Uri::try_from(text).unwrap().host().to_string(), "example.com?subject=x");
}

#[test]
fn their_nonce_count_is_decimal_and_ends_at_9() {
    // spec: RFC 7616 §3.4
    let value = |nc: &str| {
        format!(
            "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0\", qop=auth, nc={nc}, cnonce=\"c\""
        )
    };
    let ours = |nc: &str| Credentials::parse(&Text::from(value(nc))).unwrap().qop.unwrap().nc;
    let theirs = |nc: &str| rsip::headers::Authorization::new(value(nc)).typed().ok()?.qop;
    assert_eq!((ours("00000010"), ours("0000000a")), (16, 10));
    let ten = rsip::headers::auth::AuthQop::Auth { cnonce: "c".to_owned(), nc: 10 };
    assert_eq!((theirs("00000010"), theirs("0000000a")), (Some(ten), None));
}

#[test]
fn legal_values_that_they_refuse() {
    // spec: RFC 3261 §25.1
    for text in ["sip:ana@[2001:db8::1]:5060", "tel:+4930123456", "urn:service:sos"] {
        assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        assert!(rsip::Uri::try_from(text).is_err(), "{text}");
    }
    for text in ["\"A <x>\" <sip:a@b>;tag=1", "Ana <sip:a@b> ; tag=1"] {
        assert!(NameAddr::parse(text).is_ok(), "{text}");
        assert!(rsip::headers::From::new(text).typed().is_err(), "{text}");
    }
    for text in
        ["SIP/2.0/UDP [2001:db8::1]:5060;branch=1", "SIP / 2.0 / UDP h: 4000;branch=1", "SIP/2.0/FOO h"]
    {
        assert!(Via::parse(text).is_ok(), "{text}");
        assert!(rsip::headers::Via::new(text).typed().is_err(), "{text}");
    }
    assert!(CSeq::parse("1 FOO").is_ok());
    assert!(rsip::headers::CSeq::new("1 FOO").typed().is_err());
}
