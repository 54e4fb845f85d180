//! The store of a virtual world: the memory store of `host/store`, slow or refusing as the world wishes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::kept::KeptValue;
use callwright_core::record::CallRecord;
use callwright_core::seam::StoreRefused;
use callwright_core::view::BindingKey;
use callwright_core::{Change, View};
use callwright_sip::Transport;
use callwright_store::{Fault, Memory, Restored, Store, StoreError};
use jiff::{SignedDuration, Timestamp};

/// A binding that ends this soon may be gone in one place and still be there in the other.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// What has been committed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// How long a commit takes.
    pub(crate) delay: Duration,
    /// Why commits are refused; none while they are not.
    pub(crate) refuses: Option<StoreRefused>,
    memory: Memory,
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
    pub(crate) fn commit(&mut self, changes: &[Change]) -> Result<(), StoreRefused> {
        self.memory.set_fault(match &self.refuses {
            None => Fault::None,
            Some(StoreRefused::Full) => Fault::Full,
            Some(StoreRefused::Unavailable(_)) => Fault::Next(1),
        });
        let refused = |error: StoreError| {
            if matches!(error, StoreError::Full) {
                StoreRefused::Full
            } else {
                StoreRefused::Unavailable(error.to_string())
            }
        };
        let answers = self.memory.commit(&[changes]).map_err(refused)?;
        if let Some(Err(repeated)) = answers.into_iter().next() {
            return Err(StoreRefused::Unavailable(repeated.to_string()));
        }
        let ended = changes.iter().filter_map(|change| match change {
            Change::Ended { record, journal } => {
                Some(Kept { record: Arc::clone(record), journal: journal.clone() })
            }
            Change::Bound(_) | Change::Unbound { .. } | Change::Kept { .. } => None,
        });
        self.records.extend(ended);
        Ok(())
    }

    pub(crate) fn records(&self) -> &[Kept] {
        &self.records
    }

    /// What a switch finds that starts now. A store that cannot be read has nothing, which the checks will see.
    pub(crate) fn restored(&self, now: Timestamp) -> Restored {
        self.memory.restore(now).unwrap_or_default()
    }

    /// Where the store and what was acknowledged differ: records and journals, and who could be rung after a restart.
    pub(crate) fn differences(&self, now: Timestamp, view: &View) -> Vec<String> {
        self.memory.set_fault(Fault::None);
        let mut differences = Vec::new();
        for Kept { record, journal } in &self.records {
            let read = self.memory.call(&record.tenant, record.id.as_str());
            let lines = self.memory.journal(&record.tenant, record.id.as_str());
            let is_same =
                read.is_ok_and(|read| read == *record) && lines.is_ok_and(|lines| lines == *journal);
            if !is_same {
                differences.push(format!("call {} does not read back as it was committed", record.id));
            }
        }
        let Ok(restored) = self.memory.restore(now) else {
            return vec!["the store cannot be restored".to_owned()];
        };
        let lasts = |expires: Timestamp| expires.duration_since(now) > SLACK;
        let kept: BTreeSet<BindingKey> = restored
            .bindings
            .iter()
            .filter(|binding| lasts(binding.expires))
            .map(|binding| binding.key.clone())
            .collect();
        let by_datagram = view.bindings.values().filter(|binding| binding.flow.transport == Transport::Udp);
        let shown: BTreeSet<BindingKey> =
            by_datagram.filter(|binding| lasts(binding.expires)).map(|binding| binding.key.clone()).collect();
        let either = kept
            .symmetric_difference(&shown)
            .map(|key| format!("{} of {} would not be after a restart what it is", key.device, key.tenant));
        differences.extend(either);
        let lasts = |value: &KeptValue| value.expires.is_none_or(lasts);
        let kept: BTreeMap<_, _> = restored.kept.into_iter().filter(|(_, value)| lasts(value)).collect();
        let shown: BTreeMap<_, _> = view.kept.clone().into_iter().filter(|(_, value)| lasts(value)).collect();
        if kept != shown {
            differences.push(format!("the store keeps {kept:?} for rules, which are shown {shown:?}"));
        }
        differences
    }
}
