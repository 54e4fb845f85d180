//! A code that was dialled: it changes how calls reach its user, and the phone is told whether it did.
//!
//! Until there is sound, yes is a 200 with inactive media that ends after a second, and no is a 4xx (TELEPHONY T33). The change holds
//! once it is kept, so the answer waits for the store.

use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{Dialog, Message, Method};

use super::{Call, Purpose, Stage};
use crate::cause::Final;
use crate::codes::{self, CodeError, Dialled};
use crate::names::Ticket;
use crate::record::{Disposition, FactKind, Source};
use crate::seam::StoreRefused;
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Timer};

/// How long the phone shows that it was answered.
const TOLD_FOR: Duration = Duration::from_secs(1);

/// How long the store has.
const KEPT_WITHIN: Duration = Duration::from_secs(5);

/// A code on its way.
pub(super) enum Coding {
    /// The store has it.
    Keeping {
        /// For its answer.
        ticket: Ticket,
        /// What it did, in words.
        said: String,
        /// No answer after that is none at all.
        until: Duration,
    },
    /// The phone was told.
    Told {
        /// Our dialog with it.
        dialog: Box<Dialog>,
        /// Once it has acknowledged: when we hang up.
        hang_up_at: Option<Duration>,
    },
}

impl Coding {
    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Keeping { until, .. } => Some(Deadline { at: *until, why: Timer::Store }),
            Self::Told { hang_up_at, .. } => hang_up_at.map(|at| Deadline { at, why: Timer::Session }),
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Told { .. })
    }
}

impl Call {
    /// Does what a code asks for, where the device has proved to be its user's.
    pub(super) fn dial_code(&mut self, board: &mut Switchboard) {
        match self.decode(board) {
            Ok(Dialled { user, wishes: Some(wishes), said }) => {
                let by = format!("phone {}, dialling {}", self.caller.device, self.facts.number);
                let ticket = board.wish(self.facts.tenant.clone(), user, Arc::new(wishes), by);
                board.wishing.insert(ticket, self.key);
                let until = board.now.mono + KEPT_WITHIN;
                self.stage = Stage::Coding(Coding::Keeping { ticket, said, until });
            }
            Ok(Dialled { said, .. }) => self.tell(board, said),
            Err(error) => {
                self.story.fact(board.now, Source::Switch, FactKind::Code(error.to_string()));
                self.reject(board, &Final::of_code(error), Disposition::Rejected);
            }
        }
    }

    fn decode(&self, board: &Switchboard) -> Result<Dialled, CodeError> {
        let code = self.tenant.codes.read(&self.facts.number)?;
        codes::dialled(&board.picture, &self.tenant, &self.caller.device, &code, board.now.wall)
    }

    /// The store has answered.
    pub(crate) fn code_kept(
        &mut self,
        board: &mut Switchboard,
        ticket: Ticket,
        result: Result<(), StoreRefused>,
    ) {
        let said = match &mut self.stage {
            Stage::Coding(Coding::Keeping { ticket: asked, said, .. }) if *asked == ticket => {
                std::mem::take(said)
            }
            Stage::Coding(_)
            | Stage::Deciding
            | Stage::Ringing(_)
            | Stage::Talking(_)
            | Stage::Over { .. } => {
                return;
            }
        };
        match result {
            Ok(()) => self.tell(board, said),
            Err(error) => {
                self.story.fact(board.now, Source::Switch, FactKind::Code(error.to_string()));
                self.reject(board, &Final::not_kept(), Disposition::Rejected);
            }
        }
    }

    fn tell(&mut self, board: &mut Switchboard, said: String) {
        let Ok(dialog) = self.caller.own_dialog() else {
            self.reject(board, &Final::of_code(CodeError::NotAllowed), Disposition::Rejected);
            return;
        };
        self.caller.answer_code(board, &said);
        self.index(board, dialog.key());
        self.story.fact(board.now, Source::Switch, FactKind::Code(said));
        self.story.coded(board.now);
        board.change_activity(&self.device_key(&self.caller.device), |activity| {
            activity.dialling = activity.dialling.saturating_sub(1);
            activity.talking += 1;
        });
        self.stage = Stage::Coding(Coding::Told { dialog: Box::new(dialog), hang_up_at: None });
    }

    /// The phone has acknowledged what it was told.
    pub(super) fn code_acknowledged(&mut self, board: &Switchboard) {
        if let Stage::Coding(Coding::Told { hang_up_at, .. }) = &mut self.stage {
            *hang_up_at = Some(board.now.mono + TOLD_FOR);
        }
    }

    pub(super) fn code_tick(&mut self, board: &mut Switchboard) {
        if let Stage::Coding(Coding::Keeping { ticket, until, .. }) = &self.stage
            && *until <= board.now.mono
        {
            let ticket = *ticket;
            board.wishing.remove(&ticket);
            self.code_kept(board, ticket, Err(StoreRefused::Unavailable("no answer".to_owned())));
        }
        if let Stage::Coding(Coding::Told { hang_up_at: Some(at), .. }) = &self.stage
            && *at <= board.now.mono
        {
            self.hang_up_code(board);
        }
    }

    /// We end it.
    pub(super) fn hang_up_code(&mut self, board: &mut Switchboard) {
        if let Stage::Coding(Coding::Told { dialog, .. }) = &mut self.stage {
            let bye = dialog.request(Method::Bye);
            let flow = self.caller.flow;
            self.ask(board, flow, bye, Purpose::Farewell);
            self.code_over(board);
        }
    }

    /// A request of the phone within the dialog; nothing but its BYE means anything.
    pub(super) fn in_code_dialog(
        &mut self,
        board: &mut Switchboard,
        flow: callwright_sip::Flow,
        request: &Message,
    ) {
        let in_order = match &mut self.stage {
            Stage::Coding(Coding::Told { dialog, .. }) => dialog.received(request).is_ok(),
            Stage::Coding(Coding::Keeping { .. })
            | Stage::Deciding
            | Stage::Ringing(_)
            | Stage::Talking(_)
            | Stage::Over { .. } => true,
        };
        let is_bye = in_order && request.method() == Some(&Method::Bye);
        let status = match (in_order, is_bye) {
            // RFC 3261 §12.2.2.
            (false, _) => 500,
            (true, true) => 200,
            (true, false) => 488,
        };
        board.refuse_for_good(flow, request, Message::reply(request, status));
        if is_bye {
            self.code_over(board);
        }
    }

    fn code_over(&mut self, board: &mut Switchboard) {
        let device = self.device_key(&self.caller.device);
        board.change_activity(&device, |activity| activity.talking = activity.talking.saturating_sub(1));
        self.over(board);
    }
}
