//! What the memory store holds, and how it changes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use callwright_core::kept::{KeptKey, KeptValue};
use callwright_core::names::{CallId, RuleName, TenantId, Version};
use callwright_core::record::{CallRecord, Gone};
use callwright_core::rule::ActiveRule;
use callwright_core::view::{Binding, BindingKey, DeviceKey};
use callwright_core::{Change, Kind};
use jiff::Timestamp;

use super::documents::Documents;
use super::events::Events;
use crate::bindings;
use crate::calls::past_each;
use crate::documents::Edit;
use crate::error::{FindError, Repeated, RuleError};
use crate::store::Restored;
use crate::tokens::{Scope, Token, TokenHash};
use crate::versions::{Activation, HISTORY_MAX, How, NewVersion, RULES_MAX, VERSIONS_MAX, VersionState};

pub(super) type RuleKey = (TenantId, RuleName);
pub(super) type Call = (Arc<CallRecord>, Vec<String>);

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) bindings: BTreeMap<BindingKey, Arc<Binding>>,
    pub(super) gone: BTreeMap<DeviceKey, (Timestamp, Gone)>,
    pub(super) kept: BTreeMap<KeptKey, KeptValue>,
    pub(super) calls: BTreeMap<(TenantId, CallId), Call>,
    /// Of each rule in order of upload.
    pub(super) versions: BTreeMap<RuleKey, Vec<(NewVersion, VersionState)>>,
    /// Of each rule, oldest first; the last is what is active, unless it says that nothing is.
    pub(super) history: BTreeMap<RuleKey, Vec<Step>>,
    pub(super) documents: Documents,
    pub(super) events: Events,
    /// In order of making.
    pub(super) tokens: Vec<(TokenHash, Token)>,
    pub(super) keys: BTreeMap<String, Vec<u8>>,
}

/// One activation, and what was active before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) shown: Activation,
    pub(super) rule: Arc<ActiveRule>,
    pub(super) number: u64,
    pub(super) previous: Option<u64>,
}

impl Rows {
    /// Applies a group, all or none: only a record can be refused, so records are looked at first.
    pub(super) fn apply(&mut self, group: &[Change]) -> Result<(), Repeated> {
        group.iter().try_for_each(|change| self.check(change))?;
        for change in group {
            self.change(change);
        }
        Ok(())
    }

    fn check(&self, change: &Change) -> Result<(), Repeated> {
        match change {
            Change::Bound(_) | Change::Unbound { .. } | Change::Kept { .. } => Ok(()),
            Change::Ended { record, journal } => {
                match self.calls.get(&(record.tenant.clone(), record.id.clone())) {
                    Some((kept, kept_journal)) if kept != record || kept_journal != journal => {
                        Err(Repeated(record.id.clone()))
                    }
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Bound(binding) => {
                self.gone.remove(&device(&binding.key));
                self.bindings.insert(binding.key.clone(), Arc::clone(binding));
            }
            Change::Unbound { key, at, how } => {
                self.bindings.remove(key);
                if let Some(how) = how {
                    self.remember_gone(device(key), (*at, *how));
                }
            }
            Change::Kept { key, value: Some(value) } => {
                self.kept.insert(key.clone(), value.clone());
            }
            Change::Kept { key, value: None } => {
                self.kept.remove(key);
            }
            Change::Ended { record, journal } => {
                let key = (record.tenant.clone(), record.id.clone());
                self.calls.insert(key, (Arc::clone(record), journal.clone()));
            }
        }
    }

    /// A document is gone, and with it what belongs to whom it was about.
    pub(super) fn let_go(&mut self, tenant: &TenantId, edit: &Edit, at: Timestamp) {
        let is_theirs = |scope: &Scope| match scope {
            Scope::Operator => false,
            Scope::Tenant(of) => of == tenant && edit.kind == Kind::Tenant,
            Scope::User(of, user) => {
                let is_of_user = edit.kind == Kind::User && user.as_str() == edit.name;
                of == tenant && (edit.kind == Kind::Tenant || is_of_user)
            }
        };
        for (_, token) in &mut self.tokens {
            if token.revoked.is_none() && is_theirs(&token.scope) {
                token.revoked = Some(at);
            }
        }
        if edit.kind == Kind::User {
            self.events.forget_user(tenant, &edit.name);
        }
    }

    pub(super) fn restore(&mut self, now: Timestamp) -> Restored {
        let mut ended = Vec::new();
        self.bindings.retain(|key, binding| match bindings::ended(binding, now) {
            None => true,
            Some(end) => {
                ended.push((device(key), end));
                false
            }
        });
        for (device, end) in ended {
            self.remember_gone(device, end);
        }
        for key in self.bindings.keys() {
            self.gone.remove(&device(key));
        }
        self.kept.retain(|_, value| !value.is_over(now));
        Restored {
            bindings: self.bindings.values().cloned().collect(),
            kept: self.kept.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            gone: self.gone.iter().map(|(device, end)| (device.clone(), *end)).collect(),
            past: self.past(),
        }
    }

    /// The newest records of each tenant, oldest first.
    fn past(&self) -> Vec<Arc<CallRecord>> {
        let mut all: BTreeMap<&TenantId, Vec<&Arc<CallRecord>>> = BTreeMap::new();
        for ((tenant, _), (record, _)) in &self.calls {
            all.entry(tenant).or_default().push(record);
        }
        let each = past_each(all.len());
        let newest = |mut records: Vec<&Arc<CallRecord>>| {
            records.sort_by_key(|record| Reverse((record.began, record.id.clone())));
            records.into_iter().take(each).cloned().collect::<Vec<_>>()
        };
        let mut past: Vec<_> = all.into_values().flat_map(newest).collect();
        past.sort_by(|one, other| (one.ended, &one.id).cmp(&(other.ended, &other.id)));
        past
    }

    /// Keeps the later end where there are two.
    fn remember_gone(&mut self, device: DeviceKey, end: (Timestamp, Gone)) {
        let last = self.gone.entry(device).or_insert(end);
        if last.0 < end.0 {
            *last = end;
        }
    }

    pub(super) fn find(&self, tenant: &TenantId, id: &str) -> Result<&Call, FindError> {
        let unknown = || FindError::Unknown(id.to_owned());
        if id.is_empty() {
            return Err(unknown());
        }
        let from = (tenant.clone(), CallId::from(id));
        let mut fitting = self
            .calls
            .range(from..)
            .take_while(|((of, call), _)| of == tenant && call.as_str().starts_with(id));
        let ((_, first), call) = fitting.next().ok_or_else(unknown)?;
        match fitting.next() {
            Some(((_, second), _)) if first.as_str() != id => Err(FindError::Ambiguous {
                prefix: id.to_owned(),
                first: first.clone(),
                second: second.clone(),
            }),
            Some(_) | None => Ok(call),
        }
    }

    pub(super) fn add_version(&mut self, new: &NewVersion) -> Result<(), RuleError> {
        let key = (new.rule.tenant.clone(), new.rule.name.clone());
        let rules = self.versions.keys().filter(|(tenant, _)| *tenant == key.0).count();
        if rules >= RULES_MAX && !self.versions.contains_key(&key) {
            return Err(RuleError::TooManyRules { max: RULES_MAX });
        }
        let versions = self.versions.entry(key).or_default();
        let known = versions.iter().position(|(kept, _)| kept.rule.version == new.rule.version);
        if known.is_none() && versions.len() >= VERSIONS_MAX {
            return Err(RuleError::TooManyVersions { rule: new.rule.name.clone(), max: VERSIONS_MAX });
        }
        if let Some(known) = known {
            versions.remove(known);
        }
        versions.push((new.clone(), VersionState::Ready));
        Ok(())
    }

    pub(super) fn version(
        &mut self,
        key: &RuleKey,
        version: &Version,
    ) -> Result<&mut (NewVersion, VersionState), RuleError> {
        let kept = self
            .versions
            .get_mut(key)
            .and_then(|all| all.iter_mut().find(|(new, _)| new.rule.version == *version));
        kept.ok_or_else(|| RuleError::NoSuchVersion { rule: key.1.clone(), version: version.clone() })
    }

    pub(super) fn usable(&mut self, key: &RuleKey, version: &Version) -> Result<NewVersion, RuleError> {
        match self.version(key, version)? {
            (new, VersionState::Ready) => Ok(new.clone()),
            (_, VersionState::Unusable(why)) => {
                Err(RuleError::Unusable { rule: key.1.clone(), version: version.clone(), why: why.clone() })
            }
        }
    }

    pub(super) fn active(&self, key: &RuleKey) -> Option<&Step> {
        self.history.get(key)?.last().filter(|step| step.shown.how != How::Deactivated)
    }

    /// Makes active again what was active before the last step.
    pub(super) fn go_back(
        &mut self,
        key: &RuleKey,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        let before = self.before(key).ok_or_else(|| RuleError::NothingBefore(key.1.clone()))?;
        self.usable(key, &before.rule.version)?;
        let shown = shown(&before.rule, at, by, How::RolledBack);
        self.step(Arc::clone(&before.rule), before.previous, shown);
        Ok(ActiveRule::clone(&before.rule))
    }

    fn before(&self, key: &RuleKey) -> Option<Step> {
        let steps = self.history.get(key)?;
        let previous = steps.last()?.previous?;
        steps.iter().find(|step| step.number == previous).cloned()
    }

    pub(super) fn step(&mut self, rule: Arc<ActiveRule>, previous: Option<u64>, shown: Activation) {
        let steps = self.history.entry((rule.tenant.clone(), rule.name.clone())).or_default();
        let number = steps.last().map_or(0, |step| step.number) + 1;
        steps.push(Step { shown, rule, number, previous });
        if steps.len() > HISTORY_MAX {
            steps.remove(0);
        }
    }
}

/// How an activation is listed.
pub(super) fn shown(rule: &ActiveRule, at: Timestamp, by: &str, how: How) -> Activation {
    Activation {
        tenant: rule.tenant.clone(),
        rule: rule.name.clone(),
        version: rule.version.clone(),
        at,
        by: by.to_owned(),
        how,
    }
}

fn device(key: &BindingKey) -> DeviceKey {
    (key.tenant.clone(), key.device.clone())
}
