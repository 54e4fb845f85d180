//! Which phones can be reached, and where: bindings made by REGISTER, ended by time, phone, connection or operator.
//!
//! A binding is a flow (TELEPHONY T6): requests go back the way its REGISTER came. A 200 goes out only when the
//! store has committed what it acknowledges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{Flow, Message, Name, ServerTx, Transport};
use jiff::SignedDuration;

use crate::config::{Config, Tenant};
use crate::names::{Extension, TenantId, Ticket};
use crate::record::Gone;
use crate::seam::{Change, StoreRefused};
use crate::spans;
use crate::switchboard::{Switchboard, bindings_in, with_to_tag};
use crate::time::{Deadline, Timer};
use crate::view::{Binding, BindingKey, DeviceKey};

mod fixed;
mod prober;
mod request;

use prober::Prober;
use request::Wanted;

/// Phones a device may have registered at once.
pub(crate) const BINDINGS_MAX: usize = 8;
/// REGISTERs that wait for the store at once.
const PENDING_MAX: usize = 10_000;
/// How long the store may take before a REGISTER is answered without it.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// The registrar of all tenants (RFC 3261 §10).
#[derive(Default)]
pub(crate) struct Registrar {
    due: BTreeSet<(Duration, BindingKey)>,
    ends: BTreeMap<BindingKey, Duration>,
    flows: BTreeMap<Flow, BTreeSet<BindingKey>>,
    pending: BTreeMap<Ticket, Pending>,
    /// New phones among those that are pending, by device.
    coming: BTreeMap<DeviceKey, usize>,
    prober: Prober,
}

/// A REGISTER whose changes are being committed.
struct Pending {
    tx: ServerTx,
    request: Message,
    tenant: Arc<Tenant>,
    device: Extension,
    bound: Vec<(Arc<Binding>, Duration)>,
    unbound: Vec<BindingKey>,
    renewed: Vec<BindingKey>,
    /// How many of its phones are new.
    new: usize,
    until: Duration,
}

impl Registrar {
    /// Takes over the bindings that survived a restart.
    pub(crate) fn load(&mut self, board: &mut Switchboard, bindings: Vec<Arc<Binding>>) {
        for binding in bindings {
            let left = binding.expires.duration_since(board.now.wall);
            let tenant = board.tenant(&binding.key.tenant);
            let tenant = tenant.filter(|tenant| tenant.devices.contains_key(&binding.key.device));
            let known = tenant.is_some();
            match (Duration::try_from(left), tenant) {
                (Ok(left), Some(tenant)) if binding.flow.transport == Transport::Udp => {
                    // Where the clock was set back meanwhile it has no longer than a phone would be granted now.
                    let left = left.min(Duration::from_secs(u64::from(tenant.expiry.max_s)));
                    self.bind(board, binding, board.now.mono + left);
                }
                (Ok(_) | Err(_), _) => {
                    let how = if known { Gone::Expired } else { Gone::Removed };
                    let at = binding.expires.min(board.now.wall);
                    let device = (binding.key.tenant.clone(), binding.key.device.clone());
                    board.repaint().gone.insert(device, (at, how));
                    board.store(vec![Change::Unbound { key: binding.key.clone(), at, how: Some(how) }]);
                }
            }
        }
        let config = Arc::clone(&board.picture.config);
        fixed::bind_all(board, &config, None);
    }

    /// Handles a REGISTER of an authenticated device.
    pub(crate) fn register(
        &mut self,
        board: &mut Switchboard,
        tenant: &Arc<Tenant>,
        device: Extension,
        flow: Flow,
        request: Message,
    ) {
        let wanted = match request::read(board, tenant, &device, flow, &request) {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::info!(aor = %device, %error, "register refused");
                board.count_registration("refused");
                board.refuse(flow, &request, error.response(&request));
                return;
            }
        };
        let new = wanted.bound.len().saturating_sub(wanted.renewed.len());
        let key = (tenant.id.clone(), device.clone());
        let coming = self.coming.get(&key).copied().unwrap_or(0);
        let held = board.bindings_of(&key).len();
        // Some of those that come may be refused by the store: perhaps there is room soon.
        let is_room = new == 0 || coming == 0 || held + coming + new <= BINDINGS_MAX;
        if self.pending.len() >= PENDING_MAX || !is_room {
            board.count_registration("refused");
            let busy = Message::reply(&request, 503).with(Name::RetryAfter, "5");
            board.refuse(flow, &request, busy);
            return;
        }
        let Ok(tx) = board.sip.accept(board.now.mono, flow, &request) else {
            board.count_registration("refused");
            board.refuse(flow, &request, Message::reply(&request, 503).with(Name::RetryAfter, "5"));
            return;
        };
        let Wanted { bound, unbound, renewed } = wanted;
        if bound.is_empty() && unbound.is_empty() {
            self.answer(board, tx, &request, tenant, &device);
            return;
        }
        let at = board.now.wall;
        let ended = |key: &BindingKey| Change::Unbound { key: key.clone(), at, how: how_ended(key, &bound) };
        let mut changes: Vec<Change> = unbound.iter().map(ended).collect();
        changes.extend(bound.iter().map(|(binding, _)| Change::Bound(Arc::clone(binding))));
        let ticket = board.store(changes);
        let until = board.now.mono + STORE_WAIT;
        let pending =
            Pending { tx, request, tenant: Arc::clone(tenant), device, bound, unbound, renewed, new, until };
        self.pending.insert(ticket, pending);
        if new > 0 {
            self.coming.insert(key, coming + new);
        }
    }

    /// The store has answered a ticket of ours.
    pub(crate) fn stored(
        &mut self,
        board: &mut Switchboard,
        ticket: Ticket,
        result: Result<(), StoreRefused>,
    ) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        self.has_come(&pending);
        match result {
            Ok(()) => {
                board.count_registration("accepted");
                self.apply(board, pending);
            }
            Err(error) => {
                tracing::warn!(%error, "a registration was not stored");
                self.not_stored(board, pending);
            }
        }
    }

    /// The new phones of a REGISTER are not pending any more.
    fn has_come(&mut self, pending: &Pending) {
        let key = (pending.tenant.id.clone(), pending.device.clone());
        if let Some(coming) = self.coming.get_mut(&key) {
            *coming = coming.saturating_sub(pending.new);
            if *coming == 0 {
                self.coming.remove(&key);
            }
        }
    }

    /// A refresh of what is known is still good without the store; anything new is not (ARCHITECTURE §3), and what is
    /// given back stays, for a restart might bring it back (RFC 3261 §10.3: 500, and nothing is changed).
    fn not_stored(&mut self, board: &mut Switchboard, pending: Pending) {
        // What was known when the phone asked may have ended while the store was waited for.
        let is_known = |key: &BindingKey| board.picture.bindings.contains_key(key);
        let gives_back = pending.unbound.iter().any(|key| how_ended(key, &pending.bound).is_some());
        if pending.new == 0 && !gives_back && pending.renewed.iter().all(is_known) {
            board.count_registration("accepted-unstored");
            self.apply(board, pending);
        } else {
            board.count_registration("refused");
            let status = if gives_back { 500 } else { 503 };
            let busy = Message::reply(&pending.request, status).with(Name::RetryAfter, "5");
            let tag = board.sip.mint();
            board.sip.respond(board.now.mono, pending.tx, with_to_tag(busy, &tag));
        }
    }

    fn apply(&mut self, board: &mut Switchboard, pending: Pending) {
        for key in &pending.unbound {
            self.unbind(board, key, how_ended(key, &pending.bound));
        }
        for (binding, until) in pending.bound {
            self.bind(board, binding, until);
        }
        self.answer(board, pending.tx, &pending.request, &pending.tenant, &pending.device);
    }

    /// 200 with every binding of the device and the time it has left (RFC 3261 §10.3 step 8).
    fn answer(
        &self,
        board: &mut Switchboard,
        tx: ServerTx,
        request: &Message,
        tenant: &Tenant,
        device: &Extension,
    ) {
        let mut response = Message::reply(request, 200);
        for binding in board.bindings_of(&(tenant.id.clone(), device.clone())) {
            let left =
                self.ends.get(&binding.key).map_or(0, |end| left_s(end.saturating_sub(board.now.mono)));
            response = response.with(Name::Contact, format!("<{}>;expires={left}", binding.contact));
        }
        let tag = board.sip.mint();
        board.sip.respond(board.now.mono, tx, with_to_tag(response, &tag));
    }

    fn bind(&mut self, board: &mut Switchboard, binding: Arc<Binding>, until: Duration) {
        let key = binding.key.clone();
        let before = board.picture.bindings.get(&key).cloned();
        let (aor, peer) = (&key.device, binding.flow);
        let is_first = board.bindings_of(&(key.tenant.clone(), key.device.clone())).is_empty();
        spans::tenant(&key.tenant).in_scope(|| match &before {
            Some(before) if before.flow == peer => {}
            Some(_) => tracing::info!(%aor, %peer, "binding moved"),
            None if is_first => tracing::info!(%aor, %peer, "binding gained"),
            None => tracing::info!(%aor, %peer, "binding gained beside others"),
        });
        if let Some(before) = &before {
            self.forget(&before.key, before.flow);
        }
        self.due.insert((until, key.clone()));
        self.ends.insert(key.clone(), until);
        self.flows.entry(binding.flow).or_default().insert(key.clone());
        self.prober.watch(board, &binding);
        let picture = board.repaint();
        picture.gone.remove(&(key.tenant.clone(), key.device.clone()));
        picture.bindings.insert(key, binding);
    }

    /// Ends a binding that its phone did not give back.
    fn lose(&mut self, board: &mut Switchboard, key: BindingKey, how: Gone) {
        self.unbind(board, &key, Some(how));
        let at = board.now.wall;
        board.store(vec![Change::Unbound { key, at, how: Some(how) }]);
    }

    /// Ends a binding; `why` is remembered unless another takes its place.
    fn unbind(&mut self, board: &mut Switchboard, key: &BindingKey, why: Option<Gone>) {
        let wall = board.now.wall;
        let Some(binding) = board.repaint().bindings.remove(key) else { return };
        self.forget(key, binding.flow);
        let device = (key.tenant.clone(), key.device.clone());
        if let Some(why) = why {
            spans::tenant(&key.tenant)
                .in_scope(|| tracing::info!(aor = %key.device, cause = ?why, "binding lost"));
            if board.bindings_of(&device).is_empty() {
                board.repaint().gone.insert(device, (wall, why));
            }
        }
    }

    fn forget(&mut self, key: &BindingKey, flow: Flow) {
        if let Some(until) = self.ends.remove(key) {
            self.due.remove(&(until, key.clone()));
        }
        if let Some(keys) = self.flows.get_mut(&flow) {
            keys.remove(key);
            if keys.is_empty() {
                self.flows.remove(&flow);
            }
        }
        self.prober.forget(key);
    }

    /// A connection is gone, and with it the reachability of what registered on it.
    pub(crate) fn closed(&mut self, board: &mut Switchboard, flow: Flow) {
        if flow.transport == Transport::Udp {
            return;
        }
        for key in self.flows.get(&flow).cloned().unwrap_or_default() {
            self.lose(board, key, Gone::FlowClosed);
        }
    }

    /// Devices that the configuration no longer has lose their bindings, and fixed contacts are as it says now.
    pub(crate) fn configured(&mut self, board: &mut Switchboard, config: &Config, only: Option<&TenantId>) {
        let has = |key: &BindingKey| {
            let tenant = config.tenants.get(&key.tenant);
            tenant.is_some_and(|tenant| tenant.devices.contains_key(&key.device))
        };
        let gone: Vec<BindingKey> = bindings_in(&board.picture, only)
            .filter(|(key, binding)| !binding.is_fixed() && !has(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.lose(board, key, Gone::Removed);
        }
        fixed::bind_all(board, config, only);
    }

    /// A probe was answered, or not.
    pub(crate) fn probed(&mut self, board: &mut Switchboard, key: &BindingKey, answered: bool) {
        self.prober.probed(board, key, answered);
    }

    pub(crate) fn tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.lose(board, key, Gone::Expired);
        }
        // Tickets rise with time.
        let late: Vec<Ticket> = self
            .pending
            .iter()
            .take_while(|(_, pending)| pending.until <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in late {
            self.stored(board, ticket, Err(StoreRefused::Unavailable("no answer in time".to_owned())));
        }
        self.prober.tick(board);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let expiry = self.due.first().map(|(at, _)| Deadline { at: *at, why: Timer::BindingExpiry });
        let store = self.pending.first_key_value().map(|(_, p)| Deadline { at: p.until, why: Timer::Store });
        [expiry, store, self.prober.deadline()].into_iter().flatten().min()
    }
}

/// How a binding ends that a REGISTER takes out: given back, or replaced by one of the same phone.
fn how_ended(key: &BindingKey, bound: &[(Arc<Binding>, Duration)]) -> Option<Gone> {
    let replaced = bound.iter().any(|(binding, _)| binding.key.device == key.device);
    (!replaced).then_some(Gone::Unregistered)
}

/// Seconds that are left, the last one begun counted whole: a phone hears what it was granted.
fn left_s(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// A wall time that lies so many seconds ahead.
fn ahead(board: &Switchboard, seconds: u32) -> jiff::Timestamp {
    board.now.wall.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(board.now.wall)
}
