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

/// How many of those that use something are named in one sentence; the causes have all.
const USERS_NAMED_MAX: usize = 10;

/// Everything that would be wrong with a tenant.
pub(super) struct Wrong {
    problems: Vec<Problem>,
    is_later: bool,
}

impl Wrong {
    /// At once.
    pub(super) fn now(problems: Vec<Problem>) -> Self {
        Self { problems, is_later: false }
    }

    /// When every temporary change has ended.
    pub(super) fn later(problems: Vec<Problem>) -> Self {
        Self { problems, is_later: true }
    }

    /// Why edits of a tenant that was right before are refused: where they only take something away, somebody uses it.
    pub(super) fn because_of(self, edits: &[Edit]) -> ChangeError {
        let first = edits.first().filter(|_| edits.iter().all(|edit| edit.what == Step::Remove));
        let Some(first) = first else { return self.into() };
        let mut by: Vec<String> = Vec::new();
        // What lacks something is lacked by others in its turn: those that lack it themselves are meant.
        for problem in &self.problems {
            let is_direct = edits.iter().any(|edit| problem.what.contains(&format!("`{}`", edit.name)));
            let user = whose(&problem.path);
            if is_direct && !by.contains(&user) {
                by.push(user);
            }
        }
        if by.is_empty() {
            return self.into();
        }
        let more = by.len().saturating_sub(USERS_NAMED_MAX);
        by.truncate(USERS_NAMED_MAX);
        by.extend((more > 0).then(|| format!("{more} more")));
        let (kind, name) = (first.kind, first.name.clone());
        ChangeError::InUse { kind, name, by, problems: self.words() }
    }

    fn words(self) -> Vec<String> {
        let later = if self.is_later { "when temporary changes have ended: " } else { "" };
        self.problems.into_iter().map(|problem| format!("{later}{problem}")).collect()
    }
}

impl From<Wrong> for ChangeError {
    fn from(wrong: Wrong) -> Self {
        Self::Refused(wrong.words())
    }
}

/// Which document a key path leads into: `group sales`.
fn whose(path: &str) -> String {
    let found =
        Kind::managed().find_map(|kind| Some((kind, path.strip_prefix(kind.words())?.strip_prefix('.')?)));
    let Some((kind, rest)) = found else { return format!("the tenant's `{path}`") };
    // Names that are no bare keys are quoted.
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(['.', '[']).next(),
    };
    let name = name.unwrap_or(rest);
    if kind == Kind::Forwarding { format!("the forwarding of {name}") } else { format!("{kind} {name}") }
}

/// The tenant that documents make, now and when every temporary change has ended; none where there is no tenant.
pub(super) fn made(tenant: &TenantId, documents: &[Next], among: &Config) -> Result<Option<Tenant>, Wrong> {
    if documents.is_empty() {
        return Ok(None);
    }
    let sections = |of: fn(&Next) -> &Option<Value>| {
        let live = documents.iter().filter_map(move |it| Some((it.kind, it.name.clone(), of(it).clone()?)));
        live.collect::<Vec<Section>>()
    };
    let now = assemble(tenant, sections(|it| &it.live), among).map_err(Wrong::now)?;
    if documents.iter().any(|it| it.live != it.then) {
        assemble(tenant, sections(|it| &it.then), among).map_err(Wrong::later)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_path_is_told_as_the_document_that_it_leads_into() {
        for (path, told) in [
            ("groups.sales.members[0]", "group sales"),
            ("sites.berlin[1]", "site berlin"),
            ("time-routes.desk.routes[0].hours", "time-route desk"),
            ("devices.\"*1\".user", "device *1"),
            ("forwarding.bob", "the forwarding of bob"),
            ("fallback", "the tenant's `fallback`"),
        ] {
            assert_eq!(whose(path), told);
        }
    }

    #[test]
    fn only_what_is_taken_away_is_used_and_many_who_use_it_are_counted() {
        let problem = |at: usize| Problem {
            path: format!("groups.g{at}.members[0]"),
            line: 0,
            what: "no user `ana`".to_owned(),
        };
        let wrong = || Wrong::now((0..12).map(problem).collect());
        let edit = |what| Edit { kind: Kind::User, name: "ana".to_owned(), what };
        let told = wrong().because_of(&[edit(Step::Remove)]).to_string();
        assert!(told.starts_with("user `ana` is used by group g0, group g1, "), "{told}");
        assert!(told.ends_with(", group g9, 2 more"), "{told}");
        let saved = wrong().because_of(&[edit(Step::Expire)]);
        assert!(matches!(saved, ChangeError::Refused(problems) if problems.len() == 12));
    }
}
