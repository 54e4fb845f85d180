//! From the core's store effects to its inputs: group commit as a value.

use std::collections::VecDeque;
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

/// How many records of calls wait at most for a store that refuses them; at some kilobytes each. One more is lost.
pub const LATE_MAX: usize = 10_000;

/// Bytes of their journals that wait with them. Beyond it records wait without theirs, which may have megabytes.
const LATE_JOURNALS_MAX: usize = 64 * 1024 * 1024;

/// One [`callwright_core::Effect::Store`].
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For the answer.
    pub ticket: Ticket,
    /// All or none, in order.
    pub changes: Vec<Change>,
}

impl Request {
    /// Whether it is of records of calls alone, for whose answer nobody waits.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.changes.iter().all(|change| matches!(change, Change::Ended { .. }))
    }
}

/// Commits what the core wants stored and makes the answers.
///
/// The daemon calls [`Writer::work`] on a thread of its own with whatever has queued up while the last batch was
/// flushed, so a lone request waits for nobody and a crowd shares a flush.
///
/// Whoever waits for an answer is told at once when the store refuses. Nobody waits for the record of a call, and nobody could
/// write it again: while the disk is full it stays here, unanswered, until the store takes it.
pub struct Writer {
    store: Arc<dyn Store>,
    /// Requests that are all records and were refused.
    late: VecDeque<Request>,
    /// Bytes of their journals.
    late_journals: usize,
}

impl Writer {
    /// A writer into that store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, late: VecDeque::new(), late_journals: 0 }
    }

    /// Commits a batch, at most [`BATCH_MAX`] requests a flush, and answers in order all that do not wait for a later try.
    #[must_use]
    pub fn work(&mut self, batch: &[Request]) -> Vec<Input> {
        let mut answers = Vec::with_capacity(batch.len());
        for chunk in batch.chunks(BATCH_MAX) {
            match self.flush(chunk) {
                Ok(answered) => answers.extend(answered),
                Err(refused) => {
                    answers.extend(chunk.iter().filter_map(|request| self.put_off(request, &refused)));
                }
            }
        }
        answers
    }

    /// Tries again what has waited, as far as the store takes it.
    #[must_use]
    pub fn catch_up(&mut self) -> Vec<Input> {
        let mut answers = Vec::new();
        while !self.late.is_empty() {
            let oldest: Vec<Request> = self.late.iter().take(BATCH_MAX).cloned().collect();
            let Ok(answered) = self.flush(&oldest) else { break };
            for request in self.late.drain(..oldest.len()) {
                self.late_journals -= journal_bytes(&request);
            }
            answers.extend(answered);
        }
        answers
    }

    /// How many records wait for the store to take them.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.late.len()
    }

    /// Keeps a record for later; the answer where it is none, or too much waits already.
    fn put_off(&mut self, request: &Request, refused: &StoreRefused) -> Option<Input> {
        if request.is_record() && self.late.len() < LATE_MAX {
            self.keep(request.clone());
            return None;
        }
        if request.is_record() {
            warn!(waiting = LATE_MAX, "the record of a call is lost: too many wait for the store");
        }
        Some(Input::Stored { ticket: request.ticket, result: Err(refused.clone()) })
    }

    fn keep(&mut self, mut request: Request) {
        let bytes = journal_bytes(&request);
        if self.late_journals + bytes <= LATE_JOURNALS_MAX {
            self.late_journals += bytes;
        } else {
            warn!(bytes, "the journal of a call is lost: too many wait for the store");
            journals(&mut request).for_each(Vec::clear);
        }
        self.late.push_back(request);
    }

    fn flush(&self, chunk: &[Request]) -> Result<Vec<Input>, StoreRefused> {
        let groups: Vec<&[Change]> = chunk.iter().map(|request| request.changes.as_slice()).collect();
        let results: Vec<Result<(), StoreRefused>> = match self.store.commit(&groups) {
            Ok(results) => {
                results.into_iter().map(|result| result.map_err(|repeated| twice(&repeated))).collect()
            }
            Err(failed) => {
                warn!(error = &failed as &dyn Error, requests = chunk.len(), "the store refused a batch");
                return Err(failed.refused());
            }
        };
        debug_assert_eq!(results.len(), chunk.len(), "a store answers each group");
        let answered = chunk.iter().zip(results);
        Ok(answered.map(|(request, result)| Input::Stored { ticket: request.ticket, result }).collect())
    }
}

fn journals(request: &mut Request) -> impl Iterator<Item = &mut Vec<String>> {
    request.changes.iter_mut().filter_map(|change| match change {
        Change::Ended { journal, .. } => Some(journal),
        Change::Bound(_) | Change::Unbound { .. } | Change::Kept { .. } => None,
    })
}

fn journal_bytes(request: &Request) -> usize {
    let bytes = request.changes.iter().map(|change| match change {
        Change::Ended { journal, .. } => journal.iter().map(String::len).sum(),
        Change::Bound(_) | Change::Unbound { .. } | Change::Kept { .. } => 0,
    });
    bytes.sum()
}

/// Two records of one call: the core minted an id twice.
fn twice(repeated: &Repeated) -> StoreRefused {
    error!(call = %repeated.0, "a call has two records");
    StoreRefused::Unavailable(repeated.to_string())
}
