//! The world of a scenario while it is read.

use std::collections::{BTreeMap, BTreeSet};

use callwright_core::names::{RuleName, TenantId, UserId};
use callwright_core::rule::{ActiveRule, BindTarget, Setting};
use callwright_sip::Transport;
use jiff::Timestamp;

use crate::link::Link;
use crate::runs::Script;
use crate::scenario::Scenario;
use crate::scenario::lexer::{Mistake, Words};
use crate::scenario::statement::Statement;
use crate::town::{Household, password_of};
use crate::world::PhoneSetup;

/// The tenant of a scenario that names none.
const DEFAULT_TENANT: &str = "acme";

/// A phone that the world will begin with.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct PhonePlan {
    pub(in crate::scenario) setup: PhoneSetup,
    pub(in crate::scenario) is_offline: bool,
}

/// A rule that the world will begin with.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct RulePlan {
    pub(in crate::scenario) line: usize,
    pub(in crate::scenario) tenant: TenantId,
    pub(in crate::scenario) name: RuleName,
    pub(in crate::scenario) source: RuleSource,
    /// Instead of what its `rule.toml` says.
    pub(in crate::scenario) bind: Option<Vec<BindTarget>>,
    /// Over what its `rule.toml` says.
    pub(in crate::scenario) settings: BTreeMap<String, Setting>,
}

impl RulePlan {
    /// Whether it is the standard rule, which the switch itself brings: bound to nothing.
    pub(in crate::scenario) fn is_standard(&self) -> bool {
        self.name.as_str() == ActiveRule::STANDARD && self.bind.is_none()
    }
}

/// Where a rule comes from.
#[derive(Clone, Debug)]
pub(in crate::scenario) enum RuleSource {
    /// A folder of `rules-examples/`.
    Example,
    /// A component, or its text, in a file beside the scenario.
    File(String),
    /// Steps without Wasm.
    Script(Script),
}

/// What has been read so far.
pub(super) struct Blueprint {
    seed: u64,
    pub(super) wall: Timestamp,
    tenants: Vec<Household>,
    current: usize,
    phones: Vec<PhonePlan>,
    pub(super) rules: Vec<RulePlan>,
    calls: BTreeSet<String>,
}

impl Default for Blueprint {
    fn default() -> Self {
        Self {
            seed: 1,
            wall: Timestamp::UNIX_EPOCH,
            tenants: vec![Household::new(DEFAULT_TENANT)],
            current: 0,
            phones: Vec::new(),
            rules: Vec::new(),
            calls: BTreeSet::new(),
        }
    }
}

impl Blueprint {
    /// The tenant that statements belong to.
    pub(super) fn house(&mut self) -> &mut Household {
        &mut self.tenants[self.current]
    }

    /// A person of the tenant, whom there must be.
    pub(super) fn user(&self, name: String) -> Result<UserId, Mistake> {
        let found = self.tenants[self.current].users.iter().find(|user| user.id.as_str() == name);
        found.map(|user| user.id.clone()).ok_or(Mistake::Unknown { kind: "user", name })
    }

    pub(super) fn current(&self) -> TenantId {
        self.tenants[self.current].id.clone()
    }

    /// Statements belong to that tenant from now on; it is made where there is none.
    pub(super) fn enter(&mut self, id: &TenantId) {
        match self.tenants.iter().position(|tenant| tenant.id == *id) {
            Some(index) => self.current = index,
            None => {
                self.current = self.tenants.len();
                self.tenants.push(Household::new(id.as_str()));
            }
        }
    }

    pub(super) fn seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Adds the phone of a device. Where another tenant has the extension too, it is called `tenant/extension`.
    pub(super) fn add_phone(&mut self, device: &str, display: &str) {
        let house = self.house();
        let (tenant, domain) = (house.id.clone(), house.domain.clone());
        let is_taken = self.phones.iter().any(|plan| plan.setup.name == device);
        let name = if is_taken { format!("{tenant}/{device}") } else { device.to_owned() };
        let number = self.phones.len() + 1;
        let setup = PhoneSetup {
            name,
            tenant,
            domain,
            extension: device.to_owned(),
            password: password_of(device),
            display: display.to_owned(),
            transport: Transport::Udp,
            link: Link::default(),
            expires_s: 600,
            behind_nat: false,
            instance: Some(format!("urn:uuid:00000000-0000-4000-8000-{number:012}")),
        };
        self.phones.push(PhonePlan { setup, is_offline: false });
    }

    /// Adds a phone that registers under the credentials of another.
    pub(super) fn add_twin(&mut self, name: String, of: &str) -> Result<(), Mistake> {
        if self.phones.iter().any(|plan| plan.setup.name == name) {
            return Err(Mistake::Taken { kind: "phone", name });
        }
        let number = self.phones.len() + 1;
        let mut twin = self.plan(of)?.clone();
        twin.setup.name = name;
        twin.setup.instance =
            twin.setup.instance.map(|_| format!("urn:uuid:00000000-0000-4000-8000-{number:012}"));
        self.phones.push(twin);
        Ok(())
    }

    pub(super) fn plan(&mut self, name: &str) -> Result<&mut PhonePlan, Mistake> {
        let found = self.phones.iter_mut().find(|plan| plan.setup.name == name);
        found.ok_or_else(|| Mistake::Unknown { kind: "phone", name: name.to_owned() })
    }

    /// The name of a phone, which there must be.
    pub(super) fn phone_name(&self, words: &mut Words) -> Result<String, Mistake> {
        let name = words.text("a phone")?;
        if self.is_phone(&name) { Ok(name) } else { Err(Mistake::Unknown { kind: "phone", name }) }
    }

    pub(super) fn is_phone(&self, name: &str) -> bool {
        self.phones.iter().any(|plan| plan.setup.name == name)
    }

    /// The name of a call, which there must be.
    pub(super) fn call(&self, words: &mut Words) -> Result<String, Mistake> {
        let name = words.text("a call")?;
        if self.is_call(&name) { Ok(name) } else { Err(Mistake::Unknown { kind: "call", name }) }
    }

    pub(super) fn is_call(&self, name: &str) -> bool {
        self.calls.contains(name)
    }

    pub(super) fn new_call(&mut self, words: &mut Words) -> Result<String, Mistake> {
        let name = words.text("a name for the call")?;
        if self.calls.insert(name.clone()) { Ok(name) } else { Err(Mistake::Taken { kind: "call", name }) }
    }

    pub(super) fn scenario(self, file: &str, statements: Vec<Statement>) -> Scenario {
        let Self { seed, wall, tenants, phones, rules, .. } = self;
        Scenario { file: file.to_owned(), seed, wall, households: tenants, phones, rules, statements }
    }
}
