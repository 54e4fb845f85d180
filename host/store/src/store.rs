//! The seam to what survives. Every function that a tenant can reach takes the tenant and sees nothing else.

use std::sync::Arc;

use callwright_core::kept::{KeptKey, KeptValue};
use callwright_core::names::{RuleName, TenantId, UserId, Version};
use callwright_core::record::{CallRecord, Gone};
use callwright_core::rule::ActiveRule;
use callwright_core::view::{Binding, DeviceKey};
use callwright_core::{Change, Kind};
use jiff::Timestamp;

use crate::calls::{CallFilter, Cursor, Page, Pruned};
use crate::documents::{AuditEntry, AuditFilter, Document, Edit};
use crate::error::{DocumentError, FindError, Repeated, RuleError, StoreError};
use crate::events::{Event, Happened};
use crate::tokens::{Scope, Token, TokenHash, TokenId};
use crate::versions::{Activation, NewVersion, RuleVersion, VersionState};

/// What a node begins with after a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// Bindings that can still be rung: by datagram, and not over yet.
    pub bindings: Vec<Arc<Binding>>,
    /// How the last binding of each device ended that has none now.
    pub gone: Vec<(DeviceKey, (Timestamp, Gone))>,
    /// What rules keep, as far as its time is not over.
    pub kept: Vec<(KeptKey, KeptValue)>,
    /// The newest calls that are over, oldest first: at most [`crate::PAST_MAX`], as many of each tenant.
    pub past: Vec<Arc<CallRecord>>,
}

/// Changes and queries. What a function has returned `Ok` for survives `kill -9` and a power cut.
///
/// Shared between the writer's thread and those that ask; writes wait for each other, queries see the last commit.
pub trait Store: Send + Sync {
    /// Commits several groups of changes with one flush to the disk. Each group is all or none by itself; the answers
    /// are in order. Committing a group again is harmless.
    ///
    /// # Errors
    /// The outside failed: nothing of any group is kept.
    fn commit(&self, groups: &[&[Change]]) -> Result<Vec<Result<(), Repeated>>, StoreError>;

    /// Loads what a node begins with. Bindings that ended while it was down, and those whose connection went with it,
    /// are removed for good and remembered as gone. So are values of rules whose time is over.
    ///
    /// # Errors
    /// The outside failed.
    fn restore(&self, now: Timestamp) -> Result<Restored, StoreError>;

    /// Lists call records, newest first. At most [`crate::PAGE_MAX`] at a time.
    ///
    /// # Errors
    /// The outside failed.
    fn calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Finds one call record by its id or by a beginning of it that fits no other.
    ///
    /// # Errors
    /// None or several fit, or the outside failed.
    fn call(&self, tenant: &TenantId, id: &str) -> Result<Arc<CallRecord>, FindError>;

    /// The journal of one call, found as by [`Store::call`]; empty where no rule ran.
    ///
    /// # Errors
    /// None or several fit, or the outside failed.
    fn journal(&self, tenant: &TenantId, id: &str) -> Result<Vec<String>, FindError>;

    /// Removes records that began before `before`, and of each tenant the oldest beyond `keep_max`; at most
    /// [`crate::PRUNE_STEP`] at a time.
    ///
    /// # Errors
    /// The outside failed.
    fn prune(&self, before: Timestamp, keep_max: u64) -> Result<Pruned, StoreError>;

    /// Keeps a version. One that is kept already takes the new `rule.toml` and is ready again; what is active stays as
    /// it is.
    ///
    /// # Errors
    /// A bound is reached, or the outside failed.
    fn add_version(&self, version: &NewVersion) -> Result<(), RuleError>;

    /// Lists a rule's versions, last uploaded first.
    ///
    /// # Errors
    /// The outside failed.
    fn versions(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<RuleVersion>, StoreError>;

    /// Names the tenant's rules in order of name.
    ///
    /// # Errors
    /// The outside failed.
    fn rules(&self, tenant: &TenantId) -> Result<Vec<RuleName>, StoreError>;

    /// Says whether a version can be used. What is active stays active: the core's fallback covers it.
    ///
    /// # Errors
    /// There is no such version, or the outside failed.
    fn mark(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        state: &VersionState,
    ) -> Result<(), RuleError>;

    /// Makes a version the active one, with its last `rule.toml`. Nothing happens where that is so already.
    ///
    /// # Errors
    /// There is no such version, it is unusable, or the outside failed.
    fn activate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError>;

    /// Makes active again what was active before, with the `rule.toml` it had then. Twice goes back two steps.
    ///
    /// # Errors
    /// Nothing was active before, that version is unusable, or the outside failed.
    fn roll_back(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError>;

    /// Switches a rule off: none of its versions is active from now on. [`Store::roll_back`] takes that back; another activation
    /// begins anew, with nothing before it. Returns what was active.
    ///
    /// # Errors
    /// No version is active, or the outside failed.
    fn deactivate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError>;

    /// As [`Store::roll_back`], but only where this version is the active one still: somebody may have chosen another
    /// meanwhile, and then nothing happens.
    ///
    /// # Errors
    /// As those of [`Store::roll_back`].
    fn withdraw(&self, failed: &ActiveRule, at: Timestamp, by: &str)
    -> Result<Option<ActiveRule>, RuleError>;

    /// A rule's activations, newest first; at most [`crate::HISTORY_MAX`].
    ///
    /// # Errors
    /// The outside failed.
    fn history(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<Activation>, StoreError>;

    /// The tenant's active rules in order of name.
    ///
    /// # Errors
    /// The outside failed.
    fn active_rules(&self, tenant: &TenantId) -> Result<Vec<Arc<ActiveRule>>, StoreError>;

    /// For the operator: every tenant's active rules.
    ///
    /// # Errors
    /// The outside failed.
    fn all_active_rules(&self) -> Result<Vec<Arc<ActiveRule>>, StoreError>;

    /// Applies edits of a tenant's documents, all or none, each with its line in the audit log. Returns what became of each
    /// document; none where it is gone. With a tenant go its tokens; with a user go theirs, and nothing that happened before is
    /// about whoever gets their name.
    ///
    /// # Errors
    /// There is nothing to remove, to discard or to expire, there are too many documents, or the outside failed.
    fn edit_documents(
        &self,
        tenant: &TenantId,
        edits: &[Edit],
        at: Timestamp,
        by: &str,
    ) -> Result<Vec<Option<Document>>, DocumentError>;

    /// All documents of a tenant, by kind and name.
    ///
    /// # Errors
    /// The outside failed.
    fn documents(&self, tenant: &TenantId) -> Result<Vec<Document>, StoreError>;

    /// One document.
    ///
    /// # Errors
    /// The outside failed.
    fn document(&self, tenant: &TenantId, kind: Kind, name: &str) -> Result<Option<Document>, StoreError>;

    /// Documents of one kind in order of name, after a name; at most [`crate::DOCUMENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// The outside failed.
    fn documents_of_kind(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError>;

    /// For the operator: the tenants that have documents, in order of name.
    ///
    /// # Errors
    /// The outside failed.
    fn documented_tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// The changes that end by themselves, the first first; at most [`crate::DOCUMENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// The outside failed.
    fn temporary_documents(&self) -> Result<Vec<(TenantId, Document)>, StoreError>;

    /// A tenant's audit log, newest first; at most [`crate::DOCUMENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// The outside failed.
    fn audit(
        &self,
        tenant: &TenantId,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Keeps what happened to a tenant.
    ///
    /// # Errors
    /// The outside failed.
    fn add_event(&self, tenant: &TenantId, what: &Happened, at: Timestamp) -> Result<(), StoreError>;

    /// A tenant's events, or of those the ones about one user, oldest first: those after an id, or the newest where none is
    /// given; at most [`crate::EVENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// The outside failed.
    fn events(
        &self,
        tenant: &TenantId,
        about: Option<&UserId>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// For the operator: keeps a new token.
    ///
    /// # Errors
    /// [`StoreError::TooManyTokens`], or the outside failed.
    fn add_token(
        &self,
        hash: &TokenHash,
        scope: &Scope,
        label: &str,
        at: Timestamp,
    ) -> Result<Token, StoreError>;

    /// The token with that secret, unless it was revoked.
    ///
    /// # Errors
    /// The outside failed.
    fn token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError>;

    /// For the operator: all tokens, oldest first.
    ///
    /// # Errors
    /// The outside failed.
    fn tokens(&self) -> Result<Vec<Token>, StoreError>;

    /// For the operator: makes a token useless. False where there is none with that name that still works.
    ///
    /// # Errors
    /// The outside failed.
    fn revoke_token(&self, id: &TokenId, at: Timestamp) -> Result<bool, StoreError>;

    /// For the host: keeps `value` under `name` unless something is kept there already, and returns what is kept. So two
    /// processes that both make a key agree on one.
    ///
    /// # Errors
    /// The outside failed.
    fn host_key(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError>;
}
