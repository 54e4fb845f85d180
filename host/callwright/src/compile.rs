//! Compiling in a child process: what a tenant sent can keep a compiler busy or make it fail, and neither may cost a call.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use callwright_rules::compile::{ChildEnd, CompileLimits, compile_child_main};
use rustix::process::Signal;

use crate::error::UserError;

/// The longest artefact that is taken from a child, in bytes.
const ARTEFACT_MAX: u64 = 256 * 1024 * 1024;
/// How often the parent looks whether the child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The child gives way to calls.
const NICE: i32 = 10;

/// What a child left behind.
pub(crate) struct Ended {
    /// What it wrote.
    pub(crate) output: Vec<u8>,
    /// How it came to its end.
    pub(crate) end: ChildEnd,
}

/// Compiles a component in a child, which is gone when this returns.
///
/// # Errors
/// No child can be started or waited for.
pub(crate) fn in_child(component: &[u8], limits: &CompileLimits) -> std::io::Result<Ended> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.arg("compile-child").env_clear().env("MIMALLOC_ARENA_RESERVE", RESERVE_KIB);
    run(&mut command, component, Duration::from_secs(limits.wall_s))
}

/// What the allocator of a child takes of its address space at a time: the usual GiB is more than the child may have.
const RESERVE_KIB: &str = "16384";

/// Feeds a child and listens to it until it has ended, or until its time is over and it is killed.
fn run(command: &mut Command, component: &[u8], wall: Duration) -> std::io::Result<Ended> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ends early has said why.
            let _closed = input.map(|mut input| input.write_all(component));
        });
        let output = scope.spawn(move || {
            let mut bytes = Vec::new();
            // What was read until a failure is judged by how the child ended.
            let _failed = output.map(|output| output.take(ARTEFACT_MAX).read_to_end(&mut bytes));
            bytes
        });
        let end = wait(&mut child, wall)?;
        Ok(Ended { output: output.join().unwrap_or_default(), end })
    })
}

fn wait(child: &mut Child, wall: Duration) -> std::io::Result<ChildEnd> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(end_of(status));
        }
        if began.elapsed() >= wall {
            child.kill()?;
            child.wait()?;
            return Ok(ChildEnd::Overdue);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn end_of(status: ExitStatus) -> ChildEnd {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => ChildEnd::Done,
        (Some(code), _) => ChildEnd::Failed(code),
        (None, Some(signal)) => ChildEnd::Killed(signal),
        (None, None) => ChildEnd::Failed(-1),
    }
}

/// The child itself: reads a component, writes what was compiled from it.
///
/// # Errors
/// The child could not do its work; what is wrong with the component goes to the output.
pub(crate) fn child() -> Result<(), UserError> {
    let failed =
        |error: &dyn std::fmt::Display| UserError::outside("the compiler cannot work").because(error);
    // A parent that is killed leaves nobody behind.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(&error))?;
    rustix::process::nice(NICE).map_err(|error| failed(&error))?;
    compile_child_main(std::io::stdin().lock(), std::io::stdout().lock(), &CompileLimits::default())
        .map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("60");
        command
    }

    #[test]
    fn a_child_that_takes_too_long_is_killed_and_gone() {
        let began = Instant::now();
        let ended = run(&mut sleeper(), b"", Duration::from_millis(50)).unwrap();
        assert_eq!(ended.end, ChildEnd::Overdue);
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_a_child_writes_comes_back_with_its_end() {
        let ended = run(&mut Command::new("cat"), b"component", Duration::from_secs(20)).unwrap();
        assert_eq!((ended.output.as_slice(), ended.end), (b"component".as_slice(), ChildEnd::Done));
        let ended = run(&mut Command::new("false"), &[0; 1_000_000], Duration::from_secs(20)).unwrap();
        assert_eq!(ended.end, ChildEnd::Failed(1));
    }
}
