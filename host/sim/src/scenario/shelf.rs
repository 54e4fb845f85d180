//! Where a scenario's rules come from: built components, and texts beside the scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use callwright_core::config::Tenant;
use callwright_core::names::{AskId, RuleName, RunId, TenantId, Version};
use callwright_core::rule::{ActiveRule, Answer, BindTarget, Care, RunOutcome, RunStart};
use callwright_core::{Now, View};
use callwright_rules::upload::{Problem, Upload, admit, version_of};
use callwright_rules::{Answered, Engine, LoadError, Rule, Run, Step};

use super::lexer::Mistake;
use super::parse::blueprint::{RulePlan, RuleSource};
use crate::runs::{Runs, Said, Script, Scripts};
use crate::town::Household;

/// The example rules of the repository.
const EXAMPLES: [&str; 4] = ["after-hours", "follow-me", "hello-ring", ActiveRule::STANDARD];

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{name}`: {why}")]
pub struct NotReady {
    /// Its name.
    pub name: String,
    /// Why, and what to do.
    pub why: String,
}

/// Where rules are found, and the engine they run in.
#[derive(Clone)]
pub struct Shelf {
    engine: Engine,
    /// The repository's folder.
    root: PathBuf,
    /// What has been compiled for earlier scenarios.
    compiled: Arc<Mutex<BTreeMap<Version, Rule>>>,
}

/// The rules of one world: what the switch knows of them, and who drives them.
pub(super) struct Loaded {
    /// The version that decides where no rule of a tenant does.
    pub(super) standard: Option<Version>,
    pub(super) active: Vec<Arc<ActiveRule>>,
    pub(super) runs: Drivers,
}

impl Shelf {
    /// A shelf whose examples lie in `root/rules-examples`.
    #[must_use]
    pub fn new(engine: Engine, root: &Path) -> Self {
        Self { engine, root: root.to_owned(), compiled: Arc::default() }
    }

    /// Makes the rules of a scenario ready; files are looked for in `beside`.
    pub(super) fn load(
        &self,
        plans: &[RulePlan],
        houses: &[Household],
        beside: &Path,
    ) -> Result<Loaded, (usize, Mistake)> {
        let mut loaded = Loaded { standard: None, active: Vec::new(), runs: Drivers::default() };
        for plan in plans {
            let active = match (&plan.source, houses.iter().find(|house| house.id == plan.tenant)) {
                (RuleSource::Script(script), _) => Ok(loaded.runs.script(plan, script.clone())),
                (RuleSource::Example | RuleSource::File(_), None) => Err("its tenant is gone".to_owned()),
                (RuleSource::Example, Some(house)) => {
                    self.example(plan, &house.tenant()).map(|ready| loaded.runs.ready(ready))
                }
                (RuleSource::File(name), Some(house)) => {
                    self.file(plan, &beside.join(name), &house.tenant()).map(|ready| loaded.runs.ready(ready))
                }
            };
            let active =
                active.map_err(|why| (plan.line, Mistake::Rule { name: plan.name.to_string(), why }))?;
            if plan.is_standard() {
                loaded.standard = Some(active.version);
            } else {
                loaded.active.push(Arc::new(active));
            }
        }
        Ok(loaded)
    }

    /// The example rules, compiled.
    ///
    /// # Errors
    /// [`NotReady`] where one is not built.
    pub fn examples(&self) -> Result<Vec<Rule>, NotReady> {
        let load = |name: &&str| {
            let component = self.built(name).map_err(|why| NotReady { name: (*name).to_owned(), why })?;
            let ready = self.engine.load(version_of(&component), &component);
            ready.map_err(|error| NotReady { name: (*name).to_owned(), why: error.to_string() })
        };
        EXAMPLES.iter().map(load).collect()
    }

    fn built(&self, name: &str) -> Result<Vec<u8>, String> {
        let built = self.artefact(name);
        std::fs::read(&built).map_err(|_| {
            format!(
                "it is not built: `cargo xtask rule build rules-examples/{name}` makes {}",
                built.display()
            )
        })
    }

    fn artefact(&self, name: &str) -> PathBuf {
        let file = name.replace('-', "_");
        self.root.join("guest-sdk/target/wasm32-unknown-unknown/release").join(format!("{file}.wasm"))
    }

    fn example(&self, plan: &RulePlan, tenant: &Tenant) -> Result<Ready, String> {
        let component = self.built(plan.name.as_str())?;
        let manifest = self.root.join("rules-examples").join(plan.name.as_str()).join("rule.toml");
        let manifest =
            std::fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
        self.admitted(plan, &component, &manifest, tenant)
    }

    fn file(&self, plan: &RulePlan, file: &Path, tenant: &Tenant) -> Result<Ready, String> {
        let component = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let manifest = format!("name = \"{}\"\nbind = [\"tenant\"]\n", plan.name);
        self.admitted(plan, &component, &manifest, tenant)
    }

    /// A component that is ready, compiled once however many scenarios use it.
    fn compiled(&self, version: &Version, component: &[u8]) -> Result<Rule, LoadError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = compiled.get(version) {
            return Ok(rule.clone());
        }
        let rule = self.engine.load(version.clone(), component)?;
        compiled.insert(version.clone(), rule.clone());
        Ok(rule)
    }

    /// The same checks as an upload gets.
    fn admitted(
        &self,
        plan: &RulePlan,
        component: &[u8],
        rule_toml: &str,
        tenant: &Tenant,
    ) -> Result<Ready, String> {
        let upload = Upload { component, rule_toml };
        let problems =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let mut admitted = admit(&upload, tenant).map_err(problems)?;
        if let Some(bind) = &plan.bind {
            admitted.manifest.bind.clone_from(bind);
        }
        admitted.manifest.settings.extend(plan.settings.clone());
        let rule = self.compiled(&admitted.version, component).map_err(|error| error.to_string())?;
        Ok(Ready { active: admitted.manifest.activate(tenant, admitted.version), rule })
    }
}

/// A component that was admitted and compiled.
struct Ready {
    active: ActiveRule,
    rule: Rule,
}

/// Drives components and scripts alike, inline and in no virtual time.
#[derive(Default)]
pub struct Drivers {
    scripts: Scripts,
    components: BTreeMap<Version, Rule>,
    running: BTreeMap<RunId, Run>,
}

impl Drivers {
    fn script(&mut self, plan: &RulePlan, script: Script) -> ActiveRule {
        let version = version_of(format!("{script:?}").as_bytes());
        let bind = plan.bind.clone().unwrap_or_else(|| vec![BindTarget::Tenant]);
        self.add_script(&plan.tenant, &plan.name, script, version, bind)
    }

    fn ready(&mut self, ready: Ready) -> ActiveRule {
        self.add_component(ready.rule);
        ready.active
    }

    /// Adds a rule without Wasm, and says what the switch must know of it.
    pub(crate) fn add_script(
        &mut self,
        tenant: &TenantId,
        name: &RuleName,
        script: Script,
        version: Version,
        bind: Vec<BindTarget>,
    ) -> ActiveRule {
        self.scripts.add(tenant.clone(), name.clone(), script);
        let settings = Arc::default();
        ActiveRule {
            tenant: tenant.clone(),
            name: name.clone(),
            version,
            bind,
            fallback: None,
            settings,
            care: Care::default(),
        }
    }

    /// The components that are ready.
    pub(super) fn components(&self) -> Vec<Rule> {
        self.components.values().cloned().collect()
    }

    /// Adds a ready component.
    pub(crate) fn add_component(&mut self, rule: Rule) {
        self.components.insert(rule.version().clone(), rule);
    }

    fn go_on(&mut self, mut run: Run, mut answered: Option<Answered>) -> Vec<Said> {
        loop {
            match run.resume(answered.take()) {
                // Nobody ticks the engine of a virtual world, so a slice never ends; a rule that did would just go on.
                Step::Slice => {}
                Step::Event { event, spent } => {
                    let id = run.id();
                    if matches!(event, callwright_core::rule::RunEvent::Asked { .. }) {
                        self.running.insert(id, run);
                    }
                    return vec![Said { run: id, after: std::time::Duration::ZERO, event, spent: *spent }];
                }
            }
        }
    }
}

impl Runs for Drivers {
    fn start(&mut self, start: RunStart) -> Vec<Said> {
        match self.components.get(&start.rule.version) {
            Some(rule) => {
                let run = Run::start(rule, start);
                self.go_on(run, None)
            }
            None => self.scripts.start(start),
        }
    }

    fn answer(&mut self, run: RunId, ask: AskId, answer: Answer, view: Arc<View>, now: Now) -> Vec<Said> {
        match self.running.remove(&run) {
            Some(running) => self.go_on(running, Some(Answered { ask, answer, view, now })),
            None => self.scripts.answer(run, ask, answer, view, now),
        }
    }

    fn stop(&mut self, run: RunId) -> Vec<Said> {
        let Some(running) = self.running.remove(&run) else { return self.scripts.stop(run) };
        match running.stop(RunOutcome::CallerGone) {
            Step::Event { event, spent } => {
                vec![Said { run, after: std::time::Duration::ZERO, event, spent: *spent }]
            }
            Step::Slice => Vec::new(),
        }
    }
}
