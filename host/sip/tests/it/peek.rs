//! Whose message it is, and streams cut outside an endpoint.

use crate::bench::{ms, phone, phone_stream, request};
use bytes::Bytes;
use callwright_sip::{
    Cutter, Endpoint, EndpointSettings, Event, MAGIC_COOKIE, Message, Method, Name, NameAddr, Peek, Piece,
    Uri,
};
use proptest::prelude::*;

fn endpoint(node: u16) -> Endpoint {
    Endpoint::new(EndpointSettings::new(node, "198.51.100.1", 5060), [7; 32])
}

/// A request that begins something, and one within what a node began.
fn requests(tag: &str) -> [Bytes; 2] {
    let new = request(Method::Invite);
    let mut within = request(Method::Bye);
    within
        .headers
        .set(Name::To, format!("\"tag=0003aaaaaaaaaaaaaaaa\" <sip:100@acme.example>;x=1;tag={tag}"));
    [new.to_bytes(), within.to_bytes()]
}

#[test]
fn a_response_is_for_the_node_that_minted_its_branch() {
    let mut asking = endpoint(0x2a);
    let options = Message::request(Method::Options, "sip:100@192.0.2.7")
        .with(Name::From, "<sip:switch@198.51.100.1>;tag=1")
        .with(Name::To, "<sip:100@192.0.2.7>")
        .with(Name::CallId, "c")
        .with(Name::CSeq, "1 OPTIONS");
    asking.request(ms(0), phone(), options).unwrap();
    let sent = Message::parse(asking.poll_transmit().unwrap().bytes).unwrap();
    assert_eq!(Peek::at(&Message::reply(&sent, 200).to_bytes()), Peek::Node(0x2a));
}

#[test]
fn a_request_within_a_dialog_is_for_the_node_that_minted_its_tag() {
    let tag = endpoint(0x11).mint().lossy().into_owned();
    let [_, within] = requests(&tag);
    assert_eq!(Peek::at(&within), Peek::Node(0x11));
    for foreign in ["1", "0011", "0011AAAAAAAAAAAAAAAA!", "zz11aaaaaaaaaaaaaaaa", "00 1aaaaaaaaaaaaaaaa"] {
        let [_, within] = requests(foreign);
        assert_eq!(Peek::at(&within), Peek::Nobody, "{foreign}");
    }
}

#[test]
fn another_request_is_for_whom_its_uris_name() {
    let [new, _] = requests("1");
    let read = Message::parse(new.clone()).unwrap();
    let (asked, from) = (Uri::parse(read.uri().unwrap()).unwrap().host, read.from().unwrap().uri.host);
    assert_eq!(Peek::at(&new), Peek::New { asked, from });
}

#[test]
fn compact_and_folded_fields_are_read_as_the_parser_reads_them() {
    let folded = Bytes::from_static(
        b"BYE sip:198.51.100.1 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
          t: <sip:c@d>\r\n ;tag\r\n\t=0005abcdefghijklmnop\r\ni: 1\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n",
    );
    assert_eq!(Peek::at(&folded), Peek::Node(5));
    let listed = Bytes::from_static(
        b"SIP/2.0 200 OK\r\nVia:\r\n SIP/2.0/UDP 198.51.100.1 ; Branch = z9hG4bK0006abcdefghijklmnop , SIP/2.0/UDP \
          192.0.2.9;branch=z9hG4bK0007abcdefghijklmnop\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(Peek::at(&listed), Peek::Node(6));
}

#[test]
fn what_cannot_be_read_is_for_nobody() {
    for bytes in
        [&b""[..], b"\r\n\r\n", b"junk", b"INVITE sip:a@b SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"]
    {
        assert_eq!(Peek::at(&Bytes::copy_from_slice(bytes)), Peek::Nobody);
    }
}

/// What a cutter makes of a stream that comes in pieces of this length.
fn cut(stream: &[u8], step: usize) -> Vec<Piece> {
    let (mut cutter, mut pieces) = (Cutter::default(), Vec::new());
    for piece in stream.chunks(step) {
        cutter.push(piece);
        while let Some(piece) = cutter.next_piece() {
            let broken = matches!(piece, Piece::Broken(_));
            pieces.push(piece);
            if broken {
                return pieces;
            }
        }
    }
    pieces
}

#[test]
fn a_stream_is_cut_into_the_messages_that_were_written() {
    // spec: RFC 3261 §18.3
    let one = request(Method::Message).with_body("text/plain", "a body\r\n\r\nwith empty lines").to_bytes();
    let two = request(Method::Options).to_bytes();
    let stream = [b"\r\n\r\n".as_slice(), &one, b"\r\n\r\n\r\n", &two, &one].concat();
    for step in 1..stream.len() {
        let messages = [Piece::Ping, Piece::Message(one.clone()), Piece::Ping, Piece::Message(two.clone())];
        let cut: Vec<_> = cut(&stream, step);
        assert_eq!(cut, [&messages[..], &[Piece::Message(one.clone())]].concat(), "pieces of {step}");
    }
}

#[test]
fn what_is_broken_does_not_come_with_the_message_before_it() {
    let mut cutter = Cutter::default();
    let options = request(Method::Options).to_bytes();
    cutter.push(&[&options[..], b"\0 is no method"].concat());
    assert_eq!(cutter.next_piece(), Some(Piece::Message(options)));
    assert_eq!(cutter.next_piece(), Some(Piece::Broken(Bytes::from_static(b"\0 is no method"))));
}

#[test]
fn a_message_that_has_begun_is_known_to_be_midway() {
    let mut cutter = Cutter::default();
    assert!(!cutter.is_midway());
    let one = request(Method::Message).with_body("text/plain", "body").to_bytes();
    for byte in &one[..one.len() - 1] {
        cutter.push(&[*byte]);
        assert_eq!(cutter.next_piece(), None);
        assert!(cutter.is_midway());
    }
    cutter.push(&one[one.len() - 1..]);
    assert_eq!(cutter.next_piece(), Some(Piece::Message(one)));
    assert!(!cutter.is_midway());
}

#[test]
fn what_a_cutter_gives_up_an_endpoint_refuses_for_the_same_fault() {
    let lying = request(Method::Options).to_bytes();
    let lying = String::from_utf8(lying.to_vec()).unwrap().replace("Content-Length: 0", "Content-Length: x");
    let endless = format!("OPTIONS sip:a@b SIP/2.0\r\nSubject: {}", "x".repeat(40_000));
    for stream in [lying.as_str(), "\x01\x02", "no-sip-at-all\r\n", &endless] {
        let [Piece::Broken(bytes)] = &cut(stream.as_bytes(), 16_384)[..] else { panic!("{stream:.20}") };
        let fault = |pieces: Vec<Bytes>| {
            let mut endpoint = endpoint(1);
            pieces.into_iter().for_each(|piece| endpoint.receive(ms(0), phone_stream(), piece));
            let answered = endpoint.poll_transmit().is_some();
            let events: Vec<Event> = std::iter::from_fn(|| endpoint.poll_event()).collect();
            (answered, events)
        };
        let direct = stream.as_bytes().chunks(16_384).map(Bytes::copy_from_slice).collect();
        assert_eq!(fault(vec![bytes.clone()]), fault(direct), "{stream:.20}");
        assert!(matches!(&fault(vec![bytes.clone()]).1[..], [Event::Malformed { .. }, Event::Closed { .. }]));
    }
}

proptest! {
    #[test]
    fn no_bytes_harm_a_peek_or_a_cutter(bytes in prop::collection::vec(any::<u8>(), 0..256), step in 1..64_usize) {
        Peek::at(&Bytes::from(bytes.clone()));
        cut(&bytes, step);
    }

    #[test]
    fn a_peek_sees_what_the_parser_sees(
        tag in prop::option::of("[a-z0-9]{1,24}"),
        user in "[a-z0-9.;=?]{0,8}",
        name in "[ -~]{0,12}",
    ) {
        let mut message = request(Method::Bye);
        let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        message.headers.set(Name::To, format!("{name} <sip:{user}@b>{tag}"));
        let bytes = message.to_bytes();
        let read = Message::parse(bytes.clone()).unwrap();
        match Peek::at(&bytes) {
            Peek::Node(node) => {
                let tag = read.tag_of_to().unwrap();
                let written = format!("{node:04x}");
                prop_assert!(tag.as_bytes().starts_with(written.as_bytes()));
            }
            Peek::New { from, .. } => {
                prop_assert!(read.tag_of_to().is_none());
                prop_assert_eq!(from, read.from().unwrap().uri.host);
            }
            Peek::Nobody => {
                let to = read.headers.get(&Name::To).unwrap().clone();
                prop_assert!(read.tag_of_to().is_some() || NameAddr::parse(to).is_err());
            }
        }
    }
}

#[test]
fn the_cookie_alone_or_another_one_is_no_branch_of_ours() {
    for branch in
        [MAGIC_COOKIE.to_owned(), "Z9HG4BK0006abcdefghijklmnop".to_owned(), "0006abcdefghijklmnop".to_owned()]
    {
        let response = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1;branch={branch}\r\n\r\n");
        assert_eq!(Peek::at(&Bytes::from(response)), Peek::Nobody);
    }
}
