//! The open connections, of all nodes together: how many there may be, and what waits to be written on each.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use callwright_api::Meters;
use callwright_sip::Flow;
use tokio::sync::{Notify, mpsc};
use tracing::debug;

/// How many connections are open at most.
pub(super) const CONNECTIONS_MAX: usize = 8_192;
/// How many of them from one address: an office behind one NAT.
pub(super) const CONNECTIONS_PER_PEER_MAX: usize = 1_024;
/// How many of these may have proved nothing yet: an office whose phones all come back in the same ten seconds.
pub(super) const UNPROVEN_PER_PEER_MAX: usize = 50;
/// How many messages may wait for a peer that reads slowly.
pub(super) const WRITES_MAX: usize = 128;

/// The connections; copies are the same.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Connections {
    table: Arc<Mutex<Table>>,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Table {
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

impl Connections {
    /// None yet.
    pub(in crate::serve) fn new(meters: Meters) -> Self {
        Self { table: Arc::default(), meters }
    }

    /// Closes a connection once what is queued has gone out.
    pub(super) fn close(&self, flow: Flow) {
        self.table().remove(flow.connection);
    }

    /// Lets a connection stay open, for somebody has proved on it to be a device.
    pub(super) fn believe(&self, flow: Flow) {
        let mut table = self.table();
        let Some(peer) = table.open.get(&flow.connection) else { return };
        if !peer.proven.swap(true, Ordering::Relaxed) {
            let address = peer.address;
            if let Some(held) = table.by_address.get_mut(&address) {
                held.unproven -= 1;
            }
        }
    }

    /// Queues what is to be written; a peer that reads too slowly loses its connection.
    pub(super) fn send(&self, flow: Flow, bytes: Bytes) {
        let mut table = self.table();
        let Some(peer) = table.open.get(&flow.connection) else { return };
        if peer.queue.try_send(bytes).is_err() {
            debug!(peer = %flow.peer, waiting = WRITES_MAX, "the peer does not read: connection closed");
            self.meters.refused();
            peer.cut.notify_one();
            table.remove(flow.connection);
        }
    }

    /// Makes a place for a new connection, or refuses it at a bound.
    pub(super) fn admit(&self, peer: SocketAddr) -> Option<Admitted> {
        let mut table = self.table();
        let held = table.by_address.get(&peer.ip()).copied().unwrap_or_default();
        let is_full = held.all >= CONNECTIONS_PER_PEER_MAX || held.unproven >= UNPROVEN_PER_PEER_MAX;
        if table.open.len() >= CONNECTIONS_MAX || is_full {
            self.meters.refused();
            return None;
        }
        table.last += 1;
        let number = table.last;
        let (sender, queue) = mpsc::channel(WRITES_MAX);
        let cut = Arc::new(Notify::new());
        let proven = Arc::new(AtomicBool::new(false));
        let writer =
            Peer { address: peer.ip(), queue: sender, cut: Arc::clone(&cut), proven: Arc::clone(&proven) };
        table.open.insert(number, writer);
        table.by_address.insert(peer.ip(), Held { all: held.all + 1, unproven: held.unproven + 1 });
        self.meters.connections_open(table.open.len());
        Some(Admitted { flow: Flow::tcp(peer, number), queue, cut, proven })
    }

    /// The connection is over, whoever ended it.
    pub(super) fn forget(&self, flow: Flow) {
        self.close(flow);
        let open = self.table().open.len();
        self.meters.connections_open(open);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
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

    fn connections() -> Connections {
        Connections::new(Meters::default())
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn a_peer_that_does_not_read_loses_its_connection_and_no_other() {
        let connections = connections();
        let slow = connections.admit(peer(1)).unwrap();
        let mut other = connections.admit(peer(2)).unwrap();
        for _ in 0..=WRITES_MAX {
            connections.send(slow.flow, Bytes::from_static(b"x"));
        }
        connections.send(other.flow, Bytes::from_static(b"y"));
        assert_eq!(connections.table().open.len(), 1);
        assert_eq!(other.queue.try_recv().unwrap(), "y");
    }

    #[test]
    fn one_address_cannot_take_every_connection() {
        let connections = connections();
        let mut held = Vec::new();
        for port in 0..CONNECTIONS_PER_PEER_MAX {
            let admitted = connections.admit(peer(u16::try_from(port).unwrap())).unwrap();
            connections.believe(admitted.flow);
            held.push(admitted);
        }
        assert!(connections.admit(peer(9_999)).is_none());
        assert!(connections.admit(SocketAddr::from(([192, 0, 2, 8], 1))).is_some());
        let first = held.remove(0);
        connections.forget(first.flow);
        assert!(connections.admit(peer(9_999)).is_some());
    }

    #[test]
    fn connections_that_prove_nothing_take_few_places() {
        let connections = connections();
        let ports = 0..u16::try_from(UNPROVEN_PER_PEER_MAX).unwrap();
        let held: Vec<_> = ports.map(|port| connections.admit(peer(port)).unwrap()).collect();
        assert!(connections.admit(peer(9_999)).is_none());
        connections.believe(held[0].flow);
        connections.believe(held[0].flow);
        let next = connections.admit(peer(9_999)).unwrap();
        assert!(connections.admit(peer(9_998)).is_none());
        connections.forget(next.flow);
        connections.forget(held[0].flow);
        assert!(connections.admit(peer(9_998)).is_some());
        assert!(connections.admit(peer(9_997)).is_none());
    }

    #[test]
    fn what_is_queued_before_a_close_still_goes_out() {
        let connections = connections();
        let mut admitted = connections.admit(peer(1)).unwrap();
        connections.send(admitted.flow, Bytes::from_static(b"SIP/2.0 400 Bad Request"));
        connections.close(admitted.flow);
        connections.send(admitted.flow, Bytes::from_static(b"late"));
        assert!(admitted.queue.try_recv().is_ok());
        assert_eq!(admitted.queue.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
