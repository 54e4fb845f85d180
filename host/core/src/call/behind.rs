//! What a part of a ring comes down to: devices, and people and groups by rules of their own.

use super::Call;
use crate::config::Tenant;
use crate::dial::{self, For, Found};
use crate::group::{self, Behind};
use crate::names::GroupName;
use crate::record::{FactKind, NotRung, Source};
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
        let mut meanings = group::meanings(tenant, &plan.to, own.as_ref(), board.now.wall).into_iter();
        for behind in group::behind(tenant, &plan.to, own.as_ref(), board.now.wall) {
            if !matches!(behind, Behind::People(_)) {
                for (what, got) in meanings.by_ref() {
                    let read = FactKind::Read { what: what.to_string(), got };
                    self.story.fact(board.now, Source::Config, read);
                }
            }
            match behind {
                Behind::Rule(who) => self.ring_within(board, at, &who),
                Behind::Devices(to) => {
                    let found = dial::reach(&board.picture, tenant, &to, self.looked_for(at));
                    self.ring_found(board, at, plan, to, found);
                }
                Behind::People(group) => {
                    let found = dial::of_group(&board.picture, tenant, &group, self.looked_for(at));
                    self.ring_found(board, at, plan, DestinationRef::Group(group), found);
                }
            }
        }
    }

    /// For whom a part looks for devices.
    pub(super) fn looked_for(&self, at: usize) -> For<'_> {
        let caller = DestinationRef::Device(self.caller.device.clone());
        For { caller: self.tenant.owner(&caller), ring_busy: self.rings_busy(at) }
    }

    /// Rings devices that were found, but for those that must not ring again.
    pub(super) fn ring_found(
        &mut self,
        board: &mut Switchboard,
        at: usize,
        plan: &LegPlan,
        to: DestinationRef,
        found: Found,
    ) {
        self.tell_left_out(board, found.left_out);
        match found.reached {
            Ok(found) => {
                let before = self.rung_before(at, &found);
                let is_caller = found.iter().all(|reach| reach.device == self.caller.device);
                let found = self.not_yet_rung(at, found);
                if found.is_empty() {
                    let why = if is_caller { NotRung::Caller } else { NotRung::AlreadyRung };
                    self.not_rung(board, at, to, why);
                    self.part_was(at, before);
                }
                self.ring_planned(board, at, plan, &found);
            }
            Err(why) => self.part_hears(at, why.outcome()),
        }
    }

    /// Somebody is not rung: that is told, and what came of it is heard by the part.
    pub(super) fn not_rung(&mut self, board: &mut Switchboard, at: usize, to: DestinationRef, why: NotRung) {
        let outcome = why.outcome();
        self.tell_not_rung(board, to, why);
        self.part_hears(at, outcome);
    }

    /// Tells of those who were found not to ring.
    pub(super) fn tell_left_out(
        &mut self,
        board: &mut Switchboard,
        left_out: Vec<(DestinationRef, NotRung)>,
    ) {
        for (who, why) in left_out {
            self.tell_not_rung(board, who, why);
        }
    }

    /// Whoever calls is engaged by this very call, which is told as such. Who asked not to be named is not told of.
    fn tell_not_rung(&mut self, board: &mut Switchboard, to: DestinationRef, why: NotRung) {
        let is_caller = why == NotRung::Caller || (why == NotRung::Busy && self.is_caller(&to));
        let why = match is_caller {
            true if self.facts.caller.withheld => return,
            true => NotRung::Caller,
            false => why,
        };
        let of = self.tenant.owner(&to).cloned();
        self.story.fact(board.now, Source::Registrar, FactKind::NotRung { to, of, why });
    }

    /// Whether a destination is the phone that calls, or the person whose it is.
    fn is_caller(&self, to: &DestinationRef) -> bool {
        let caller = DestinationRef::Device(self.caller.device.clone());
        *to == caller || (to.user().is_some() && to.user() == self.tenant.owner(&caller))
    }

    /// The group whose own rule rings a part.
    fn group_ringing(&self, at: usize) -> Option<GroupName> {
        match self.part_plan(at).and_then(|(_, owner)| owner) {
            Some(owner) => self.nested_who(owner)?.group().cloned(),
            None => self.facts.group.clone(),
        }
    }
}
