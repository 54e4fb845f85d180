//! The store's thread: whatever has queued up while the last batch was flushed is the next batch.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callwright_api::Meters;
use callwright_core::Input;
use callwright_store::{BATCH_MAX, CALLS_KEPT_MAX, Request, Store, Writer};
use jiff::{Timestamp, ToSpan};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::{error, info, warn};

use super::nodes::Nodes;

/// How many requests may wait for the disk; more are refused at once.
pub(super) const CHANGES_MAX: usize = 16_384;
/// How often the store is asked again to take what it has refused.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How often old records are looked for, counted in batches.
const PRUNE_EVERY: u64 = 4_096;
/// How long records are kept: two years, in hours.
const KEEP_HOURS: i64 = 2 * 365 * 24;

/// The writer's queue.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    queue: Sender<Request>,
    meters: Meters,
}

impl Changes {
    /// Queues a request.
    ///
    /// # Errors
    /// The queue is full or the writer has ended; the request comes back.
    pub(super) fn offer(&self, request: Request) -> Result<(), Request> {
        let offered = self.queue.try_send(request).map_err(|error| match error {
            TrySendError::Full(request) | TrySendError::Closed(request) => request,
        });
        self.meters.changes_waiting(self.queue.max_capacity() - self.queue.capacity());
        offered
    }
}

/// Starts the thread. It ends when the last [`Changes`] is dropped and everything is flushed.
pub(super) fn start(
    store: Arc<dyn Store>,
    nodes: Arc<Nodes>,
    meters: &Meters,
) -> std::io::Result<(Changes, JoinHandle<()>)> {
    let (queue, waiting) = mpsc::channel(CHANGES_MAX);
    let changes = Changes { queue, meters: meters.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = Thread { store, waiting, runtime, nodes, meters: meters.clone() };
    let handle =
        std::thread::Builder::new().name("callwright-store".to_owned()).spawn(move || thread.run())?;
    Ok((changes, handle))
}

struct Thread {
    store: Arc<dyn Store>,
    waiting: Receiver<Request>,
    /// For waiting so long and no longer.
    runtime: Runtime,
    nodes: Arc<Nodes>,
    meters: Meters,
}

impl Thread {
    fn run(mut self) {
        let mut writer = Writer::new(Arc::clone(&self.store));
        let mut batches: u64 = 0;
        let mut again = Instant::now();
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.wait(&mut batch, writer.behind() > 0) {
            let began = Instant::now();
            let mut answers = writer.work(&batch);
            if again <= began {
                answers.extend(writer.catch_up());
                again = began + AGAIN_EVERY;
            }
            self.meters.committed(began.elapsed());
            self.meters.changes_waiting(self.waiting.len() + writer.behind());
            batch.clear();
            for answer in answers {
                if let Input::Stored { ticket, .. } = &answer {
                    self.nodes.answer_blocking(*ticket, answer);
                }
            }
            if batches.is_multiple_of(PRUNE_EVERY) {
                self.prune();
            }
            batches += 1;
        }
        // What was refused last has not been tried again.
        let _nobody_waits = writer.catch_up();
        if writer.behind() > 0 {
            warn!(records = writer.behind(), "the disk took no writes to the end: records of calls are lost");
        }
    }

    /// Waits for something to commit, and no longer than until the next try where something was refused. False at the end.
    fn wait(&mut self, batch: &mut Vec<Request>, is_behind: bool) -> bool {
        if !is_behind {
            return self.waiting.blocking_recv_many(batch, BATCH_MAX) > 0;
        }
        let received =
            async { tokio::time::timeout(AGAIN_EVERY, self.waiting.recv_many(batch, BATCH_MAX)).await };
        self.runtime.block_on(received).map_or(true, |received| received > 0)
    }

    /// One bounded step, so that nobody waits for it for long.
    fn prune(&self) {
        let Ok(before) = Timestamp::now().checked_sub(KEEP_HOURS.hours()) else {
            error!("the wall clock is before the first records");
            return;
        };
        match self.store.prune(before, CALLS_KEPT_MAX) {
            Ok(pruned) if pruned.calls > 0 => info!(records = pruned.calls, "old call records removed"),
            Ok(_) => {}
            Err(error) => warn!(%error, "old call records cannot be removed"),
        }
    }
}
