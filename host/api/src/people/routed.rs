//! Whose phones the token of a user may route their calls to: those that a code of theirs could, too.
//!
//! What somebody with more rights has saved stays where it is; the user neither moves it elsewhere nor makes it last longer.

use std::collections::{BTreeMap, BTreeSet};

use callwright_config::forwarding_document;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::forwarding::may_route;
use callwright_core::names::UserId;
use callwright_core::rule::DestinationRef;
use callwright_store::{Document, Step, ending};
use serde_json::Value;

use super::{Among, Write};
use crate::error::ApiError;
use crate::switch::{ChangeError, Expects};

impl Write {
    /// Refuses to route the calls of a user to the phones of others who do not take them, where it is that user who asks.
    /// `known` is what it is written over.
    pub(super) fn may_route(
        &self,
        known: Option<&Document>,
        what: &Step,
        expects: Expects,
    ) -> Result<(), ApiError> {
        let (Some(user), Among::Tenant(tenant), Kind::Forwarding) = (self.by.user(), &self.tenant, self.kind)
        else {
            return Ok(());
        };
        // What is changed must be what is looked at here.
        if let (Expects::Revision(revision), Some(known)) = (expects, known)
            && known.revision != revision
        {
            let (kind, name) = (self.kind, self.name.clone());
            return Err(ChangeError::Stale { kind, name, revision: known.revision }.into());
        }
        let of_file = tenant.users.get(user).filter(|_| self.switch.is_of_file(&tenant.id));
        let of_file = of_file.and_then(|user| user.forwarding.as_deref()).map(forwarding_document);
        let view = self.switch.view_of(&tenant.id);
        let is_strange =
            |to: &DestinationRef| tenant.lacks(to).is_none() && !may_route(&view, tenant, user, to);
        match added(known, of_file.as_ref(), what).into_iter().find(is_strange) {
            Some(to) => Err(refused(tenant, user, &to)),
            None => Ok(()),
        }
    }
}

fn refused(tenant: &Tenant, user: &UserId, to: &DestinationRef) -> ApiError {
    let is = match (tenant.owner(to), to.user()) {
        (Some(owner), _) => format!("`{to}` is a phone of {owner}"),
        (None, Some(colleague)) => format!("{colleague} does not take those of {user}"),
        (None, None) => format!("`{to}` is neither"),
    };
    let what = format!(
        "a user's own token may route calls to the user's own phones and to colleagues who take them; {is}"
    );
    let hint = match tenant.owner(to).or(to.user()) {
        Some(colleague) => format!(
            "`user:{colleague}` is possible once {colleague} has `{user}` in `takes-for`; whoever is responsible for the \
             tenant may route calls of {user} to any phone"
        ),
        None => "name a phone of your own, or a colleague".to_owned(),
    };
    ApiError::forbidden(what).help(hint)
}

/// Cold routes by the profile that has them; without one they are those of the wishes themselves.
type Routes<'a> = BTreeMap<Option<&'a str>, DestinationRef>;

fn routes(wishes: Option<&Value>) -> Routes<'_> {
    let Some(wishes) = wishes else { return Routes::new() };
    let route = |of: &Value| of.get("cold-route")?.as_str()?.parse::<DestinationRef>().ok();
    let profiles = wishes.get("profiles").and_then(Value::as_object).into_iter().flatten();
    let of_profiles = profiles.filter_map(|(name, said)| Some((Some(name.as_str()), route(said)?)));
    route(wishes).map(|to| (None, to)).into_iter().chain(of_profiles).collect()
}

fn beyond(next: Option<&Value>, held: Option<&Value>) -> BTreeSet<DestinationRef> {
    let held = routes(held);
    routes(next).into_iter().filter(|(profile, to)| held.get(profile) != Some(to)).map(|(_, to)| to).collect()
}

/// The routes that a step brings in: now, when temporary changes have ended, or for longer than they were to be.
fn added(known: Option<&Document>, of_file: Option<&Value>, what: &Step) -> BTreeSet<DestinationRef> {
    let live = known.and_then(|known| known.live.as_ref()).or(of_file);
    let ends = known.and_then(|known| known.temporary.as_ref());
    let then = ends.map_or(live, |ends| ends.before.as_ref().or(of_file));
    let (value, until) = match what {
        Step::Save { value, until } => (value, *until),
        Step::Stage(value) => return beyond(Some(value), live),
        Step::Remove | Step::Discard | Step::Expire => return BTreeSet::new(),
    };
    let next = ending(Kind::Forwarding, known, value, until);
    let later = next.as_ref().map_or(Some(value), |next| next.before.as_ref());
    let mut found = beyond(Some(value), live);
    found.extend(beyond(later, then));
    if ends.zip(next.as_ref()).is_some_and(|(ends, next)| next.until > ends.until) {
        found.extend(beyond(Some(value), then));
    }
    found
}

#[cfg(test)]
mod tests {
    use callwright_store::Temporary;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn save(value: &Value, until: Option<i64>) -> Step {
        Step::Save { value: value.clone(), until: until.map(at) }
    }

    fn held(live: &Value, ends: Option<(i64, &Value)>) -> Document {
        Document {
            kind: Kind::Forwarding,
            name: "ana".to_owned(),
            live: Some(live.clone()),
            draft: None,
            temporary: ends
                .map(|(until, before)| Temporary { until: at(until), before: Some(before.clone()) }),
            revision: 1,
        }
    }

    fn brings(known: Option<&Document>, what: &Step) -> Vec<String> {
        added(known, None, what).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_route_is_new_where_it_was_not_before() {
        let routed = json!({ "cold-route": "device:1011" });
        let in_profile = json!({ "profiles": { "away": { "cold-route": "device:1011" } } });
        for value in [&routed, &in_profile] {
            assert_eq!(brings(None, &save(value, None)), ["device:1011"]);
            assert_eq!(brings(None, &save(value, Some(9))), ["device:1011"]);
            assert_eq!(brings(None, &Step::Stage(value.clone())), ["device:1011"]);
            assert_eq!(brings(Some(&held(value, None)), &save(value, None)), [""; 0]);
            assert_eq!(brings(Some(&held(value, None)), &Step::Stage(value.clone())), [""; 0]);
            assert!(added(None, Some(value), &save(value, None)).is_empty());
        }
        let known = held(&in_profile, None);
        assert_eq!(brings(Some(&known), &save(&routed, None)), ["device:1011"], "not where it was");
        let more = json!({ "cold-route": "device:1011", "rings": 3 });
        assert_eq!(brings(Some(&held(&routed, None)), &save(&more, Some(9))), [""; 0]);
    }

    #[test]
    fn a_route_for_a_while_is_not_made_to_last() {
        let (routed, before) = (json!({ "cold-route": "device:1011" }), json!({}));
        let known = held(&routed, Some((100, &before)));
        let with = |value: &Value, until| brings(Some(&known), &save(value, until));
        let more = json!({ "cold-route": "device:1011", "rings": 3 });
        assert_eq!(with(&more, None), [""; 0], "the rest ends when it was to");
        assert_eq!(with(&more, Some(100)), [""; 0]);
        assert_eq!(with(&more, Some(101)), ["device:1011"]);
        assert_eq!(with(&routed, None), ["device:1011"], "saying it again makes it stay");
        let moved = json!({ "profiles": { "away": { "cold-route": "device:1011" } } });
        assert!(!with(&moved, None).is_empty());
        assert_eq!(with(&json!({ "rings": 3 }), None), [""; 0]);
    }

    #[test]
    fn a_route_of_a_profile_does_not_outlast_it_with_another_one() {
        let profiles = |names: &[&str]| {
            let all = names.iter().map(|name| ((*name).to_owned(), json!({ "cold-route": "device:1011" })));
            json!({ "profiles": all.collect::<serde_json::Map<_, _>>() })
        };
        let known = held(&profiles(&["away"]), Some((100, &json!({}))));
        let mut next = profiles(&["away"]);
        next["profiles"]["home"] = json!({ "rings": 2 });
        // Profiles are one key, and so is what stays of them.
        assert_eq!(brings(Some(&known), &save(&next, None)), ["device:1011"]);
    }
}
