//! Opens the one port for datagrams and connections.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::UserError;

/// A burst of datagrams while the node is busy; the kernel may give less.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How often another port is tried where any will do.
const TRIES: usize = 16;

/// UDP and TCP on one address.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// One a node: the system gives all datagrams of a peer to the same one.
    pub(in crate::serve) udp: Vec<UdpSocket>,
    pub(in crate::serve) tcp: TcpListener,
    /// Where they listen, the port known.
    pub(crate) address: SocketAddr,
}

impl Sockets {
    /// Listens on `address`, for datagrams with so many sockets; port 0 takes one that is free for both.
    ///
    /// # Errors
    /// The address is in use or not ours; the error says which transport and what to do.
    pub(crate) fn open(address: SocketAddr, nodes: u16) -> Result<Self, UserError> {
        let mut tries = if address.port() == 0 { TRIES } else { 1 };
        loop {
            tries -= 1;
            let tcp = listener(address).map_err(|error| refused("TCP", address, &error))?;
            let address = tcp.local_addr().map_err(|error| refused("TCP", address, &error))?;
            match all_datagrams(address, nodes) {
                Ok(udp) => return Ok(Self { udp, tcp, address }),
                Err(_) if tries > 0 => {}
                Err(error) => return Err(refused("UDP", address, &error)),
            }
        }
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the past; two live listeners are refused all the same.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sockets that share a port share it with any of the same user's, a second switch included: only who gets the port for
/// itself first may share it then. The listener, which is never shared, keeps a second switch out in between.
fn all_datagrams(address: SocketAddr, nodes: u16) -> io::Result<Vec<UdpSocket>> {
    let alone = datagrams(address, Port::Own)?;
    if nodes == 1 {
        return Ok(vec![alone]);
    }
    drop(alone);
    (0..nodes).map(|_| datagrams(address, Port::Shared)).collect()
}

/// Whether a port is one socket's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Own,
    Shared,
}

fn datagrams(address: SocketAddr, port: Port) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    if port == Port::Shared {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    // ICMP errors with the address they are about: a phone that has gone is unreachable at once.
    match address {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn refused(transport: &str, address: SocketAddr, error: &io::Error) -> UserError {
    let what = format!("cannot listen on {address} ({transport})");
    let port = address.port();
    let kind = error.kind();
    let hint = if kind == io::ErrorKind::AddrInUse {
        format!("`ss -lntup 'sport = :{port}'` shows what listens there; stop it, or set another `listen`")
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "set `listen` to an address of this machine".to_owned()
    } else {
        "set another `listen`; ports below 1024 want privileges".to_owned()
    };
    UserError::outside(what).because(error).help(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_takes_datagrams_and_connections() {
        let sockets = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0)), 1).unwrap();
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.udp[0].local_addr().unwrap(), sockets.tcp.local_addr().unwrap());
    }

    #[test]
    fn several_sockets_share_the_port_and_each_peer_keeps_to_one() {
        let sockets = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0)), 2).unwrap();
        assert_eq!(sockets.udp.len(), 2);
        for _ in 0..16 {
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            (0..4).for_each(|_| assert_eq!(peer.send_to(b"x", sockets.address).unwrap(), 1));
            let mut buffer = [0; 8];
            let got = |socket: &UdpSocket, buffer: &mut [u8]| {
                std::iter::from_fn(|| socket.recv_from(buffer).ok()).count()
            };
            let each: Vec<_> = sockets.udp.iter().map(|socket| got(socket, &mut buffer)).collect();
            assert!(each == [4, 0] || each == [0, 4], "{each:?}");
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        for (first, second) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            let first = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0)), first).unwrap();
            let error = Sockets::open(first.address, second).unwrap_err();
            assert!(error.what.contains(&first.address.to_string()), "{error}");
            assert!(error.hint.unwrap().contains(&first.address.port().to_string()));
        }
    }

    #[test]
    fn sockets_that_share_a_port_among_themselves_do_not_share_another_switch_s() {
        let first = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0)), 2).unwrap();
        drop(first.tcp);
        let error = Sockets::open(first.address, 2).unwrap_err();
        assert!(error.what.contains("(UDP)"), "{error}");
    }
}
