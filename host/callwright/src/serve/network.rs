//! UDP and TCP on one port: bytes in as inputs, bytes out as effects. Where there are several nodes it cuts streams into
//! messages; else it knows no SIP.
//!
//! Nothing here waits for the node or for a peer on behalf of another: a datagram that finds the node's queue full is
//! dropped, as the network drops it; a connection waits by itself, and one whose peer does not read is closed.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use callwright_api::Meters;
use callwright_sip::{Flow, Transport};
use tracing::{debug, trace};

mod connections;
mod sockets;
mod stream;
mod tcp;
mod udp;

pub(super) use connections::Connections;
pub(super) use sockets::Sockets;
pub(super) use tcp::accept;
pub(super) use udp::{Datagrams, Headers};

/// A node's way out: a socket of its own, and the connections of all nodes.
#[derive(Debug)]
pub(super) struct Network {
    udp: UdpSocket,
    connections: Connections,
    meters: Meters,
}

impl Network {
    /// A network that sends its datagrams from `udp`.
    pub(super) fn new(udp: UdpSocket, connections: Connections, meters: Meters) -> Self {
        Self { udp, connections, meters }
    }

    /// Sends, or drops what cannot be sent without waiting.
    pub(super) fn send(&self, flow: Flow, bytes: Bytes) {
        trace!(peer = %flow.peer, transport = %flow.transport, bytes = bytes.len(), "transmit");
        match flow.transport {
            Transport::Udp => self.send_datagram(flow.peer, &bytes),
            Transport::Tcp => self.connections.send(flow, bytes),
        }
    }

    /// Closes a connection once what is queued has gone out.
    pub(super) fn close(&self, flow: Flow) {
        self.connections.close(flow);
    }

    /// Lets a connection stay open, for somebody has proved on it to be a device.
    pub(super) fn believe(&self, flow: Flow) {
        self.connections.believe(flow);
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
}
