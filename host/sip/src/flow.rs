//! Where a message came from and goes to. Connecting, resolving and TLS happen outside.

use std::fmt;
use std::net::SocketAddr;

/// How messages travel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// One message a datagram, which may be lost, doubled or late.
    Udp,
    /// A stream of messages, framed by Content-Length.
    Tcp,
}

impl Transport {
    /// Whether the transport itself repeats what was lost, so that no timer of ours has to.
    pub fn reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp => true,
        }
    }

    /// The name as a Via has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One path to one peer: a datagram address, or one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// How messages travel.
    pub transport: Transport,
    /// The peer's address as we see it, behind its NAT.
    pub peer: SocketAddr,
    /// The number the outside gave this connection; 0 on UDP.
    pub connection: u64,
}

impl Flow {
    /// The path of datagrams to and from `peer`.
    pub fn udp(peer: SocketAddr) -> Self {
        Self { transport: Transport::Udp, peer, connection: 0 }
    }

    /// The path that is the connection `connection` with `peer`.
    pub fn tcp(peer: SocketAddr, connection: u64) -> Self {
        Self { transport: Transport::Tcp, peer, connection }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Udp => write!(f, "udp:{}", self.peer),
            Transport::Tcp => write!(f, "tcp:{}#{}", self.peer, self.connection),
        }
    }
}
