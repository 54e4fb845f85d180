//! What all calls and the registrar share: the SIP endpoint, the picture others see, the effects that go out, and
//! the index by which an event finds its call. It decides nothing.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::digest::Authority;
use callwright_sip::{
    ClientTx, DialogKey, Endpoint, EndpointSettings, Flow, Message, Method, Name, ServerTx, Text, Transport,
};

use crate::admission::Admission;
use crate::answered::Answered;
use crate::breaker::Breaker;
use crate::config::Tenant;
use crate::forwarding::Wishes;
use crate::guard::Guard;
use crate::kept::Keeper;
use crate::names::{RunId, TenantId, Ticket, UserId};
use crate::notice::Told;
use crate::rule::RunOutcome;
use crate::seam::{Change, Effect};
use crate::stats::Remembered;
use crate::subscription::SubscriptionKey;
use crate::time::Now;
use crate::view::{Activity, Binding, BindingKey, DeviceKey, View};

/// What we can do, as Allow says it (RFC 3261 §20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, SUBSCRIBE";
/// The one option that we implement (RFC 4028).
pub(crate) const SUPPORTED: &str = "timer";
/// What we call ourselves.
pub(crate) const SERVER: &str = concat!("Callwright/", env!("CARGO_PKG_VERSION"));

/// How long a nonce is good; a phone that comes later is told so and tries again by itself.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// The number of a call within its node. Every message looks for its call several times, so the index compares numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey(u64);

/// Whose client transaction it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A call's.
    Call(CallKey),
    /// The prober of a binding.
    Probe(BindingKey),
    /// A subscription's NOTIFY.
    Subscription(SubscriptionKey),
    /// Nobody's any more: an INVITE that was answered.
    Answered(Answered),
}

/// Shared by everything in a node; nothing in it is locked because one thread owns it.
pub(crate) struct Switchboard {
    pub(crate) now: Now,
    pub(crate) sip: Endpoint,
    pub(crate) authority: Authority,
    pub(crate) guard: Guard,
    pub(crate) picture: View,
    pub(crate) admission: Admission,
    pub(crate) breaker: Breaker,
    pub(crate) told: Told,
    pub(crate) keeper: Keeper,
    pub(crate) remembered: Remembered,
    pub(crate) clients: BTreeMap<ClientTx, Asker>,
    pub(crate) servers: BTreeMap<ServerTx, CallKey>,
    /// Never iterated; a tree of texts would cost a dozen looks into memory for each message.
    pub(crate) dialogs: HashMap<DialogKey, CallKey>,
    pub(crate) runs: BTreeMap<RunId, CallKey>,
    /// Calls that have dialled a code and wait for its end.
    pub(crate) wishing: BTreeMap<Ticket, CallKey>,
    /// Calls by where their callers are: junk from addresses where nobody listens brings an ICMP error each.
    pub(crate) callers: BTreeSet<(Flow, CallKey)>,
    outbox: VecDeque<Effect>,
    host: String,
    port: u16,
    next_call: u64,
    next_run: u64,
    next_ticket: u64,
    /// The picture as it was last asked for, until it changes.
    shown: OnceCell<Arc<View>>,
}

impl Switchboard {
    pub(crate) fn new(now: Now, settings: EndpointSettings, seed: [u8; 32], picture: View) -> Self {
        let mut secret = seed;
        secret.reverse();
        Self {
            now,
            host: settings.host.clone(),
            port: settings.port,
            sip: Endpoint::new(settings, seed),
            authority: Authority::new(secret, NONCE_LIFETIME),
            guard: Guard::default(),
            picture,
            admission: Admission::default(),
            breaker: Breaker::default(),
            told: Told::default(),
            keeper: Keeper::default(),
            remembered: Remembered::default(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            dialogs: HashMap::new(),
            runs: BTreeMap::new(),
            wishing: BTreeMap::new(),
            callers: BTreeSet::new(),
            outbox: VecDeque::new(),
            next_call: 0,
            next_run: 0,
            next_ticket: 0,
            shown: OnceCell::new(),
        }
    }

    /// The picture, made when somebody asks, and at most once between two changes.
    pub(crate) fn view(&self) -> Arc<View> {
        let view = self.shown.get_or_init(|| {
            let mut view = self.picture.clone();
            let (servers, clients) = self.sip.transactions();
            view.counters.transactions = as_count(servers + clients);
            Arc::new(view)
        });
        Arc::clone(view)
    }

    /// The picture, for changing it.
    pub(crate) fn repaint(&mut self) -> &mut View {
        self.shown.take();
        &mut self.picture
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.outbox.push_back(effect);
    }

    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.outbox.pop_front()
    }

    /// Asks for changes to be committed.
    pub(crate) fn store(&mut self, changes: Vec<Change>) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket::of(self.sip.settings().node, self.next_ticket);
        self.emit(Effect::Store { ticket, changes });
        ticket
    }

    /// Has what a user wants from a phone kept.
    pub(crate) fn wish(&mut self, tenant: TenantId, user: UserId, wishes: Arc<Wishes>, by: String) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket::of(self.sip.settings().node, self.next_ticket);
        self.emit(Effect::Wish { ticket, tenant, user, wishes, by });
        ticket
    }

    pub(crate) fn next_call(&mut self) -> CallKey {
        self.next_call += 1;
        CallKey(self.next_call)
    }

    /// The calls whose caller is there.
    pub(crate) fn calls_from(&self, flow: Flow) -> Vec<CallKey> {
        let all = (flow, CallKey(0))..=(flow, CallKey(u64::MAX));
        self.callers.range(all).map(|(_, key)| *key).collect()
    }

    pub(crate) fn next_run(&mut self) -> RunId {
        self.next_run += 1;
        RunId(self.next_run)
    }

    /// A seed for a run's random numbers: the same in every replay of the same node.
    pub(crate) fn run_seed(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.sip.mint().as_bytes().hash(&mut hasher);
        hasher.finish()
    }

    /// Contact of ours on a flow: no user part, so nothing of the other side shows (TELEPHONY T23).
    pub(crate) fn contact(&self, flow: &Flow) -> String {
        match flow.transport {
            Transport::Udp => format!("<sip:{}:{}>", self.host, self.port),
            Transport::Tcp => format!("<sip:{}:{};transport=tcp>", self.host, self.port),
        }
    }

    /// Sends a request on behalf of a call. `None` when the endpoint is full.
    pub(crate) fn ask(&mut self, call: CallKey, flow: Flow, request: Message) -> Option<ClientTx> {
        let tx = self.sip.request(self.now.mono, flow, request).ok()?;
        self.clients.insert(tx, Asker::Call(call));
        Some(tx)
    }

    /// Answers a request without keeping state.
    pub(crate) fn refuse(&mut self, flow: Flow, request: &Message, response: Message) {
        let response = response.with(Name::Server, Text::from_static(SERVER));
        self.sip.answer_statelessly(flow, request, response);
    }

    /// Answers a request within a dialog and remembers the answer: what is asked again while things change here must
    /// hear the same again (RFC 3261 §17.2.1).
    pub(crate) fn refuse_for_good(&mut self, flow: Flow, request: &Message, response: Message) {
        match self.sip.accept(self.now.mono, flow, request) {
            Ok(tx) => {
                self.sip.respond(self.now.mono, tx, response.with(Name::Server, Text::from_static(SERVER)));
            }
            Err(_) => self.refuse(flow, request, response),
        }
    }

    pub(crate) fn change_activity(&mut self, device: &DeviceKey, change: impl FnOnce(&mut Activity)) {
        let mut activity = self.picture.activity.get(device).copied().unwrap_or_default();
        change(&mut activity);
        let picture = self.repaint();
        if activity == Activity::default() {
            picture.activity.remove(device);
        } else {
            picture.activity.insert(device.clone(), activity);
        }
    }

    /// Bindings of a device, in the order of their phones.
    pub(crate) fn bindings_of(&self, device: &DeviceKey) -> Vec<Arc<Binding>> {
        bindings_of(&self.picture, device).cloned().collect()
    }

    pub(crate) fn tenant(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.picture.config.tenants.get(id).cloned()
    }

    pub(crate) fn count_leg(&mut self, end: &'static str) {
        *self.repaint().counters.legs.entry(end).or_insert(0) += 1;
    }

    pub(crate) fn count_registration(&mut self, result: &'static str) {
        *self.repaint().counters.registrations.entry(result).or_insert(0) += 1;
    }

    pub(crate) fn count_request(&mut self, method: &'static str) {
        *self.repaint().counters.requests.entry(method).or_insert(0) += 1;
    }

    pub(crate) fn count_run(&mut self, outcome: &RunOutcome, fuel: u64, ran_us: u64) {
        let counters = &mut self.repaint().counters;
        *counters.runs.entry(outcome.word()).or_insert(0) += 1;
        counters.fuel = counters.fuel.saturating_add(fuel);
        counters.ran_us = counters.ran_us.saturating_add(ran_us);
    }
}

fn as_count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Bindings of a device in a picture.
pub(crate) fn bindings_of<'a>(view: &'a View, device: &DeviceKey) -> impl Iterator<Item = &'a Arc<Binding>> {
    let (tenant, extension) = device.clone();
    let first = BindingKey { tenant: tenant.clone(), device: extension.clone(), phone: String::new() };
    view.bindings
        .range(first..)
        .take_while(move |(key, _)| key.tenant == tenant && key.device == extension)
        .map(|(_, binding)| binding)
}

/// Bindings of one tenant, or of all.
pub(crate) fn bindings_in<'a>(
    view: &'a View,
    only: Option<&TenantId>,
) -> impl Iterator<Item = (&'a BindingKey, &'a Arc<Binding>)> {
    let only = only.cloned();
    let first = BindingKey {
        tenant: only.clone().unwrap_or_else(|| TenantId::from("")),
        device: "".into(),
        phone: String::new(),
    };
    let is_wanted = move |tenant: &TenantId| only.as_ref().is_none_or(|only| only == tenant);
    view.bindings.range(first..).take_while(move |(key, _)| is_wanted(&key.tenant))
}

/// The same message with a tag on its To: what makes our side of a dialog (RFC 3261 §12.1.1).
pub(crate) fn with_to_tag(mut message: Message, tag: &Text) -> Message {
    if let Some(to) = message.headers.get(&Name::To) {
        let mut value = Vec::with_capacity(to.len() + tag.len() + 5);
        value.extend_from_slice(to.as_bytes());
        value.extend_from_slice(b";tag=");
        value.extend_from_slice(tag.as_bytes());
        message.headers.set(Name::To, Text::from(bytes::Bytes::from(value)));
    }
    message
}

/// A method that is not for us, or that nobody here has heard of (RFC 3261 §8.2.1, §21.5.2).
pub(crate) fn not_allowed(request: &Message) -> Message {
    let status = if matches!(request.method(), Some(Method::Other(_))) { 501 } else { 405 };
    Message::reply(request, status).with(Name::Allow, Text::from_static(ALLOW))
}

/// Copies a body with what says how to read it.
pub(crate) fn with_body_of(message: Message, source: &Message) -> Message {
    if source.body.is_empty() {
        return message;
    }
    let kind = source
        .headers
        .get(&Name::ContentType)
        .cloned()
        .unwrap_or_else(|| Text::from_static("application/sdp"));
    message.with_body(kind, source.body.clone())
}
