//! Connections that say little, say it slowly, or lie about how much they will say.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::Effort;
use crate::peer::Request;
use crate::phones::Traffic;
use crate::switch::{ANA, Switch};
use crate::verdict::Verdicts;

/// Connections from one address that proved nothing (`network.rs` of the switch).
const UNPROVEN_MAX: u64 = 50;
/// How long one may be open that proved nothing.
const UNPROVEN_TIME: Duration = Duration::from_secs(10);

/// SEC-42: idle and slow connections hold few places, for a short time, and nobody else up.
pub(crate) fn slots(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let idle = match effort {
        Effort::Quick => 400,
        Effort::Full => 10_000,
    };
    let traffic = Traffic::start(switch, if effort == Effort::Quick { 5 } else { 50 });
    let base = switch.memory_kib();
    // The limit of open files of this program holds for its own end too: the oldest are let go.
    let mut held = std::collections::VecDeque::new();
    let mut most = 0;
    for number in 0_u32..idle {
        if let Ok(stream) = connect([127, 12, 1, 1], switch.sip()) {
            held.push_back(stream);
        }
        if held.len() > 600 {
            held.pop_front();
        }
        if number % 50 == 0 {
            most = most.max(switch.metric("callwright_connections"));
        }
    }
    most = most.max(switch.metric("callwright_connections"));
    verdicts.at_most(
        format!("places that {idle} idle connections from one address take"),
        most,
        UNPROVEN_MAX,
        "connections",
    );
    let mut other = connect([127, 12, 1, 2], switch.sip()).unwrap();
    verdicts.answered(
        "a newcomer from another address",
        ask(&mut other, &Request::new("OPTIONS", "acme.example", "x")),
        &[200],
    );
    verdicts.at_most("memory grows by them", switch.memory_kib().saturating_sub(base), 16 * 1024, "KiB");
    slowly(switch, verdicts);
    let left = switch.comes_down("callwright_connections", 0, UNPROVEN_TIME + Duration::from_secs(10));
    verdicts.at_most("places still held when their time is up", left, 0, "connections");
    let lane = traffic.end();
    verdicts.all("lawful calls succeed", usize::try_from(lane.begun).unwrap(), &lane.failures, "all of them");
}

/// Byte after byte of a message that never ends, which keeps a careless server busy for ever.
fn slowly(switch: &Switch, verdicts: &mut Verdicts) {
    let mut slow = connect([127, 12, 1, 3], switch.sip()).unwrap();
    let mut half_open = connect([127, 12, 1, 4], switch.sip()).unwrap();
    half_open.write_all(b"REGISTER sip:acme.example SIP/2.0\r\nVia: ").unwrap();
    let wire = Request::new("REGISTER", "acme.example", ANA).wire(slow.local_addr().unwrap(), "TCP");
    let began = Instant::now();
    let mut closed = None;
    for byte in wire.iter().cycle() {
        if slow.write_all(&[*byte]).is_err() || is_closed(&mut slow) {
            closed = Some(began.elapsed());
            break;
        }
        if began.elapsed() > UNPROVEN_TIME + Duration::from_secs(20) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = closed.map_or("never".to_owned(), |took| format!("after {:.1} s", took.as_secs_f64()));
    // The bound of the time, and what a slow machine may add.
    let held = closed.is_some_and(|took| took < UNPROVEN_TIME + Duration::from_secs(10));
    verdicts.check("a byte each half second: the connection is closed", held, took, "after about 10 s");
    verdicts.check(
        "one that stopped midway is closed too",
        is_closed(&mut half_open),
        is_closed(&mut half_open).to_string(),
        "true",
    );
}

/// SEC-42, second part: what a Content-Length may say.
pub(crate) fn lengths(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let base = switch.memory_kib();
    let mut innocent = connect([127, 12, 2, 2], switch.sip()).unwrap();
    let lies = [
        "1073741824",
        "65537",
        "4294967296",
        "-1",
        "18446744073709551617",
        "0x10",
        "1e3",
        "1\r\nContent-Length: 2",
    ];
    let mut open = Vec::new();
    for lie in lies {
        let mut stream = connect([127, 12, 2, 1], switch.sip()).unwrap();
        let request = Request::new("MESSAGE", "91001@acme.example", ANA).with_body("hello");
        let wire = String::from_utf8(request.wire(stream.local_addr().unwrap(), "TCP")).unwrap();
        let wire = wire.replace("Content-Length: 5", &format!("Content-Length: {lie}"));
        stream.write_all(wire.as_bytes()).unwrap();
        if !closes(&mut stream, Duration::from_secs(3)) {
            open.push(format!("`{lie}`"));
        }
    }
    verdicts.all(
        "a length that is none or too long closes the connection",
        lies.len(),
        &open,
        "closed at once",
    );
    let answered = ask(&mut innocent, &Request::new("OPTIONS", "acme.example", "x"));
    verdicts.answered("and no other", answered, &[200]);
    let mut short = connect([127, 12, 2, 3], switch.sip()).unwrap();
    let first = Request::new("OPTIONS", "acme.example", "x").with_body("hidden: x\r\n\r\n");
    let wire = String::from_utf8(first.wire(short.local_addr().unwrap(), "TCP")).unwrap();
    short.write_all(wire.replace("Content-Length: 13", "Content-Length: 0").as_bytes()).unwrap();
    verdicts.check(
        "a body that was not announced ends the stream",
        closes(&mut short, Duration::from_secs(3)),
        "closed",
        "closed",
    );
    let mut junk = connect([127, 12, 2, 4], switch.sip()).unwrap();
    // What it does not read any more, it need not be told.
    let _refused = junk.write_all(&vec![b'A'; 1 << 20]);
    verdicts.check(
        "a megabyte without a line end",
        closes(&mut junk, Duration::from_secs(5)),
        "closed",
        "closed",
    );
    verdicts.at_most("memory grows by them", switch.memory_kib().saturating_sub(base), 8 * 1024, "KiB");
}

/// A connection from that address.
fn connect(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(2))?;
    Ok(socket.into())
}

/// The status of the answer; 0 where the connection is closed or silent.
fn ask(stream: &mut TcpStream, request: &Request) -> u16 {
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let wire = request.wire(stream.local_addr().unwrap(), "TCP");
    let mut answer = [0; 2_048];
    let read = stream.write_all(&wire).and_then(|()| stream.read(&mut answer)).unwrap_or(0);
    let line = String::from_utf8_lossy(&answer[..read]).into_owned();
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Whether the other side closes within that time.
fn closes(stream: &mut TcpStream, within: Duration) -> bool {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if is_closed(stream) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Whether the other side has closed; what it said before is read and forgotten.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut heard = [0; 4_096];
    let closed = loop {
        match stream.read(&mut heard) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break false,
            Err(_) => break true,
        }
    };
    stream.set_nonblocking(false).unwrap();
    closed
}
