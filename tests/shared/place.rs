//! Where a switch of a trial lives: a folder of its own and two ports that were free.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::PathBuf;

/// A place for one switch.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) sip: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Place {
    /// Makes the folder. `ports` lie outside the range from which Linux gives ports to whoever asks for none, so that no phone
    /// takes them while the switch is dead.
    pub(crate) fn find(name: &str, ports: Range<u16>) -> Self {
        let process = std::process::id();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{process}"));
        std::fs::create_dir_all(&folder).unwrap();
        // Two of these programs at once begin to look far from each other.
        let from = usize::try_from(process).unwrap() * 16 % ports.len();
        let ports =
            ports.clone().skip(from).chain(ports).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut free = ports.filter(is_free);
        Self { folder, sip: free.next().unwrap(), http: free.next().unwrap() }
    }
}

fn is_free(address: &SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}
