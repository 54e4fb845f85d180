//! Datagrams in, and the ICMP errors that datagrams of ours met.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use callwright_core::Input;
use callwright_sip::Flow;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tracing::{debug, warn};

/// The longest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// Datagrams that one system call takes at most. Where it takes fewer nothing is left, and nobody has to ask again: at 300
/// calls a second that spares ten system calls of forty a call.
const AT_ONCE: usize = 16;
/// Errors that are read in one go, so that a storm of them cannot keep datagrams out.
const ERRORS_MAX: usize = 64;

/// Pause after a failure of the socket itself, as when the interface is down.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// The socket that a node's own thread reads: a queue and a thread in between would cost more than the message.
///
/// What the node does not take in time waits in the system's buffer, and is dropped there when that is full.
#[derive(Debug)]
pub(in crate::serve) struct Datagrams {
    /// Watched for reading alone: every datagram that goes out would wake a thread that also waits to write.
    socket: AsyncFd<UdpSocket>,
    buffers: Vec<u8>,
}

/// The system's bookkeeping of one call for several datagrams; it stays on the thread that made it.
#[derive(Debug)]
pub(in crate::serve) struct Headers(MultiHeaders<SockaddrStorage>);

impl Default for Headers {
    fn default() -> Self {
        Self(MultiHeaders::preallocate(AT_ONCE, None))
    }
}

/// What one system call brought.
enum Taken {
    /// Perhaps more is there.
    Some,
    /// Nothing is left.
    All,
}

impl Datagrams {
    /// A socket whose readiness the runtime of this thread watches.
    ///
    /// # Errors
    /// The runtime cannot watch it.
    pub(in crate::serve) fn new(socket: UdpSocket) -> io::Result<Self> {
        #[expect(deprecated, reason = "what follows it is unsafe; a UdpSocket keeps its descriptor for life")]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE | Interest::ERROR)?;
        Ok(Self { socket, buffers: vec![0; AT_ONCE * DATAGRAM_MAX] })
    }

    /// Waits until there is something to take. After a failure of the socket itself it waits a while longer.
    pub(in crate::serve) async fn ready(&self) -> Ready {
        match self.socket.ready(Interest::READABLE | Interest::ERROR).await {
            Ok(guard) => guard.ready(),
            Err(error) => {
                warn!(%error, "the UDP socket failed");
                tokio::time::sleep(FAILURE_PAUSE).await;
                Ready::EMPTY
            }
        }
    }

    /// Takes what has come: at most `most` datagrams, and the ICMP errors that ours met.
    pub(in crate::serve) fn take(
        &mut self,
        ready: Ready,
        headers: &mut Headers,
        most: usize,
        inputs: &mut Vec<Input>,
    ) {
        if ready.is_error() {
            for peer in unreachable_peers(&self.socket) {
                debug!(%peer, "ICMP error");
                inputs.push(Input::Closed { flow: Flow::udp(peer) });
            }
        }
        let Self { socket, buffers } = self;
        let enough = inputs.len() + most;
        while inputs.len() < enough {
            let wanted = (enough - inputs.len()).min(AT_ONCE);
            let taken = socket.try_io(Interest::READABLE, |socket| {
                match receive(socket, buffers, headers, wanted, inputs)? {
                    Taken::Some => Ok(()),
                    Taken::All => Err(io::ErrorKind::WouldBlock.into()),
                }
            });
            match taken {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The same ICMP error, told without its address.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    warn!(%error, "datagrams cannot be read");
                    break;
                }
            }
        }
    }
}

/// Takes at most `wanted` datagrams with one system call.
fn receive(
    socket: &UdpSocket,
    buffers: &mut [u8],
    headers: &mut Headers,
    wanted: usize,
    inputs: &mut Vec<Input>,
) -> io::Result<Taken> {
    let mut buffers = buffers.chunks_mut(DATAGRAM_MAX);
    let mut slices: [[IoSliceMut<'_>; 1]; AT_ONCE] =
        std::array::from_fn(|_| [IoSliceMut::new(buffers.next().unwrap_or_default())]);
    let slices = slices.iter_mut().take(wanted);
    let datagrams = recvmmsg(socket.as_raw_fd(), &mut headers.0, slices, MsgFlags::MSG_DONTWAIT, None)?;
    let mut taken = 0;
    for datagram in datagrams {
        taken += 1;
        let Some(peer) = datagram.address.as_ref().and_then(address_of) else { continue };
        let bytes = Bytes::copy_from_slice(datagram.iovs().next().unwrap_or_default());
        inputs.push(Input::Received { flow: Flow::udp(peer), bytes });
    }
    Ok(if taken < wanted { Taken::All } else { Taken::Some })
}

/// Drains the socket's queue of errors: to whom our datagrams could not be delivered.
fn unreachable_peers(socket: &AsyncFd<UdpSocket>) -> Vec<SocketAddr> {
    let mut peers = Vec::new();
    let drained = socket.try_io(Interest::ERROR, |socket| {
        for _ in 0..ERRORS_MAX {
            match read_error(socket)? {
                Some(peer) if !peers.contains(&peer) => peers.push(peer),
                Some(_) | None => {}
            }
        }
        Ok(())
    });
    match drained {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => debug!(%error, "the queue of ICMP errors cannot be read"),
    }
    peers
}

/// Reads one error: the peer it is about, where it means that nobody is there.
fn read_error(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    // The head of the datagram that failed comes back; its address is enough.
    let mut datagram = [0; 64];
    let mut slices = [IoSliceMut::new(&mut datagram)];
    let mut control = [0; 512];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let gone = message.cmsgs()?.any(|control| {
        let errno = if let ControlMessageOwned::Ipv4RecvErr(error, _) = control {
            error.ee_errno
        } else if let ControlMessageOwned::Ipv6RecvErr(error, _) = control {
            error.ee_errno
        } else {
            return false;
        };
        let errno = i32::try_from(errno).map_or(Errno::UnknownErrno, Errno::from_raw);
        [Errno::ECONNREFUSED, Errno::EHOSTUNREACH, Errno::ENETUNREACH].contains(&errno)
    });
    Ok(message.address.filter(|_| gone).and_then(|address| address_of(&address)))
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

#[cfg(test)]
mod tests {
    use callwright_api::Meters;

    use super::*;
    use crate::serve::network::{Connections, Network, Sockets};

    /// A socket of the switch, and the way out through it.
    fn listening() -> (Network, SocketAddr, Datagrams) {
        let mut sockets = Sockets::open(SocketAddr::from(([127, 0, 0, 1], 0)), 1).unwrap();
        let udp = sockets.udp.remove(0);
        let network =
            Network::new(udp.try_clone().unwrap(), Connections::new(Meters::default()), Meters::default());
        (network, sockets.address, Datagrams::new(udp).unwrap())
    }

    async fn next(datagrams: &mut Datagrams) -> Input {
        let mut inputs = Vec::new();
        while inputs.is_empty() {
            let ready = datagrams.ready().await;
            datagrams.take(ready, &mut Headers::default(), 1, &mut inputs);
        }
        inputs.remove(0)
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_reported_by_its_address() {
        let (network, _, mut datagrams) = listening();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        network.send(Flow::udp(gone), Bytes::from_static(b"OPTIONS"));
        let input = next(&mut datagrams).await;
        assert!(matches!(input, Input::Closed { flow } if flow == Flow::udp(gone)), "{input:?}");
    }

    #[tokio::test]
    async fn a_datagram_arrives_as_it_was_sent() {
        let (_network, address, mut datagrams) = listening();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        phone.send_to(b"REGISTER", address).unwrap();
        let from = Flow::udp(phone.local_addr().unwrap());
        let input = next(&mut datagrams).await;
        assert!(
            matches!(&input, Input::Received { flow, bytes } if *flow == from && bytes == "REGISTER"),
            "{input:?}"
        );
    }

    #[tokio::test]
    async fn no_more_is_taken_at_once_than_was_asked_for() {
        let (_network, address, mut datagrams) = listening();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            phone.send_to(b"x", address).unwrap();
        }
        let ready = datagrams.ready().await;
        let mut inputs = Vec::new();
        datagrams.take(ready, &mut Headers::default(), 2, &mut inputs);
        assert_eq!(inputs.len(), 2);
    }
}
