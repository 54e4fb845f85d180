//! Connections: each is a task that reads, writes, and ends alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::connections::{Admitted, Connections};
use super::stream::{Stream, Then};
use crate::serve::nodes::Nodes;

/// What one read takes at most.
const CHUNK: usize = 16 * 1024;
/// Whoever connects proves to be a device within this time: a phone takes two round trips to register.
const PROOF_MAX: Duration = Duration::from_secs(10);
/// A phone may be silent from one registration to the next; this is more than the longest that a tenant allows unless
/// configured otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(4_000);
/// Our keep-alives go out every 30 s: where two of them are acknowledged by nobody the other end is gone (RFC 5482 §2).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);
/// A peer takes what is written within this time.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// Pause after a failed accept, as at the bound of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the program ends.
pub(in crate::serve) async fn accept(
    listener: std::net::TcpListener,
    connections: Connections,
    nodes: Arc<Nodes>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match connections.admit(peer) {
                Some(admitted) => {
                    tokio::spawn(serve(stream, admitted, connections.clone(), Arc::clone(&nodes)));
                }
                None => debug!(%peer, "too many connections: refused"),
            },
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, admitted: Admitted, connections: Connections, nodes: Arc<Nodes>) {
    let Admitted { flow, queue, cut, proven } = admitted;
    if let Err(error) = stream.set_nodelay(true) {
        debug!(peer = %flow.peer, %error, "cannot set TCP_NODELAY");
    }
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)) {
        debug!(peer = %flow.peer, %error, "cannot set TCP_USER_TIMEOUT");
    }
    let (reading, writing) = stream.into_split();
    let mut heard = Stream::new(flow, &nodes, &connections);
    let ended = tokio::select! {
        ended = read(reading, &mut heard) => ended,
        ended = write(writing, queue) => ended,
        () = cut.notified() => Ok(()),
        () = nobody_believes(&proven) => Ok(()),
    };
    if let Err(error) = ended {
        debug!(peer = %flow.peer, %error, "connection lost");
    }
    connections.forget(flow);
    heard.closed().await;
}

/// Returns when the time for a proof is over and there was none.
async fn nobody_believes(proven: &AtomicBool) {
    tokio::time::sleep(PROOF_MAX).await;
    if proven.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Passes on what the peer sends; returns when it stops.
async fn read(mut stream: OwnedReadHalf, heard: &mut Stream<'_>) -> io::Result<()> {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let patience = heard.patience(SILENCE_MAX);
        if timeout(patience, stream.read_buf(&mut buffer)).await?? == 0 {
            return Ok(());
        }
        if heard.piece(buffer.freeze()).await == Then::Closed {
            // The node has been told, and closes the connection when its answer is out.
            tokio::time::sleep(WRITE_MAX).await;
            return Ok(());
        }
    }
}

/// Writes what is queued; returns when the queue is closed and empty.
async fn write(mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(bytes) = queue.recv().await {
        timeout(WRITE_MAX, stream.write_all(&bytes)).await??;
    }
    stream.shutdown().await
}
