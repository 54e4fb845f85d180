//! SIGTERM lets the calls end and then the switch, SIGINT ends both at once, SIGHUP reads the configuration again.

use std::io;
use std::path::Path;
use std::time::Duration;

use callwright_core::Input;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::nodes::Nodes;
use super::office::Office;
use crate::config::{self, Settings};

/// How often the pictures are looked at for the end of the last call.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a signal asks for.
enum Told {
    /// No new calls, and the end when those in progress are over, or after so long.
    Drain(Duration),
    /// The end, at once.
    End,
}

/// The signals that this program follows.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over from the system; within a runtime, and before anybody is told that the switch serves.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Follows signals until the switch shall end: told so once, its calls end by themselves within the limit of the
    /// configuration; told again, or by SIGINT, at once. `running` is what the switch was started with.
    pub(super) async fn until_the_end(
        &mut self,
        path: &Path,
        running: &Settings,
        nodes: &Nodes,
        office: &Office,
    ) {
        let Told::Drain(at_most) = self.follow(path, running, office).await else { return };
        if nodes.settle_all(&Input::Drain).await.is_err() {
            error!("a node has ended");
            return;
        }
        info!(
            calls = nodes.calls(),
            at_most_s = at_most.as_secs(),
            "no new calls: waiting for the end of the others"
        );
        tokio::select! {
            () = last_call(nodes) => info!("the last call has ended"),
            () = tokio::time::sleep(at_most) => warn!(calls = nodes.calls(), "`drain-s` is over: calls are ended"),
            _ = self.follow(path, running, office) => warn!(calls = nodes.calls(), "told again: calls are ended"),
        }
    }

    /// Follows signals until one says to end.
    async fn follow(&mut self, path: &Path, running: &Settings, office: &Office) -> Told {
        let mut drain = running.drain;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Told::Drain(drain),
                _ = self.interrupt.recv() => return Told::End,
                _ = self.hang_up.recv() => drain = reload(path, running, office).await.unwrap_or(drain),
            }
        }
    }
}

/// Returns when no call is left.
async fn last_call(nodes: &Nodes) {
    while nodes.calls() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Takes over a file without an error, and returns its drain limit; one with an error changes nothing.
async fn reload(path: &Path, running: &Settings, office: &Office) -> Option<Duration> {
    let fresh = match config::load(path) {
        Ok(fresh) => fresh,
        Err(refused) => {
            // Someone wrote the file and waits for its effect: this is theirs to read, and no broken invariant.
            for problem in refused.cause {
                warn!(problem, "configuration not taken over");
            }
            return None;
        }
    };
    super::tell_holes(&fresh);
    for (key, changed) in [
        ("listen", fresh.listen != running.listen),
        ("advertise", fresh.advertise != running.advertise),
        ("http", fresh.http != running.http),
        ("nodes", fresh.nodes != running.nodes),
        ("data", fresh.data != running.data),
        ("log", fresh.log != running.log),
    ] {
        if changed {
            warn!(key, "changes of this key want a restart");
        }
    }
    match office.reload(&fresh.switch).await {
        Ok(tenants) => info!(tenants, "reloaded"),
        Err(error) => error!(%error, "the configuration cannot be taken over"),
    }
    Some(fresh.drain)
}
