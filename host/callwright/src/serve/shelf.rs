//! Versions that are ready to run. The node's thread never compiles: a start finds its rule here or gets none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callwright_api::UploadError;
use callwright_core::names::{TenantId, Version};
use callwright_core::rule::ActiveRule;
use callwright_rules::compile::{CompileLimits, reply};
use callwright_rules::upload::Problem;
use callwright_rules::{ArtefactKey, Engine, EngineLimits, Rule};
use callwright_store::{Blobs, Digest, FileBlobs, Store, StoreError};
use tracing::{debug, error, info, warn};

use super::pace::Pace;
use super::stock::SPARES_MAX;
use crate::compile;
use crate::data::Data;
use crate::error::UserError;
use crate::standard;

/// What compiling the rule that this program carries may cost: nobody sent it, so a slow machine is no reason to be without.
const OWN_LIMITS: CompileLimits = CompileLimits { cpu_s: 120, memory_bytes: 512 * 1024 * 1024, wall_s: 300 };
/// How many runs may be alive at once, where the system has mappings for so many.
const RUNS_MAX: u32 = 1_000;
/// There is room for so many runs for each instance that may wait for its call.
const RUNS_A_SPARE: u32 = 120;
/// How many versions are kept ready; of those that are not active the one loaded first gives way, so that one tenant's
/// uploads take no other's rule away. A run keeps its own whatever happens here.
const READY_MAX: usize = 4_000;
/// How many files of compiled code are kept, some hundred kilobytes each.
const COMPILED_MAX: usize = 2_000;
/// What Linux allows where it does not say.
const MAP_COUNT_USUAL: u64 = 65_530;

/// The engine and what is ready in it.
pub(super) struct Shelf {
    engine: Engine,
    key: ArtefactKey,
    blobs: Arc<FileBlobs>,
    compiled: PathBuf,
    ready: Mutex<Ready>,
}

/// A version that is ready.
#[derive(Clone)]
pub(super) struct Shelved {
    pub(super) rule: Rule,
    pub(super) pace: Arc<Pace>,
}

#[derive(Default)]
struct Ready {
    rules: BTreeMap<Version, Shelved>,
    /// In the order of loading.
    order: VecDeque<Version>,
    active: BTreeMap<TenantId, BTreeSet<Version>>,
    standard: Option<Version>,
}

impl Ready {
    /// Puts a version among at most so many, and those that are active.
    fn put(&mut self, rule: Rule, most: usize) {
        let version = rule.version().clone();
        let shelved = Shelved { rule, pace: Arc::default() };
        if self.rules.insert(version.clone(), shelved).is_none() {
            self.order.push_back(version);
        }
        if self.order.len() > most {
            let active = self.active();
            let oldest = self.order.iter().position(|version| !active.contains(version));
            let oldest = oldest.and_then(|at| self.order.remove(at));
            oldest.and_then(|oldest| self.rules.remove(&oldest));
        }
    }

    /// What is active of all tenants.
    fn active(&self) -> BTreeSet<&Version> {
        self.active.values().flatten().chain(&self.standard).collect()
    }
}

impl Shelf {
    /// Makes the engine, as large as the system allows.
    ///
    /// # Errors
    /// The address space has no room for it, or the store has no key.
    pub(super) fn open(data: &Data) -> Result<Self, UserError> {
        let limits = EngineLimits::capped(RUNS_MAX, max_map_count());
        info!(runs = limits.runs, "room for runs");
        if limits.runs < RUNS_MAX {
            warn!(runs = limits.runs, wanted = RUNS_MAX, "vm.max_map_count allows fewer runs at once");
        }
        let engine = Engine::new(limits)
            .map_err(|error| UserError::outside("the rule engine cannot start").because(error))?;
        Ok(Self {
            engine,
            key: ArtefactKey::new(data.artefact_key()?),
            blobs: Arc::clone(&data.blobs),
            compiled: data.compiled.clone(),
            ready: Mutex::default(),
        })
    }

    /// The engine that everything here is ready in.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many instances may wait for their calls: most of the room is for runs.
    pub(super) fn spares_max(&self) -> usize {
        let room = self.engine.limits().runs / RUNS_A_SPARE;
        usize::try_from(room).map_or(SPARES_MAX, |room| room.min(SPARES_MAX))
    }

    /// A version that is ready; why not, in words for the tenant.
    pub(super) fn ready(&self, version: &Version) -> Result<Shelved, String> {
        let ready = self.lock().rules.get(version).cloned();
        ready.ok_or_else(|| format!("version {version} is not loaded"))
    }

    /// A version that is ready and has been quick.
    pub(super) fn quick(&self, version: &Version) -> Option<Shelved> {
        self.lock().rules.get(version).filter(|ready| ready.pace.is_quick()).cloned()
    }

    /// Loads every active rule, at the start. One that does not load is said so and left to its fallback.
    pub(super) fn load_all(&self, store: &dyn Store) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
        let active = store.all_active_rules()?;
        for rule in &active {
            self.lock().active.entry(rule.tenant.clone()).or_default().insert(rule.version.clone());
        }
        for rule in &active {
            if let Err(error) = self.load(&rule.version) {
                warn!(tenant = %rule.tenant, rule = %rule.name, %error, "an active rule does not load: its fallback decides");
            }
        }
        self.load_standard();
        info!(rules = active.len(), "rules loaded");
        Ok(active)
    }

    /// The standard rule, which no tenant has and every tenant may need.
    fn load_standard(&self) {
        let version = standard::version();
        self.lock().standard = Some(version.clone());
        if let Some(rule) = self.load_compiled(&version) {
            self.put(rule);
            return;
        }
        let refused = match self.make_within(&OWN_LIMITS, &version, standard::COMPONENT) {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem.to_string(),
            Err(error) => error.to_string(),
        };
        error!(error = refused, "the standard rule does not load: calls without a rule go to their fallback");
    }

    /// A tenant has made these active: they stay ready whatever else is loaded.
    pub(super) fn activated(&self, tenant: &TenantId, active: &[Arc<ActiveRule>]) {
        let versions = active.iter().map(|rule| rule.version.clone()).collect();
        self.lock().active.insert(tenant.clone(), versions);
    }

    /// Makes a version that is kept ready: from what was compiled before, else compiled again.
    ///
    /// # Errors
    /// [`UploadError::Unusable`], or the outside failed.
    pub(super) fn load(&self, version: &Version) -> Result<(), UploadError> {
        if self.ready(version).is_ok() {
            return Ok(());
        }
        if let Some(rule) = self.load_compiled(version) {
            self.put(rule);
            return Ok(());
        }
        let unusable = |why: String| UploadError::Unusable { version: version.clone(), why };
        let digest: Digest = version.as_str().parse().map_err(|_| unusable("it is no digest".to_owned()))?;
        let component = self.blobs.get(&digest).map_err(|error| unusable(error.to_string()))?;
        let component = component.ok_or_else(|| unusable("its component is lost".to_owned()))?;
        self.make(version, &component)?.map_err(|problem| unusable(problem.to_string()))
    }

    /// Compiles a component, proves that it starts, and makes it ready.
    ///
    /// # Errors
    /// Outside: no child, no disk. Inside: what is wrong with the component.
    pub(super) fn make(
        &self,
        version: &Version,
        component: &[u8],
    ) -> Result<Result<(), Problem>, UploadError> {
        self.make_within(&CompileLimits::default(), version, component)
    }

    fn make_within(
        &self,
        limits: &CompileLimits,
        version: &Version,
        component: &[u8],
    ) -> Result<Result<(), Problem>, UploadError> {
        let outside = |error: &dyn std::fmt::Display| UploadError::Outside(error.to_string());
        let ended = compile::in_child(component, limits).map_err(|error| outside(&error))?;
        let compiled = match reply(&ended.output, ended.end, limits) {
            Ok(compiled) => compiled,
            Err(problem) => return Ok(Err(problem)),
        };
        let sealed = self.engine.seal(&self.key, version, compiled);
        let rule = match self.engine.load_artefact(&self.key, version.clone(), &sealed) {
            Ok(rule) => rule,
            Err(error) => return Ok(Err(Problem::new("component", error.to_string()))),
        };
        if let Err(problem) = self.engine.prove(&rule) {
            return Ok(Err(problem));
        }
        // It may be lost at any time: where it cannot be kept it is made anew at the next start.
        if let Err(error) = write_whole(&self.path(version), &sealed) {
            warn!(%version, %error, "compiled code is not kept");
        }
        let active: BTreeSet<PathBuf> = self.lock().active().into_iter().map(|it| self.path(it)).collect();
        if let Err(error) = thin_out(&self.compiled, COMPILED_MAX, &active) {
            warn!(%error, "old compiled code cannot be removed");
        }
        self.put(rule);
        Ok(Ok(()))
    }

    /// From the folder of compiled code; whatever is not ours for this version and engine is compiled again.
    fn load_compiled(&self, version: &Version) -> Option<Rule> {
        let sealed = fs::read(self.path(version)).ok()?;
        let rule = self.engine.load_artefact(&self.key, version.clone(), &sealed);
        rule.inspect_err(|error| debug!(%error, "compiled code is made anew")).ok()
    }

    fn path(&self, version: &Version) -> PathBuf {
        self.compiled.join(version.as_str().trim_start_matches("sha256:"))
    }

    /// Makes a rule ready.
    pub(super) fn put(&self, rule: Rule) {
        self.lock().put(rule, READY_MAX);
    }

    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody ever reads half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(&beside)))?;
    fs::rename(&beside, path)
}

/// Removes the files written first where there are more than `most`; whoever needs one compiles it again. Those in `active`
/// stay, for the next start needs them at once.
fn thin_out(folder: &Path, most: usize, active: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let too_many = files.len().saturating_sub(most);
    let spare = files.iter().filter(|(_, path)| !active.contains(path));
    spare.take(too_many).try_for_each(|(_, path)| fs::remove_file(path))
}

fn max_map_count() -> u64 {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(MAP_COUNT_USUAL)
}

#[cfg(test)]
impl Shelf {
    /// A rule that asks for the standard rule and returns, under any name, for tests of those that run rules.
    pub(super) fn rule_in_text(&self, version: &str) -> Rule {
        let mut resolve = wit_parser::Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let (package, _) = resolve.push_dir(wit).unwrap();
        let world = resolve.select_world(&[package], Some("call-policy")).unwrap();
        let module = "(module
          (import \"callwright:rules/call@0.1.0\" \"[method]call.standard\" (func $standard (param i32 i32)))
          (import \"callwright:rules/call@0.1.0\" \"[resource-drop]call\" (func $drop (param i32)))
          (memory (export \"memory\") 1)
          (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 64)
          (func (export \"handle-call\") (param $call i32) (result i32)
            (call $standard (local.get $call) (i32.const 16))
            (call $drop (local.get $call))
            (i32.const 32)))";
        let mut bytes = wat::parse_str(module).unwrap();
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
        self.engine.load(version.into(), &bytes).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_active_stays_ready_whatever_others_upload() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&Data::open(folder.path()).unwrap()).unwrap();
        let mut ready = Ready::default();
        ready.active.insert("acme".into(), ["first".into()].into());
        for version in ["first", "second", "third", "fourth"] {
            ready.put(shelf.rule_in_text(version), 2);
        }
        assert_eq!(ready.rules.keys().map(Version::as_str).collect::<Vec<_>>(), ["first", "fourth"]);
        ready.active.insert("zeta".into(), ["fourth".into()].into());
        ready.put(shelf.rule_in_text("fifth"), 2);
        assert_eq!(ready.rules.keys().map(Version::as_str).collect::<Vec<_>>(), ["first", "fourth"]);
        assert_eq!(ready.order.len(), 2);
    }

    #[test]
    fn compiled_code_of_what_is_active_is_not_thinned_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["a", "b", "c", "d"] {
            fs::write(file(name), name).unwrap();
        }
        thin_out(folder.path(), 2, &[file("a")].into()).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert!(left == 2 && file("a").exists(), "{left}");
    }
}
