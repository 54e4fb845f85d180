//! What a part of a ring comes down to: devices, and people and groups by rules of their own.

use super::Call;
use crate::config::Tenant;
use crate::dial::{self, Reach};
use crate::group::{self, Behind};
use crate::names::GroupName;
use crate::record::NotRung;
use crate::rule::{DestinationRef, LegPlan};
use crate::switchboard::Switchboard;

impl Call {
    /// Rings whatever is behind the destination of a part that has begun.
    pub(super) fn ring_behind(
        &mut self,
        board: &mut Switchboard,
        at: usize,
        tenant: &Tenant,
        plan: &LegPlan,
    ) {
        let own = self.group_ringing(at);
        for behind in group::behind(tenant, &plan.to, own.as_ref(), board.now.wall) {
            let ring_busy = self.rings_busy(at);
            match behind {
                Behind::Rule(who) => self.ring_within(board, at, &who),
                Behind::Devices(to) => {
                    let found = dial::reach(&board.picture, tenant, &to, ring_busy);
                    self.ring_found(board, at, plan, to, found);
                }
                Behind::People(group) => {
                    let found = dial::of_group(&board.picture, tenant, &group, ring_busy);
                    self.ring_found(board, at, plan, DestinationRef::Group(group), found);
                }
            }
        }
    }

    /// Rings devices that were found, but for those that must not ring again.
    pub(super) fn ring_found(
        &mut self,
        board: &mut Switchboard,
        at: usize,
        plan: &LegPlan,
        to: DestinationRef,
        found: Result<Vec<Reach>, NotRung>,
    ) {
        match found {
            Ok(found) => {
                let before = self.rung_before(at, &found);
                let found = self.not_yet_rung(at, found);
                if found.is_empty() {
                    self.not_rung(board, at, to, NotRung::AlreadyRung);
                    self.part_was(at, before);
                }
                self.ring_planned(board, at, plan, &found);
            }
            Err(why) => self.not_rung(board, at, to, why),
        }
    }

    /// The group whose own rule rings a part.
    fn group_ringing(&self, at: usize) -> Option<GroupName> {
        match self.part_plan(at).and_then(|(_, owner)| owner) {
            Some(owner) => self.nested_who(owner)?.group().cloned(),
            None => self.facts.group.clone(),
        }
    }
}
