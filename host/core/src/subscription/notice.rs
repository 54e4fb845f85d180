//! NOTIFY: what a subscription owes its phone, how it is told, and what comes of it (RFC 6665 §4.2.2).

use std::time::Duration;

use callwright_sip::{Message, Method, Name, Text};

use super::{ALLOW_EVENTS, SubscriptionKey, Subscriptions, package};
use crate::switchboard::{Asker, Switchboard};

/// When a NOTIFY for which there was no place is tried again.
const FULL_AGAIN: Duration = Duration::from_secs(5);
/// How long a phone may put off a NOTIFY.
const AGAIN_MAX: Duration = Duration::from_secs(300);
/// How soon phones may come back after the switch has ended, at the soonest and beyond that.
const BACK_AFTER_S: (u64, u64) = (30, 60);

/// What a phone has still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owed {
    /// Nothing.
    Nothing,
    /// What is other than it was told.
    Changes,
    /// All there is to know: it has asked (RFC 6665 §4.2.1.2).
    Everything,
}

/// How a subscription ends: what Subscription-State says (RFC 6665 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    state: String,
    /// The last NOTIFY has been sent.
    is_told: bool,
}

impl Ending {
    fn new(state: &str) -> Self {
        Self { state: format!("terminated;{state}"), is_told: false }
    }

    /// The phone wants no more, or never wanted more than this once.
    pub(super) fn asked_for() -> Self {
        Self::new("reason=timeout")
    }

    /// It was not refreshed.
    pub(super) fn timed_out() -> Self {
        Self::new("reason=timeout")
    }

    /// There is no such device any more.
    pub(super) fn no_resource() -> Self {
        Self::new("reason=noresource")
    }

    /// Come back later, each at another moment.
    pub(super) fn shutting_down(number: u64) -> Self {
        let (soonest, beyond) = BACK_AFTER_S;
        Self::new(&format!("reason=probation;retry-after={}", soonest + number % beyond))
    }
}

impl Subscriptions {
    /// A phone is to be told more.
    pub(super) fn owe(&mut self, board: &mut Switchboard, key: SubscriptionKey, owed: Owed) {
        let Some(known) = self.all.get_mut(&key) else { return };
        known.owed = known.owed.max(owed);
        self.notify(board, key);
    }

    /// A subscription ends with a last NOTIFY.
    pub(super) fn end(&mut self, board: &mut Switchboard, key: SubscriptionKey, ending: Ending) {
        let Some(known) = self.all.get_mut(&key) else { return };
        if known.ending.is_none() {
            known.ending = Some(ending);
            known.again_at = None;
        }
        self.notify(board, key);
    }

    /// Sends what is owed, unless the phone has still to answer what came before.
    pub(super) fn notify(&mut self, board: &mut Switchboard, key: SubscriptionKey) {
        self.send(board, key);
        self.note(key);
    }

    fn send(&mut self, board: &mut Switchboard, key: SubscriptionKey) {
        let Some(known) = self.all.get_mut(&key) else { return };
        let waits_for_its_own = known.asks > 0 && known.ending.is_none();
        if known.is_notifying || waits_for_its_own || known.again_at.is_some_and(|at| board.now.mono < at) {
            return;
        }
        let (tenant, device) = &known.owner;
        let tenant = board.tenant(tenant);
        let state = tenant.and_then(|tenant| known.package.state(&board.picture, &tenant, device));
        let documents = match (&state, known.owed) {
            (None, _) | (_, Owed::Nothing) => Vec::new(),
            (Some(state), Owed::Changes) => state.documents(device, known.told.as_ref()),
            (Some(state), Owed::Everything) => state.documents(device, None),
        };
        if documents.is_empty() && known.ending.is_none() {
            known.owed = Owed::Nothing;
            return;
        }
        let left = known.until.saturating_sub(board.now.mono).as_secs();
        let standing =
            known.ending.as_ref().map_or_else(|| format!("active;expires={left}"), |end| end.state.clone());
        let mut notify = known
            .dialog
            .request(Method::Notify)
            .with(Name::Contact, board.contact(&known.flow))
            .with(Name::Event, &known.event)
            .with(Name::SubscriptionState, standing)
            .with(Name::AllowEvents, Text::from_static(ALLOW_EVENTS));
        if let Some((kind, body)) = package::body(known.package, &documents) {
            notify = notify.with_body(kind, body);
        }
        match board.sip.request(board.now.mono, known.flow, notify) {
            Ok(tx) => {
                board.clients.insert(tx, Asker::Subscription(key));
                known.is_notifying = true;
                known.told = state;
                known.owed = Owed::Nothing;
                if let Some(ending) = &mut known.ending {
                    ending.is_told = true;
                }
            }
            Err(_full) => known.again_at = Some(board.now.mono + FULL_AGAIN),
        }
    }

    /// A phone has answered a NOTIFY. Whatever is no 2xx ends the subscription, unless it says when to try again.
    pub(crate) fn answered(&mut self, board: &mut Switchboard, key: SubscriptionKey, response: &Message) {
        let Some(known) = self.all.get_mut(&key) else { return };
        known.is_notifying = false;
        let is_over = known.ending.as_ref().is_some_and(|ending| ending.is_told);
        let is_taken = response.status().is_some_and(|status| (200..300).contains(&status));
        let again = retry_after(response).filter(|_| !is_taken);
        match again {
            _ if is_over => self.remove(board, key),
            Some(again) => {
                known.again_at = Some(board.now.mono + again.min(AGAIN_MAX));
                known.owed = Owed::Everything;
                self.note(key);
            }
            None if is_taken => self.notify(board, key),
            None => self.remove(board, key),
        }
    }

    /// A NOTIFY was not answered at all: nobody is there (RFC 6665 §4.2.2).
    pub(crate) fn unanswered(&mut self, board: &mut Switchboard, key: SubscriptionKey) {
        self.remove(board, key);
    }
}

/// Retry-After in seconds; a comment and parameters mean nothing here (RFC 3261 §20.33).
fn retry_after(response: &Message) -> Option<Duration> {
    let value = response.headers.get(&Name::RetryAfter)?.lossy().into_owned();
    let seconds = value.split([';', '(', ' ']).next()?;
    seconds.parse().ok().map(Duration::from_secs)
}
