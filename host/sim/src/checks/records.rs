//! Exactly one record a call, and its times are those of the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::names::CallId;
use callwright_core::record::CallRecord;
use callwright_core::{Change, Now};

use super::wire::{CallerSide, Wire};
use super::{Found, Invariant};
use crate::ledger::Kept;

/// Facts of one record; more are dropped by the switch.
const FACTS_MAX: usize = 500;

/// The records that were asked to be kept.
#[derive(Default)]
pub(super) struct Records(BTreeMap<CallId, Standing>);

/// How far a record has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Pending,
    Committed,
    Refused,
}

impl Records {
    /// The switch asks for a record to be kept.
    pub(super) fn written(
        &mut self,
        now: Now,
        record: &Arc<CallRecord>,
        has_no_journal: bool,
        wire: &mut Wire,
        found: &mut Found,
    ) {
        let before = self.0.insert(record.id.clone(), Standing::Pending);
        match before {
            // What the store has refused may be asked for again.
            Some(Standing::Refused) => return,
            Some(Standing::Pending | Standing::Committed) => {
                found.add(now, Invariant::OneRecordACall, format!("call {} is recorded twice", record.id));
                return;
            }
            None => {}
        }
        if record.facts.len() > FACTS_MAX {
            found.add(
                now,
                Invariant::BoundsHold,
                format!("{} facts in the record of {}", record.facts.len(), record.id),
            );
        }
        if record.runs.is_empty() && !has_no_journal {
            found.add(now, Invariant::OneRecordACall, format!("call {} has a journal and no run", record.id));
        }
        match wire.call_of(record) {
            Some(call) => {
                call.records += 1;
                compare(now, record, call, found);
            }
            None => found.add(now, Invariant::OneRecordACall, format!("record {} is of no call", record.id)),
        }
    }

    /// The store has answered.
    pub(super) fn committed(&mut self, changes: &[Change], is_ok: bool) {
        for change in changes {
            if let Change::Ended { record, .. } = change {
                self.0.insert(record.id.clone(), if is_ok { Standing::Committed } else { Standing::Refused });
            }
        }
    }

    /// When everything has settled.
    pub(super) fn at_rest(&self, now: Now, wire: &Wire, kept: &[Kept], found: &mut Found) {
        for (id, call) in wire.calls() {
            let wanted = u32::from(call.answered.is_some() || call.over.is_some());
            if call.records != wanted {
                let what = format!(
                    "{} records of the call {id} from {} that got {}",
                    call.records, call.owner.device, call.status
                );
                found.add(now, Invariant::OneRecordACall, what);
            }
        }
        for (id, standing) in &self.0 {
            let copies = kept.iter().filter(|kept| kept.record.id == *id).count();
            if copies != usize::from(*standing == Standing::Committed) {
                found.add(now, Invariant::OneRecordACall, format!("{copies} records of {id} are kept"));
            }
        }
    }
}

fn compare(now: Now, record: &CallRecord, call: &CallerSide, found: &mut Found) {
    let Some(over) = call.over else {
        found.add(
            now,
            Invariant::DurationsAreRight,
            format!("call {} is recorded before it is over", record.id),
        );
        return;
    };
    let set_up_until = call.answered.unwrap_or(over);
    let talked_from = call.answered.unwrap_or(over);
    let wanted = [millis(set_up_until.mono, call.began.mono), millis(over.mono, talked_from.mono)];
    let is = [record.setup_ms, record.talk_ms];
    if is != wanted {
        let what = format!(
            "call {} has {} ms of setup and {} ms of talk, not {} and {}",
            record.id, is[0], is[1], wanted[0], wanted[1]
        );
        found.add(now, Invariant::DurationsAreRight, what);
    }
    let is_dated = record.ended == over.wall && record.answered == call.answered.map(|at| at.wall);
    if !is_dated {
        found.add(
            now,
            Invariant::DurationsAreRight,
            format!("call {} is dated {} to {}, not {}", record.id, record.began, record.ended, over.wall),
        );
    }
    if record.status != call.status {
        found.add(
            now,
            Invariant::OneRecordACall,
            format!("call {} is recorded with {}, the caller got {}", record.id, record.status, call.status),
        );
    }
}

fn millis(to: Duration, from: Duration) -> u64 {
    u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX)
}
