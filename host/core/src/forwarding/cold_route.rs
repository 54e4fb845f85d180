//! Whose phones a user may have ring in place of their own, without asking anybody who may do more.

use super::of_user;
use crate::config::Tenant;
use crate::names::UserId;
use crate::rule::DestinationRef;
use crate::view::View;

/// Whether a colleague takes the calls of a user, so that the user may have them ring there.
#[must_use]
pub fn takes_for(view: &View, tenant: &Tenant, colleague: &UserId, user: &UserId) -> bool {
    of_user(view, tenant, colleague).is_some_and(|theirs| theirs.takes_for.contains(user))
}

/// Whether a user may route their calls there by themselves: to a phone of their own, or to a colleague who takes them.
#[must_use]
pub fn may_route(view: &View, tenant: &Tenant, user: &UserId, to: &DestinationRef) -> bool {
    match to {
        DestinationRef::Device(_) => tenant.owner(to) == Some(user),
        DestinationRef::User(other) | DestinationRef::Person(other) => {
            other == user || takes_for(view, tenant, other, user)
        }
        DestinationRef::Group(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::forwarding::Wishes;
    use crate::testing;

    #[test]
    fn calls_ring_at_somebody_elses_where_they_take_them() {
        let tenant = testing::tenant();
        let mut view = View::default();
        let may = |view: &View, to: &str| may_route(view, &tenant, &"ana".into(), &to.parse().unwrap());
        let of_ana = ["device:1002", "user:ana"];
        let of_bob = ["user:bob", "person:bob"];
        let nobodys = ["device:1011", "device:9999", "user:zoe", "group:sales", "place:x", "+4930123456"];
        assert!(of_ana.iter().all(|to| may(&view, to)));
        assert!(!of_bob.iter().chain(&nobodys).any(|to| may(&view, to)));
        let takes = Wishes { takes_for: ["ana".into()].into(), ..Wishes::default() };
        view.wishes.insert(("acme".into(), "bob".into()), Arc::new(takes));
        assert!(of_bob.iter().all(|to| may(&view, to)));
        assert!(!nobodys.iter().any(|to| may(&view, to)), "one of his phones is still his");
    }
}
