//! A phone answers: it wins, the others lose, and the two dialogs become one conversation.

use callwright_sip::{Dialog, Message};

use super::late::LateOffer;
use super::leg::Leg;
use super::ring::Origin;
use super::session::Session;
use super::talk::{Peer, Side, Talk, allows_update};
use super::{Call, Purpose, Stage};
use crate::answered::{self, Answered};
use crate::cause::COMPLETED_ELSEWHERE;
use crate::names::LegId;
use crate::record::LegRecordEnd;
use crate::rule::{Answer, AnsweredBy, Outcome};
use crate::switchboard::{Asker, Switchboard};

/// Q.850: protocol error, unspecified.
const PROTOCOL_ERROR: u8 = 111;

impl Call {
    /// A 2xx of a leg that is wanted.
    pub(super) fn leg_answered(&mut self, board: &mut Switchboard, id: LegId, response: &Message) {
        let Some(leg) = self.legs.get(&id) else { return };
        let callee = Dialog::of_uac(&leg.invite, response);
        let (Ok(callee), Ok(caller)) = (callee, Dialog::of_uas(&self.caller.invite, &leg.tag)) else {
            tracing::debug!("a 2xx without a usable dialog");
            if let Some(leg) = self.legs.remove(&id) {
                self.dismiss(board, &leg, response, None);
                self.legs.insert(id, leg);
            }
            self.leg_ended(board, id, Outcome::Refused(PROTOCOL_ERROR));
            return;
        };
        if !matches!(self.stage, Stage::Ringing(_)) {
            return;
        }
        let Some(leg) = self.legs.remove(&id) else { return };
        self.win(board, &leg, response, caller, callee);
    }

    fn win(
        &mut self,
        board: &mut Switchboard,
        leg: &Leg,
        response: &Message,
        caller: Dialog,
        callee: Dialog,
    ) {
        let by = AnsweredBy { device: leg.device.clone(), user: leg.user.clone(), leg: leg.id };
        self.settle(board, leg, LegRecordEnd::Outcome(Outcome::Answered(by.clone())));
        let (within, owners) = (self.within(leg.part), self.owners_of(leg.part));
        let Stage::Ringing(mut ring) = std::mem::replace(&mut self.stage, Stage::Deciding) else { return };
        let outcome = Outcome::Answered(by.clone());
        let report = self.ring_won(board, &mut ring, leg, &within, outcome.clone());
        let now = board.now;
        let ours_s = self.tenant.session_expires_s;
        let caller_session = Session::of_caller(&self.caller.invite, ours_s, now.mono);
        let answer = self.caller.answer(board, &leg.tag, response, caller_session.response_headers());
        let late = self.caller.offers_late();
        let caller = Peer {
            dialog: caller,
            flow: self.caller.flow,
            device: self.caller.device.clone(),
            span: self.caller.span.clone(),
            sent: answer,
            got: self.caller.description(),
            updates: allows_update(&self.caller.invite),
            session: caller_session,
            refreshing: None,
        };
        let mut callee = Peer {
            dialog: callee,
            flow: leg.flow,
            device: leg.device.clone(),
            span: leg.span.clone(),
            sent: self.caller.description(),
            got: response.body.clone(),
            updates: allows_update(response),
            session: Session::of_callee(response, ours_s, now.mono),
            refreshing: None,
        };
        let late = if late {
            Some(LateOffer::new(board, Side::Callee, leg.tx, response.clone()))
        } else {
            callee.acknowledge(board, leg.tx, response, None);
            None
        };
        self.hand_over_answered(board, leg, Some(COMPLETED_ELSEWHERE));
        self.index(board, caller.dialog.key());
        self.index(board, callee.dialog.key());
        self.change_talking(board, &caller, &callee);
        self.story.answered(now, &by);
        self.let_everybody_go(board);
        let talk = Talk { since: now, caller, callee, answered: by, late, exchange: None, relays: 0 };
        self.stage = Stage::Talking(Box::new(talk));
        tracing::info!("call answered");
        self.publish(board);
        self.nested_won(board, &ring, &owners, &outcome);
        if let Origin::Rule(ask) = ring.origin() {
            self.answer_rule(board, ask, Answer::Rang(Ok(report)));
        }
    }

    fn change_talking(&self, board: &mut Switchboard, caller: &Peer, callee: &Peer) {
        board.change_activity(&self.device_key(&caller.device), |activity| {
            activity.dialling = activity.dialling.saturating_sub(1);
            activity.talking += 1;
        });
        board.change_activity(&self.device_key(&callee.device), |activity| activity.talking += 1);
    }

    /// A 2xx of a leg that was taken back (TELEPHONY T7): ACK, then BYE with the same reason.
    pub(super) fn dismiss(
        &mut self,
        board: &mut Switchboard,
        leg: &Leg,
        response: &Message,
        reason: Option<&'static str>,
    ) {
        let bye = answered::acknowledge_and_end(board, leg.tx, &leg.invite, response, reason);
        self.hand_over_answered(board, leg, reason);
        if let Some(bye) = bye {
            self.ask(board, leg.flow, bye, Purpose::Farewell);
        }
    }

    /// From now on another 2xx to this INVITE is ended without the call, which may long be over by then.
    fn hand_over_answered(&mut self, board: &mut Switchboard, leg: &Leg, reason: Option<&'static str>) {
        self.clients.remove(&leg.tx);
        board.clients.insert(leg.tx, Asker::Answered(Answered { reason }));
    }
}
