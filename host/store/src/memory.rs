//! The store of the simulator: the same answers, no disk, faults on demand. Delay is its driver's.

mod documents;
mod events;
mod rows;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callwright_core::names::{CallId, RuleName, TenantId, UserId, Version};
use callwright_core::record::CallRecord;
use callwright_core::rule::ActiveRule;
use callwright_core::{Change, Kind};
use jiff::Timestamp;

use self::rows::{Rows, shown};
use crate::calls::{CallFilter, Cursor, PAGE_MAX, PRUNE_STEP, Page, Pruned};
use crate::documents::{AuditEntry, AuditFilter, DOCUMENTS_PAGE_MAX, Document, Edit};
use crate::error::{DocumentError, FindError, Repeated, RuleError, StoreError};
use crate::events::{Event, Happened};
use crate::store::{Restored, Store};
use crate::tokens::{Scope, TOKENS_MAX, Token, TokenHash, TokenId};
use crate::versions::{Activation, How, NewVersion, RuleVersion, VersionState};

/// How writes fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// So many next ones, as if the database were broken.
    Next(u32),
    /// All, as if the disk were full.
    Full,
}

/// The fault that is set.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Fault>);

impl Faults {
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How this write fails.
    pub(crate) fn next(&self) -> Fault {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, then) = match *fault {
            Fault::None | Fault::Next(0) => (Fault::None, Fault::None),
            Fault::Next(left) => (Fault::Next(left), Fault::Next(left - 1)),
            Fault::Full => (Fault::Full, Fault::Full),
        };
        *fault = then;
        now
    }
}

/// Everything in maps behind one lock.
#[derive(Debug, Default)]
pub struct Memory {
    rows: Mutex<Rows>,
    faults: Faults,
}

impl Memory {
    /// An empty store that does not fail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on writes fail so.
    pub fn set_fault(&self, fault: Fault) {
        self.faults.set(fault);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows, to be changed, unless this write is to fail.
    fn writing(&self) -> Result<MutexGuard<'_, Rows>, StoreError> {
        match self.faults.next() {
            Fault::None => Ok(self.rows()),
            Fault::Full => Err(StoreError::Full),
            Fault::Next(_) => Err(StoreError::OnPurpose),
        }
    }
}

impl Store for Memory {
    fn commit(&self, groups: &[&[Change]]) -> Result<Vec<Result<(), Repeated>>, StoreError> {
        let mut rows = self.writing()?;
        Ok(groups.iter().map(|group| rows.apply(group)).collect())
    }

    fn restore(&self, now: Timestamp) -> Result<Restored, StoreError> {
        Ok(self.writing()?.restore(now))
    }

    fn calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let rows = self.rows();
        let mut wanted: Vec<&Arc<CallRecord>> = rows
            .calls
            .iter()
            .filter(|((of, _), _)| of == tenant)
            .map(|(_, (record, _))| record)
            .filter(|record| filter.wants(record) && after.is_none_or(|after| cursor(record) < *after))
            .collect();
        wanted.sort_by_key(|record| Reverse(cursor(record)));
        let more = wanted.len() > limit;
        wanted.truncate(limit);
        let next = wanted.last().filter(|_| more).map(|record| cursor(record));
        Ok(Page { calls: wanted.into_iter().cloned().collect(), next })
    }

    fn call(&self, tenant: &TenantId, id: &str) -> Result<Arc<CallRecord>, FindError> {
        Ok(Arc::clone(&self.rows().find(tenant, id)?.0))
    }

    fn journal(&self, tenant: &TenantId, id: &str) -> Result<Vec<String>, FindError> {
        Ok(self.rows().find(tenant, id)?.1.clone())
    }

    fn prune(&self, before: Timestamp, keep_max: u64) -> Result<Pruned, StoreError> {
        let mut rows = self.writing()?;
        let mut newest: Vec<_> =
            rows.calls.values().map(|(record, _)| (record.tenant.clone(), cursor(record))).collect();
        newest.sort_by_key(|(_, cursor)| Reverse(cursor.clone()));
        let mut counted: BTreeMap<TenantId, u64> = BTreeMap::new();
        let mut doomed: Vec<(TenantId, CallId)> = Vec::new();
        for (tenant, cursor) in newest {
            let rank = counted.entry(tenant.clone()).or_default();
            *rank += 1;
            if *rank > keep_max || cursor.began < before {
                doomed.push((tenant, cursor.id));
            }
        }
        let mut pruned = Pruned::default();
        for key in doomed.iter().rev() {
            pruned.more = pruned.calls == PRUNE_STEP;
            if pruned.more {
                break;
            }
            rows.calls.remove(key);
            pruned.calls += 1;
        }
        Ok(pruned)
    }

    fn add_version(&self, version: &NewVersion) -> Result<(), RuleError> {
        self.writing()?.add_version(version)
    }

    fn versions(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<RuleVersion>, StoreError> {
        let key = (tenant.clone(), rule.clone());
        let rows = self.rows();
        let active = rows.active(&key).map(|step| step.shown.version.clone());
        let newest = rows.versions.get(&key).into_iter().flatten().rev();
        Ok(newest
            .map(|(uploaded, state)| RuleVersion {
                uploaded: uploaded.clone(),
                state: state.clone(),
                active: active.as_ref() == Some(&uploaded.rule.version),
            })
            .collect())
    }

    fn rules(&self, tenant: &TenantId) -> Result<Vec<RuleName>, StoreError> {
        Ok(self.rows().versions.keys().filter(|(of, _)| of == tenant).map(|(_, rule)| rule.clone()).collect())
    }

    fn mark(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        state: &VersionState,
    ) -> Result<(), RuleError> {
        self.writing()?.version(&(tenant.clone(), rule.clone()), version)?.1 = state.clone();
        Ok(())
    }

    fn activate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        let mut rows = self.writing()?;
        let key = (tenant.clone(), rule.clone());
        let wanted = rows.usable(&key, version)?.rule;
        let active = rows.active(&key).map(|step| (step.number, Arc::clone(&step.rule)));
        if active.as_ref().is_some_and(|(_, rule)| **rule == wanted) {
            return Ok(wanted);
        }
        let shown = shown(&wanted, at, by, How::Activated);
        rows.step(Arc::new(wanted.clone()), active.map(|(number, _)| number), shown);
        Ok(wanted)
    }

    fn roll_back(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        self.writing()?.go_back(&(tenant.clone(), rule.clone()), at, by)
    }

    fn deactivate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        let mut rows = self.writing()?;
        let active = rows.active(&(tenant.clone(), rule.clone())).cloned();
        let active = active.ok_or_else(|| RuleError::NotActive(rule.clone()))?;
        let shown = shown(&active.rule, at, by, How::Deactivated);
        rows.step(Arc::clone(&active.rule), Some(active.number), shown);
        Ok(ActiveRule::clone(&active.rule))
    }

    fn withdraw(
        &self,
        failed: &ActiveRule,
        at: Timestamp,
        by: &str,
    ) -> Result<Option<ActiveRule>, RuleError> {
        let mut rows = self.writing()?;
        let key = (failed.tenant.clone(), failed.name.clone());
        if rows.active(&key).is_none_or(|step| step.rule.version != failed.version) {
            return Ok(None);
        }
        rows.go_back(&key, at, by).map(Some)
    }

    fn history(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<Activation>, StoreError> {
        let rows = self.rows();
        let steps = rows.history.get(&(tenant.clone(), rule.clone()));
        Ok(steps.into_iter().flatten().rev().map(|step| step.shown.clone()).collect())
    }

    fn active_rules(&self, tenant: &TenantId) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
        let all = self.all_active_rules()?;
        Ok(all.into_iter().filter(|rule| rule.tenant == *tenant).collect())
    }

    fn all_active_rules(&self) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
        let rows = self.rows();
        Ok(rows
            .history
            .keys()
            .filter_map(|key| rows.active(key))
            .map(|step| Arc::clone(&step.rule))
            .collect())
    }

    fn edit_documents(
        &self,
        tenant: &TenantId,
        edits: &[Edit],
        at: Timestamp,
        by: &str,
    ) -> Result<Vec<Option<Document>>, DocumentError> {
        let mut rows = self.writing()?;
        let kept = rows.documents.edit(tenant, edits, at, by)?;
        for (edit, _) in edits.iter().zip(&kept).filter(|(_, kept)| kept.is_none()) {
            rows.let_go(tenant, edit, at);
        }
        Ok(kept)
    }

    fn documents(&self, tenant: &TenantId) -> Result<Vec<Document>, StoreError> {
        Ok(self.rows().documents.of(tenant).cloned().collect())
    }

    fn document(&self, tenant: &TenantId, kind: Kind, name: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.rows().documents.of(tenant).find(|it| it.kind == kind && it.name == name).cloned())
    }

    fn documents_of_kind(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let limit = limit.clamp(1, DOCUMENTS_PAGE_MAX);
        let rows = self.rows();
        let all = rows.documents.of(tenant).filter(|it| it.kind == kind);
        Ok(all.filter(|it| after.is_none_or(|after| it.name.as_str() > after)).take(limit).cloned().collect())
    }

    fn documented_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        Ok(self.rows().documents.tenants())
    }

    fn temporary_documents(&self) -> Result<Vec<(TenantId, Document)>, StoreError> {
        Ok(self.rows().documents.temporary())
    }

    fn audit(
        &self,
        tenant: &TenantId,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.rows().documents.audit(tenant, filter, limit))
    }

    fn add_event(&self, tenant: &TenantId, what: &Happened, at: Timestamp) -> Result<(), StoreError> {
        self.writing()?.events.add(tenant, what, at);
        Ok(())
    }

    fn events(
        &self,
        tenant: &TenantId,
        about: Option<&UserId>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        Ok(self.rows().events.list(tenant, about, after, limit))
    }

    fn add_token(
        &self,
        hash: &TokenHash,
        scope: &Scope,
        label: &str,
        at: Timestamp,
    ) -> Result<Token, StoreError> {
        let mut rows = self.writing()?;
        if let Some((_, kept)) = rows.tokens.iter().find(|(kept, _)| kept == hash) {
            return Ok(kept.clone());
        }
        if rows.tokens.len() >= TOKENS_MAX {
            return Err(StoreError::TooManyTokens(TOKENS_MAX));
        }
        let token = Token {
            id: hash.id(),
            scope: scope.clone(),
            label: label.to_owned(),
            created: at,
            revoked: None,
        };
        rows.tokens.push((*hash, token.clone()));
        Ok(token)
    }

    fn token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
        let rows = self.rows();
        let found = rows.tokens.iter().find(|(kept, token)| kept == hash && token.revoked.is_none());
        Ok(found.map(|(_, token)| token.clone()))
    }

    fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        Ok(self.rows().tokens.iter().map(|(_, token)| token.clone()).collect())
    }

    fn revoke_token(&self, id: &TokenId, at: Timestamp) -> Result<bool, StoreError> {
        let mut rows = self.writing()?;
        let working = rows.tokens.iter_mut().find(|(_, token)| token.id == *id && token.revoked.is_none());
        Ok(working.map(|(_, token)| token.revoked = Some(at)).is_some())
    }

    fn host_key(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.writing()?.keys.entry(name.to_owned()).or_insert_with(|| value.to_vec()).clone())
    }
}

fn cursor(record: &CallRecord) -> Cursor {
    Cursor { began: record.began, id: record.id.clone() }
}
