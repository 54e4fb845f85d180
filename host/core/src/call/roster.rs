//! Whom a call has reserved, and what is counted of it when it is over.

use std::collections::BTreeSet;

use super::{Call, Stage};
use crate::names::{RunId, UserId};
use crate::presence;
use crate::roster::{RosterAsk, TakeError, Taken};
use crate::rule::DestinationRef;
use crate::stats::{self, Ended};
use crate::switchboard::Switchboard;

impl Call {
    /// Picks people for a rule of the call.
    pub(super) fn take(&mut self, board: &mut Switchboard, what: &RosterAsk) -> Result<Taken, TakeError> {
        match &self.stage {
            Stage::Deciding | Stage::Ringing(_) => {}
            Stage::Coding(_) | Stage::Talking(_) | Stage::Over { .. } => return Err(TakeError::Decided),
        }
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        let taken = board.take(&tenant, &self.facts.id, what)?;
        let taken =
            taken.knowing(&tenant, self.facts.caller.user.as_ref(), |device| self.rung.contains_key(device));
        if !what.reserve.is_zero() {
            self.reserved.extend(taken.picked.iter().cloned());
        }
        Ok(taken)
    }

    /// A ring is over: who was to be rung in it is free for other calls again.
    pub(super) fn let_go_of(&mut self, board: &mut Switchboard, rung: &[DestinationRef]) {
        if self.reserved.is_empty() {
            return;
        }
        let behind = |to| presence::people_behind(&board.picture, &self.facts.tenant, to);
        let people: BTreeSet<UserId> = rung.iter().flat_map(behind).collect();
        let people = people.iter().filter(|user| self.reserved.remove(*user));
        board.let_go(&self.facts.tenant, &self.facts.id, people);
    }

    /// The call is answered or over, and needs nobody else.
    pub(super) fn let_everybody_go(&mut self, board: &mut Switchboard) {
        let people = std::mem::take(&mut self.reserved);
        board.let_go(&self.facts.tenant, &self.facts.id, &people);
    }

    /// The same for a person's rule whose ring within the ring is over.
    pub(super) fn let_go_within(&mut self, board: &mut Switchboard, id: RunId) {
        let rung = self.planned_by(id);
        self.let_go_of(board, &rung);
    }

    /// Counts the call for those that come later; a code is no call.
    pub(super) fn count(&self, board: &mut Switchboard) {
        let Some(answered) = stats::answered(self.story.disposition()) else { return };
        let caller_user = self.tenant.devices.get(&self.caller.device).map(|device| &device.user);
        let ended = Ended {
            tenant: &self.facts.tenant,
            caller: &self.facts.caller,
            caller_user,
            began: self.story.began().wall,
            answered,
            rung: stats::rung(self.story.legs()),
        };
        let now = board.now.wall;
        let mut remembered = std::mem::take(&mut board.remembered);
        board.repaint().stats.count(&mut remembered, &ended, now);
        board.remembered = remembered;
    }
}
