//! From an upload to compiled code: the expensive and hostile part, made to run in a child process.
//!
//! The child limits itself before it reads a byte; the parent has the wall clock. What comes back is checked and sealed
//! by the parent with [`crate::Engine::seal`].

use std::borrow::Cow;
use std::io::{Read, Write};

use rustix::process::{Resource, Rlimit, getpriority_process, setpriority_process, setrlimit};
use wit_component::ComponentEncoder;

use crate::engine::{EngineError, config, fingerprint};
use crate::upload::{COMPONENT_BYTES_MAX, Problem};

/// The first byte of the child's output when it has compiled.
const COMPILED: u8 = b'C';
/// The first byte when the component is to blame.
const REFUSED: u8 = b'R';

/// How far a compile child steps back behind everybody else.
const NICENESS: i32 = 10;

/// What compiling one upload may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds of CPU; the child sets it on itself.
    pub cpu_s: u64,
    /// Bytes of address space; the child sets it on itself.
    pub memory_bytes: u64,
    /// Seconds on the wall clock; for the parent, who kills the child.
    pub wall_s: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { cpu_s: 10, memory_bytes: 512 * 1024 * 1024, wall_s: 20 }
    }
}

/// How a compile child came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnd {
    /// It exited by itself; success only.
    Done,
    /// It exited with this code.
    Failed(i32),
    /// A signal ended it.
    Killed(i32),
    /// The parent killed it, for the wall clock.
    Overdue,
}

/// Why an upload was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It is a core module that cannot be made a component.
    #[error("the core module cannot be made a component: {0}")]
    Encode(String),
    /// The component is not valid, or beyond what the compiler can do.
    #[error("the component does not compile: {0}")]
    Compile(String),
}

/// Why a compile child could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It could not limit itself, so it did nothing.
    #[error("cannot set the limit of {0}: {1}")]
    Limit(&'static str, #[source] rustix::io::Errno),
    /// The parent cannot be talked to.
    #[error("cannot talk to the parent: {0}")]
    Pipe(#[from] std::io::Error),
    /// There is no compiler.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A compiler without a pool: it makes code and cannot run it.
pub struct Compiler(wasmtime::Engine);

impl Compiler {
    /// Makes a compiler with the settings of [`crate::Engine`].
    ///
    /// # Errors
    /// [`EngineError`] where this machine cannot be compiled for.
    pub fn new() -> Result<Self, EngineError> {
        wasmtime::Engine::new(&config()).map(Self).map_err(|error| EngineError::new(0, error))
    }

    /// The same as [`crate::Engine::fingerprint`], or what it makes cannot be loaded there.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }

    /// Compiles an upload.
    ///
    /// # Errors
    /// [`CompileError`] where the upload is to blame.
    pub fn compile(&self, uploaded: &[u8]) -> Result<Vec<u8>, CompileError> {
        let component = component_of(uploaded)?;
        self.0.precompile_component(&component).map_err(|error| CompileError::Compile(format!("{error:#}")))
    }
}

/// What a compile child does: reads an upload to its end, compiles it, writes what [`reply`] reads.
///
/// # Errors
/// [`ChildError`] where not the upload is to blame; the child then exits with a code.
pub fn compile_child_main(
    input: impl Read,
    mut output: impl Write,
    limits: &CompileLimits,
) -> Result<(), ChildError> {
    limit("CPU time", Resource::Cpu, limits.cpu_s, limits.cpu_s.saturating_add(1))?;
    limit("memory", Resource::As, limits.memory_bytes, limits.memory_bytes)?;
    limit("core files", Resource::Core, 0, 0)?;
    step_back().map_err(|error| ChildError::Limit("priority", error))?;
    let mut uploaded = Vec::new();
    // One byte more than is admitted: what comes whole is what was admitted.
    input.take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut uploaded)?;
    let compiler = Compiler::new()?;
    let (kind, bytes) = match compiler.compile(&uploaded) {
        Ok(compiled) => (COMPILED, compiled),
        Err(error) => (REFUSED, error.to_string().into_bytes()),
    };
    output.write_all(&[kind])?;
    output.write_all(&bytes)?;
    output.flush()?;
    Ok(())
}

/// Calls go before compiling, wherever both want a core. A switch that stands further back itself stays there: nobody may
/// come forward.
fn step_back() -> rustix::io::Result<()> {
    if getpriority_process(None)? < NICENESS {
        setpriority_process(None, NICENESS)?;
    }
    Ok(())
}

/// What a child has answered, and how it ended: the compiled code, or what is wrong with the upload.
///
/// # Errors
/// A [`Problem`] that names the limit, where one ended the child.
pub fn reply<'a>(output: &'a [u8], end: ChildEnd, limits: &CompileLimits) -> Result<&'a [u8], Problem> {
    match (end, output.split_first()) {
        (ChildEnd::Done, Some((&COMPILED, compiled))) if !compiled.is_empty() => Ok(compiled),
        (ChildEnd::Done, Some((&REFUSED, text))) => {
            Err(Problem::component(String::from_utf8_lossy(text).into_owned()))
        }
        (end, _) => Err(Problem::component(limit_words(end, limits))),
    }
}

fn limit_words(end: ChildEnd, limits: &CompileLimits) -> String {
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    const SIGSEGV: i32 = 11;
    const SIGXCPU: i32 = 24;
    let smaller = "make its functions smaller or fewer";
    let memory_mib = limits.memory_bytes / (1024 * 1024);
    match end {
        ChildEnd::Killed(SIGXCPU | SIGKILL) => {
            format!("takes more than {} s of CPU to compile; {smaller}", limits.cpu_s)
        }
        ChildEnd::Killed(SIGABRT) => format!("takes more than {memory_mib} MiB to compile; {smaller}"),
        ChildEnd::Killed(SIGSEGV) => format!("takes too much stack to compile; {smaller}"),
        ChildEnd::Overdue => format!("takes more than {} s to compile; {smaller}", limits.wall_s),
        ChildEnd::Killed(signal) => format!("was not compiled: the compiler ended by signal {signal}"),
        ChildEnd::Failed(code) => format!("was not compiled: the compiler exited with {code}"),
        ChildEnd::Done => "was not compiled: the compiler said nothing".to_owned(),
    }
}

fn limit(name: &'static str, resource: Resource, soft: u64, hard: u64) -> Result<(), ChildError> {
    setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })
        .map_err(|error| ChildError::Limit(name, error))
}

/// The component of an upload: itself, or a core module with a component-type section made one.
pub(crate) fn component_of(uploaded: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    if wasmparser::Parser::is_component(uploaded) {
        return Ok(Cow::Borrowed(uploaded));
    }
    let encoded =
        ComponentEncoder::default().validate(true).module(uploaded).and_then(|encoder| encoder.encode());
    encoded.map(Cow::Owned).map_err(|error| CompileError::Encode(format!("{error:#}")))
}
