//! One property a parser: printing then reading is the identity, and no input panics.

use crate::bench::{Bench, phone_stream};
use bytes::Bytes;
use callwright_sip::digest::{Algorithm, Challenge, Credentials, Qop};
use callwright_sip::{
    CSeq, Event, Host, Message, Method, Name, NameAddr, Params, Reason, Scheme, Text, Uri, Via,
};
use proptest::option;
use proptest::prelude::*;

/// RFC 3261 §25.1 `token`.
fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

/// Anything a person may type as a name; line ends have no form in a quoted string.
fn words() -> impl Strategy<Value = String> {
    "[^\r\n]{0,16}"
}

fn params() -> impl Strategy<Value = Params> {
    prop::collection::vec((token(), option::of(words())), 0..4).prop_map(|list| {
        let mut params = Params::default();
        for (name, value) in list {
            match value {
                Some(value) => params.set(&name, &value),
                None => params.set_flag(&name),
            }
        }
        params
    })
}

/// Parameters of a URI have no quotes.
fn uri_params() -> impl Strategy<Value = Params> {
    prop::collection::vec((token(), option::of(token())), 0..4).prop_map(|list| {
        let mut params = Params::default();
        for (name, value) in list {
            match value {
                Some(value) => params.set(&name, &value),
                None => params.set_flag(&name),
            }
        }
        params
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Host::V4(octets.into())),
        any::<[u16; 8]>().prop_map(|parts| Host::V6(parts.into())),
        "[a-z][a-z0-9-]{0,8}(\\.[a-z][a-z0-9]{0,8}){0,2}".prop_map(Host::Name),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let sip = (
        prop_oneof![Just(Scheme::Sip), Just(Scheme::Sips)],
        option::of((".{1,12}", option::of(".{0,8}"))),
        host(),
        option::of(any::<u16>()),
        uri_params(),
        option::of("[a-z]{1,6}=[a-z%0-9]{0,6}".prop_map(Text::from)),
    );
    let sip = sip.prop_map(|(scheme, user, host, port, params, headers)| {
        let (user, password) = user.map_or((None, None), |(user, password)| (Some(user), password));
        Uri { scheme, user, password, host, port, params, headers }
    });
    let tel = ("[+]?[0-9*-]{1,12}", uri_params()).prop_map(|(number, params)| {
        let base = Uri::sip(Host::Absent, None).with_user(number);
        Uri { scheme: Scheme::Tel, params, ..base }
    });
    let urn = "[a-z]{1,8}:[!-;=?-~]{1,12}".prop_filter_map("quotes", |opaque| {
        let base = Uri::sip(Host::Absent, None).with_user(opaque.clone());
        (!opaque.contains('"')).then(|| Uri { scheme: Scheme::Other("urn".to_owned()), ..base })
    });
    prop_oneof![4 => sip, 1 => tel, 1 => urn]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    let parts = (option::of(words()), uri(), params());
    parts.prop_map(|(display, uri, params)| NameAddr { display, uri, params })
}

fn via() -> impl Strategy<Value = Via> {
    let parts = (token(), host(), option::of(any::<u16>()), params());
    parts.prop_map(|(transport, host, port, params)| Via {
        version: None,
        transport: Text::from(transport),
        host,
        port,
        params,
    })
}

fn cseq() -> impl Strategy<Value = CSeq> {
    (0..1_u32 << 31, token()).prop_map(|(seq, method)| CSeq { seq, method: Method::parse(&method) })
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Md5), Just(Algorithm::Sha256)]
}

fn filled() -> impl Strategy<Value = String> {
    "[^\r\n]{1,16}"
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let qop = option::of((filled(), any::<u32>()).prop_map(|(cnonce, nc)| Qop { cnonce, nc }));
    let parts = (filled(), filled(), filled(), filled(), filled(), algorithm(), qop, option::of(words()));
    parts.prop_map(|(username, realm, nonce, uri, response, algorithm, qop, opaque)| {
        let uri = Text::from(uri);
        Credentials { username, realm, nonce, uri, response, algorithm, qop, opaque }
    })
}

fn challenge() -> impl Strategy<Value = Challenge> {
    let parts = (filled(), filled(), option::of(words()), algorithm(), any::<bool>(), any::<bool>());
    parts.prop_map(|(realm, nonce, opaque, algorithm, offers_auth, stale)| Challenge {
        realm,
        nonce,
        opaque,
        algorithm,
        offers_auth,
        stale,
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    let parts = (token(), option::of(any::<u16>()), option::of(words()));
    parts.prop_map(|(protocol, cause, text)| Reason { protocol: Text::from(protocol), cause, text })
}

/// Bytes a header value may hold, without white space at its ends, which is no part of it.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let inner = any::<u8>().prop_filter("ends a line", |byte| !matches!(byte, b'\r' | b'\n'));
    prop::collection::vec(inner, 0..24)
        .prop_map(|bytes| bytes.trim_ascii().to_vec())
        .prop_filter("tabs", |bytes| {
            bytes.first().is_none_or(|byte| *byte > b' ') && bytes.last().is_none_or(|byte| *byte > b' ')
        })
}

fn message() -> impl Strategy<Value = Message> {
    let start = prop_oneof![
        (token(), uri()).prop_map(|(method, uri)| Message::request(Method::parse(&method), uri)),
        (100_u16..700).prop_map(Message::response),
    ];
    let fields = prop::collection::vec(("X-[A-Za-z0-9]{1,8}", value()), 0..6);
    let parts = (start, via(), name_addr(), cseq(), fields, prop::collection::vec(any::<u8>(), 0..64));
    parts.prop_map(|(message, via, from, cseq, fields, body)| {
        let message = message.with(Name::Via, &via).with(Name::From, from).with(Name::CSeq, cseq.to_string());
        let mut message = fields
            .into_iter()
            .fold(message, |message, (name, value)| message.with(Name::parse(&name), value));
        message.body = Bytes::from(body);
        message
    })
}

/// Bytes that look like a message often enough to get past the first line.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"INVITE sip:a SIP/2.0\r\n".to_vec()),
        Just(b"SIP/2.0 200 OK\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"v: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".to_vec()),
        Just(b"f: <sip:a>;tag=1\r\nt: <sip:b>\r\ni: c\r\nCSeq: 1 INVITE\r\n".to_vec()),
        Just(b"l: 4\r\n".to_vec()),
        Just(b" folded\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_uri_printed_reads_as_itself(uri in uri()) {
        prop_assert_eq!(Uri::parse(uri.to_text()), Ok(uri.clone()));
        prop_assert!(uri.same_as(&uri));
    }

    #[test]
    fn an_address_printed_reads_as_itself(address in name_addr()) {
        prop_assert_eq!(NameAddr::parse(address.to_text()), Ok(address.clone()));
        prop_assert_eq!(NameAddr::written_uri(address.to_text()), Ok(address.uri.to_text()));
    }

    #[test]
    fn a_via_printed_reads_as_itself(via in via()) {
        prop_assert_eq!(Via::parse(&via), Ok(via));
    }

    #[test]
    fn a_cseq_printed_reads_as_itself(cseq in cseq()) {
        prop_assert_eq!(CSeq::parse(cseq.to_string()), Ok(cseq));
    }

    #[test]
    fn a_reason_printed_reads_as_itself(reason in reason()) {
        prop_assert_eq!(Reason::parse(&reason), Ok(reason));
    }

    #[test]
    fn credentials_printed_read_as_themselves(credentials in credentials()) {
        prop_assert_eq!(Credentials::parse(&Text::from(credentials.to_string())), Ok(credentials));
    }

    #[test]
    fn a_challenge_printed_reads_as_itself(challenge in challenge()) {
        prop_assert_eq!(Challenge::parse(&Text::from(challenge.to_string())), Ok(challenge));
    }

    #[test]
    fn a_message_printed_reads_as_itself(message in message()) {
        prop_assert_eq!(Message::parse(message.to_bytes()), Ok(message));
    }

    #[test]
    fn no_value_makes_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = Text::from(bytes);
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(Uri::parse(uri.to_text()), Ok(uri));
        }
        if let Ok(address) = NameAddr::parse(&text) {
            prop_assert_eq!(NameAddr::parse(address.to_text()), Ok(address));
        }
        let _ = (Via::parse(&text), CSeq::parse(&text), Reason::parse(&text));
        let _ = (Credentials::parse(&text), Challenge::parse(&text));
    }

    #[test]
    fn what_is_read_of_any_bytes_survives_printing(bytes in nearly_a_message()) {
        if let Ok(message) = Message::parse(Bytes::from(bytes)) {
            prop_assert_eq!(Message::parse(message.to_bytes()), Ok(message));
        }
    }

    #[test]
    fn any_datagrams_leave_the_endpoint_standing(datagrams in prop::collection::vec(nearly_a_message(), 1..4)) {
        let mut bench = Bench::new();
        for datagram in datagrams {
            bench.receive(crate::bench::phone(), datagram);
        }
        bench.pass(std::time::Duration::from_secs(100));
        prop_assert_eq!(bench.endpoint.deadline(), None);
    }

    #[test]
    fn a_stream_cut_anywhere_holds_the_same_messages(
        messages in prop::collection::vec(message(), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| message.to_bytes().to_vec()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut whole = Bench::new();
        whole.receive(phone_stream(), bytes.clone());
        let mut pieces = Bench::new();
        for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
            pieces.receive(phone_stream(), bytes[*from..*to].to_vec());
        }
        let events = whole.events();
        let closes = events.iter().filter(|event| matches!(event, Event::Closed { .. })).count();
        prop_assert_eq!(closes, 0);
        prop_assert_eq!(pieces.events(), events);
    }

    #[test]
    fn any_bytes_in_a_stream_close_at_most_that_stream(pieces in prop::collection::vec(nearly_a_message(), 1..6)) {
        let mut bench = Bench::new();
        for piece in pieces {
            bench.receive(phone_stream(), piece);
        }
        bench.pass(std::time::Duration::from_secs(100));
        prop_assert!(bench.closed().iter().all(|flow| *flow == phone_stream()));
    }
}
