//! A callee's leg while it rings: one INVITE to one phone.

use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{ClientTx, Flow, Message, Method, Name, Text};

use tracing::Span;

use super::nested::Nested;
use super::ring::{RingsUntil, Way};
use super::{Call, Purpose, Stage};
use crate::cause::{self, COMPLETED_ELSEWHERE, LegState};
use crate::dial::Reach;
use crate::names::{Extension, LegId, UserId};
use crate::record::{Cause, LegRecord, LegRecordEnd};
use crate::rule::{DestinationRef, LegPlan, Outcome};
use crate::spans;
use crate::switchboard::{ALLOW, SERVER, SUPPORTED, Switchboard, with_body_of};
use crate::time::{Deadline, Now, Timer};
use crate::view::Binding;

use super::session::{MIN_SE_S, SESSION_MAX_S};

/// How long a phone may stay at 100 without ringing.
const POST_DIAL_LIMIT: Duration = Duration::from_secs(10);
/// How long a suspect phone may stay without any response (TELEPHONY T5).
const SUSPECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One INVITE of ours.
pub(super) struct Leg {
    pub(super) id: LegId,
    /// The part of the ring that it belongs to.
    pub(super) part: usize,
    pub(super) to: DestinationRef,
    pub(super) device: Extension,
    pub(super) user: Option<UserId>,
    pub(super) flow: Flow,
    pub(super) tx: ClientTx,
    pub(super) invite: Arc<Message>,
    /// The To tag of this leg towards the caller.
    pub(super) tag: Text,
    phase: LegPhase,
    started: Now,
    rang: Option<Now>,
    status: u16,
    /// The ring's wish for this leg.
    rings: RingsUntil,
    /// How often phones have sent the call on to come here.
    pub(super) hops: u8,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LegPhase {
    /// No response at all yet.
    Calling { until: Duration },
    /// None for too long: it counts as unreachable, but may still come.
    Unheard,
    /// It has our INVITE, but does not ring.
    Proceeding { until: Duration },
    /// It rings.
    Ringing { until: Option<Duration> },
    /// We want it back: its final response is all that is waited for.
    TakenBack { reason: Option<&'static str> },
}

impl Leg {
    /// Whether the ring still waits for it.
    pub(super) fn is_alive(&self) -> bool {
        match self.phase {
            LegPhase::Calling { .. } | LegPhase::Proceeding { .. } | LegPhase::Ringing { .. } => true,
            LegPhase::Unheard | LegPhase::TakenBack { .. } => false,
        }
    }

    /// Whether it has not been taken back.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.phase, LegPhase::TakenBack { .. })
    }

    pub(super) fn is_ringing(&self) -> bool {
        matches!(self.phase, LegPhase::Ringing { .. })
    }

    pub(super) fn rang_for(&self, now: Now) -> Duration {
        self.rang.map_or(Duration::ZERO, |rang| now.mono.saturating_sub(rang.mono))
    }

    /// How long phones may ring to which this one sends the call on: no longer than it may itself (TELEPHONY T18).
    pub(super) fn rings_on(&self) -> RingsUntil {
        match self.phase {
            LegPhase::Ringing { until: Some(until) } => RingsUntil::At(until),
            LegPhase::Ringing { until: None }
            | LegPhase::Calling { .. }
            | LegPhase::Proceeding { .. }
            | LegPhase::Unheard
            | LegPhase::TakenBack { .. } => self.rings,
        }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let (at, why) = match self.phase {
            LegPhase::Calling { until } => (until, Timer::ResponseTimeout),
            LegPhase::Proceeding { until } => (until, Timer::PostDial),
            LegPhase::Ringing { until: Some(until) } => (until, Timer::LegRing),
            LegPhase::Ringing { until: None } | LegPhase::Unheard | LegPhase::TakenBack { .. } => {
                return None;
            }
        };
        Some(Deadline { at, why })
    }
}

impl Call {
    /// Rings one phone. False when the endpoint is full.
    pub(super) fn send_invite(
        &mut self,
        board: &mut Switchboard,
        part: usize,
        plan: &LegPlan,
        way: Way,
        reach: &Reach,
        binding: &Arc<Binding>,
    ) -> bool {
        let device = &reach.device;
        self.legs_made += 1;
        let id = LegId(self.legs_made);
        let invite = self.invite(board, plan, binding);
        let Some(tx) = self.ask(board, binding.flow, invite.clone(), Purpose::Leg(id)) else { return false };
        let patience = match binding.suspect_since {
            Some(_) => SUSPECT_TIMEOUT,
            None => self.tenant.response_timeout,
        };
        let leg = Leg {
            id,
            part,
            to: plan.to.clone(),
            device: device.clone(),
            user: reach.user.clone(),
            flow: binding.flow,
            tx,
            invite: Arc::new(invite),
            tag: self.caller.tag_for_leg(board),
            phase: LegPhase::Calling { until: board.now.mono + patience },
            started: board.now,
            rang: None,
            status: 0,
            rings: way.rings,
            hops: way.hops,
            span: spans::leg(&self.span, id),
        };
        leg.span.in_scope(|| tracing::debug!(aor = %device, peer = %binding.flow, "leg started"));
        board.change_activity(&self.device_key(device), |activity| activity.ringing += 1);
        self.legs.insert(id, Box::new(leg));
        true
    }

    /// The INVITE to a phone: the caller as their device proved them (TELEPHONY T22), the offer unchanged.
    fn invite(&self, board: &mut Switchboard, plan: &LegPlan, binding: &Binding) -> Message {
        let domain = self.tenant.domain();
        let caller = &self.facts.caller;
        let uri = match &caller.number {
            Some(number) => format!("sip:{number}@{domain}"),
            None => "sip:anonymous@anonymous.invalid".to_owned(),
        };
        let shown = if caller.withheld { "Anonymous" } else { caller.name.as_str() };
        let name = match &plan.label {
            Some(label) => quoted(&format!("{label} {shown}")),
            None => quoted(shown),
        };
        let hops = self.caller.hops.saturating_sub(1);
        let from_tag = board.sip.mint();
        let call_id = board.sip.mint();
        let mut invite = Message::request(Method::Invite, binding.request_uri())
            .with(Name::MaxForwards, hops.to_string())
            .with(Name::From, format!("{name}<{uri}>;tag={}", from_tag.lossy()))
            .with(Name::To, format!("<sip:{}@{domain}>", user_part(&self.facts.number)))
            .with(Name::CallId, call_id)
            .with(Name::CSeq, "1 INVITE")
            .with(Name::Contact, board.contact(&binding.flow))
            .with(Name::Allow, Text::from_static(ALLOW))
            .with(Name::Supported, Text::from_static(SUPPORTED))
            .with(Name::SessionExpires, self.tenant.session_expires_s.to_string())
            .with(Name::MinSe, MIN_SE_S.to_string())
            .with(Name::UserAgent, Text::from_static(SERVER));
        if caller.withheld {
            invite = invite.with(Name::Other("Privacy".into()), "id");
        }
        if let Some(session) = self.caller.invite.headers.get(&Name::SessionId) {
            invite = invite.with(Name::SessionId, session.clone());
        }
        with_body_of(invite, &self.caller.invite)
    }

    /// A phone has responded to our INVITE.
    pub(super) fn leg_response(&mut self, board: &mut Switchboard, id: LegId, response: &Message) {
        let status = response.status().unwrap_or(0);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.status = status;
        match (leg.phase, status) {
            (LegPhase::TakenBack { reason }, 200..=299) => {
                if let Some(leg) = self.legs.remove(&id) {
                    self.dismiss(board, &leg, response, reason);
                }
            }
            (LegPhase::TakenBack { .. }, 300..) => {
                self.legs.remove(&id);
            }
            (LegPhase::TakenBack { .. }, _) => {}
            // The limit runs from the INVITE (TELEPHONY T17), however often it is said that somebody tries.
            (LegPhase::Calling { .. }, 100) => {
                leg.phase = LegPhase::Proceeding { until: leg.started.mono + POST_DIAL_LIMIT };
            }
            (LegPhase::Unheard, 100) => {
                leg.phase = LegPhase::Proceeding { until: board.now.mono + POST_DIAL_LIMIT };
            }
            (LegPhase::Proceeding { .. } | LegPhase::Ringing { .. }, 100) => {}
            (_, 180 | 183) => self.leg_rings(board, id, response),
            (_, 101..=199) => {}
            (_, 200..=299) => self.leg_answered(board, id, response),
            (_, 300..=399) if self.leg_deflected(board, id, response) => {}
            (_, 422) if self.retry_with_longer_session(board, id, response) => {}
            (_, _) => {
                let device = self.device_key(&self.legs[&id].device);
                let on_call =
                    board.picture.activity.get(&device).is_some_and(|activity| activity.talking > 0);
                let rang = self.legs[&id].rang.is_some();
                self.leg_ended(board, id, cause::outcome_of(status, LegState { rang, on_call }));
            }
        }
    }

    fn leg_rings(&mut self, board: &mut Switchboard, id: LegId, response: &Message) {
        let alone = self.is_last_resort(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let tag = leg.tag.clone();
        if !leg.is_ringing() {
            leg.phase = LegPhase::Ringing { until: leg.rings.after(board.now.mono) };
            leg.rang = leg.rang.or(Some(board.now));
            tracing::debug!(aor = %leg.device, "leg rings");
            self.index_early(board, &tag);
        }
        self.caller.ringing(board, &tag, response, alone);
    }

    /// A 422 asks for a longer session interval (RFC 4028 §7.4): once more, in the same dialog-to-be.
    fn retry_with_longer_session(&mut self, board: &mut Switchboard, id: LegId, response: &Message) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let Ok(Some(min_s)) = response.min_se() else { return false };
        let Ok(cseq) = leg.invite.cseq() else { return false };
        if cseq.seq > 1 || min_s > SESSION_MAX_S {
            return false;
        }
        let mut invite = Message::clone(&leg.invite);
        invite.headers.set(Name::CSeq, format!("{} INVITE", cseq.seq + 1));
        invite.headers.set(Name::SessionExpires, min_s.max(self.tenant.session_expires_s).to_string());
        invite.headers.set(Name::MinSe, min_s.to_string());
        let (flow, old) = (leg.flow, leg.tx);
        let Some(tx) = self.ask(board, flow, invite.clone(), Purpose::Leg(id)) else { return false };
        self.forget_client(board, old);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.invite = Arc::new(invite);
            leg.tx = tx;
        }
        true
    }

    /// No response any more: timer B, or the way to the phone is gone.
    pub(super) fn leg_lost(&mut self, board: &mut Switchboard, id: LegId) {
        match self.legs.get(&id) {
            Some(leg) if leg.is_wanted() => self.leg_ended(board, id, Outcome::Unreachable),
            Some(_) => {
                self.legs.remove(&id);
            }
            None => {}
        }
    }

    /// A leg ended by itself.
    pub(super) fn leg_ended(&mut self, board: &mut Switchboard, id: LegId, outcome: Outcome) {
        let Some(leg) = self.legs.remove(&id) else { return };
        let declined = outcome == Outcome::Declined;
        self.settle(board, &leg, LegRecordEnd::Outcome(outcome.clone()));
        self.part_heard(&leg, board.now, outcome);
        if declined {
            self.person_declined(board, leg.user.as_ref(), leg.part);
        }
        self.ring_on(board);
    }

    /// Takes a leg back; its record is closed now, its transaction ends when the phone has understood.
    pub(super) fn take_back(
        &mut self,
        board: &mut Switchboard,
        id: LegId,
        reason: Option<&'static str>,
        end: LegRecordEnd,
    ) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        self.settle(board, &leg, end);
        leg.phase = LegPhase::TakenBack { reason };
        board.sip.cancel(board.now.mono, leg.tx, reason.map(Text::from_static));
        self.legs.insert(id, leg);
    }

    /// Closes a leg's record as a ringing leg.
    pub(super) fn settle(&mut self, board: &mut Switchboard, leg: &Leg, end: LegRecordEnd) {
        board.change_activity(&self.device_key(&leg.device), |activity| {
            activity.ringing = activity.ringing.saturating_sub(1);
        });
        let label = match &end {
            LegRecordEnd::Outcome(outcome) => cause::label(outcome),
            LegRecordEnd::Elsewhere => "elsewhere",
            LegRecordEnd::Cancelled(_) => "cancelled",
            LegRecordEnd::Deflected { .. } => "deflected",
        };
        board.count_leg(label);
        leg.span
            .in_scope(|| tracing::debug!(aor = %leg.device, status = leg.status, cause = label, "leg ended"));
        if let (Some(user), Some(_)) = (&leg.user, leg.rang) {
            self.story.rang(user, leg.rang_for(board.now), self.keeps_unmissed(leg.part));
        }
        // A ring that its rule left in the middle was not rung to an end (TELEPHONY T32).
        let came_of_it = match &end {
            LegRecordEnd::Cancelled(Cause::RuleFailed) => None,
            LegRecordEnd::Cancelled(Cause::Declined) => Some(Outcome::Declined),
            LegRecordEnd::Cancelled(_) | LegRecordEnd::Elsewhere => Some(Outcome::NoAnswer),
            // What comes of it is said by the phones to which the call was sent on.
            LegRecordEnd::Deflected { .. } => Some(Outcome::Refused(cause::REDIRECTED)),
            LegRecordEnd::Outcome(outcome) => Some(outcome.clone()),
        };
        if let Some(outcome) = came_of_it {
            self.rung.insert(leg.device.clone(), outcome);
        }
        self.story.leg(LegRecord {
            id: leg.id,
            to: leg.to.clone(),
            device: leg.device.clone(),
            label: self
                .tenant
                .devices
                .get(&leg.device)
                .map_or_else(String::new, |device| device.label.clone()),
            user: leg.user.clone(),
            started: leg.started.wall,
            rang: leg.rang.map(|now| now.wall),
            ended: board.now.wall,
            end,
            status: leg.status,
        });
    }

    /// A leg's own time is over.
    pub(super) fn leg_due(&mut self, board: &mut Switchboard, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let _leg = leg.span.clone().entered();
        match leg.phase {
            LegPhase::Calling { .. } => {
                leg.phase = LegPhase::Unheard;
                let (part, device) = (leg.part, leg.device.clone());
                tracing::debug!(aor = %device, "no response: unreachable");
                self.part_silent(part);
            }
            LegPhase::Proceeding { .. } => self.give_up(board, id, Outcome::Unreachable),
            LegPhase::Ringing { .. } => self.give_up(board, id, Outcome::NoAnswer),
            LegPhase::Unheard | LegPhase::TakenBack { .. } => {}
        }
    }

    /// We end a leg because its time is over: no Reason, so the phone shows a missed call (TELEPHONY T12).
    pub(super) fn give_up(&mut self, board: &mut Switchboard, id: LegId, outcome: Outcome) {
        let now = board.now;
        if let Some(leg) = self.legs.remove(&id) {
            self.part_heard(&leg, now, outcome.clone());
            self.legs.insert(id, leg);
        }
        self.take_back(board, id, None, LegRecordEnd::Outcome(outcome));
    }

    /// Legs that were given up before their phone said anything learn that another phone has answered since, so that a
    /// phone that comes to itself late shows no missed call (TELEPHONY T12).
    pub(super) fn tell_the_unheard(&mut self, board: &mut Switchboard) {
        let unheard = self.legs.values_mut().filter(|leg| leg.status == 0);
        for leg in unheard.filter(|leg| matches!(leg.phase, LegPhase::TakenBack { .. })) {
            leg.phase = LegPhase::TakenBack { reason: Some(COMPLETED_ELSEWHERE) };
            board.sip.cancel(board.now.mono, leg.tx, Some(Text::from_static(COMPLETED_ELSEWHERE)));
        }
    }

    /// Takes back every leg that is wanted, for one cause.
    pub(super) fn take_back_all(&mut self, board: &mut Switchboard, cause: &Cause) {
        for id in self.wanted_legs() {
            self.take_back(board, id, None, LegRecordEnd::Cancelled(cause.clone()));
        }
    }

    pub(super) fn wanted_legs(&self) -> Vec<LegId> {
        self.legs.values().filter(|leg| leg.is_wanted()).map(|leg| leg.id).collect()
    }

    /// Whether nothing but this leg can answer any more, so that its early media may reach the caller (TELEPHONY T1).
    fn is_last_resort(&self, id: LegId) -> bool {
        let no_other = self.legs.values().all(|leg| leg.id == id || !leg.is_wanted());
        match &self.stage {
            Stage::Ringing(ring) => {
                no_other && ring.is_last() && !self.nested.values().any(Nested::is_active)
            }
            Stage::Deciding | Stage::Coding(_) | Stage::Talking(_) | Stage::Over { .. } => false,
        }
    }
}

/// A display name as a quoted string with a blank behind it, or nothing (RFC 3261 §25.1).
fn quoted(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let mut text = String::with_capacity(name.len() + 3);
    text.push('"');
    for c in name.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push_str("\" ");
    text
}

/// A number as the user part of a URI, escaped where it must be (RFC 3261 §19.1.2).
fn user_part(number: &str) -> String {
    let mut text = String::with_capacity(number.len());
    for byte in number.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
