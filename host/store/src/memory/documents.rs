//! Documents and their audit log, in memory.

use std::collections::{BTreeMap, VecDeque};

use callwright_core::Kind;
use callwright_core::names::TenantId;
use jiff::Timestamp;

use crate::documents::{
    AUDIT_MAX, AuditEntry, AuditFilter, DOCUMENTS_MAX, DOCUMENTS_PAGE_MAX, Document, Edit, apply,
};
use crate::error::DocumentError;

#[derive(Debug, Default)]
pub(super) struct Documents {
    rows: BTreeMap<TenantId, BTreeMap<(Kind, String), Document>>,
    /// Oldest first.
    log: BTreeMap<TenantId, VecDeque<AuditEntry>>,
    last_entry: i64,
}

impl Documents {
    pub(super) fn edit(
        &mut self,
        tenant: &TenantId,
        edits: &[Edit],
        at: Timestamp,
        by: &str,
    ) -> Result<Vec<Option<Document>>, DocumentError> {
        // Worked on beside, so that all edits happen or none.
        let mut rows = self.rows.get(tenant).cloned().unwrap_or_default();
        let (mut documents, mut entries) = (Vec::new(), Vec::new());
        for edit in edits {
            let key = (edit.kind, edit.name.clone());
            let was = rows.remove(&key);
            if was.is_none() && rows.len() >= DOCUMENTS_MAX {
                return Err(DocumentError::TooMany(DOCUMENTS_MAX));
            }
            let nothing = || DocumentError::Nothing { kind: edit.kind, name: edit.name.clone() };
            let applied = apply(was, edit, at, by).ok_or_else(nothing)?;
            entries.push(AuditEntry {
                id: 0,
                kind: edit.kind,
                name: edit.name.clone(),
                who: by.to_owned(),
                at,
                action: applied.action,
                before: applied.before,
                after: applied.after,
                until: applied.until,
            });
            rows.extend(applied.document.clone().map(|document| (key, document)));
            documents.push(applied.document);
        }
        if rows.is_empty() {
            self.rows.remove(tenant);
        } else {
            self.rows.insert(tenant.clone(), rows);
        }
        let log = self.log.entry(tenant.clone()).or_default();
        for entry in entries {
            self.last_entry += 1;
            log.push_back(AuditEntry { id: self.last_entry, ..entry });
        }
        while u64::try_from(log.len()).unwrap_or(u64::MAX) > AUDIT_MAX {
            log.pop_front();
        }
        Ok(documents)
    }

    pub(super) fn of(&self, tenant: &TenantId) -> impl Iterator<Item = &Document> {
        self.rows.get(tenant).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.rows.keys().cloned().collect()
    }

    pub(super) fn temporary(&self) -> Vec<(TenantId, Document)> {
        let all = self.rows.iter().flat_map(|(tenant, rows)| rows.values().map(move |it| (tenant, it)));
        let until = |document: &Document| document.temporary.as_ref().map(|temporary| temporary.until);
        let mut ending: Vec<_> = all.filter(|(_, it)| it.temporary.is_some()).collect();
        ending.sort_by_key(|(_, document)| until(document));
        ending.into_iter().take(DOCUMENTS_PAGE_MAX).map(|(tenant, it)| (tenant.clone(), it.clone())).collect()
    }

    pub(super) fn audit(&self, tenant: &TenantId, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        let newest = self.log.get(tenant).into_iter().flatten().rev();
        let wanted = newest.filter(|entry| {
            filter.kind.is_none_or(|kind| entry.kind == kind)
                && filter.name.as_ref().is_none_or(|name| entry.name == *name)
                && filter.before.is_none_or(|before| entry.id < before)
        });
        wanted.take(limit.clamp(1, DOCUMENTS_PAGE_MAX)).cloned().collect()
    }
}
