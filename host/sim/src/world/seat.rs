//! Where a phone sits: its address, its wire, and whether it is plugged in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use callwright_core::names::TenantId;
use callwright_sip::{Flow, Transport};

use crate::dice::Dice;
use crate::link::Link;
use crate::phone::{Phone, PhoneSettings};

/// How a phone joins a world.
#[derive(Clone, Debug)]
pub struct PhoneSetup {
    /// What the world calls it; also its lane in ladders.
    pub name: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// The tenant's domain.
    pub domain: String,
    /// The extension it registers.
    pub extension: String,
    /// Its password.
    pub password: String,
    /// The name it shows.
    pub display: String,
    /// How it talks to the switch.
    pub transport: Transport,
    /// Its wire.
    pub link: Link,
    /// How long it wants to be registered, in seconds.
    pub expires_s: u32,
    /// Its `+sip.instance`, where it has one.
    pub instance: Option<String>,
    /// Whether it only knows an address behind its NAT.
    pub behind_nat: bool,
}

/// How a phone is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplugged {
    /// What is sent to it is never heard of again.
    Silently,
    /// Its machine answers that nobody listens there.
    WithIcmp,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the switch.
    Up,
    /// To the phone.
    Down,
}

/// The address behind the NAT of that one.
fn private(address: SocketAddr) -> SocketAddr {
    let last = match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    };
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 0, last)), 5060)
}

/// A phone on its wire.
pub(super) struct Seat {
    pub(super) phone: Phone,
    pub(super) link: Link,
    /// As the phone sees it.
    pub(super) flow: Flow,
    pub(super) unplugged: Option<Unplugged>,
    pub(super) is_connected: bool,
    /// When the last stream bytes reach the switch: later ones do not overtake them.
    pub(super) last_up: Duration,
    last_down: Duration,
    address: SocketAddr,
    dice: Dice,
}

impl Seat {
    pub(super) fn new(setup: &PhoneSetup, address: SocketAddr, flow: Flow, seed: u64) -> Self {
        let phone = Phone::new(PhoneSettings {
            extension: setup.extension.clone(),
            password: setup.password.clone(),
            domain: setup.domain.clone(),
            display: setup.display.clone(),
            user_agent: "Simulated/1".to_owned(),
            local: if setup.behind_nat { private(address) } else { address },
            flow,
            expires_s: setup.expires_s,
            instance: setup.instance.clone(),
            seed,
        });
        Self {
            phone,
            link: setup.link.clone(),
            flow,
            unplugged: None,
            is_connected: true,
            last_up: Duration::ZERO,
            last_down: Duration::ZERO,
            address,
            // A wire of its own stream: what happens on one never changes what happens on another.
            dice: Dice::new(seed, &format!("wire {}", setup.name)),
        }
    }

    /// The same way with the ends exchanged.
    pub(super) fn flow_as_seen_by_the_switch(&self) -> Flow {
        Flow { peer: self.address, ..self.flow }
    }

    /// When which bytes arrive; nothing where they are lost.
    pub(super) fn arrivals(&mut self, now: Duration, bytes: &Bytes, way: Way) -> Vec<(Duration, Bytes)> {
        match self.flow.transport {
            Transport::Udp => self
                .link
                .datagram(&mut self.dice)
                .into_iter()
                .map(|takes| (now + takes, bytes.clone()))
                .collect(),
            Transport::Tcp => {
                let at = now + self.link.stream(&mut self.dice);
                let last = match way {
                    Way::Up => &mut self.last_up,
                    Way::Down => &mut self.last_down,
                };
                *last = at.max(*last);
                let at = *last;
                self.link.cut(&mut self.dice, bytes.clone()).into_iter().map(|chunk| (at, chunk)).collect()
            }
        }
    }

    /// Ends that connection. False where it was over already, or there is none.
    pub(super) fn disconnect(&mut self, connection: u64) -> bool {
        let ends =
            self.flow.transport == Transport::Tcp && self.is_connected && self.flow.connection == connection;
        if ends {
            self.is_connected = false;
        }
        ends
    }

    /// Opens a connection where there is none.
    pub(super) fn reconnect(&mut self, connection: u64) -> Option<Flow> {
        if self.is_connected {
            return None;
        }
        self.is_connected = true;
        self.flow.connection = connection;
        Some(self.flow)
    }
}
