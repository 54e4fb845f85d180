//! What a tenant's documents come to with a change, now and when every temporary change has ended.

use std::collections::BTreeMap;

use callwright_api::{ChangeError, Expects};
use callwright_config::{Document as Section, Problem, assemble};
use callwright_core::Kind;
use callwright_core::config::{Config, Tenant};
use callwright_core::forwarding::Term;
use callwright_core::names::TenantId;
use callwright_store::{Document, Edit, Step, beneath};
use jiff::Timestamp;
use serde_json::Value;

pub(super) fn refused(problems: Vec<Problem>) -> ChangeError {
    ChangeError::Refused(problems.into_iter().map(|problem| problem.to_string()).collect())
}

pub(super) fn refused_later(problems: Vec<Problem>) -> ChangeError {
    let later = problems.into_iter().map(|it| format!("when temporary changes have ended: {it}"));
    ChangeError::Refused(later.collect())
}

/// The tenant that documents make, now and when every temporary change has ended; none where there is no tenant.
pub(super) fn made(
    tenant: &TenantId,
    documents: &[Next],
    among: &Config,
) -> Result<Option<Tenant>, ChangeError> {
    if documents.is_empty() {
        return Ok(None);
    }
    let sections = |of: fn(&Next) -> &Option<Value>| {
        let live = documents.iter().filter_map(move |it| Some((it.kind, it.name.clone(), of(it).clone()?)));
        live.collect::<Vec<Section>>()
    };
    let now = assemble(tenant, sections(|it| &it.live), among).map_err(refused)?;
    if documents.iter().any(|it| it.live != it.then) {
        assemble(tenant, sections(|it| &it.then), among).map_err(refused_later)?;
    }
    Ok(Some(now))
}

/// What a document holds after a change, and when its temporary changes have ended.
pub(super) struct Next {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) live: Option<Value>,
    pub(super) then: Option<Value>,
    /// Whether what is live was not saved for good.
    pub(super) term: Option<Term>,
}

impl Next {
    pub(super) fn is_of(&self, edit: &Edit) -> bool {
        self.kind == edit.kind && self.name == edit.name
    }
}

/// The documents as they will be. A draft is looked at as if it held.
pub(super) fn becoming(documents: &[Document], edits: &[Edit], at: Timestamp) -> Vec<Next> {
    let mut all: BTreeMap<(Kind, &str), Next> = BTreeMap::new();
    let new = |kind, name: &str| Next { kind, name: name.to_owned(), live: None, then: None, term: None };
    for document in documents {
        let then = document.temporary.as_ref().map_or(&document.live, |temporary| &temporary.before);
        let held = Next {
            live: document.live.clone(),
            then: then.clone(),
            term: document.temporary.as_ref().map(|it| Term::Until(it.until)),
            ..new(document.kind, &document.name)
        };
        all.insert((document.kind, &document.name), held);
    }
    for edit in edits {
        let next = all.entry((edit.kind, &edit.name)).or_insert_with(|| new(edit.kind, &edit.name));
        match &edit.what {
            Step::Save { value, until: None } | Step::Stage(value) => {
                next.then = if next.live == next.then {
                    Some(value.clone())
                } else {
                    beneath(edit.kind, next.live.as_ref(), next.then.as_ref(), value)
                };
                next.live = Some(value.clone());
                next.term = next.term.filter(|_| next.live != next.then);
            }
            Step::Save { value, until: Some(until) } => {
                next.live = Some(value.clone());
                next.term = Some(Term::Until(*until));
            }
            Step::Remove => (next.live, next.then, next.term) = (None, None, None),
            Step::Expire => {
                next.live.clone_from(&next.then);
                next.term = (edit.kind == Kind::Forwarding).then_some(Term::Ended(at));
            }
            Step::Discard => {}
        }
    }
    // Of wishes that nobody has any more there is left when they ended.
    let is_left = |next: &Next| next.live.is_some() || next.then.is_some() || next.term.is_some();
    all.into_values().filter(is_left).collect()
}

pub(super) fn sections(documents: &[Document]) -> Vec<Section> {
    let live = documents.iter().filter_map(|it| Some((it.kind, it.name.clone(), it.live.clone()?)));
    live.collect()
}

pub(super) fn expect(expects: Expects, documents: &[Document], first: &Edit) -> Result<(), ChangeError> {
    let found = documents.iter().find(|it| it.kind == first.kind && it.name == first.name);
    let (kind, name) = (first.kind, first.name.clone());
    match (expects, found) {
        (Expects::New, Some(_)) => Err(ChangeError::Exists { kind, name }),
        (Expects::There | Expects::Revision(_), None) => Err(ChangeError::NotThere { kind, name }),
        (Expects::Revision(revision), Some(found)) if found.revision != revision => {
            Err(ChangeError::Stale { kind, name, revision: found.revision })
        }
        (Expects::Nothing, _) | (Expects::New, None) | (Expects::There | Expects::Revision(_), Some(_)) => {
            Ok(())
        }
    }
}
