//! Who is told of what changes: the notifier of SIP event packages (RFC 6665).
//!
//! Owns subscriptions from their SUBSCRIBE to their last NOTIFY, and their bounds. Refuses to know what a package tells
//! ([`package`]). Nothing of it is stored: after a restart a phone's refresh meets 481 and it subscribes anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callwright_sip::{Dialog, DialogKey, Flow, Message, Method, Name, ServerTx, Text, Transport};
use jiff::{SignedDuration, Timestamp};

use crate::auth::authenticate;
use crate::config::Tenant;
use crate::names::{Extension, TenantId, UserId};
use crate::spans;
use crate::switchboard::{SERVER, Switchboard};
use crate::time::{Deadline, Timer};
use crate::view::{DeviceKey, SubscriptionView};

mod change;
mod document;
mod features;
mod notice;
mod package;
mod request;
#[cfg(test)]
mod tests;

use change::Changes;
use notice::{Ending, Owed};
pub(crate) use package::ALLOW_EVENTS;
use package::{Package, State};
use request::{Asked, Refusal};

/// Subscriptions of one device at once; a ninth is refused with 403. It is as many as it may have phones.
const A_DEVICE_MAX: usize = 8;
/// Subscriptions of one tenant at once; beyond it 503, so that no tenant takes the places of all others.
const A_TENANT_MAX: usize = 20_000;
/// Subscriptions of one node at once; beyond it 503.
const A_NODE_MAX: usize = 50_000;

/// The number of a subscription within its node; also their order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubscriptionKey(u64);

/// How many there may be at once.
struct Limits {
    device: usize,
    tenant: usize,
    node: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { device: A_DEVICE_MAX, tenant: A_TENANT_MAX, node: A_NODE_MAX }
    }
}

/// All subscriptions of a node.
#[derive(Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<SubscriptionKey, Subscription>,
    dialogs: BTreeMap<DialogKey, SubscriptionKey>,
    devices: BTreeMap<DeviceKey, BTreeSet<SubscriptionKey>>,
    tenants: BTreeMap<TenantId, usize>,
    streams: BTreeSet<(Flow, SubscriptionKey)>,
    due: BTreeSet<(Duration, SubscriptionKey)>,
    changes: Changes,
    begun: u64,
    limits: Limits,
}

/// One subscription: our side of its dialog.
struct Subscription {
    owner: DeviceKey,
    package: Package,
    /// The Event header as the phone wrote it, with its `id` (RFC 6665 §8.2.1).
    event: Text,
    dialog: Dialog,
    /// Where the last SUBSCRIBE came from; NOTIFYs go back that way.
    flow: Flow,
    since: Timestamp,
    until: Duration,
    /// What the phone knows; none before the first NOTIFY.
    told: Option<State>,
    /// What it has still to be told.
    owed: Owed,
    /// A NOTIFY is on its way: the next waits for its answer.
    is_notifying: bool,
    /// Changes of its own that are being kept: what comes of them is told after they are answered.
    asks: u32,
    /// When a NOTIFY that could not be sent is tried again.
    again_at: Option<Duration>,
    ending: Option<Ending>,
    /// Under which deadline it is noted.
    noted: Option<Duration>,
}

impl Subscription {
    /// When something happens to it by itself. A last NOTIFY that is on its way has its own timers.
    fn deadline(&self) -> Option<Duration> {
        match (&self.ending, self.is_notifying) {
            (Some(_), _) => self.again_at,
            (None, true) => Some(self.until),
            (None, false) => Some(self.again_at.map_or(self.until, |again| again.min(self.until))),
        }
    }
}

/// What an accepted SUBSCRIBE does, perhaps once a change that it asks for is kept.
enum Effect {
    /// Begins a subscription, or only fetches what there is to know.
    Begins(Box<Subscription>),
    /// Refreshes or ends one.
    Renews(SubscriptionKey),
}

/// A SUBSCRIBE that was accepted as a transaction and not answered yet.
struct Accepted {
    tx: ServerTx,
    flow: Flow,
    request: Message,
    expires_s: u32,
    effect: Effect,
}

impl Subscriptions {
    /// A SUBSCRIBE outside a dialog.
    pub(crate) fn begin(&mut self, board: &mut Switchboard, tenant: &Tenant, flow: Flow, request: &Message) {
        if let Err(refusal) = self.try_begin(board, tenant, flow, request) {
            let response = refusal.response(board, request);
            board.refuse(flow, request, response);
        }
    }

    fn try_begin(
        &mut self,
        board: &mut Switchboard,
        tenant: &Tenant,
        flow: Flow,
        request: &Message,
    ) -> Result<(), Refusal> {
        let (package, event) = request::event(request)?;
        let device = authenticate(board, tenant, flow, request).map_err(Refusal::Challenged)?;
        let asked = request::read(tenant, &device, package, request)?;
        if board.picture.closing {
            return Err(Refusal::Overloaded);
        }
        let owner = (tenant.id.clone(), device);
        let tag = board.sip.mint();
        let dialog = Dialog::of_uas(request, &tag).map_err(|_| Refusal::Malformed("Contact"))?;
        let subscription = Subscription {
            owner,
            package,
            event: event.detached(),
            dialog,
            flow,
            since: board.now.wall,
            until: board.now.mono,
            told: None,
            owed: Owed::Everything,
            is_notifying: false,
            asks: 0,
            again_at: None,
            ending: None,
            noted: None,
        };
        self.place_for(&subscription, asked.expires_s)?;
        self.accept(board, tenant, flow, request, asked, Effect::Begins(Box::new(subscription)))
    }

    /// Whether there is a place for one more, and which it takes the place of: a phone that has lost its memory asks anew,
    /// and what it had before is of no use to it.
    fn place_for(&self, new: &Subscription, expires_s: u32) -> Result<Vec<SubscriptionKey>, Refusal> {
        let of_device = self.devices.get(&new.owner);
        let is_before = |key: &&SubscriptionKey| {
            let before = self.all.get(key).filter(|_| expires_s > 0);
            before.is_some_and(|it| it.package == new.package && it.dialog.target() == new.dialog.target())
        };
        let before: Vec<_> = of_device.into_iter().flatten().filter(is_before).copied().collect();
        let left = |count: usize| count.saturating_sub(before.len());
        let of_tenant = self.tenants.get(&new.owner.0).copied().unwrap_or(0);
        if left(of_device.map_or(0, BTreeSet::len)) >= self.limits.device {
            return Err(Refusal::TooMany);
        }
        if left(of_tenant) >= self.limits.tenant || left(self.all.len()) >= self.limits.node {
            return Err(Refusal::Overloaded);
        }
        Ok(before)
    }

    /// Whether a request is within the dialog of a subscription.
    pub(crate) fn has(&self, dialog: &DialogKey) -> bool {
        self.dialogs.contains_key(dialog)
    }

    /// A request within the dialog of a subscription; nothing but SUBSCRIBE means anything there.
    pub(crate) fn within(
        &mut self,
        board: &mut Switchboard,
        dialog: &DialogKey,
        flow: Flow,
        request: &Message,
    ) {
        if let Err(refusal) = self.try_within(board, dialog, flow, request) {
            let response = refusal.response(board, request);
            board.refuse_for_good(flow, request, response);
        }
    }

    fn try_within(
        &mut self,
        board: &mut Switchboard,
        dialog: &DialogKey,
        flow: Flow,
        request: &Message,
    ) -> Result<(), Refusal> {
        let key = self.dialogs.get(dialog).copied().ok_or(Refusal::NoSuchSubscription)?;
        let known = self.all.get(&key).filter(|known| known.ending.is_none());
        let (owner, package, event) = known
            .map(|known| (known.owner.clone(), known.package, known.event.clone()))
            .ok_or(Refusal::NoSuchSubscription)?;
        let tenant = board.tenant(&owner.0).ok_or(Refusal::NoSuchSubscription)?;
        if request.method() != Some(&Method::Subscribe) {
            return Err(Refusal::NoSuchSubscription);
        }
        let asked_for = request::event(request)?;
        // One dialog, one subscription (RFC 6665 §4.5.2 lets us).
        if asked_for.0 != package || !request::same_event(&asked_for.1, &event) {
            return Err(Refusal::NoSuchSubscription);
        }
        let device = authenticate(board, &tenant, flow, request).map_err(Refusal::Challenged)?;
        if device != owner.1 {
            return Err(Refusal::NotItsOwn);
        }
        let Some(known) = self.all.get_mut(&key) else { return Err(Refusal::NoSuchSubscription) };
        known.dialog.received(request).map_err(|_| Refusal::OutOfOrder)?;
        let asked = request::refresh(package, request)?;
        let refused = self.accept(board, &tenant, flow, request, asked, Effect::Renews(key));
        if refused.is_err() {
            // It shows what it asked for already: it is told what holds.
            self.owe(board, key, Owed::Everything);
        }
        refused
    }

    /// Takes a SUBSCRIBE that nothing speaks against, and answers it at once or when its change is kept.
    fn accept(
        &mut self,
        board: &mut Switchboard,
        tenant: &Tenant,
        flow: Flow,
        request: &Message,
        asked: Asked,
        effect: Effect,
    ) -> Result<(), Refusal> {
        let Asked { expires_s, wanted } = asked;
        let owner = match &effect {
            Effect::Begins(subscription) => subscription.owner.clone(),
            Effect::Renews(key) => {
                self.all.get(key).map(|known| known.owner.clone()).ok_or(Refusal::NoSuchSubscription)?
            }
        };
        let wanted = match wanted {
            Some(wanted) => self.changes.is_any(board, tenant, &owner, wanted)?,
            None => None,
        };
        let tx = board.sip.accept(board.now.mono, flow, request).map_err(|_| Refusal::Overloaded)?;
        let accepted = Accepted { tx, flow, request: request.clone(), expires_s, effect };
        match wanted {
            Some(wanted) => {
                self.asks(&accepted, |asks| asks + 1);
                self.change(board, &owner, wanted, accepted);
            }
            None => self.grant(board, accepted),
        }
        Ok(())
    }

    /// Notes how many changes the subscription of a SUBSCRIBE waits for.
    fn asks(&mut self, accepted: &Accepted, count: impl FnOnce(u32) -> u32) {
        if let Effect::Renews(key) = &accepted.effect
            && let Some(known) = self.all.get_mut(key)
        {
            known.asks = count(known.asks);
        }
    }

    /// Answers 200, and then tells what there is to tell (RFC 6665 §4.2.1.2).
    fn grant(&mut self, board: &mut Switchboard, accepted: Accepted) {
        let Accepted { tx, flow, request, expires_s, effect } = accepted;
        let key = match effect {
            Effect::Begins(subscription) => {
                match self.place_for(&subscription, expires_s) {
                    Ok(before) => before.into_iter().for_each(|key| self.remove(board, key)),
                    Err(refusal) => {
                        let response = refusal.response(board, &request);
                        answer(board, tx, response, subscription.dialog.local_tag());
                        return;
                    }
                }
                self.insert(*subscription)
            }
            Effect::Renews(key) => key,
        };
        let now = board.now.mono;
        let Some(known) = self.all.get_mut(&key).filter(|known| known.ending.is_none()) else {
            let response = Refusal::NoSuchSubscription.response(board, &request);
            board.sip.respond(now, tx, response);
            return;
        };
        let before = (known.flow, key);
        known.flow = flow;
        known.dialog.refresh_target(&request);
        known.until = now + Duration::from_secs(u64::from(expires_s));
        known.owed = Owed::Everything;
        if expires_s == 0 {
            known.ending = Some(Ending::asked_for());
        }
        let tag = known.dialog.local_tag().clone();
        self.streams.remove(&before);
        if flow.transport == Transport::Tcp {
            self.streams.insert((flow, key));
        }
        let response = Message::reply(&request, 200)
            .with(Name::Contact, board.contact(&flow))
            .with(Name::Expires, expires_s.to_string())
            .with(Name::AllowEvents, Text::from_static(ALLOW_EVENTS));
        answer(board, tx, response, &tag);
        self.show(board, key);
        self.notify(board, key);
    }

    fn insert(&mut self, subscription: Subscription) -> SubscriptionKey {
        self.begun += 1;
        let key = SubscriptionKey(self.begun);
        let owner = subscription.owner.clone();
        spans::tenant(&owner.0)
            .in_scope(|| tracing::debug!(aor = %owner.1, peer = %subscription.flow, "subscription began"));
        self.dialogs.insert(subscription.dialog.key(), key);
        *self.tenants.entry(owner.0.clone()).or_default() += 1;
        self.devices.entry(owner).or_default().insert(key);
        self.all.insert(key, subscription);
        key
    }

    /// Forgets a subscription, whatever is on its way to its phone.
    fn remove(&mut self, board: &mut Switchboard, key: SubscriptionKey) {
        let Some(gone) = self.all.remove(&key) else { return };
        let (tenant, device) = &gone.owner;
        spans::tenant(tenant).in_scope(|| tracing::debug!(aor = %device, "subscription ended"));
        self.dialogs.remove(&gone.dialog.key());
        self.streams.remove(&(gone.flow, key));
        if let Some(at) = gone.noted {
            self.due.remove(&(at, key));
        }
        if let Some(count) = self.tenants.get_mut(tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.tenants.remove(tenant);
            }
        }
        if let Some(keys) = self.devices.get_mut(&gone.owner) {
            keys.remove(&key);
            if keys.is_empty() {
                self.devices.remove(&gone.owner);
            }
        }
        board.repaint().subscriptions.remove(&(gone.owner, key.0));
    }

    /// What a user wishes has changed, or may have.
    pub(crate) fn wished(&mut self, board: &mut Switchboard, tenant: &TenantId, user: &UserId) {
        let devices = board.tenant(tenant).and_then(|it| it.users.get(user).map(|user| user.devices.clone()));
        for device in devices.unwrap_or_default() {
            let of_device = self.devices.get(&(tenant.clone(), device)).cloned();
            for key in of_device.into_iter().flatten() {
                self.owe(board, key, Owed::Changes);
            }
        }
    }

    /// The configuration has changed, or that of one tenant: who has a device no more is told no more.
    pub(crate) fn configured(&mut self, board: &mut Switchboard, only: Option<&TenantId>) {
        let is_meant = |tenant: &TenantId| only.is_none_or(|only| only == tenant);
        let first = (only.cloned().unwrap_or_else(|| TenantId::from("")), Extension::from(""));
        let meant = self.devices.range(first..).take_while(|((tenant, _), _)| is_meant(tenant));
        let meant: Vec<_> = meant.map(|(owner, keys)| (owner.clone(), keys.clone())).collect();
        for ((tenant, device), keys) in meant {
            let tenant = board.tenant(&tenant);
            let is_there = tenant.is_some_and(|tenant| tenant.devices.contains_key(&device));
            for key in keys {
                if is_there {
                    self.owe(board, key, Owed::Changes);
                } else {
                    self.end(board, key, Ending::no_resource());
                }
            }
        }
    }

    /// A connection is gone, and with it the way to whoever subscribed on it.
    pub(crate) fn closed(&mut self, board: &mut Switchboard, flow: Flow) {
        let all = (flow, SubscriptionKey(0))..=(flow, SubscriptionKey(u64::MAX));
        let lost: Vec<_> = self.streams.range(all).map(|(_, key)| *key).collect();
        for key in lost {
            self.remove(board, key);
        }
    }

    /// The switch ends: everybody is asked to come back later, spread over a minute.
    pub(crate) fn shut_down(&mut self, board: &mut Switchboard) {
        for key in self.all.keys().copied().collect::<Vec<_>>() {
            self.end(board, key, Ending::shutting_down(key.0));
            self.remove(board, key);
        }
    }

    /// What is due: subscriptions that are over, NOTIFYs that are tried again, changes that the store never answered.
    pub(crate) fn tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).copied() {
            let Some(known) = self.all.get_mut(&key) else { break };
            known.again_at = None;
            if known.ending.is_none() && known.until <= now {
                self.end(board, key, Ending::timed_out());
            } else {
                self.notify(board, key);
            }
        }
        self.changes_tick(board);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let own = self.due.first().map(|(at, _)| Deadline { at: *at, why: Timer::Subscription });
        let store = self.changes.deadline().map(|at| Deadline { at, why: Timer::Store });
        [own, store].into_iter().flatten().min()
    }

    /// Notes when something happens to a subscription by itself.
    fn note(&mut self, key: SubscriptionKey) {
        let Some(known) = self.all.get_mut(&key) else { return };
        let deadline = known.deadline();
        if deadline != known.noted {
            if let Some(at) = std::mem::replace(&mut known.noted, deadline) {
                self.due.remove(&(at, key));
            }
            if let Some(at) = deadline {
                self.due.insert((at, key));
            }
        }
    }

    /// Puts a subscription into the picture.
    fn show(&self, board: &mut Switchboard, key: SubscriptionKey) {
        let Some(known) = self.all.get(&key) else { return };
        let left = SignedDuration::try_from(known.until.saturating_sub(board.now.mono)).unwrap_or_default();
        let shown = SubscriptionView {
            event: known.package.name(),
            flow: known.flow,
            since: known.since,
            expires: board.now.wall.saturating_add(left).unwrap_or(board.now.wall),
        };
        board.repaint().subscriptions.insert((known.owner.clone(), key.0), shown);
    }
}

/// Answers a SUBSCRIBE that was accepted.
fn answer(board: &mut Switchboard, tx: ServerTx, mut response: Message, tag: &Text) {
    response.tag_to(tag);
    board.sip.respond(board.now.mono, tx, response.with(Name::Server, Text::from_static(SERVER)));
}
