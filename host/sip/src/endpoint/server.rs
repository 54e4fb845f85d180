//! Server transactions: what we were asked and have accepted (RFC 3261 §17.2, RFC 6026 §7.1).

use super::essentials::Essentials;
use super::room::give_back;
use super::stateless::reply_flow;
use super::timer::{Owner, Timer};
use super::{Context, Event, Full, ServerTx};
use crate::flow::Flow;
use crate::message::Message;
use crate::method::Method;
use crate::text::Text;
use bytes::Bytes;
use keys::{AckKey, Key, MergeKey};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

mod keys;

/// What a request turned out to be.
pub(super) enum Absorbed {
    /// A retransmission, or an ACK: done with.
    Known,
    /// The request of a transaction came by another path as well.
    Merged,
    /// A CANCEL, with the INVITE it takes back where there is one.
    Cancel(Option<ServerTx>),
    /// Nobody has seen it before.
    New,
}

/// Every server transaction.
#[derive(Default, Debug)]
pub(super) struct Servers {
    next: u64,
    table: BTreeMap<ServerTx, Box<Server>>,
    // Never iterated. A tree of texts costs a dozen of them a look, each somewhere else in memory.
    by_key: HashMap<Key, ServerTx>,
    by_merge: HashMap<MergeKey, ServerTx>,
    by_ack: HashMap<AckKey, ServerTx>,
    /// Requests that were answered over datagrams, and INVITEs whose 2xx has its ACK, the oldest first.
    answered: VecDeque<ServerTx>,
    /// Of the request that was reported last, which its user accepts next or not at all.
    fresh: Option<Essentials>,
}

#[derive(Debug)]
struct Server {
    /// Where responses go.
    flow: Flow,
    key: Key,
    merge: Option<MergeKey>,
    /// Our tag, once a response has carried it.
    to_tag: Option<Text>,
    cancelled: bool,
    state: State,
}

/// The states of RFC 3261 figures 7 and 8, with Accepted of RFC 6026 §7.1.
#[derive(Debug)]
enum State {
    /// An INVITE to which nothing was said yet; the 100 goes out when it comes again or time is up.
    InviteSilent { trying: Bytes },
    /// An INVITE without final response; `last` is sent again when the request is.
    InviteProceeding { last: Bytes },
    /// An INVITE we refused: the refusal goes out until its ACK comes.
    InviteCompleted { response: Bytes, interval: Duration },
    /// The ACK to the refusal came; its repetitions vanish.
    InviteConfirmed,
    /// An INVITE we accepted; its repetitions vanish, our 2xx goes out until its ACK comes.
    InviteAccepted { response: Bytes, interval: Duration, ack: AckKey, acknowledged: bool },
    /// Another request without any response.
    Trying,
    /// Another request with a provisional one.
    Proceeding { last: Bytes },
    /// Another request with its final one.
    Completed { response: Bytes },
}

impl Servers {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Finds out what a request is, and handles it where it belongs to a transaction.
    pub(super) fn absorb(
        &mut self,
        context: &mut Context,
        now: Duration,
        request: &Message,
        essentials: &Essentials,
    ) -> Absorbed {
        let key = Key::of(request, essentials);
        let found = self.by_key.get(&key).copied();
        match request.method() {
            Some(Method::Ack) => {
                self.acknowledged(context, now, found, request, essentials);
                Absorbed::Known
            }
            Some(Method::Cancel) => Absorbed::Cancel(found),
            Some(_) | None => match found {
                Some(tx) => {
                    self.repeated(context, tx);
                    Absorbed::Known
                }
                None if MergeKey::of(essentials).is_some_and(|merge| self.by_merge.contains_key(&merge)) => {
                    Absorbed::Merged
                }
                None => {
                    self.fresh = Some(essentials.clone());
                    Absorbed::New
                }
            },
        }
    }

    pub(super) fn accept(
        &mut self,
        context: &mut Context,
        now: Duration,
        flow: Flow,
        request: &Message,
    ) -> Result<ServerTx, Full> {
        let fresh = self.fresh.take().filter(|fresh| fresh.are_of(request));
        let essentials = fresh.unwrap_or_else(|| Essentials::of_any(request));
        let key = Key::of(request, &essentials);
        if let Some(tx) = self.by_key.get(&key) {
            return Ok(*tx);
        }
        let key = key.detached();
        if self.table.len() >= context.settings.transactions_max && !self.forget_oldest(context) {
            return Err(Full);
        }
        self.next += 1;
        let tx = ServerTx(self.next);
        let flow = reply_flow(flow, Some(&essentials.via));
        let state = if request.method() == Some(&Method::Invite) {
            context.timers.set(Owner::Server(tx), Timer::Trying, now + context.settings.trying_after);
            State::InviteSilent { trying: Message::reply(request, 100).to_bytes() }
        } else {
            State::Trying
        };
        let merge = MergeKey::of(&essentials).map(|merge| merge.detached());
        if let Some(merge) = &merge {
            self.by_merge.insert(merge.clone(), tx);
        }
        self.by_key.insert(key.clone(), tx);
        let server = Server { flow, key, merge, to_tag: None, cancelled: false, state };
        self.table.insert(tx, Box::new(server));
        Ok(tx)
    }

    pub(super) fn respond(&mut self, context: &mut Context, now: Duration, tx: ServerTx, response: &Message) {
        let (Some(server), Some(status)) = (self.table.get_mut(&tx), response.status()) else { return };
        if !server.state.awaits_response() {
            tracing::debug!(%tx, status, "response after the final one is dropped");
            return;
        }
        if status > 100 {
            server.to_tag = response.tag_of_to().map(|tag| tag.detached());
        }
        let bytes = response.to_bytes();
        context.out.send(server.flow, bytes.clone());
        if matches!(server.state, State::InviteSilent { .. }) {
            context.timers.cancel(Owner::Server(tx), Timer::Trying);
        }
        if status < 200 {
            server.state.provisional(bytes);
            return;
        }
        tracing::debug!(%tx, status, "request has its final response");
        let owner = Owner::Server(tx);
        let (t1, patience, reliable) =
            (context.settings.t1, context.settings.patience(), server.flow.transport.reliable());
        if !server.state.is_invite() {
            server.state = State::Completed { response: bytes };
            if reliable {
                self.remove(context, tx);
            } else {
                self.answered.push_back(tx);
                context.timers.set_about(owner, Timer::J, now + patience);
            }
        } else if status < 300 {
            let ack = AckKey::of_response(response).detached();
            self.by_ack.insert(ack.clone(), tx);
            // Sent again on streams too, for a hop further on may be a datagram (RFC 3261 §13.3.1.4).
            server.state = State::InviteAccepted { response: bytes, interval: t1, ack, acknowledged: false };
            context.timers.set(owner, Timer::AnswerResend, now + t1);
            context.timers.set_about(owner, Timer::L, now + patience);
        } else {
            server.state = State::InviteCompleted { response: bytes, interval: t1 };
            context.timers.set(owner, Timer::H, now + patience);
            if !reliable {
                context.timers.set(owner, Timer::G, now + t1);
            }
        }
    }

    /// Our tag in the responses to a request.
    pub(super) fn to_tag(&self, tx: ServerTx) -> Option<Text> {
        self.table.get(&tx)?.to_tag.clone()
    }

    /// Marks an INVITE without final response as cancelled; true the first time.
    pub(super) fn take_cancel(&mut self, tx: ServerTx) -> bool {
        let Some(server) = self.table.get_mut(&tx) else { return false };
        let first = server.state.is_invite() && server.state.awaits_response() && !server.cancelled;
        server.cancelled |= first;
        first
    }

    pub(super) fn fire(&mut self, context: &mut Context, now: Duration, tx: ServerTx, timer: Timer) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        let t2 = context.settings.t2;
        let unheard = match &mut server.state {
            State::InviteSilent { .. } if timer == Timer::Trying => return server.say_trying(context),
            State::InviteCompleted { response, interval } if timer == Timer::G => {
                context.out.send(server.flow, response.clone());
                *interval = (*interval * 2).min(t2);
                context.timers.set(Owner::Server(tx), Timer::G, now + *interval);
                return;
            }
            State::InviteAccepted { response, interval, .. } if timer == Timer::AnswerResend => {
                context.out.send(server.flow, response.clone());
                *interval = (*interval * 2).min(t2);
                context.timers.set(Owner::Server(tx), Timer::AnswerResend, now + *interval);
                return;
            }
            State::InviteAccepted { acknowledged, .. } => !*acknowledged,
            State::InviteSilent { .. }
            | State::InviteProceeding { .. }
            | State::InviteCompleted { .. }
            | State::InviteConfirmed
            | State::Trying
            | State::Proceeding { .. }
            | State::Completed { .. } => false,
        };
        self.remove(context, tx);
        if unheard {
            context.out.report(Event::NeverAcknowledged { tx });
        }
    }

    /// The request of a transaction came again.
    fn repeated(&mut self, context: &mut Context, tx: ServerTx) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        match &server.state {
            State::InviteSilent { .. } => {
                context.timers.cancel(Owner::Server(tx), Timer::Trying);
                server.say_trying(context);
            }
            State::InviteProceeding { last } | State::Proceeding { last } => {
                context.out.send(server.flow, last.clone());
            }
            State::InviteCompleted { response, .. } | State::Completed { response } => {
                context.out.send(server.flow, response.clone());
            }
            State::InviteConfirmed | State::InviteAccepted { .. } | State::Trying => {}
        }
    }

    /// An ACK: of a refusal by branch, of a 2xx by the dialog (RFC 3261 §17.2.3, §13.3.1.4); others vanish.
    fn acknowledged(
        &mut self,
        context: &mut Context,
        now: Duration,
        by_branch: Option<ServerTx>,
        ack: &Message,
        essentials: &Essentials,
    ) {
        let by_dialog = self.by_ack.get(&AckKey::of_request(essentials)).copied();
        let Some(tx) = by_branch.or(by_dialog) else { return };
        let Some(server) = self.table.get_mut(&tx) else { return };
        let owner = Owner::Server(tx);
        match &mut server.state {
            State::InviteCompleted { .. } => {
                server.state = State::InviteConfirmed;
                context.timers.cancel_all(owner);
                if server.flow.transport.reliable() {
                    self.remove(context, tx);
                } else {
                    context.timers.set_about(owner, Timer::I, now + context.settings.t4);
                }
            }
            // An INVITE of a broken phone may share its branch with the ACK of its 2xx: the dialog decides alone.
            State::InviteAccepted { response, acknowledged, .. }
                if by_dialog == Some(tx) && !*acknowledged =>
            {
                *acknowledged = true;
                *response = Bytes::new();
                context.timers.cancel(owner, Timer::AnswerResend);
                self.answered.push_back(tx);
                context.out.report(Event::Acknowledged { tx, message: ack.clone() });
            }
            State::InviteAccepted { .. }
            | State::InviteConfirmed
            | State::InviteSilent { .. }
            | State::InviteProceeding { .. }
            | State::Trying
            | State::Proceeding { .. }
            | State::Completed { .. } => {}
        }
    }

    /// Makes room by forgetting the oldest answer that is only kept for repetitions of its request, if there is one.
    ///
    /// deviation: RFC 3261 §17.2.2 and RFC 6026 §7.1 keep it for 64·T1, because hardly anybody asks again after the first
    /// seconds, and a hundred thousand phones that come back after a power cut, or the calls of a busy half minute, must not
    /// leave the next call without a place.
    fn forget_oldest(&mut self, context: &mut Context) -> bool {
        let Some(oldest) = self.answered.front().copied() else { return false };
        self.remove(context, oldest);
        true
    }

    fn remove(&mut self, context: &mut Context, tx: ServerTx) {
        context.timers.cancel_all(Owner::Server(tx));
        let Some(server) = self.table.remove(&tx) else { return };
        while self.answered.front().is_some_and(|oldest| !self.table.contains_key(oldest)) {
            self.answered.pop_front();
        }
        give_back(&mut self.by_key);
        give_back(&mut self.by_merge);
        self.by_key.remove(&server.key);
        if let Some(merge) = server.merge
            && self.by_merge.get(&merge) == Some(&tx)
        {
            self.by_merge.remove(&merge);
        }
        if let State::InviteAccepted { ack, .. } = server.state {
            self.by_ack.remove(&ack);
            give_back(&mut self.by_ack);
        }
    }
}

impl Server {
    /// Says 100 to an INVITE to which nothing was said yet.
    fn say_trying(&mut self, context: &mut Context) {
        if let State::InviteSilent { trying } = &mut self.state {
            let last = std::mem::take(trying);
            context.out.send(self.flow, last.clone());
            self.state = State::InviteProceeding { last };
        }
    }
}

impl State {
    fn is_invite(&self) -> bool {
        match self {
            Self::InviteSilent { .. }
            | Self::InviteProceeding { .. }
            | Self::InviteCompleted { .. }
            | Self::InviteConfirmed
            | Self::InviteAccepted { .. } => true,
            Self::Trying | Self::Proceeding { .. } | Self::Completed { .. } => false,
        }
    }

    fn awaits_response(&self) -> bool {
        match self {
            Self::InviteSilent { .. }
            | Self::InviteProceeding { .. }
            | Self::Trying
            | Self::Proceeding { .. } => true,
            Self::InviteCompleted { .. }
            | Self::InviteConfirmed
            | Self::InviteAccepted { .. }
            | Self::Completed { .. } => false,
        }
    }

    /// Keeps the newest provisional response for repetitions of the request.
    fn provisional(&mut self, last: Bytes) {
        *self = if self.is_invite() { Self::InviteProceeding { last } } else { Self::Proceeding { last } };
    }
}
