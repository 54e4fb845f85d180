//! SIGTERM and SIGINT end the switch, SIGHUP reads the configuration again.

use std::io;
use std::path::Path;
use std::sync::Arc;

use callwright_core::Input;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::node::Inbox;
use crate::config::{self, Settings};

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

    /// Follows signals until one says to end. `running` is what the switch was started with.
    pub(super) async fn follow(&mut self, path: &Path, running: &Settings, inbox: &Inbox) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(path, running, inbox).await,
            }
        }
    }
}

/// Takes over a file without an error; one with an error changes nothing.
async fn reload(path: &Path, running: &Settings, inbox: &Inbox) {
    let fresh = match config::load(path) {
        Ok(fresh) => fresh,
        Err(refused) => {
            // Someone wrote the file and waits for its effect: this is theirs to read, and no broken invariant.
            for problem in refused.cause {
                warn!(problem, "configuration not taken over");
            }
            return;
        }
    };
    for (key, changed) in [
        ("listen", fresh.listen != running.listen),
        ("advertise", fresh.advertise != running.advertise),
        ("http", fresh.http != running.http),
        ("data", fresh.data != running.data),
        ("log", fresh.log != running.log),
    ] {
        if changed {
            warn!(key, "changes of this key want a restart");
        }
    }
    match inbox.settle(Input::Configured(Arc::clone(&fresh.switch))).await {
        Ok(()) => info!(tenants = fresh.switch.tenants.len(), "reloaded"),
        Err(_) => error!("the node has ended"),
    }
}
