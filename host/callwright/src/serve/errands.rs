//! What nodes ask of those who may wait for the store: a queue for each, so that none is held up by another.

use callwright_core::Withdrawal;
use callwright_core::names::TenantId;
use callwright_store::Happened;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::dialled::{DIALLED_MAX, Dialled};

/// How many versions may wait to be withdrawn.
const WITHDRAWALS_MAX: usize = 64;
/// How many events may wait to be kept.
const EVENTS_MAX: usize = 1_024;

/// The nodes' ends of the queues.
#[derive(Clone, Debug)]
pub(super) struct Errands {
    /// Versions that shall give way to what was active before them.
    pub(super) withdrawals: Sender<Withdrawal>,
    /// What tenants are to be told.
    pub(super) told: Sender<(TenantId, Happened)>,
    /// What users have dialled, to be kept.
    pub(super) dialled: Sender<Dialled>,
}

/// The other ends.
#[derive(Debug)]
pub(super) struct Doers {
    pub(super) withdrawn: Receiver<Withdrawal>,
    pub(super) events: Receiver<(TenantId, Happened)>,
    pub(super) dialled: Receiver<Dialled>,
}

/// The queues.
pub(super) fn queues() -> (Errands, Doers) {
    let (withdrawals, withdrawn) = channel(WITHDRAWALS_MAX);
    let (told, events) = channel(EVENTS_MAX);
    let (codes, dialled) = channel(DIALLED_MAX);
    (Errands { withdrawals, told, dialled: codes }, Doers { withdrawn, events, dialled })
}
