//! Events, in memory.

use std::collections::{BTreeMap, VecDeque};

use callwright_core::names::{TenantId, UserId};
use jiff::Timestamp;

use crate::events::{EVENTS_MAX, EVENTS_PAGE_MAX, Event, Happened};

#[derive(Debug, Default)]
pub(super) struct Events {
    /// Oldest first, each with the user whom it is about.
    of: BTreeMap<TenantId, VecDeque<(Event, Option<UserId>)>>,
    last: i64,
}

impl Events {
    pub(super) fn add(&mut self, tenant: &TenantId, what: &Happened, at: Timestamp) {
        self.last += 1;
        let events = self.of.entry(tenant.clone()).or_default();
        events.push_back((Event { id: self.last, at, what: what.clone() }, what.about().cloned()));
        while u64::try_from(events.len()).unwrap_or(u64::MAX) > EVENTS_MAX {
            events.pop_front();
        }
    }

    /// What was about a user is about nobody who is still there.
    pub(super) fn forget_user(&mut self, tenant: &TenantId, user: &str) {
        for (_, about) in self.of.get_mut(tenant).into_iter().flatten() {
            if about.as_ref().is_some_and(|about| about.as_str() == user) {
                *about = None;
            }
        }
    }

    pub(super) fn list(
        &self,
        tenant: &TenantId,
        about: Option<&UserId>,
        after: Option<i64>,
        limit: usize,
    ) -> Vec<Event> {
        let limit = limit.clamp(1, EVENTS_PAGE_MAX);
        let events = self.of.get(tenant).into_iter().flatten();
        let events = events.filter(|(_, of)| about.is_none() || of.as_ref() == about).map(|(event, _)| event);
        match after {
            Some(after) => events.filter(|event| event.id > after).take(limit).cloned().collect(),
            None => {
                let mut newest: Vec<_> = events.rev().take(limit).cloned().collect();
                newest.reverse();
                newest
            }
        }
    }
}
