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
    pub(in crate::serve) udp: UdpSocket,
    pub(in crate::serve) tcp: TcpListener,
    /// Where they listen, the port known.
    pub(crate) address: SocketAddr,
}

impl Sockets {
    /// Listens on `address`; port 0 takes one that is free for both.
    ///
    /// # Errors
    /// The address is in use or not ours; the error says which transport and what to do.
    pub(crate) fn open(address: SocketAddr) -> Result<Self, UserError> {
        let mut tries = if address.port() == 0 { TRIES } else { 1 };
        loop {
            tries -= 1;
            let tcp = listener(address).map_err(|error| refused("TCP", address, &error))?;
            let address = tcp.local_addr().map_err(|error| refused("TCP", address, &error))?;
            match datagrams(address) {
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

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
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
        let sockets = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.udp.local_addr().unwrap(), sockets.tcp.local_addr().unwrap());
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let first = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let error = Sockets::open(first.address).unwrap_err();
        assert!(error.what.contains(&first.address.to_string()), "{error}");
        assert!(error.hint.unwrap().contains(&first.address.port().to_string()));
    }
}
