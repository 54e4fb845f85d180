//! Numbers outside need a trunk, and this switch has none: what of somebody's wishes leads to such numbers.

use jiff::Timestamp;

use super::{Condition, Wishes};
use crate::config::Tenant;
use crate::place;
use crate::rule::DestinationRef;

impl Wishes {
    /// Whether calls are to go anywhere, and everywhere there is outside.
    pub(super) fn leads_outside_alone(&self, tenant: &Tenant, at: Timestamp) -> bool {
        let mut wished = self.wished().peekable();
        wished.peek().is_some() && wished.all(|to| is_outside(tenant, to, at))
    }

    /// Where calls are to go by what is switched on, whatever the hour and the queues say now.
    pub(super) fn wished(&self) -> impl Iterator<Item = &DestinationRef> {
        // Behind one that takes all calls no other comes to anything.
        let takes_all = !self.under(Condition::Always).is_empty();
        let counts = move |condition: &Condition| *condition == Condition::Always || !takes_all;
        let conditional =
            Condition::ALL.into_iter().filter(counts).flat_map(|condition| self.under(condition));
        let callers = self.callers.iter().flat_map(|list| &list.to);
        let times = self.times.iter().flat_map(|time| &time.to);
        conditional.chain(callers).chain(times)
    }
}

/// Whether a destination stands for a number outside, at a moment.
pub(super) fn is_outside(tenant: &Tenant, to: &DestinationRef, at: Timestamp) -> bool {
    let meant = place::meant(tenant, to, at).to;
    let target = match &meant {
        Some(DestinationRef::Place(name)) => tenant.places.get(name).map(|place| &place.target),
        Some(
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Number(_),
        )
        | None => meant.as_ref(),
    };
    match target {
        // The plan gives people, groups and devices, and no number.
        Some(DestinationRef::Number(number)) => tenant.plan.find(number).is_none(),
        Some(
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_),
        )
        | None => false,
    }
}
