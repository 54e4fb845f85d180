//! Calls and legs as an onlooker sees them on the wires.
//!
//! A call is known by the caller's Call-ID; its legs are found by the Session-ID that the switch keeps across them
//! (RFC 7989 §4).

mod sides;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callwright_core::Now;
use callwright_core::names::{Extension, TenantId};
use callwright_core::record::CallRecord;
use callwright_core::rule::Ask;
use callwright_core::view::DeviceKey;
use callwright_sip::Flow;

use super::reassembly::Heard;
use super::{Found, Invariant, Owner};
use crate::glance::Glance;
use crate::tally::{Rare, Tally};
pub(super) use sides::CallerSide;
use sides::{Answer, LegSide};

/// What losers are told (TELEPHONY T12).
const ELSEWHERE: &str = "Call completed elsewhere";
/// How long a leg may answer that said nothing yet, or was cancelled: 64*T1.
const DROPPED_AFTER: Duration = Duration::from_secs(32);
/// Responses that refuse a request as such: no call has begun.
const NO_CALL: [u16; 13] = [400, 401, 403, 405, 406, 407, 415, 416, 420, 421, 422, 482, 501];

/// Whether a final response refused the request as such. A call that was refused says why (RFC 3326 §2).
fn is_no_call(message: &Glance) -> bool {
    NO_CALL.contains(&message.status) && message.header("Reason").is_none()
}

/// All calls and legs since the world began.
#[derive(Default)]
pub(super) struct Wire {
    callers: BTreeMap<String, CallerSide>,
    legs: BTreeMap<String, LegSide>,
    sessions: BTreeMap<String, String>,
    finals: BTreeMap<(String, u32), (u16, String)>,
    invites: BTreeSet<(String, u32, String)>,
    keeps_unmissed: bool,
    /// The switch takes no new call any more.
    is_closing: bool,
    /// Call-IDs of calls and legs that died with the switch: whatever else comes of them is of no call.
    dead: BTreeSet<String>,
    step: Step,
}

/// A message that the switch sends.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    /// Whose phone it goes to.
    pub(super) owner: &'a Owner,
    pub(super) flow: Flow,
    pub(super) message: &'a Glance,
    /// In bytes.
    pub(super) size: usize,
}

/// What one step of the switch does.
#[derive(Default)]
struct Step {
    /// Calls that something happened to.
    touched: BTreeSet<String>,
    /// The leg and To tag whose 2xx has just come.
    answering: Option<(String, String)>,
    /// Legs that were cancelled or ended, and whether they were told of another's answer.
    ended: Vec<Ended>,
    /// Sessions of everything sent.
    sessions: BTreeSet<String>,
    /// A datagram that might be a stranger's: whose, its size, and what it got.
    asked: Option<Asked>,
}

struct Ended {
    leg: String,
    tag: Option<String>,
    is_told: bool,
}

struct Asked {
    by: Owner,
    size: usize,
    refusals: usize,
    refused_with: usize,
}

impl Wire {
    pub(super) fn begin_step(&mut self) {
        self.step = Step::default();
    }

    /// A run asks for a ring; one that keeps its losers unmissed changes what they hear.
    pub(super) fn asked(&mut self, what: &Ask) {
        match what {
            Ask::Ring(plan) => self.keeps_unmissed |= plan.keep_unmissed,
            Ask::Standard | Ask::Refuse(_) | Ask::Conclude | Ask::Keep(_) | Ask::Take(_) => {}
        }
    }

    /// Whether a phone rings for any call that is undecided.
    pub(super) fn rings_now(&self) -> bool {
        self.callers.iter().any(|(id, caller)| !caller.is_decided() && self.rings(id))
    }

    fn rings(&self, call: &str) -> bool {
        self.legs
            .values()
            .any(|leg| leg.call == call && leg.rings && leg.refused.is_none() && leg.cancelled.is_none())
    }

    /// How many calls each device is on.
    pub(super) fn talking(&self) -> BTreeMap<DeviceKey, u32> {
        let mut talking = BTreeMap::new();
        for caller in
            self.callers.values().filter(|caller| caller.answered.is_some() && caller.over.is_none())
        {
            let winner = caller.winner.as_ref().and_then(|(leg, _)| self.legs.get(leg));
            for device in [Some(&caller.owner.device), winner.map(|leg| &leg.device)].into_iter().flatten() {
                *talking.entry((caller.owner.tenant.clone(), device.clone())).or_default() += 1;
            }
        }
        talking
    }

    /// The sessions that the switch has signalled in this step.
    pub(super) fn sessions_sent_to(&self) -> Vec<String> {
        self.step.sessions.iter().cloned().collect()
    }

    /// The sessions of the calls that a device began at that moment: one as a rule, as two may come in one piece of a stream.
    pub(super) fn sessions_of(
        &self,
        tenant: &TenantId,
        device: Option<&Extension>,
        began: Duration,
    ) -> Vec<String> {
        let of_call = |caller: &&CallerSide| {
            caller.owner.tenant == *tenant
                && device.is_none_or(|device| caller.owner.device == *device)
                && caller.began.mono == began
        };
        self.callers.values().filter(of_call).map(|caller| caller.session.clone()).collect()
    }

    /// The call that a record is of; of two that began at the same moment the one that it fits.
    pub(super) fn call_of(&mut self, record: &CallRecord) -> Option<&mut CallerSide> {
        let of_record = |caller: &&mut CallerSide| {
            caller.owner.tenant == record.tenant
                && record.from_device.as_ref().is_none_or(|device| caller.owner.device == *device)
                && caller.began.wall == record.began
        };
        let fitting = self.callers.values_mut().filter(of_record);
        fitting.min_by_key(|caller| (caller.records, caller.over.is_none(), caller.status != record.status))
    }

    /// All calls, by the caller's Call-ID.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&String, &CallerSide)> {
        self.callers.iter()
    }

    /// The switch is asked to drain, or to end.
    pub(super) fn closing(&mut self) {
        self.is_closing = true;
    }

    /// The switch dies, and every call with it.
    pub(super) fn killed(&mut self) {
        let before = std::mem::take(self);
        self.dead = before.dead;
        self.dead.extend(before.callers.into_keys());
        self.dead.extend(before.legs.into_keys());
        self.keeps_unmissed = before.keeps_unmissed;
    }

    /// The switch hears that a way is dead.
    pub(super) fn closed(&mut self, flow: Flow) {
        let undecided =
            |leg: &&mut LegSide| leg.flow == flow && leg.refused.is_none() && leg.answers.is_empty();
        self.legs.values_mut().filter(undecided).for_each(|leg| leg.is_lost = true);
    }

    /// A message reaches the switch.
    pub(super) fn received(&mut self, now: Now, owner: &Owner, heard: &Heard, tally: &mut Tally) {
        let message = &heard.glance;
        // An INVITE that nobody has answered comes again, and is a call of the next life.
        if message.is_request("INVITE") && message.is_initial() {
            self.dead.remove(&message.call_id);
        }
        if self.dead.contains(&message.call_id) {
            return;
        }
        if message.status == 0 && heard.is_datagram {
            self.step.asked =
                Some(Asked { by: owner.clone(), size: heard.bytes.len(), refusals: 0, refused_with: 0 });
        }
        match message.request.as_str() {
            "INVITE" => self.invited(now, owner, message, tally),
            "CANCEL" => {
                let is_ringing = self.rings(&message.call_id);
                if let Some(caller) =
                    self.callers.get_mut(&message.call_id).filter(|caller| !caller.is_decided())
                {
                    if is_ringing && !caller.is_gone {
                        tally.count(Rare::CallerGoneInRing);
                    }
                    caller.is_gone = true;
                }
            }
            "BYE" => self.ended(now, message, &message.from_tag),
            "" => self.leg_responded(now, message, tally),
            _ => {}
        }
    }

    fn invited(&mut self, now: Now, owner: &Owner, message: &Glance, tally: &mut Tally) {
        let is_late = self.is_closing;
        let is_new = self.invites.insert((message.call_id.clone(), message.cseq, message.branch.clone()));
        if !is_new {
            tally.count(Rare::RetransmittedInvite);
            // What was refused without a trace is judged again when it comes again.
            let caller = self.callers.get_mut(&message.call_id).filter(|caller| caller.cseq == message.cseq);
            if let Some(caller) =
                caller.filter(|caller| caller.refused_as_request.is_some() && !caller.is_decided())
            {
                (caller.began, caller.is_late, caller.is_judged_again) = (now, is_late, true);
            }
            return;
        }
        if !message.is_initial() {
            return;
        }
        self.set_aside(message);
        let session = session_in(message);
        self.sessions.insert(session.clone(), message.call_id.clone());
        let caller = self
            .callers
            .entry(message.call_id.clone())
            .or_insert_with(|| CallerSide::new(owner.clone(), session, now));
        if message.cseq > caller.cseq && !caller.is_decided() {
            (caller.cseq, caller.began, caller.is_late) = (message.cseq, now, is_late);
            caller.refused_as_request = None;
        }
    }

    /// A copy of an INVITE came late, was taken up where the first had been challenged, and its call is over: the INVITE with
    /// credentials is a call of its own.
    fn set_aside(&mut self, again: &Glance) {
        let id = &again.call_id;
        let is_of_copy =
            |caller: &CallerSide| caller.is_judged_again && caller.over.is_some() && caller.cseq < again.cseq;
        if !self.callers.get(id).is_some_and(is_of_copy) {
            return;
        }
        let Some(caller) = self.callers.remove(id) else { return };
        let aside = format!("{id} {}", caller.cseq);
        for leg in self.legs.values_mut().filter(|leg| leg.call == *id) {
            leg.call.clone_from(&aside);
        }
        if let Some(status) = self.finals.remove(&(id.clone(), caller.cseq)) {
            self.finals.insert((aside.clone(), caller.cseq), status);
        }
        self.callers.insert(aside, caller);
    }

    fn leg_responded(&mut self, now: Now, message: &Glance, tally: &mut Tally) {
        if message.method == "INVITE" && message.status == 491 {
            tally.count(Rare::Glare);
        }
        let Some(leg) = self.legs.get_mut(&message.call_id) else { return };
        if message.method != "INVITE" || message.cseq != leg.cseq {
            return;
        }
        leg.is_lost |= leg.dropped_at.is_some_and(|at| now.mono >= at);
        self.step.touched.insert(leg.call.clone());
        match message.status {
            100..=199 => {
                if leg.cancelled.is_none() {
                    leg.dropped_at = None;
                }
                leg.is_proceeding = true;
                leg.rings |= message.status > 100;
            }
            200..=299 if !leg.answers.contains_key(&message.to_tag) => {
                let caller = self.callers.get(&leg.call);
                let is_answered = caller.is_some_and(|caller| caller.answered.is_some());
                if leg.cancelled.is_some() {
                    tally.count(Rare::CancelCrossesAnswer);
                }
                if leg.cancelled == Some(false) && caller.is_some_and(|caller| !caller.is_gone) {
                    tally.count(Rare::AnswerAfterTimeout);
                }
                if is_answered || !leg.answers.is_empty() {
                    tally.count(Rare::SecondAnswer);
                }
                leg.answers.insert(message.to_tag.clone(), Answer::default());
                self.step.answering = Some((message.call_id.clone(), message.to_tag.clone()));
            }
            300.. => leg.refused = Some(message.status),
            0..=299 => {}
        }
    }

    /// A BYE in either direction; `tag` is the tag of the switch's peer.
    fn ended(&mut self, now: Now, message: &Glance, tag: &str) {
        if let Some(caller) = self.callers.get_mut(&message.call_id) {
            caller.over = caller.over.or(Some(now));
            self.step.touched.insert(message.call_id.clone());
        }
        let Some(leg) = self.legs.get_mut(&message.call_id) else { return };
        self.step.touched.insert(leg.call.clone());
        if let Some(answer) = leg.answers.get_mut(tag) {
            answer.is_over = true;
        }
        if let Some(caller) = self.callers.get_mut(&leg.call)
            && caller.is_winner(&message.call_id, tag)
        {
            caller.over = caller.over.or(Some(now));
        }
    }

    /// The switch sends a message.
    pub(super) fn sent(&mut self, now: Now, sent: &Sent<'_>, found: &mut Found, tally: &mut Tally) {
        let Sent { owner, message, size, .. } = *sent;
        if self.dead.contains(&message.call_id) {
            return;
        }
        self.note_session(message);
        match message.request.as_str() {
            "INVITE" if message.is_initial() => self.leg_begins(now, sent, found),
            "CANCEL" => {
                let is_told = message.reason_text() == Some(ELSEWHERE);
                if let Some(leg) = self
                    .legs
                    .get_mut(&message.call_id)
                    .filter(|leg| leg.cancelled.is_none() && leg.cseq == message.cseq)
                {
                    leg.cancelled = Some(is_told);
                    leg.dropped_at = Some(now.mono + DROPPED_AFTER);
                    self.step.touched.insert(leg.call.clone());
                    self.step.ended.push(Ended { leg: message.call_id.clone(), tag: None, is_told });
                }
            }
            "ACK" => {
                let leg = self.legs.get_mut(&message.call_id).filter(|leg| leg.cseq == message.cseq);
                if let Some(answer) = leg.and_then(|leg| leg.answers.get_mut(&message.to_tag)) {
                    answer.is_acknowledged = true;
                }
            }
            "BYE" => {
                let is_told = message.reason_text() == Some(ELSEWHERE);
                let answer = self.legs.get(&message.call_id).and_then(|leg| leg.answers.get(&message.to_tag));
                // The same BYE again tells nobody anything.
                if answer.is_some_and(|answer| !answer.is_over) {
                    self.step.ended.push(Ended {
                        leg: message.call_id.clone(),
                        tag: Some(message.to_tag.clone()),
                        is_told,
                    });
                }
                self.ended(now, message, &message.to_tag);
            }
            "" if message.method == "INVITE" => self.responded(now, message, found, tally),
            _ => {}
        }
        if let Some(asked) =
            self.step.asked.as_mut().filter(|asked| asked.by == *owner && matches!(message.status, 401 | 407))
        {
            asked.refusals += 1;
            asked.refused_with += size;
        }
    }

    fn note_session(&mut self, message: &Glance) {
        let of_leg = self.legs.get(&message.call_id).map(|leg| leg.session.clone());
        let of_caller = self.callers.get(&message.call_id).map(|caller| caller.session.clone());
        self.step.sessions.extend(of_leg.or(of_caller));
    }

    fn leg_begins(&mut self, now: Now, sent: &Sent<'_>, found: &mut Found) {
        let Sent { owner, flow, message, .. } = *sent;
        if self.legs.contains_key(&message.call_id) {
            return;
        }
        let session = session_in(message);
        let Some((call, caller)) =
            self.sessions.get(&session).and_then(|call| Some((call, self.callers.get(call)?)))
        else {
            found.add(
                now,
                Invariant::LegsEndWithTheirCall,
                format!("{} is rung for no call: session `{session}`", owner.device),
            );
            return;
        };
        if caller.is_decided() {
            found.add(
                now,
                Invariant::LegsEndWithTheirCall,
                format!("{} is rung for a call that is over", owner.device),
            );
        }
        if caller.owner.tenant != owner.tenant {
            found.add(
                now,
                Invariant::TenantsAreApart,
                format!("{} of {} is rung for a call of {}", owner.device, owner.tenant, caller.owner.tenant),
            );
        }
        self.step.touched.insert(call.clone());
        self.step.sessions.insert(session.clone());
        let mut leg = LegSide::new(call.clone(), session, owner.device.clone(), flow, message.cseq);
        leg.dropped_at = Some(now.mono + DROPPED_AFTER);
        self.legs.insert(message.call_id.clone(), leg);
    }

    fn responded(&mut self, now: Now, message: &Glance, found: &mut Found, tally: &mut Tally) {
        if message.status < 200 {
            return;
        }
        if message.status == 491 {
            tally.count(Rare::Glare);
        }
        let this = (message.status, message.to_tag.clone());
        let first =
            self.finals.entry((message.call_id.clone(), message.cseq)).or_insert_with(|| this.clone());
        if first.0 == 401 {
            // A challenge is made without state; when the INVITE comes again it is judged anew.
            *first = this;
        } else if *first != this {
            found.add(
                now,
                Invariant::OneFinalResponse,
                format!("INVITE {} of {} got {} and then {}", message.cseq, message.call_id, first.0, this.0),
            );
        }
        let Some(caller) = self.callers.get_mut(&message.call_id) else { return };
        if caller.is_decided() || caller.cseq != message.cseq {
            return;
        }
        match message.status {
            200..=299 => {
                caller.answered = Some(now);
                caller.winner.clone_from(&self.step.answering);
            }
            status if is_no_call(message) || (status == 503 && caller.is_late) => {
                caller.refused_as_request = Some(status);
            }
            _ => caller.over = Some(now),
        }
        caller.status = message.status;
        self.step.touched.insert(message.call_id.clone());
    }

    /// Looks at every call that something happened to.
    pub(super) fn end_step(&mut self, now: Now, found: &mut Found) {
        if let Some(asked) = &self.step.asked {
            let bound = (asked.size * 3 / 2).max(asked.size + 300);
            if asked.refusals > 1 || asked.refused_with > bound {
                found.add(
                    now,
                    Invariant::StrangersGetNoMore,
                    format!(
                        "{} challenges of {} bytes for {} bytes",
                        asked.refusals, asked.refused_with, asked.size
                    ),
                );
            }
        }
        for ended in &self.step.ended {
            self.check_told(now, ended, found);
        }
        for call in &self.step.touched {
            self.check_legs(now, call, found);
        }
    }

    fn check_told(&self, now: Now, ended: &Ended, found: &mut Found) {
        let Some(leg) = self.legs.get(&ended.leg) else { return };
        let Some(caller) = self.callers.get(&leg.call) else { return };
        let is_winner = ended.tag.as_ref().is_some_and(|tag| caller.is_winner(&ended.leg, tag));
        // Who answers after a CANCEL hears what that said (TELEPHONY T7).
        let said_before = if ended.tag.is_some() { leg.cancelled } else { None };
        let wants_told = said_before.unwrap_or(caller.answered.is_some() && !is_winner);
        let is_kept_unmissed = ended.is_told && self.keeps_unmissed;
        if ended.is_told != wants_told && !is_kept_unmissed {
            let was = if ended.is_told {
                "was told of another's answer and there was none"
            } else {
                "was not told that another answered"
            };
            found.add(now, Invariant::LosersAreToldWhy, format!("{} {was}", leg.device));
        }
    }

    fn check_legs(&self, now: Now, call: &str, found: &mut Found) {
        let Some(caller) = self.callers.get(call) else { return };
        for (id, leg) in self.legs.iter().filter(|(_, leg)| leg.call == call && !leg.is_lost) {
            for (tag, answer) in &leg.answers {
                let may_live = caller.is_winner(id, tag) && caller.over.is_none();
                let is_ended = answer.is_acknowledged && answer.is_over;
                if !may_live && !is_ended {
                    let what = format!(
                        "{} answered, is not wanted, and was {}acknowledged and {}ended",
                        leg.device,
                        not(answer.is_acknowledged),
                        not(answer.is_over)
                    );
                    found.add(now, Invariant::LegsEndWithTheirCall, what);
                }
            }
            if caller.is_decided() && leg.is_open() {
                found.add(
                    now,
                    Invariant::LegsEndWithTheirCall,
                    format!("{} still rings for a call that is decided", leg.device),
                );
            }
        }
    }

    /// When everything has settled.
    pub(super) fn at_rest(&self, now: Now, found: &mut Found) {
        for (id, caller) in &self.callers {
            if !self.finals.contains_key(&(id.clone(), caller.cseq)) {
                found.add(
                    now,
                    Invariant::OneFinalResponse,
                    format!("INVITE {} of {} from {} got none", caller.cseq, id, caller.owner.device),
                );
            }
            if caller.answered.is_some() && caller.over.is_none() {
                found.add(
                    now,
                    Invariant::NothingIsLeft,
                    format!("the call of {} was answered and never ended", caller.owner.device),
                );
            }
        }
    }
}

fn session_in(message: &Glance) -> String {
    let value = message.header("Session-ID").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

fn not(is: bool) -> &'static str {
    if is { "" } else { "not " }
}
