//! Several nodes behind one port: whichever socket or connection a message comes on, it reaches the node that owns its
//! tenant. Of two nodes acme belongs to the second and zeta to the first.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use super::*;

/// The tenants of these tests with the number of their node of two, as what it mints begins with it.
const TENANTS: [(&str, &str); 2] = [("acme", "0002"), ("zeta", "0001")];

/// Two tenants in each of which `caller` may call 100, a phone at a fixed address.
fn trusting(phones: &[&Wire; 2]) -> String {
    let tenants: String = TENANTS
        .iter()
        .zip(phones)
        .map(|((name, _), phone)| {
            format!(
                "[tenants.{name}]\ndomains = [\"{name}.example\"]\nzone = \"UTC\"\ntrusted = [\"127.0.0.0/8\"]\n\
                 users.ana = {{ extension = \"100\", devices = {{ 1001 = {{ label = \"desk\", contact = \"sip:{}\" }} }} }}\n\
                 users.bob = {{ devices = {{ caller = {{ label = \"desk\", contact = \"sip:127.0.0.1:9\" }} }} }}\n",
                phone.address
            )
        })
        .collect();
    format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\nnodes = 2\n{tenants}")
}

/// Tenants whose phones register, on so many nodes.
fn registering(nodes: u16, tenants: &[&str]) -> String {
    let tenants: String = tenants
        .iter()
        .map(|name| {
            format!(
                "[tenants.{name}]\ndomains = [\"{name}.example\"]\nzone = \"UTC\"\n\
                 users.ana = {{ extension = \"100\", devices = {{ 1001 = {{ label = \"desk\", password = \"a-secret\" }} }} }}\n\
                 users.bob = {{ devices = {{ 1011 = {{ label = \"desk\", password = \"b-secret\" }} }} }}\n"
            )
        })
        .collect();
    format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\nnodes = {nodes}\n{tenants}")
}

/// One end of a path to the switch that says what it is told to say.
struct Wire {
    address: String,
    way: Way,
    /// What was read and is not whole.
    rest: String,
}

enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Wire {
    fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        Self { address, way: Way::Udp(socket), rest: String::new() }
    }

    fn tcp(switch: &Switch) -> Self {
        let stream = TcpStream::connect(switch.started["sip"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = stream.local_addr().unwrap().to_string();
        Self { address, way: Way::Tcp(stream), rest: String::new() }
    }

    fn send(&mut self, switch: &Switch, message: &str) {
        match &mut self.way {
            Way::Udp(socket) => {
                let sip = switch.started["sip"].as_str().unwrap();
                assert_eq!(socket.send_to(message.as_bytes(), sip).unwrap(), message.len());
            }
            Way::Tcp(stream) => stream.write_all(message.as_bytes()).unwrap(),
        }
    }

    /// The next message that begins so; others are passed over, for the switch repeats itself where we are slow.
    fn hear(&mut self, start: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "no {start} came");
            let message = self.next();
            if message.starts_with(start) {
                return message;
            }
        }
    }

    fn next(&mut self) -> String {
        let mut buffer = [0; 65_535];
        match &mut self.way {
            Way::Udp(socket) => {
                let length = socket.recv(&mut buffer).unwrap();
                text(&buffer[..length])
            }
            Way::Tcp(stream) => loop {
                if let Some((head, body)) = self.rest.split_once("\r\n\r\n") {
                    let length: usize = field(head, "Content-Length").parse().unwrap();
                    if body.len() >= length {
                        let whole = self.rest[..head.len() + 4 + length].to_owned();
                        self.rest.drain(..whole.len());
                        return whole;
                    }
                }
                let length = stream.read(&mut buffer).unwrap();
                assert_ne!(length, 0, "the switch closed the connection");
                self.rest.push_str(&text(&buffer[..length]));
            },
        }
    }

    fn transport(&self) -> &'static str {
        match self.way {
            Way::Udp(_) => "UDP",
            Way::Tcp(_) => "TCP",
        }
    }

    /// A request of the call with this number; its Contact is this end.
    fn request(&self, method: &str, tenant: &str, call: &str, to: &str) -> String {
        let (cseq, branch) = match method {
            "BYE" => (2, "bye"),
            "ACK" if to.contains("tag=") && !to.contains("refused") => (1, "ack"),
            _ => (1, "invite"),
        };
        format!(
            "{method} sip:100@{tenant}.example SIP/2.0\r\nVia: SIP/2.0/{} {};rport;branch=z9hG4bK-{call}-{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:caller@{tenant}.example>;tag=c{call}\r\nTo: {}\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:caller@{}>\r\nContent-Length: 0\r\n\r\n",
            self.transport(),
            self.address,
            to.trim_end_matches(" refused"),
            self.address,
        )
    }

    /// Says what a phone says to a request.
    fn reply(&mut self, switch: &Switch, request: &str, status: &str) {
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for line in request
            .lines()
            .filter(|line| ["Via", "From", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)))
        {
            answer.push_str(&format!("{line}\r\n"));
        }
        let to = field(request, "To");
        let tag = if to.contains("tag=") { "" } else { ";tag=callee" };
        let contact = &self.address;
        answer.push_str(&format!("To: {to}{tag}\r\nContact: <sip:{contact}>\r\nContent-Length: 0\r\n\r\n"));
        self.send(switch, &answer);
    }
}

fn field(message: &str, name: &str) -> String {
    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).to_owned()
}

/// Who hangs up in a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Cancelled,
    ByCaller,
    ByCallee,
}

/// One call to 100 of a tenant, and its end.
fn call(switch: &Switch, caller: &mut Wire, callee: &mut Wire, tenant: (&str, &str), call: &str, end: End) {
    let (tenant, node) = tenant;
    let to = format!("<sip:100@{tenant}.example>");
    caller.send(switch, &caller.request("INVITE", tenant, call, &to));
    let rung = callee.hear("INVITE");
    assert!(field(&rung, "Via").contains(&format!("branch=z9hG4bK{node}")), "{rung}");
    callee.reply(switch, &rung, "180 Ringing");
    let ringing = caller.hear("SIP/2.0 180");
    assert!(field(&ringing, "To").contains(&format!("tag={node}")), "{ringing}");
    if end == End::Cancelled {
        caller.send(switch, &caller.request("CANCEL", tenant, call, &to));
        let refused = caller.hear("SIP/2.0 487");
        caller.send(
            switch,
            &caller.request("ACK", tenant, call, &format!("{} refused", field(&refused, "To"))),
        );
        let cancel = callee.hear("CANCEL");
        callee.reply(switch, &cancel, "200 OK");
        callee.reply(switch, &rung, "487 Request Terminated");
        callee.hear("ACK");
        return;
    }
    callee.reply(switch, &rung, "200 OK");
    let answered = caller.hear("SIP/2.0 200");
    caller.send(switch, &caller.request("ACK", tenant, call, &field(&answered, "To")));
    callee.hear("ACK");
    let is_shown =
        |shown: &Value| shown["calls"].as_array().unwrap().iter().any(|call| call["phase"] == "talking");
    switch.until_of(tenant, "calls", is_shown);
    if end == End::ByCaller {
        caller.send(switch, &caller.request("BYE", tenant, call, &field(&answered, "To")));
        let bye = callee.hear("BYE");
        callee.reply(switch, &bye, "200 OK");
        caller.hear("SIP/2.0 200");
        return;
    }
    let (own, other) = (field(&rung, "To"), field(&rung, "From"));
    let bye = format!(
        "BYE sip:{} SIP/2.0\r\nVia: SIP/2.0/UDP {};rport;branch=z9hG4bK-{call}-callee\r\nMax-Forwards: 70\r\n\
         From: {own};tag=callee\r\nTo: {other}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        switch.started["sip"].as_str().unwrap(),
        callee.address,
        field(&rung, "Call-ID")
    );
    callee.send(switch, &bye);
    let bye = caller.hear("BYE");
    caller.reply(switch, &bye, "200 OK");
    callee.hear("SIP/2.0 200");
}

#[test]
fn calls_of_tenants_on_two_nodes_come_and_end_on_any_socket() {
    let (mut acme, mut zeta) = (Wire::udp(), Wire::udp());
    let switch = Switch::start_with(&trusting(&[&acme, &zeta]));
    let mut number = 0;
    // The system spreads these callers over the sockets of both nodes, all but once in two thousand times.
    for _ in 0..4 {
        for end in [End::Cancelled, End::ByCaller, End::ByCallee] {
            let mut caller = Wire::udp();
            for (tenant, callee) in TENANTS.into_iter().zip([&mut acme, &mut zeta]) {
                number += 1;
                call(&switch, &mut caller, callee, tenant, &format!("udp-{number}"), end);
            }
        }
    }
    let mut both = Wire::tcp(&switch);
    for end in [End::ByCaller, End::Cancelled, End::ByCallee] {
        for (tenant, callee) in TENANTS.into_iter().zip([&mut acme, &mut zeta]) {
            number += 1;
            call(&switch, &mut both, callee, tenant, &format!("tcp-{number}"), end);
        }
    }
    for (tenant, _) in TENANTS {
        switch.until_of(tenant, "records", |shown| shown["records"].as_array().unwrap().len() == number / 2);
        assert_eq!(switch.shows_of(tenant, "registrations")["registrations"].as_array().unwrap().len(), 2);
    }
    let metrics = switch.body("/metrics");
    for line in [format!("callwright_calls_total {number}"), "callwright_bindings 4".to_owned()] {
        assert!(metrics.lines().any(|shown| shown == line), "no `{line}` in {metrics}");
    }
}

#[test]
fn one_connection_is_cut_into_messages_and_kept_as_one_node_keeps_it() {
    let (acme, zeta) = (Wire::udp(), Wire::udp());
    let switch = Switch::start_with(&trusting(&[&acme, &zeta]));
    let mut wire = Wire::tcp(&switch);
    let options = |wire: &Wire, tenant: &str, call: &str| {
        wire.request("OPTIONS", tenant, call, &format!("<sip:100@{tenant}.example>"))
    };
    let stream: String =
        (0..20).map(|number| options(&wire, TENANTS[number % 2].0, &format!("c{number}"))).collect();
    for piece in stream.as_bytes().chunks(777) {
        wire.send(&switch, std::str::from_utf8(piece).unwrap());
    }
    for _ in 0..20 {
        let answer = wire.hear("SIP/2.0 200");
        let number: usize = field(&answer, "Call-ID")[1..].parse().unwrap();
        assert!(field(&answer, "To").contains(&format!("tag={}", TENANTS[number % 2].1)), "{answer}");
    }
    wire.send(&switch, "\r\n\r\n");
    let Way::Tcp(socket) = &mut wire.way else { panic!("it is a connection") };
    let mut pong = [0; 2];
    socket.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    wire.send(&switch, &options(&wire, "nobody", "unknown"));
    wire.hear("SIP/2.0 404");
    let lying = options(&wire, "acme", "lying").replace("Content-Length: 0", "Content-Length: x");
    wire.send(&switch, &lying);
    wire.hear("SIP/2.0 400");
    let Way::Tcp(socket) = &mut wire.way else { panic!("it is a connection") };
    assert_eq!(socket.read(&mut pong).unwrap(), 0, "the connection is closed");
}

#[test]
fn a_forged_node_harms_nobody() {
    let (acme, zeta) = (Wire::udp(), Wire::udp());
    let switch = Switch::start_with(&trusting(&[&acme, &zeta]));
    let mut wire = Wire::udp();
    for node in ["0001", "0002", "0003", "0000", "ffff"] {
        let to = format!("<sip:100@acme.example>;tag={node}aaaaaaaaaaaaaaaa");
        wire.send(&switch, &wire.request("BYE", "acme", &format!("forged-{node}"), &to));
        wire.hear("SIP/2.0 481");
        wire.send(
            &switch,
            &format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{node}aaaaaaaaaaaaaaaa\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:c@d>;tag=2\r\nCall-ID: forged\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
            ),
        );
    }
    for (tenant, node) in TENANTS {
        let to = format!("<sip:100@{tenant}.example>");
        wire.send(&switch, &wire.request("OPTIONS", tenant, tenant, &to));
        let answer = wire.hear("SIP/2.0 200");
        assert!(field(&answer, "To").contains(&format!("tag={node}")), "{answer}");
    }
}

#[test]
fn more_or_fewer_nodes_keep_every_phone_and_reload_and_drain_are_for_all() {
    let tenants = ["acme", "zeta", "gamma"];
    let mut switch = Switch::start_with(&registering(2, &tenants));
    let mut phones: Vec<Child> = Vec::new();
    for tenant in tenants {
        let domain = format!("{tenant}.example");
        let mut phone = switch.phone_of(&domain, "1001", "a-secret", &["--answer-after", "0"]);
        phones.push(phone.stdout(Stdio::null()).spawn().unwrap());
        switch
            .until_of(tenant, "registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
    }
    let address = switch.started["sip"].as_str().unwrap().to_owned();
    let at = |config: String| config.replacen("127.0.0.1:0", &address, 1);
    let path = switch.folder.path().join("switch.toml");
    std::fs::write(&path, at(registering(3, &tenants))).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["WARN", "nodes", "want a restart"]);
    for nodes in [3, 1, 2] {
        std::fs::write(switch.folder.path().join("switch.toml"), at(registering(nodes, &tenants))).unwrap();
        switch.signal(Signal::TERM);
        let (again, status) = switch.again();
        switch = again;
        assert_eq!(status.code(), Some(0));
        for tenant in tenants {
            let shown = switch.shows_of(tenant, "registrations");
            assert_eq!(shown["registrations"].as_array().unwrap().len(), 1, "{tenant} of {nodes}: {shown}");
            let domain = format!("{tenant}.example");
            let called = switch
                .phone_of(&domain, "1011", "b-secret", &["--call", "100", "--talk", "0"])
                .output()
                .unwrap();
            assert!(called.status.success(), "{tenant} of {nodes}: {}", text(&called.stderr));
        }
    }
    let path = switch.folder.path().join("switch.toml");
    std::fs::write(&path, at(registering(2, &["acme", "zeta", "gamma", "south"]))).unwrap();
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded"]);
    let mut late = switch.phone_of("south.example", "1001", "a-secret", &["--answer-after", "0"]);
    phones.push(late.stdout(Stdio::null()).spawn().unwrap());
    switch.until_of("south", "registrations", |shown| shown["registrations"].as_array().unwrap().len() == 1);
    let mut talks: Vec<Child> = ["acme.example", "zeta.example"]
        .map(|domain| {
            switch
                .phone_of(domain, "1011", "b-secret", &["--call", "100", "--talk", "3"])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .into();
    for tenant in ["acme", "zeta"] {
        switch.until_of(tenant, "calls", |shown| shown["calls"][0]["phase"] == "talking");
    }
    switch.signal(Signal::TERM);
    switch.logs(&["INFO", "no new calls", "calls=2"]);
    for domain in ["gamma.example", "south.example"] {
        let refused = switch.phone_of(domain, "1011", "b-secret", &["--call", "100"]).output().unwrap();
        assert!((text(&refused.stdout) + &text(&refused.stderr)).contains("refused with 503"), "{domain}");
    }
    assert!(talks.iter_mut().all(|talk| talk.wait().unwrap().success()), "both talk to the end");
    let (_, status) = switch.ended();
    assert_eq!(status.code(), Some(0));
    for phone in &mut phones {
        phone.kill().unwrap();
        phone.wait().unwrap();
    }
}
