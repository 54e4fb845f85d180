//! An immutable picture of the node. Rules, HTTP, metrics and assertions read this; nobody reads the node.

use std::sync::Arc;
use std::time::Duration;

use callwright_sip::Flow;
use imbl::OrdMap;
use jiff::Timestamp;

use crate::config::Config;
use crate::forwarding::Wishes;
use crate::kept::KeptMap;
use crate::names::{CallId, Extension, RuleName, TenantId, UserId, Version};
use crate::record::Gone;
use crate::roster::Reserved;
use crate::rule::{ActiveRule, Party};
use crate::stats::Stats;

/// Registrations, presence facts, directory, rules and calls at one moment. Cheap to make and to keep.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Directory and schedules.
    pub config: Arc<Config>,
    /// Active rules by tenant and name.
    pub rules: OrdMap<(TenantId, RuleName), Arc<ActiveRule>>,
    /// Registrations.
    pub bindings: OrdMap<BindingKey, Arc<Binding>>,
    /// How each device's last binding ended, where it has none now.
    pub gone: OrdMap<DeviceKey, (Timestamp, Gone)>,
    /// What devices are doing, where they do anything.
    pub activity: OrdMap<DeviceKey, Activity>,
    /// What users have saved of how they want to be forwarded.
    pub wishes: OrdMap<(TenantId, UserId), Arc<Wishes>>,
    /// What rules keep; some of it may be over already.
    pub kept: KeptMap,
    /// What happened before, for rules.
    pub stats: Stats,
    /// Whom calls have reserved.
    pub reserved: Reserved,
    /// Who is told of what changes, by device and in the order of their age.
    pub subscriptions: OrdMap<(DeviceKey, u64), SubscriptionView>,
    /// Calls in progress.
    pub calls: OrdMap<CallId, Arc<CallView>>,
    /// What was counted since the node began.
    pub counters: Counters,
    /// No new call is taken: the switch is about to end.
    pub closing: bool,
}

/// A device of a tenant.
pub type DeviceKey = (TenantId, Extension);

/// One binding of a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindingKey {
    /// Whose device.
    pub tenant: TenantId,
    /// Which device.
    pub device: Extension,
    /// Which phone: `+sip.instance` (RFC 5626 §4.1), else the Call-ID of its registration.
    pub phone: String,
}

/// One reachable phone of a device: the flow that its REGISTER came on (TELEPHONY T6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it is the binding of.
    pub key: BindingKey,
    /// The contact URI as it was registered.
    pub contact: String,
    /// Where requests go.
    pub flow: Flow,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// CSeq of the REGISTER.
    pub cseq: u32,
    /// When it was last refreshed.
    pub registered: Timestamp,
    /// When it ends; the end of all time where the configuration made it.
    pub expires: Timestamp,
    /// What the phone says it is.
    pub user_agent: String,
    /// Whether its contact is not the address it sends from.
    pub behind_nat: bool,
    /// Two probes in a row were missed, since then.
    pub suspect_since: Option<Timestamp>,
}

impl Binding {
    /// What requests to this phone ask for: its contact without the headers that a contact may carry, which no
    /// Request-URI has and which nobody must be made to send (RFC 3261 §19.1.1, §19.1.5).
    pub(crate) fn request_uri(&self) -> &str {
        // A `?` before the `@` belongs to the user.
        let host = self.contact.find('@').unwrap_or(0);
        let end = self.contact.get(host..).and_then(|rest| rest.find('?')).map(|at| host + at);
        end.and_then(|end| self.contact.get(..end)).unwrap_or(&self.contact)
    }

    /// The phone of a fixed contact ([`crate::config::Device::contact`]); a phone that registers has a longer name.
    pub(crate) const FIXED: &'static str = "fixed";

    /// Whether it comes from the configuration and not from a REGISTER; then it never ends by itself.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.expires == Timestamp::MAX
    }
}

/// A phone that is told of what changes (RFC 6665).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// The event package.
    pub event: &'static str,
    /// Where NOTIFYs go.
    pub flow: Flow,
    /// When it began.
    pub since: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires: Timestamp,
}

/// What one device is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Legs that ring on it.
    pub ringing: u32,
    /// Its own calls that are not answered yet.
    pub dialling: u32,
    /// Confirmed legs, held ones included.
    pub talking: u32,
}

/// One call in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The call.
    pub id: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// Who calls.
    pub caller: Party,
    /// The device that calls; none where the caller is withheld (TELEPHONY T22).
    pub from_device: Option<Extension>,
    /// The number as dialled.
    pub number: String,
    /// When it began.
    pub began: Timestamp,
    /// The same in [`crate::Now::mono`].
    pub began_mono: Duration,
    /// The rule and version that decide it.
    pub rule: Option<(RuleName, Version)>,
    /// What is happening.
    pub phase: Phase,
}

/// What a call is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A rule or the fallback decides.
    Deciding,
    /// Devices ring.
    Ringing(Vec<Extension>),
    /// Two people talk.
    Talking {
        /// Who answered.
        device: Extension,
        /// Whose device.
        user: Option<UserId>,
        /// Since when.
        since: Timestamp,
    },
}

/// Totals since the node began, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls begun.
    pub calls: u64,
    /// Legs by how they ended: `answered`, `busy`, `elsewhere`, `cancelled`, …
    pub legs: OrdMap<&'static str, u64>,
    /// REGISTERs by result: `accepted`, `challenged`, `refused`, …
    pub registrations: OrdMap<&'static str, u64>,
    /// Runs by outcome word.
    pub runs: OrdMap<&'static str, u64>,
    /// Fuel of all runs.
    pub fuel: u64,
    /// Microseconds of all runs.
    pub ran_us: u64,
    /// SIP requests received by method.
    pub requests: OrdMap<&'static str, u64>,
    /// SIP messages that could not be used.
    pub malformed: u64,
    /// Transactions alive now.
    pub transactions: u64,
}

impl Counters {
    /// Adds what another node has counted.
    pub fn add(&mut self, other: &Self) {
        let Self { calls, legs, registrations, runs, fuel, ran_us, requests, malformed, transactions } =
            other;
        for (own, more) in [
            (&mut self.calls, calls),
            (&mut self.fuel, fuel),
            (&mut self.ran_us, ran_us),
            (&mut self.malformed, malformed),
            (&mut self.transactions, transactions),
        ] {
            *own += more;
        }
        for (own, more) in [
            (&mut self.legs, legs),
            (&mut self.registrations, registrations),
            (&mut self.runs, runs),
            (&mut self.requests, requests),
        ] {
            for (label, count) in more {
                *own.entry(label).or_default() += count;
            }
        }
    }
}
