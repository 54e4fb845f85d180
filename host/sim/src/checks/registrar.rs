//! The reference model of the registrar: a list, and RFC 3261 §10.3 read aloud.
//!
//! It believes the switch's own 200 about who may register, and about nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::Expiry;
use callwright_core::names::{Extension, TenantId};
use callwright_core::view::{Binding, BindingKey};
use callwright_core::{Config, Now, View};
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
}

struct Asked {
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

    pub(super) fn received(&mut self, _now: Now, _owner: &Owner, flow: Flow, heard: &Heard) {
        let message = &heard.glance;
        if !message.is_request("REGISTER") {
            return;
        }
        let contact = message.header("Contact").unwrap_or_default().to_owned();
        let expires_s = param(&contact, "expires")
            .or_else(|| message.header("Expires"))
            .and_then(|text| text.parse().ok());
        let instance = param(&contact, "+sip.instance").map(str::to_owned);
        self.asked
            .insert((message.call_id.clone(), message.cseq), Asked { flow, contact, expires_s, instance });
    }

    pub(super) fn sent(&mut self, now: Now, owner: &Owner, message: &Glance) {
        if !message.is_response_to("REGISTER") || message.status < 200 {
            return;
        }
        let key = (message.call_id.clone(), message.cseq);
        let Some(asked) = self.asked.remove(&key) else { return };
        // A refusal leaves no trace: the same REGISTER may be accepted when it comes again.
        if message.status >= 300 || !self.answered.insert(key) {
            return;
        }
        self.accept(now, owner, &message.call_id, asked);
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
    pub(super) fn restored(
        &mut self,
        now: Now,
        config: &Config,
        bindings: &[Arc<Binding>],
        found: &mut Found,
    ) {
        if self.jumped.is_some() {
            self.adopt(now, config, bindings);
            return;
        }
        let is_of = |model: &Model, key: &BindingKey| {
            model.tenant == key.tenant && model.device == key.device && bare(&model.phone) == bare(&key.phone)
        };
        let lasts = |model: &&Model| model.until.saturating_sub(now.mono) > SLACK;
        for model in self.bindings.iter().filter(lasts) {
            if !bindings.iter().any(|binding| is_of(model, &binding.key)) {
                let what = format!("{} of {} was registered before the restart", model.device, model.tenant);
                found.add(now, Invariant::StoreHasIt, what);
            }
        }
        for key in bindings.iter().map(|binding| &binding.key) {
            if !self.bindings.iter().any(|model| is_of(model, key)) {
                let what = format!("{} of {} was not registered before the restart", key.device, key.tenant);
                found.add(now, Invariant::StoreHasIt, what);
            }
        }
    }

    /// The clock was set since: what is left is what the calendar says, and no more than a phone is granted.
    fn adopt(&mut self, now: Now, config: &Config, bindings: &[Arc<Binding>]) {
        self.bindings.clear();
        for binding in bindings {
            let tenant = config.tenants.get(&binding.key.tenant);
            let Some(tenant) = tenant.filter(|tenant| tenant.devices.contains_key(&binding.key.device))
            else {
                continue;
            };
            let left = Duration::try_from(binding.expires.duration_since(now.wall)).unwrap_or_default();
            let left = left.min(Duration::from_secs(u64::from(tenant.expiry.max_s)));
            self.bindings.push(Model {
                tenant: binding.key.tenant.clone(),
                device: binding.key.device.clone(),
                phone: binding.key.phone.clone(),
                flow: binding.flow,
                until: now.mono + left,
                expires: binding.expires,
                accepted: now.mono,
            });
        }
    }

    fn accept(&mut self, now: Now, owner: &Owner, call_id: &str, asked: Asked) {
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
        let phone = phone.trim_matches('"').trim_start_matches('<').trim_end_matches('>').to_owned();
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
        let expires = now
            .wall
            .saturating_add(SignedDuration::from_secs(i64::from(expires_s)))
            .unwrap_or(Timestamp::MAX);
        self.bindings.push(Model {
            tenant: owner.tenant.clone(),
            device: owner.device.clone(),
            phone,
            flow: asked.flow,
            until: now.mono + Duration::from_secs(u64::from(expires_s)),
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

fn bare(phone: &str) -> &str {
    phone.trim_matches('"').trim_start_matches('<').trim_end_matches('>')
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}
