//! The one wasmtime engine of a switch, and the rules that are ready in it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use callwright_core::names::Version;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::{CallPolicy, CallPolicyPre};
use crate::compile::component_of;
use crate::host::Imports;
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, RunLimits, TABLES_MAX};
use crate::price;
use crate::state::RunState;
use crate::upload::hex;

/// Memory mappings of one suspended run.
const MAPS_PER_RUN: u64 = 6;
/// Mappings left for everything else in the process: loaded rules, threads, the database.
const MAPS_RESERVED: u64 = 8_192;
/// Stack of a guest.
pub(crate) const GUEST_STACK_BYTES: usize = 512 * 1024;
/// Stack of a run: the guest's and room for the host functions on top of it.
const RUN_STACK_BYTES: usize = GUEST_STACK_BYTES + 512 * 1024;
/// Bytes of a memory that stay mapped between runs: zeroing them is cheaper than faulting them in.
const KEEP_RESIDENT_BYTES: usize = 256 * 1024;
/// The same of a run's stack.
const STACK_KEEP_RESIDENT_BYTES: usize = 16 * 1024;
/// The greatest memory of any plan.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of an instance's own bookkeeping.
const INSTANCE_BYTES_MAX: usize = 1024 * 1024;

/// How much an engine may hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Runs that are alive at once, suspended ones included.
    pub runs: u32,
    /// What one run may use.
    pub run: RunLimits,
}

impl EngineLimits {
    /// Takes as many runs as wanted, or as the process may have mappings for: past `vm.max_map_count` it would abort.
    #[must_use]
    pub fn capped(wanted: u32, max_map_count: u64) -> Self {
        let possible = (max_map_count.saturating_sub(MAPS_RESERVED) / MAPS_PER_RUN).max(1);
        Self { runs: wanted.min(u32::try_from(possible).unwrap_or(u32::MAX)), run: RunLimits::default() }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("the rule engine cannot start with {runs} runs: {source}")]
pub struct EngineError {
    runs: u32,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl EngineError {
    pub(crate) fn new(runs: u32, error: wasmtime::Error) -> Self {
        Self { runs, source: error.into_boxed_dyn_error() }
    }
}

/// Why a component is not ready to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is no component and cannot be made one, or does not compile.
    #[error("the component does not compile: {0}")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it imports or exports is not what the world has.
    #[error("the component does not fit the world: {0}")]
    World(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It needs more than a run gets, whatever it does.
    #[error("the component needs {needs} {what}, a run gets {has}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much it needs.
        needs: u64,
        /// How much there is.
        has: u64,
    },
}

/// The engine that all rules of a switch run in. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Arc<Linker<RunState>>,
    limits: EngineLimits,
}

/// A version of a rule, compiled, linked and ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Rule(Arc<Ready>);

/// Advances the clock that ends CPU slices; holds the engine weakly.
#[derive(Clone)]
pub struct Ticker(EngineWeak);

pub(crate) struct Ready {
    pub(crate) pre: CallPolicyPre<RunState>,
    pub(crate) version: Version,
    pub(crate) limits: RunLimits,
    /// Known once it is: an instance cannot be made before its call.
    pub(crate) needs_its_call: AtomicBool,
}

impl Engine {
    /// Makes an engine with room for `limits.runs` runs.
    ///
    /// # Errors
    /// [`EngineError`] where the address space has no room for so many.
    pub fn new(limits: EngineLimits) -> Result<Self, EngineError> {
        let failed =
            |error: wasmtime::Error| EngineError { runs: limits.runs, source: error.into_boxed_dyn_error() };
        let mut config = config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(&limits)));
        let engine = wasmtime::Engine::new(&config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        CallPolicy::add_to_linker::<_, Imports>(&mut linker, |run| run).map_err(failed)?;
        Ok(Self { engine, linker: Arc::new(linker), limits })
    }

    /// What it was made with.
    #[must_use]
    pub fn limits(&self) -> EngineLimits {
        self.limits
    }

    /// What the thread that measures CPU slices holds.
    #[must_use]
    pub fn ticker(&self) -> Ticker {
        Ticker(self.engine.weak())
    }

    /// Names everything that compiled code depends on: compiler, settings, fuel schedule.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.engine)
    }

    /// Compiles here and now, without a limit on the time it takes: for the simulator, for tests, and for rules of one's own.
    ///
    /// # Errors
    /// [`LoadError`] says why the component cannot run.
    pub fn load(&self, version: Version, uploaded: &[u8]) -> Result<Rule, LoadError> {
        let component = component_of(uploaded).map_err(|error| LoadError::Compile(error.into()))?;
        let component = Component::new(&self.engine, &component);
        self.ready(version, &component.map_err(|error| LoadError::Compile(error.into_boxed_dyn_error()))?)
    }

    /// Links a compiled component and checks that it fits the world.
    pub(crate) fn ready(&self, version: Version, component: &Component) -> Result<Rule, LoadError> {
        let unfit = |error: wasmtime::Error| LoadError::World(error.into_boxed_dyn_error());
        self.affordable(component)?;
        let pre = self.linker.instantiate_pre(component).map_err(unfit)?;
        let pre = CallPolicyPre::new(pre).map_err(unfit)?;
        let needs_its_call = AtomicBool::new(false);
        Ok(Rule(Arc::new(Ready { pre, version, limits: self.limits.run, needs_its_call })))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// Whether a run gets what the component needs before its first instruction.
    fn affordable(&self, component: &Component) -> Result<(), LoadError> {
        // None: it has components inside whose needs are known only when they run. The run's limits then decide.
        let Some(needs) = component.resources_required() else { return Ok(()) };
        let memory_bytes = needs.max_initial_memory_size.unwrap_or(0);
        let elements = needs.max_initial_table_size.unwrap_or(0);
        let wanted = [
            ("memories", u64::from(needs.num_memories), u64::from(MEMORIES_MAX)),
            ("tables", u64::from(needs.num_tables), u64::from(TABLES_MAX)),
            ("bytes of memory", memory_bytes, self.limits.run.memory_bytes as u64),
            ("elements of a table", elements, self.limits.run.table_elements as u64),
        ];
        match wanted.into_iter().find(|(_, needs, has)| needs > has) {
            Some((what, needs, has)) => Err(LoadError::TooMuch { what, needs, has }),
            None => Ok(()),
        }
    }
}

impl Rule {
    /// The version: digest of the component as uploaded.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.0.version
    }

    pub(crate) fn ready(&self) -> Arc<Ready> {
        self.0.clone()
    }
}

impl Ticker {
    /// One tick; false when the engine is gone.
    #[must_use]
    pub fn tick(&self) -> bool {
        match self.0.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.0.version).finish()
    }
}

/// Everything that compiled code depends on. The compile child has the same and no pool.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(price::operator_cost())
        .epoch_interruption(true)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(RUN_STACK_BYTES)
        .async_stack_zeroing(true);
    config
}

pub(crate) fn fingerprint(engine: &wasmtime::Engine) -> String {
    let mut hasher = Fingerprint(Sha256::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
    hex(&hasher.0.finalize())
}

/// Hashes with SHA-256 what only knows how to feed a `Hasher`: the same in every process.
struct Fingerprint(Sha256);

impl std::hash::Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

fn pool(limits: &EngineLimits) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let runs = limits.runs;
    pool.total_component_instances(runs)
        .total_stacks(runs)
        .total_core_instances(runs.saturating_mul(CORE_INSTANCES_MAX))
        // Half as many again: most rules have one memory, few have three.
        .total_memories(runs.saturating_add(runs / 2).saturating_add(MEMORIES_MAX))
        .total_tables(runs.saturating_mul(2).saturating_add(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(limits.run.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        // Where the kernel can say which pages a run has written, only those are zeroed.
        .pagemap_scan(Enabled::Auto);
    pool
}
