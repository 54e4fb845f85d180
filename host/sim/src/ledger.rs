//! The store of a virtual world: memory that can be slow, and can refuse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::Change;
use callwright_core::record::CallRecord;
use callwright_core::seam::StoreRefused;
use callwright_core::view::{Binding, BindingKey};

/// What has been committed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// How long a commit takes.
    pub(crate) delay: Duration,
    /// Why commits are refused; none while they are not.
    pub(crate) refuses: Option<StoreRefused>,
    bindings: BTreeMap<BindingKey, Arc<Binding>>,
    records: Vec<Kept>,
}

/// A committed record with its journal.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The record.
    pub record: Arc<CallRecord>,
    /// One JSON value a line; empty where no rule ran.
    pub journal: Vec<String>,
}

impl Ledger {
    /// Commits all of `changes` or none.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreRefused> {
        if let Some(refused) = &self.refuses {
            return Err(refused.clone());
        }
        for change in changes {
            match change {
                Change::Bound(binding) => {
                    self.bindings.insert(binding.key.clone(), binding);
                }
                Change::Unbound { key, .. } => {
                    self.bindings.remove(&key);
                }
                Change::Ended { record, journal } => self.records.push(Kept { record, journal }),
            }
        }
        Ok(())
    }

    pub(crate) fn records(&self) -> &[Kept] {
        &self.records
    }
}
