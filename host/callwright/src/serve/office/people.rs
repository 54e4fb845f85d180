//! How people wish to be reached, as their nodes hear it: what they have saved, and whether it was saved for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright_config::wishes;
use callwright_core::Kind;
use callwright_core::config::{Config, Tenant};
use callwright_core::forwarding::{Term, Wishes};
use callwright_core::names::{TenantId, UserId};
use callwright_store::{Action, AuditFilter, DOCUMENTS_PAGE_MAX, Edit, Store, StoreError};
use jiff::Timestamp;
use serde_json::Value;
use tracing::warn;

use super::next::{Next, Wrong};

/// A user, and how they wish to be reached; nothing of it where they have not said.
pub(super) type Wished = (UserId, Option<Arc<Wishes>>);

/// The wishes of these users as a tenant has them.
pub(super) fn saved_in(tenant: Option<&Tenant>, users: &[(UserId, Option<Term>)]) -> Vec<Wished> {
    let of = |user: &UserId| tenant?.users.get(user)?.forwarding.clone();
    users.iter().map(|(user, term)| (user.clone(), known_for(tenant, user, of(user), *term))).collect()
}

/// What a user has saved, with what is known of changes that were not made for good. Who had said nothing before such a change
/// wishes again what the configuration says.
fn known_for(
    tenant: Option<&Tenant>,
    user: &UserId,
    saved: Option<Arc<Wishes>>,
    term: Option<Term>,
) -> Option<Arc<Wishes>> {
    let configured = || tenant?.users.get(user).map(|user| user.forwarding.clone().unwrap_or_default());
    let has_ended = matches!(term, Some(Term::Ended(_)));
    let wishes = saved.or_else(|| configured().filter(|_| has_ended))?;
    Some(for_a_while(wishes, term))
}

/// Wishes that know whether they were saved for good.
fn for_a_while(wishes: Arc<Wishes>, term: Option<Term>) -> Arc<Wishes> {
    if wishes.term == term { wishes } else { Arc::new(Wishes { term, ..Arc::unwrap_or_clone(wishes) }) }
}

/// The wishes that edits come to, of people of the file.
pub(super) fn wished(
    tenant: &TenantId,
    edits: &[Edit],
    next: &[Next],
    among: &Config,
) -> Result<Vec<Wished>, Wrong> {
    let Some(tenant) = among.tenants.get(tenant) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for edit in edits {
        let found = next.iter().find(|it| it.is_of(edit));
        let read =
            |json: &Option<Value>| json.as_ref().map(|json| wishes(tenant, &edit.name, json)).transpose();
        let (live, then) = found.map(|next| (&next.live, &next.then)).unzip();
        let read_now = live.map_or(Ok(None), read).map_err(Wrong::now)?;
        if live != then {
            then.map_or(Ok(None), read).map_err(Wrong::later)?;
        }
        let (user, term) = (edit.name.as_str().into(), found.and_then(|next| next.term));
        let known = known_for(Some(tenant), &user, read_now, term);
        all.push((user, known));
    }
    Ok(all)
}

/// What people of the file's tenants have saved, and people of all tenants for a while or until a moment ago.
pub(super) fn saved_wishes(
    file: &Config,
    everybody: &Config,
    store: &dyn Store,
) -> Result<Vec<(TenantId, Vec<Wished>)>, StoreError> {
    let mut all = Vec::new();
    for id in store.documented_tenants()? {
        let Some(tenant) = everybody.tenants.get(&id) else { continue };
        let is_of_file = file.tenants.contains_key(&id);
        let mut ended = ended_lately(&id, store)?;
        let mut saved = Vec::new();
        for document in store.documents(&id)?.into_iter().filter(|it| it.kind == Kind::Forwarding) {
            let Some(live) = document.live else { continue };
            let term = document.temporary.map(|it| Term::Until(it.until));
            let term = term.or(ended.remove(&document.name).map(Term::Ended));
            if term.is_none() && !is_of_file {
                continue;
            }
            match wishes(tenant, &document.name, &live) {
                Ok(read) => saved.push((document.name.as_str().into(), Some(for_a_while(read, term)))),
                Err(problems) => {
                    for problem in problems {
                        warn!(tenant = %id, %problem, "what a user has saved is left out");
                    }
                }
            }
        }
        for (name, at) in ended {
            let user = name.as_str().into();
            let known = known_for(Some(tenant), &user, None, Some(Term::Ended(at)));
            saved.extend(known.map(|known| (user, Some(known))));
        }
        all.push((id, saved));
    }
    Ok(all)
}

/// Whose last change has ended by itself, and when: among the newest of the log, for nobody counts on what is long over.
fn ended_lately(tenant: &TenantId, store: &dyn Store) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let filter = AuditFilter { kind: Some(Kind::Forwarding), ..AuditFilter::default() };
    let mut last = BTreeMap::new();
    for entry in store.audit(tenant, &filter, DOCUMENTS_PAGE_MAX)? {
        if matches!(entry.action, Action::Staged | Action::Discarded) {
            continue;
        }
        let ended = (entry.action == Action::Expired).then_some(entry.at);
        last.entry(entry.name).or_insert(ended);
    }
    Ok(last.into_iter().filter_map(|(name, ended)| Some((name, ended?))).collect())
}
