//! UDP and TCP on one port: bytes in as inputs, bytes out as effects. It knows no SIP.
//!
//! Nothing here waits for the node or for a peer on behalf of another: a datagram that finds the node's queue full is
//! dropped, as the network drops it; a connection waits by itself, and one whose peer does not read is closed.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use callwright_api::Meters;
use callwright_sip::{Flow, Transport};
use tokio::sync::{Notify, mpsc};
use tracing::{debug, trace};

mod sockets;
mod tcp;
mod udp;

pub(super) use sockets::Sockets;
pub(super) use tcp::accept;
pub(super) use udp::{Datagrams, Headers};

/// How many connections are open at most.
pub(super) const CONNECTIONS_MAX: usize = 8_192;
/// How many of them from one address: an office behind one NAT.
pub(super) const CONNECTIONS_PER_PEER_MAX: usize = 1_024;
/// How many of these may have proved nothing yet: an office whose phones all come back in the same ten seconds.
pub(super) const UNPROVEN_PER_PEER_MAX: usize = 50;
/// How many messages may wait for a peer that reads slowly.
pub(super) const WRITES_MAX: usize = 128;

/// The way out, shared by the node's thread and the connections.
#[derive(Debug)]
pub(super) struct Network {
    udp: UdpSocket,
    connections: Mutex<Connections>,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Connections {
    last: u64,
    open: BTreeMap<u64, Peer>,
    by_address: BTreeMap<IpAddr, Held>,
}

/// How many connections an address has.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    all: usize,
    unproven: usize,
}

/// The writing end of one connection. Dropping it lets what is queued go out and closes then.
#[derive(Debug)]
struct Peer {
    address: IpAddr,
    queue: mpsc::Sender<Bytes>,
    /// Ends the connection without waiting for the peer.
    cut: Arc<Notify>,
    /// Whether somebody has proved on it to be a device.
    proven: Arc<AtomicBool>,
}

/// What the task of a connection works with.
pub(super) struct Admitted {
    pub(super) flow: Flow,
    pub(super) queue: mpsc::Receiver<Bytes>,
    pub(super) cut: Arc<Notify>,
    pub(super) proven: Arc<AtomicBool>,
}

impl Network {
    /// A network that sends its datagrams from `udp`.
    pub(super) fn new(udp: UdpSocket, meters: Meters) -> Self {
        Self { udp, connections: Mutex::default(), meters }
    }

    /// Sends, or drops what cannot be sent without waiting.
    pub(super) fn send(&self, flow: Flow, bytes: Bytes) {
        trace!(peer = %flow.peer, transport = %flow.transport, bytes = bytes.len(), "transmit");
        match flow.transport {
            Transport::Udp => self.send_datagram(flow.peer, &bytes),
            Transport::Tcp => self.enqueue(flow, bytes),
        }
    }

    /// Closes a connection once what is queued has gone out.
    pub(super) fn close(&self, flow: Flow) {
        self.connections().remove(flow.connection);
    }

    /// Lets a connection stay open, for somebody has proved on it to be a device.
    pub(super) fn believe(&self, flow: Flow) {
        let mut connections = self.connections();
        let Some(peer) = connections.open.get(&flow.connection) else { return };
        if !peer.proven.swap(true, Ordering::Relaxed) {
            let address = peer.address;
            if let Some(held) = connections.by_address.get_mut(&address) {
                held.unproven -= 1;
            }
        }
    }

    fn send_datagram(&self, peer: SocketAddr, bytes: &[u8]) {
        // An error may be the echo of an earlier datagram to someone else (ICMP): then this one has not been tried yet.
        for _ in 0..2 {
            match self.udp.send_to(bytes, peer) {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => debug!(%peer, %error, "datagram not sent"),
            }
        }
        self.meters.dropped();
    }

    fn enqueue(&self, flow: Flow, bytes: Bytes) {
        let mut connections = self.connections();
        let Some(peer) = connections.open.get(&flow.connection) else { return };
        if peer.queue.try_send(bytes).is_err() {
            debug!(peer = %flow.peer, waiting = WRITES_MAX, "the peer does not read: connection closed");
            self.meters.refused();
            peer.cut.notify_one();
            connections.remove(flow.connection);
        }
    }

    /// Makes a place for a new connection, or refuses it at a bound.
    fn admit(&self, peer: SocketAddr) -> Option<Admitted> {
        let mut connections = self.connections();
        let held = connections.by_address.get(&peer.ip()).copied().unwrap_or_default();
        let is_full = held.all >= CONNECTIONS_PER_PEER_MAX || held.unproven >= UNPROVEN_PER_PEER_MAX;
        if connections.open.len() >= CONNECTIONS_MAX || is_full {
            self.meters.refused();
            return None;
        }
        connections.last += 1;
        let number = connections.last;
        let (sender, queue) = mpsc::channel(WRITES_MAX);
        let cut = Arc::new(Notify::new());
        let proven = Arc::new(AtomicBool::new(false));
        let writer =
            Peer { address: peer.ip(), queue: sender, cut: Arc::clone(&cut), proven: Arc::clone(&proven) };
        connections.open.insert(number, writer);
        connections.by_address.insert(peer.ip(), Held { all: held.all + 1, unproven: held.unproven + 1 });
        self.meters.connections_open(connections.open.len());
        Some(Admitted { flow: Flow::tcp(peer, number), queue, cut, proven })
    }

    /// The connection is over, whoever ended it.
    fn forget(&self, flow: Flow) {
        self.close(flow);
        let open = self.connections().open.len();
        self.meters.connections_open(open);
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn remove(&mut self, connection: u64) {
        let Some(peer) = self.open.remove(&connection) else { return };
        if let Some(held) = self.by_address.get_mut(&peer.address) {
            held.all -= 1;
            held.unproven -= usize::from(!peer.proven.load(Ordering::Relaxed));
            if held.all == 0 {
                self.by_address.remove(&peer.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        Network::new(udp, Meters::default())
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn a_peer_that_does_not_read_loses_its_connection_and_no_other() {
        let network = network();
        let slow = network.admit(peer(1)).unwrap();
        let mut other = network.admit(peer(2)).unwrap();
        for _ in 0..=WRITES_MAX {
            network.send(slow.flow, Bytes::from_static(b"x"));
        }
        network.send(other.flow, Bytes::from_static(b"y"));
        assert_eq!(network.connections().open.len(), 1);
        assert_eq!(other.queue.try_recv().unwrap(), "y");
    }

    #[test]
    fn one_address_cannot_take_every_connection() {
        let network = network();
        let mut held = Vec::new();
        for port in 0..CONNECTIONS_PER_PEER_MAX {
            let admitted = network.admit(peer(u16::try_from(port).unwrap())).unwrap();
            network.believe(admitted.flow);
            held.push(admitted);
        }
        assert!(network.admit(peer(9_999)).is_none());
        assert!(network.admit(SocketAddr::from(([192, 0, 2, 8], 1))).is_some());
        let first = held.remove(0);
        network.forget(first.flow);
        assert!(network.admit(peer(9_999)).is_some());
    }

    #[test]
    fn connections_that_prove_nothing_take_few_places() {
        let network = network();
        let ports = 0..u16::try_from(UNPROVEN_PER_PEER_MAX).unwrap();
        let held: Vec<_> = ports.map(|port| network.admit(peer(port)).unwrap()).collect();
        assert!(network.admit(peer(9_999)).is_none());
        network.believe(held[0].flow);
        network.believe(held[0].flow);
        let next = network.admit(peer(9_999)).unwrap();
        assert!(network.admit(peer(9_998)).is_none());
        network.forget(next.flow);
        network.forget(held[0].flow);
        assert!(network.admit(peer(9_998)).is_some());
        assert!(network.admit(peer(9_997)).is_none());
    }

    #[test]
    fn what_is_queued_before_a_close_still_goes_out() {
        let network = network();
        let mut admitted = network.admit(peer(1)).unwrap();
        network.send(admitted.flow, Bytes::from_static(b"SIP/2.0 400 Bad Request"));
        network.close(admitted.flow);
        network.send(admitted.flow, Bytes::from_static(b"late"));
        assert!(admitted.queue.try_recv().is_ok());
        assert_eq!(admitted.queue.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
