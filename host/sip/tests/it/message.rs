//! Reading and printing whole messages, and the values of their headers.

use crate::bench::{raw, request};
use bytes::Bytes;
use callwright_sip::{
    Contacts, Fault, HeaderError, Message, Method, Name, Refresher, SessionExpires, Text, ValueError,
};

fn parse(lines: &[&str]) -> Message {
    Message::parse(raw(lines)).unwrap()
}

fn fault(lines: &[&str]) -> Fault {
    Message::parse(raw(lines)).unwrap_err().fault
}

#[test]
fn compact_names_are_the_long_ones() {
    // spec: RFC 3261 §7.3.3
    let compact = [
        ("v", Name::Via),
        ("F", Name::From),
        ("t", Name::To),
        ("i", Name::CallId),
        ("m", Name::Contact),
        ("c", Name::ContentType),
        ("e", Name::ContentEncoding),
        ("k", Name::Supported),
        ("s", Name::Subject),
        ("x", Name::SessionExpires),
        ("r", Name::ReferTo),
        ("b", Name::ReferredBy),
        ("o", Name::Event),
        ("u", Name::AllowEvents),
        ("a", Name::AcceptContact),
        ("d", Name::RequestDisposition),
        ("j", Name::RejectContact),
        ("y", Name::Identity),
        ("l", Name::ContentLength),
    ];
    for (short, long) in compact {
        assert_eq!(Name::parse(short), long);
    }
    let message = parse(&["OPTIONS sip:a SIP/2.0", "i: 1", "L: 2", "", "okay"]);
    assert_eq!(message.call_id().unwrap(), Text::from("1"));
    assert_eq!(message.body, Bytes::from_static(b"ok"), "bytes after the length are ignored");
    assert!(
        message.to_bytes().starts_with(b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 2\r\n\r\nok")
    );
}

#[test]
fn names_have_no_case_and_unknown_ones_stay_as_written() {
    // spec: RFC 3261 §7.3.1
    let message = parse(&["OPTIONS sip:a SIP/2.0", "X-FanCy: 1", "call-id : 2", "z: 3", "", ""]);
    assert_eq!(message.headers.get(&Name::parse("x-fancy")).unwrap(), "1");
    assert_eq!(message.call_id().unwrap(), Text::from("2"));
    assert!(
        message.to_bytes().windows(11).any(|bytes| bytes == b"X-FanCy: 1\r".as_slice().get(..11).unwrap())
    );
}

#[test]
fn folded_lines_are_one_value() {
    // spec: RFC 3261 §7.3.1
    let message = parse(&[
        "OPTIONS sip:a SIP/2.0",
        "Subject: I know",
        "\tyou're there, ",
        "   pick up",
        "i: 1",
        "",
        "",
    ]);
    assert_eq!(message.headers.get(&Name::Subject).unwrap(), "I know you're there, pick up");
    assert_eq!(message.call_id().unwrap(), Text::from("1"));
}

#[test]
fn a_byte_that_is_not_utf_8_loses_no_header() {
    // spec: RFC 3261 §7
    let mut bytes = b"INVITE sip:a SIP/2.0\r\nFrom: \"Ren\xe9\" <sip:rene@example.com>;tag=1\r\nSubject: \xff\xfe\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"\x00\xff\r\n\x80");
    let message = Message::parse(Bytes::from(bytes)).unwrap();
    assert_eq!(message.from().unwrap().display.as_deref(), Some("Ren\u{fffd}"));
    assert_eq!(message.from().unwrap().tag(), Some(Text::from("1")));
    assert_eq!(message.headers.get(&Name::Subject).unwrap().as_bytes(), b"\xff\xfe");
    assert_eq!(message.body, Bytes::from_static(b"\x00\xff\r\n\x80"));
    let printed = message.to_bytes();
    assert!(printed.windows(4).any(|bytes| bytes == b"Ren\xe9"), "and leaves as it came");
    assert_eq!(Message::parse(printed).unwrap(), message);
}

#[test]
fn lists_of_hops_and_contacts_are_one_field_an_item() {
    // spec: RFC 3261 §7.3.1
    let message = parse(&[
        "OPTIONS sip:a SIP/2.0",
        "Via: SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b",
        "m: \"Doe, Jo\" <sip:a,b@c>;q=1,, <sip:d>",
        "Route: <sip:p1;lr>,<sip:p2;lr>",
        "Allow: INVITE, ACK ,BYE,",
        "Date: Sat, 13 Nov 2010 23:29:00 GMT",
        "",
        "",
    ]);
    assert_eq!(message.headers.all(&Name::Via).count(), 2);
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!("no list") };
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[0].display.as_deref(), Some("Doe, Jo"));
    assert_eq!(message.routes(Name::Route).unwrap().len(), 2);
    assert_eq!(message.option_tags(Name::Allow), ["INVITE", "ACK", "BYE"]);
    assert_eq!(message.headers.all(&Name::Allow).count(), 1);
    assert_eq!(message.headers.get(&Name::Date).unwrap(), "Sat, 13 Nov 2010 23:29:00 GMT");
}

#[test]
fn without_content_length_the_body_of_a_datagram_is_the_rest() {
    // spec: RFC 3261 §18.3
    assert_eq!(parse(&["OPTIONS sip:a SIP/2.0", "i: 1", "", "a", "b"]).body, Bytes::from_static(b"a\r\nb"));
}

#[test]
fn a_body_shorter_than_its_length_is_malformed() {
    // spec: RFC 3261 §18.3
    assert_eq!(fault(&["OPTIONS sip:a SIP/2.0", "l: 3", "", "ab"]), Fault::Truncated);
    assert_eq!(fault(&["OPTIONS sip:a SIP/2.0", "i: 1"]), Fault::Truncated);
}

#[test]
fn broken_lines_are_named_and_the_rest_is_kept() {
    // spec: RFC 3261 §7.3.1
    let start = "OPTIONS sip:a SIP/2.0";
    assert_eq!(fault(&[start, "no colon", "", ""]), Fault::HeaderLine);
    assert_eq!(fault(&[start, ": no name", "", ""]), Fault::HeaderLine);
    assert_eq!(fault(&[start, "Sub ject: x", "", ""]), Fault::HeaderLine);
    assert_eq!(fault(&[start, "Subject: a\rb", "", ""]), Fault::LoneCr);
    // In the first line it leaves nothing to go on with.
    assert_eq!(fault(&["SIP/2.0 200 O\rK", "", ""]), Fault::StartLine);
    assert_eq!(fault(&[start, "i: 1", "Call-ID: 2", "", ""]), Fault::Repeated(Name::CallId));
    assert_eq!(fault(&[start, "l: 0", "l: 0", "", ""]), Fault::ContentLength);
    let error = Message::parse(raw(&[start, "no colon", "i: 1", "", ""])).unwrap_err();
    assert_eq!(error.partial.unwrap().call_id().unwrap(), Text::from("1"));
}

#[test]
fn start_lines_are_read_strictly() {
    // spec: RFC 3261 §7.1
    for line in [
        "",
        "OPTIONS",
        "OPTIONS sip:a",
        "OPT[ONS sip:a SIP/2.0",
        "SIP/2.0 20 OK",
        "SIP/2.0 2000 OK",
        "SIP/2.0 099 no",
        "SIP/2.0 700 no",
        "SIP/3.0 200 OK",
        "OPTIONS sip:a HTTP/1.1",
    ] {
        assert_eq!(fault(&[line, "i: 1", "", ""]), Fault::StartLine, "{line}");
    }
    assert_eq!(fault(&["OPTIONS sip:a b SIP/2.0", "i: 1", "", ""]), Fault::StartLine);
    assert_eq!(fault(&["OPTIONS sip:a SIP/2.1", "i: 1", "", ""]), Fault::Version);
    assert_eq!(parse(&["SIP/2.0 200", "i: 1", "", ""]).status(), Some(200));
    assert_eq!(parse(&["sip/2.0 180 Es läutet", "i: 1", "", ""]).status(), Some(180));
    let other = parse(&["!interesting-Method sip:a SIP/2.0", "i: 1", "", ""]);
    assert_eq!(other.method(), Some(&Method::parse("!interesting-Method")));
}

#[test]
fn a_line_end_in_a_value_begins_no_header() {
    let evil = Message::request(Method::Options, "sip:a\r\nEvil: 1")
        .with(Name::Subject, "x\r\nEvil: 2\r\n\r\n")
        .with(Name::parse("X\nEvil"), "3");
    let printed = evil.to_bytes();
    assert!(!printed.windows(6).any(|bytes| bytes == b"\nEvil:"), "{printed:?}");
}

#[test]
fn a_reply_copies_what_it_must() {
    // spec: RFC 3261 §8.2.6.2
    let asked = request(Method::Invite)
        .with(Name::Via, "SIP/2.0/UDP second;branch=2")
        .with(Name::RecordRoute, "<sip:p;lr>")
        .with(Name::Timestamp, "7");
    let reply = Message::reply(&asked, 180);
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq, Name::RecordRoute] {
        assert!(reply.headers.all(&name).eq(asked.headers.all(&name)), "{name}");
    }
    for name in [Name::MaxForwards, Name::Contact, Name::Timestamp] {
        assert_eq!(reply.headers.get(&name), None, "{name}");
    }
    assert_eq!(Message::reply(&asked, 404).headers.get(&Name::RecordRoute), None);
    assert!(reply.to_bytes().starts_with(b"SIP/2.0 180 Ringing\r\n"));
}

#[test]
fn a_to_tag_is_added_once_and_changes_no_other_byte() {
    // spec: RFC 3261 §8.2.6.2
    let mut message = request(Method::Invite);
    message.headers.set(Name::To, "B\u{f6}b   <sip:b%6Fb@Example.COM>;x");
    message.tag_to(&Text::from("1"));
    message.tag_to(&Text::from("2"));
    assert_eq!(message.headers.get(&Name::To).unwrap(), "B\u{f6}b   <sip:b%6Fb@Example.COM>;x;tag=1");
}

#[test]
fn numbers_are_read_with_their_bounds() {
    // spec: RFC 3261 §20.16
    let with = |name: Name, value: &str| Message::request(Method::Options, "sip:a").with(name, value);
    assert_eq!(with(Name::Expires, "3600").expires(), Ok(Some(3600)));
    assert_eq!(with(Name::Expires, "1000000000000").expires(), Ok(Some(u32::MAX)));
    assert!(with(Name::Expires, "soon").expires().is_err());
    assert_eq!(with(Name::MaxForwards, "255").max_forwards(), Ok(Some(255)));
    assert!(with(Name::MaxForwards, "300").max_forwards().is_err());
    assert!(with(Name::MaxForwards, "-1").max_forwards().is_err());
    assert_eq!(with(Name::CSeq, "2147483647   OPTIONS").cseq().unwrap().seq, 2_147_483_647);
    for cseq in [
        "2147483648 OPTIONS",
        "36893488147419103232 OPTIONS",
        "-1 OPTIONS",
        "1",
        "1OPTIONS",
        " OPTIONS",
        "1 OPT IONS",
    ] {
        assert!(with(Name::CSeq, cseq).cseq().is_err(), "{cseq}");
    }
    assert_eq!(Message::request(Method::Options, "sip:a").max_forwards(), Ok(None));
}

#[test]
fn session_timers_are_read() {
    // spec: RFC 4028 §4
    let with = |name: Name, value: &str| Message::request(Method::Invite, "sip:a").with(name, value);
    let refresher = Some(Refresher::Uac);
    assert_eq!(
        with(Name::SessionExpires, "1800 ; Refresher=UAC;x=y").session_expires(),
        Ok(Some(SessionExpires { delta: 1800, refresher }))
    );
    assert_eq!(SessionExpires { delta: 90, refresher: None }.to_string(), "90");
    assert!(with(Name::SessionExpires, "90;refresher=both").session_expires().is_err());
    assert_eq!(with(Name::MinSe, "120;lr").min_se(), Ok(Some(120)));
}

#[test]
fn reasons_are_read_and_broken_ones_left_out() {
    // spec: RFC 3326 §2
    let message = Message::request(Method::Bye, "sip:a")
        .with(Name::Reason, "SIP ;cause=200 ;text=\"Call completed elsewhere\", Q.850;cause=16;text=\"a, b\"")
        .with(Name::Reason, "Q.850;cause=many");
    let reasons = message.reasons();
    assert_eq!(reasons.len(), 2);
    assert_eq!((reasons[0].protocol.to_string(), reasons[0].cause), ("SIP".to_owned(), Some(200)));
    assert_eq!(reasons[1].text.as_deref(), Some("a, b"));
    assert_eq!(reasons[0].to_string(), "SIP;cause=200;text=\"Call completed elsewhere\"");
}

#[test]
fn a_star_stands_alone() {
    // spec: RFC 3261 §10.3
    let star = Message::request(Method::Register, "sip:a").with(Name::Contact, "*");
    assert_eq!(star.contacts(), Ok(Contacts::Star));
    assert!(star.clone().with(Name::Contact, "<sip:a>").contacts().is_err());
    let second =
        Message::request(Method::Register, "sip:a").with(Name::Contact, "<sip:a>").with(Name::Contact, "*");
    assert!(second.contacts().is_err());
    assert_eq!(Message::request(Method::Register, "sip:a").contacts(), Ok(Contacts::List(Vec::new())));
}

#[test]
fn an_error_names_header_and_reason() {
    let message = Message::request(Method::Bye, "sip:a").with(Name::To, "\"open <sip:a>");
    let error = HeaderError::Malformed { name: Name::To, error: ValueError::OpenQuote };
    assert_eq!(message.to(), Err(error.clone()));
    assert_eq!(error.to_string(), "`To` is malformed: quoted string has no end (RFC 3261 §25.1)");
    assert_eq!(message.from(), Err(HeaderError::Missing(Name::From)));
}

#[test]
fn setting_a_header_keeps_its_place_and_removes_the_others() {
    let mut message = request(Method::Invite).with(Name::Contact, "<sip:second>");
    let place = message.headers.iter().position(|(name, _)| *name == Name::Contact);
    message.headers.set(Name::Contact, "<sip:only>");
    assert_eq!(message.headers.iter().position(|(name, _)| *name == Name::Contact), place);
    assert_eq!(message.headers.all(&Name::Contact).count(), 1);
    message.headers.remove(&Name::Contact);
    assert_eq!(message.headers.get(&Name::Contact), None);
}
