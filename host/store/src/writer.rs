//! From the core's store effects to its inputs: group commit as a value.

use std::error::Error;
use std::sync::Arc;

use callwright_core::names::Ticket;
use callwright_core::seam::StoreRefused;
use callwright_core::{Change, Input};
use tracing::{error, warn};

use crate::error::Repeated;
use crate::store::Store;

/// How many requests one commit takes at most.
pub const BATCH_MAX: usize = 512;

/// One [`callwright_core::Effect::Store`].
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For the answer.
    pub ticket: Ticket,
    /// All or none, in order.
    pub changes: Vec<Change>,
}

/// Commits what the core wants stored and makes the answers.
///
/// The daemon calls [`Writer::work`] on a thread of its own with whatever has queued up while the last batch was
/// flushed, so a lone request waits for nobody and a crowd shares a flush; the simulator calls it inline.
pub struct Writer {
    store: Arc<dyn Store>,
}

impl Writer {
    /// A writer into that store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Commits a batch, at most [`BATCH_MAX`] requests a flush, and answers each request in order.
    #[must_use]
    pub fn work(&self, batch: &[Request]) -> Vec<Input> {
        batch.chunks(BATCH_MAX).flat_map(|chunk| self.flush(chunk)).collect()
    }

    fn flush(&self, chunk: &[Request]) -> Vec<Input> {
        let groups: Vec<&[Change]> = chunk.iter().map(|request| request.changes.as_slice()).collect();
        let results: Vec<Result<(), StoreRefused>> = match self.store.commit(&groups) {
            Ok(results) => {
                results.into_iter().map(|result| result.map_err(|repeated| twice(&repeated))).collect()
            }
            Err(failed) => {
                warn!(error = &failed as &dyn Error, requests = chunk.len(), "the store refused a batch");
                chunk.iter().map(|_| Err(failed.refused())).collect()
            }
        };
        debug_assert_eq!(results.len(), chunk.len(), "a store answers each group");
        let answered = chunk.iter().zip(results);
        answered.map(|(request, result)| Input::Stored { ticket: request.ticket, result }).collect()
    }
}

/// Two records of one call: the core minted an id twice.
fn twice(repeated: &Repeated) -> StoreRefused {
    error!(call = %repeated.0, "a call has two records");
    StoreRefused::Unavailable(repeated.to_string())
}
