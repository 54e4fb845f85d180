//! What must hold for any bytes from outside: one property for each door that they come in by, uploads apart.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use callwright_sip::digest::{Algorithm, Authority, Challenge, Credentials, Secret, answer};
use callwright_sip::{
    CSeq, Cutter, Endpoint, EndpointSettings, Event, Flow, Message, Method, Name, NameAddr, Peek, Piece,
    Reason, SessionExpires, Start, Text, Uri, Via,
};

/// Where bytes come from here.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// A datagram: what is read of it survives printing, and a stranger gets no lever out of it.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes.to_vec().into()) {
        assert_eq!(Message::parse(message.to_bytes()), Ok(message.clone()), "print and read again");
        if let Start::Request { .. } = &message.start {
            let reply = Message::reply(&message, 400);
            assert_eq!(Message::parse(reply.to_bytes()), Ok(reply), "a reply to what was read can be read");
        }
        read_all(&message);
        agrees(&message, &Peek::at(&bytes.to_vec().into()));
    }
    let mut endpoint = endpoint();
    endpoint.receive(Duration::ZERO, Flow::udp((SOURCE, 5060).into()), bytes.to_vec().into());
    let (sent, _) = drained(&mut endpoint);
    let longest = (bytes.len() + bytes.len() / 2).max(bytes.len() + 300);
    assert!(sent.len() <= 1 && sent.iter().all(|answer| answer.len() <= longest), "{} packets", sent.len());
    endpoint.tick(Duration::from_secs(100));
    assert_eq!(endpoint.deadline(), None, "nothing is kept for a stranger");
}

/// A front that spreads messages over nodes sees of a message what its node sees.
fn agrees(message: &Message, peek: &Peek) {
    if let Peek::New { asked, from } = peek {
        assert_eq!(message.tag_of_to(), None, "what has a tag begins nothing");
        assert_eq!(message.from().map(|from| from.uri.host).as_ref(), Ok(from));
        let uri = message.uri().and_then(|uri| Uri::parse(uri.clone()).ok());
        assert_eq!(uri.map(|uri| uri.host).as_ref(), Some(asked));
    }
}

/// The value of a header: whatever reads it reads it again from its own print.
pub fn header(bytes: &[u8]) {
    // No header holds the end of its line.
    if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return;
    }
    settles(bytes, |text| NameAddr::parse(text).ok(), |address| address.to_text());
    settles(bytes, |text| Via::parse(text).ok(), |via| Text::from(via));
    settles(bytes, |text| CSeq::parse(text).ok(), |cseq| Text::from(cseq.to_string()));
    settles(bytes, |text| Reason::parse(text).ok(), |reason| Text::from(reason));
    settles(bytes, |text| SessionExpires::parse(text).ok(), |session| Text::from(session.to_string()));
    // As a field of every kind, too: lists are cut there.
    let names = ["Contact", "Route", "Via", "Accept", "Max-Forwards", "Expires", "Min-SE", "To", "X-Any"];
    for name in names {
        let message = Message::request(Method::Options, "sip:a").with(Name::parse(name), bytes.to_vec());
        read_all(&message);
    }
}

/// A URI: it is itself once printed, and equal to itself.
pub fn uri(bytes: &[u8]) {
    settles(bytes, |text| Uri::parse(text).ok(), Uri::to_text);
    let Ok(uri) = Uri::parse(bytes.to_vec()) else { return };
    assert!(uri.same_as(&uri), "{uri} is not the same as itself");
    let address = NameAddr::new(uri.clone());
    assert_eq!(NameAddr::written_uri(address.to_text()), Ok(uri.to_text()));
}

/// Challenges and credentials: both survive printing, a challenge that can be answered is answered legibly, and nobody is
/// believed who knows no password.
pub fn digest(bytes: &[u8]) {
    // No header holds the end of its line.
    if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return;
    }
    settles(bytes, |text| Challenge::parse(&text).ok(), |challenge| Text::from(challenge.to_string()));
    settles(bytes, |text| Credentials::parse(&text).ok(), |credentials| Text::from(credentials.to_string()));
    let text = Text::from(bytes.to_vec());
    if let Ok(challenge) = Challenge::parse(&text) {
        let (secret, uri) = (Secret::new("secret"), Text::from("sip:acme.example"));
        if let Ok(proof) = answer(&text, &Method::Register, &uri, "1001", &secret, "c", 1) {
            let Ok(credentials) = Credentials::parse(&proof) else { panic!("{proof:?} cannot be read") };
            assert_eq!((credentials.realm, credentials.nonce), (challenge.realm, challenge.nonce));
        }
    }
    if let Ok(credentials) = Credentials::parse(&text) {
        let mut authority = Authority::new([7; 32], Duration::from_secs(300));
        authority.challenge(Duration::ZERO, SOURCE, &credentials.realm, Algorithm::Md5, false);
        let secret = Secret::new("secret");
        let verdict = authority.verify(Duration::ZERO, SOURCE, &Method::Register, &credentials, &secret);
        assert!(verdict.is_err(), "credentials from nowhere are believed");
    }
}

/// A stream: it holds the same messages wherever it is cut. The first byte says how.
pub fn stream(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let flow = Flow::tcp((SOURCE, 40_001).into(), 1);
    let events = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut endpoint = endpoint();
        let mut events = Vec::new();
        for piece in pieces {
            endpoint.receive(Duration::ZERO, flow, piece.to_vec().into());
            events.extend(drained(&mut endpoint).1);
        }
        endpoint.tick(Duration::from_secs(100));
        events.extend(drained(&mut endpoint).1);
        assert_eq!(endpoint.deadline(), None, "a message that does not end is given up");
        events
    };
    let whole = events(&mut std::iter::once(bytes));
    let pieces = events(&mut bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, pieces, "in pieces of {size}");
    let mut cutter = Cutter::default();
    let mut cut = Vec::new();
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        cutter.push(piece);
        cut.extend(std::iter::from_fn(|| cutter.next_piece()));
        if matches!(cut.last(), Some(Piece::Broken(_))) {
            break;
        }
    }
    let cut = cut.iter().filter_map(|piece| match piece {
        Piece::Message(bytes) | Piece::Broken(bytes) => Some(&bytes[..]),
        Piece::Ping => None,
    });
    let cut = events(&mut cut.into_iter());
    assert_eq!(whole.get(..cut.len()), Some(&cut[..]), "cut outside of the endpoint");
    let closed = whole.iter().filter(|event| matches!(event, Event::Closed { .. })).count();
    assert!(closed <= 1, "a stream ends once");
}

/// A configuration file: every mistake has its line, and what is taken over names nobody who is not there.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match callwright_config::parse(&text, Path::new("/")) {
        Ok(settings) => {
            let config = settings.switch;
            assert!(config.default_tenant.iter().all(|tenant| config.tenants.contains_key(tenant)));
            for tenant in config.tenants.values() {
                for domain in &tenant.domains {
                    assert_eq!(config.tenant_of_domain(domain).map(|owner| &owner.id), Some(&tenant.id));
                }
                let devices = tenant.users.values().flat_map(|user| &user.devices);
                assert!(devices.clone().all(|device| tenant.devices.contains_key(device)));
                let members = tenant.groups.values().flat_map(|group| &group.members);
                assert!(members.clone().all(|member| tenant.lacks(member).is_none()));
                assert!(
                    tenant.groups.keys().all(|name| callwright_core::group::circle(tenant, name).is_none())
                );
                assert!(tenant.places.values().all(|place| tenant.lacks(&place.target).is_none()));
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            // The end of the file counts as a line, too.
            let lines = text.matches('\n').count() + 1;
            assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)), "{problems:?}");
        }
    }
}

/// What was read prints as something that reads the same. Bytes that are no UTF-8 are replaced when they are printed, and
/// then no more.
fn settles<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(Text) -> Option<T>,
    print: impl Fn(&T) -> Text,
) {
    let Some(value) = read(Text::from(bytes.to_vec())) else { return };
    let printed = print(&value);
    let Some(again) = read(printed.clone()) else { panic!("{printed:?} cannot be read") };
    if std::str::from_utf8(bytes).is_ok() {
        assert_eq!(again, value);
    } else {
        assert_eq!(print(&again), printed);
    }
}

/// Reads every header by every reader; what comes of it is checked elsewhere.
fn read_all(message: &Message) {
    let _ = (message.top_via(), message.vias(), message.from(), message.to(), message.cseq());
    let _ = (message.call_id(), message.contacts(), message.max_forwards(), message.expires());
    let _ = (message.min_expires(), message.session_expires(), message.min_se(), message.reasons());
    for name in [Name::Route, Name::RecordRoute, Name::Path, Name::ServiceRoute] {
        let _ = message.routes(name);
    }
    for name in [Name::Require, Name::Supported, Name::Allow, Name::Accept] {
        let _ = message.option_tags(name);
    }
}

fn endpoint() -> Endpoint {
    Endpoint::new(EndpointSettings::new(1, "198.51.100.1", 5060), [7; 32])
}

/// What an endpoint has sent and said.
fn drained(endpoint: &mut Endpoint) -> (Vec<Vec<u8>>, Vec<Event>) {
    let sent = std::iter::from_fn(|| endpoint.poll_transmit()).map(|sent| sent.bytes.to_vec()).collect();
    while endpoint.poll_close().is_some() {}
    (sent, std::iter::from_fn(|| endpoint.poll_event()).collect())
}
