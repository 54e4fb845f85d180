//! The reference model of the registrar: a list, and RFC 3261 §10.3 read aloud.
//!
//! It believes the switch's own 200 about who may register, and about nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::Expiry;
use callwright_core::names::{Extension, TenantId};
use callwright_core::view::{Binding, BindingKey};
use callwright_core::{Change, Config, Now, View};
use callwright_sip::Flow;
use jiff::{SignedDuration, Timestamp};

use super::reassembly::Heard;
use super::{Found, Invariant, Owner};
use crate::glance::{Glance, param};

/// A binding may be listed this long after its end, and its end differ by as much: both are whole seconds on the wire.
const SLACK: Duration = Duration::from_secs(1);

/// How long the switch waits for the store before it answers without.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// The longest binding of a datagram behind NAT, in seconds.
const NAT_MAX_S: u32 = 120;

/// What ought to be registered.
pub(super) struct Registrar {
    expiry: BTreeMap<TenantId, Expiry>,
    /// REGISTERs without an answer yet, by Call-ID and CSeq.
    asked: BTreeMap<(String, u32), Asked>,
    /// REGISTERs that were accepted: the same again changes nothing.
    answered: BTreeSet<(String, u32)>,
    bindings: Vec<Model>,
    /// When the calendar's clock was set last.
    jumped: Option<Duration>,
    /// What the store has, by tenant, device and phone.
    stored: BTreeMap<Key, Arc<Binding>>,
    /// What it has although no phone was told so: a commit came later than anybody waits.
    untold: BTreeSet<Key>,
    /// What a phone gave back in vain, as it was told: the store may have heard it all the same.
    given_back: BTreeSet<Key>,
}

/// A phone of a device of a tenant.
type Key = (TenantId, Extension, String);

struct Asked {
    /// When it came first: from then on the time counts, however long the store takes.
    at: Now,
    flow: Flow,
    contact: String,
    expires_s: Option<u32>,
    instance: Option<String>,
}

#[derive(Clone, Debug)]
struct Model {
    tenant: TenantId,
    device: Extension,
    phone: String,
    flow: Flow,
    /// Its end by the clock of deadlines, which nobody sets.
    until: Duration,
    /// The same as the calendar had it when it was accepted.
    expires: Timestamp,
    accepted: Duration,
}

impl Registrar {
    pub(super) fn new(config: &Config) -> Self {
        let mut registrar = Self {
            expiry: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: BTreeSet::new(),
            bindings: Vec::new(),
            jumped: None,
            stored: BTreeMap::new(),
            untold: BTreeSet::new(),
            given_back: BTreeSet::new(),
        };
        registrar.configured(config);
        registrar
    }

    pub(super) fn configured(&mut self, config: &Config) {
        self.expiry = config.tenants.iter().map(|(id, tenant)| (id.clone(), tenant.expiry)).collect();
        self.bindings.retain(|binding| {
            config
                .tenants
                .get(&binding.tenant)
                .is_some_and(|tenant| tenant.devices.contains_key(&binding.device))
        });
    }

    pub(super) fn received(&mut self, now: Now, _owner: &Owner, flow: Flow, heard: &Heard) {
        let message = &heard.glance;
        if !message.is_request("REGISTER") {
            return;
        }
        let contact = message.header("Contact").unwrap_or_default().to_owned();
        let expires_s = param(&contact, "expires")
            .or_else(|| message.header("Expires"))
            .and_then(|text| text.parse().ok());
        let instance = param(&contact, "+sip.instance").map(str::to_owned);
        let asked = Asked { at: now, flow, contact, expires_s, instance };
        self.asked.entry((message.call_id.clone(), message.cseq)).or_insert(asked);
    }

    /// The store has committed these.
    pub(super) fn committed(&mut self, changes: &[Change]) {
        for change in changes {
            let key =
                |key: &BindingKey| (key.tenant.clone(), key.device.clone(), bare(&key.phone).to_owned());
            match change {
                Change::Bound(binding) => {
                    self.stored.insert(key(&binding.key), Arc::clone(binding));
                    self.untold.insert(key(&binding.key));
                }
                Change::Unbound { key: ended, .. } => {
                    self.stored.remove(&key(ended));
                }
                Change::Kept { .. } | Change::Ended { .. } => {}
            }
        }
    }

    pub(super) fn sent(&mut self, now: Now, owner: &Owner, message: &Glance, found: &mut Found) {
        if !message.is_response_to("REGISTER") || message.status < 200 {
            return;
        }
        let key = (message.call_id.clone(), message.cseq);
        let Some(asked) = self.asked.remove(&key) else { return };
        // A refusal leaves no trace: the same REGISTER may be accepted when it comes again.
        if message.status >= 300 {
            if asked.expires_s == Some(0) {
                let phone = asked.instance.unwrap_or_else(|| message.call_id.clone());
                self.given_back.insert((owner.tenant.clone(), owner.device.clone(), bare(&phone).to_owned()));
            }
            return;
        }
        if !self.answered.insert(key) {
            return;
        }
        self.accept(now, owner, &message.call_id, asked, found);
    }

    /// A connection is over, and what came over it.
    pub(super) fn closed(&mut self, flow: Flow) {
        self.bindings.retain(|binding| binding.flow != flow || flow.connection == 0);
    }

    /// The calendar's clock was set: ends stay where they are.
    pub(super) fn clock_jumped(&mut self, at: Duration) {
        self.jumped = Some(at);
    }

    /// The switch was killed: connections are gone, and who has no answer gets none.
    pub(super) fn killed(&mut self) {
        self.asked.clear();
        self.bindings.retain(|binding| binding.flow.connection == 0);
    }

    /// The switch starts again: the store gives it what was acknowledged, and nothing else.
    pub(super) fn restarted(
        &mut self,
        now: Now,
        config: &Config,
        bindings: &[Arc<Binding>],
        found: &mut Found,
    ) {
        // What came while it was dead was never heard, and a repetition of what came before is new to this life.
        self.asked.clear();
        self.answered.clear();
        if self.jumped.is_some() {
            self.adopt(now, config, bindings);
            return;
        }
        self.forget_unstored(now);
        let is_of = |model: &Model, key: &BindingKey| {
            model.tenant == key.tenant && model.device == key.device && bare(&model.phone) == bare(&key.phone)
        };
        let given_back = std::mem::take(&mut self.given_back);
        let lasts = |model: &&Model| {
            let key = (model.tenant.clone(), model.device.clone(), bare(&model.phone).to_owned());
            model.until.saturating_sub(now.mono) > SLACK && !given_back.contains(&key)
        };
        for model in self.bindings.iter().filter(lasts) {
            if !bindings.iter().any(|binding| is_of(model, &binding.key)) {
                let what = format!("{} of {} was registered before the restart", model.device, model.tenant);
                found.add(now, Invariant::StoreHasIt, what);
            }
        }
        for binding in bindings {
            let key = &binding.key;
            // Who was taken out of the configuration while it was dead is dropped by the switch itself.
            let is_configured = config
                .tenants
                .get(&key.tenant)
                .is_some_and(|tenant| tenant.devices.contains_key(&key.device));
            if !is_configured || self.bindings.iter().any(|model| is_of(model, key)) {
                continue;
            }
            // What was asked for and not acknowledged may be there or not.
            let untold = (key.tenant.clone(), key.device.clone(), bare(&key.phone).to_owned());
            if self.untold.contains(&untold) {
                self.bindings.extend(restored(now, config, binding));
                continue;
            }
            let what = format!("{} of {} was not registered before the restart", key.device, key.tenant);
            found.add(now, Invariant::StoreHasIt, what);
        }
    }

    /// A refresh that was good without the store is forgotten with the life that granted it.
    fn forget_unstored(&mut self, now: Now) {
        for model in &mut self.bindings {
            let key = (model.tenant.clone(), model.device.clone(), bare(&model.phone).to_owned());
            let Some(kept) = self.stored.get(&key) else { continue };
            if apart(kept.expires, model.expires) > SLACK {
                let left = Duration::try_from(kept.expires.duration_since(now.wall)).unwrap_or_default();
                (model.flow, model.expires, model.until) = (kept.flow, kept.expires, now.mono + left);
            }
        }
    }

    /// The clock was set since: what is left is what the calendar says, and no more than a phone is granted.
    fn adopt(&mut self, now: Now, config: &Config, bindings: &[Arc<Binding>]) {
        self.bindings = bindings.iter().filter_map(|binding| restored(now, config, binding)).collect();
    }

    fn accept(&mut self, now: Now, owner: &Owner, call_id: &str, asked: Asked, found: &mut Found) {
        let Some(limits) = self.expiry.get(&owner.tenant).copied() else { return };
        if asked.contact.is_empty() {
            return;
        }
        let is_same = |model: &Model, phone: &str| {
            model.tenant == owner.tenant && model.device == owner.device && model.phone == phone
        };
        if asked.contact == "*" {
            self.bindings.retain(|model| !(model.tenant == owner.tenant && model.device == owner.device));
            return;
        }
        let phone = asked.instance.unwrap_or_else(|| call_id.to_owned());
        let phone = bare(&phone).to_owned();
        let is_known = self.bindings.iter().any(|model| is_same(model, &phone));
        self.bindings.retain(|model| !is_same(model, &phone));
        // A NAT forgets what is silent for long: the binding of a datagram is short (TELEPHONY T6).
        let is_behind_nat = !asked.contact.contains(&format!("@{}", asked.flow.peer));
        let most_s = if is_behind_nat && !asked.flow.transport.reliable() {
            limits.max_s.min(NAT_MAX_S)
        } else {
            limits.max_s
        };
        let expires_s = asked.expires_s.unwrap_or(limits.default_s).min(most_s);
        if expires_s == 0 {
            return;
        }
        // A refresh is good without the store, anything new is not.
        let key = (owner.tenant.clone(), owner.device.clone(), phone.clone());
        self.untold.remove(&key);
        self.given_back.remove(&key);
        if !is_known && !self.stored.contains_key(&key) {
            let what = format!("{} of {} was told 200 and is not stored", owner.device, owner.tenant);
            found.add(now, Invariant::StoreHasIt, what);
        }
        let expires = asked
            .at
            .wall
            .saturating_add(SignedDuration::from_secs(i64::from(expires_s)))
            .unwrap_or(Timestamp::MAX);
        self.bindings.push(Model {
            tenant: owner.tenant.clone(),
            device: owner.device.clone(),
            phone,
            flow: asked.flow,
            until: asked.at.mono + Duration::from_secs(u64::from(expires_s)),
            expires,
            accepted: now.mono,
        });
    }

    /// Compares with what the switch shows.
    pub(super) fn compare(&mut self, now: Now, view: &View, found: &mut Found) {
        self.bindings.retain(|model| model.until >= now.mono);
        let is: Vec<_> = view
            .bindings
            .iter()
            .map(|(key, binding)| (&key.tenant, &key.device, bare(&key.phone), binding.flow, binding.expires))
            .collect();
        for model in &self.bindings {
            let twin = is.iter().find(|(tenant, device, phone, ..)| {
                **tenant == model.tenant && **device == model.device && *phone == bare(&model.phone)
            });
            match twin {
                // What ends this very moment may be gone already.
                None if model.until - now.mono <= SLACK => {}
                None => found.add(
                    now,
                    Invariant::RegistrarIsAsModelled,
                    format!("{} of {} is not registered until {}", model.device, model.tenant, model.expires),
                ),
                Some((.., flow, expires))
                    if *flow != model.flow
                        || (apart(*expires, model.expires) > SLACK && !self.is_between_clocks(model)) =>
                {
                    found.add(
                        now,
                        Invariant::RegistrarIsAsModelled,
                        format!(
                            "{} is registered at {flow} until {expires}, not at {} until {}",
                            model.device, model.flow, model.expires
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        if is.len() > self.bindings.len() {
            found.add(
                now,
                Invariant::RegistrarIsAsModelled,
                format!("{} bindings, not {}", is.len(), self.bindings.len()),
            );
        }
    }
}

impl Registrar {
    /// Whether the clock was set between the REGISTER and its answer, so that nobody can say when it ends by the calendar.
    fn is_between_clocks(&self, model: &Model) -> bool {
        self.jumped.is_some_and(|at| at <= model.accepted && model.accepted - at <= STORE_WAIT)
    }
}

/// The model of a binding that the store has kept; none of a device that is gone.
fn restored(now: Now, config: &Config, binding: &Binding) -> Option<Model> {
    let tenant = config.tenants.get(&binding.key.tenant)?;
    if !tenant.devices.contains_key(&binding.key.device) {
        return None;
    }
    let left = Duration::try_from(binding.expires.duration_since(now.wall)).unwrap_or_default();
    let left = left.min(Duration::from_secs(u64::from(tenant.expiry.max_s)));
    Some(Model {
        tenant: binding.key.tenant.clone(),
        device: binding.key.device.clone(),
        phone: bare(&binding.key.phone).to_owned(),
        flow: binding.flow,
        until: now.mono + left,
        expires: binding.expires,
        accepted: now.mono,
    })
}

fn bare(phone: &str) -> &str {
    phone.trim_matches('"').trim_start_matches('<').trim_end_matches('>')
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}
