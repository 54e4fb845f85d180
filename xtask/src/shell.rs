//! Running other programs: always from the repository's root, always within a budget of time, with what they print shown
//! as it comes.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);
/// What a child gets to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Writes one line of progress.
#[expect(clippy::print_stderr, reason = "progress is what this program is for")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Writes one line that another program may read.
pub(crate) fn answer(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output is closed")
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Whether this runs unattended.
pub(crate) fn unattended() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// A program to be run from the root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this. Unattended there is no second build to be incremental for.
pub(crate) fn cargo() -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if unattended() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Builds the binary and returns its path.
pub(crate) fn build_callwright(budget: Budget) -> anyhow::Result<PathBuf> {
    budget.run(cargo().args(["build", "--workspace", "--bin", "callwright"]))?;
    Ok(target().join("debug/callwright"))
}

/// The same as callers meet it; the first time takes some minutes.
pub(crate) fn build_callwright_for_speed(budget: Budget) -> anyhow::Result<PathBuf> {
    budget.run(cargo().args(["build", "--workspace", "--release", "--bin", "callwright"]))?;
    Ok(target().join("release/callwright"))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Tells programs that run the switch where it is, and where the example rules are.
pub(crate) fn hand_over<'a>(command: &'a mut Command, binary: &Path, rules: &[PathBuf]) -> &'a mut Command {
    let rules: Vec<_> = rules.iter().map(|rule| rule.display().to_string()).collect();
    command.env("CALLWRIGHT", binary).env("CALLWRIGHT_RULES", rules.join(":"))
}

/// What went wrong was said already, by the program that it went wrong in.
#[derive(Debug)]
pub(crate) struct AlreadyTold;

impl std::fmt::Display for AlreadyTold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed, see above")
    }
}

impl std::error::Error for AlreadyTold {}

/// The time that a piece of work may still take.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// As long as it takes: a person is watching.
    pub(crate) fn unbounded() -> Self {
        Self { until: None }
    }

    /// Ends `time` from now.
    pub(crate) fn of(time: Duration) -> Self {
        Self { until: Instant::now().checked_add(time) }
    }

    /// Runs a program, its output going where ours goes.
    pub(crate) fn run(self, command: &mut Command) -> anyhow::Result<()> {
        let mut child = start(command)?;
        let status = self.wait(&mut child)?;
        succeeded(command, status)
    }

    /// Runs a program, handing each line of its output to `line` after showing it. Returns how it ended.
    pub(crate) fn run_lines(
        self,
        command: &mut Command,
        line: impl FnMut(&str) + Send,
    ) -> anyhow::Result<ExitStatus> {
        let mut child = start(command.stdout(Stdio::piped()))?;
        let output = child.stdout.take().context("the child's output was asked for")?;
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || show(output, line));
            let status = self.wait(&mut child);
            match reader.join() {
                Ok(shown) => shown?,
                Err(_) => bail!("the reader of the child's output panicked"),
            }
            status
        })
    }

    fn wait(self, child: &mut Child) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                end_tree(child)?;
                bail!("it was stopped because the time for everything is used up");
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Runs a program silently and says whether it succeeded; a program that is not there did not.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What a program prints, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().with_context(|| format!("`{}` could not be started", words(command)))
}

fn succeeded(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", words(command));
    }
    Ok(())
}

fn show(output: impl std::io::Read, mut line: impl FnMut(&str)) -> anyhow::Result<()> {
    let mut reader = BufReader::new(output);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        std::io::stdout().write_all(&bytes)?;
        line(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    Ok(())
}

/// A command as one would type it.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Ends a child and everything it started: cargo does not pass a signal on to the tests it runs.
fn end_tree(child: &mut Child) -> anyhow::Result<()> {
    let top = i32::try_from(child.id()).context("process ids are positive")?;
    let tree = halted(top);
    signal(&tree, Signal::TERM);
    signal(&tree, Signal::CONT);
    let until = Instant::now() + GRACE;
    while child.try_wait()?.is_none() && Instant::now() < until {
        std::thread::sleep(POLL);
    }
    signal(&tree, Signal::KILL);
    child.wait()?;
    Ok(())
}

/// Halts `top` and all that descends from it: what runs may start another in the moment between seeing and signalling.
fn halted(top: i32) -> Vec<i32> {
    let mut tree = Vec::new();
    loop {
        let seen = descendants(top);
        if seen.len() == tree.len() {
            return tree;
        }
        signal(&seen, Signal::STOP);
        tree = seen;
    }
}

/// Sends a signal to each of these processes.
pub(crate) fn signal(processes: &[i32], signal: Signal) {
    for pid in processes.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // A process that has ended in the meantime is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// `top` and all that descends from it.
fn descendants(top: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut tree = vec![top];
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    tree
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the state and the parent follow its last bracket.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Budget, program};

    /// Whether any process sleeps the test's figure.
    fn sleeps_on() -> bool {
        let processes =
            std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
        let mut words = processes.filter_map(|path| std::fs::read_to_string(path).ok());
        words.any(|words| words.starts_with("sleep\u{0}300.0625"))
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
        let began = Instant::now();
        let mut sleeps = program("bash");
        // A figure that nobody else sleeps: the orphan is looked for among all processes.
        sleeps.args(["-c", "sleep 300.0625 & sleep 300.0625"]);
        let error = Budget::of(Duration::from_millis(300)).run(&mut sleeps).unwrap_err();
        assert!(error.to_string().contains("time"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10));
        // A signal that was sent takes its effect when the kernel comes to it.
        while sleeps_on() {
            assert!(began.elapsed() < Duration::from_secs(20), "an orphan sleeps on");
            std::thread::sleep(super::POLL);
        }
    }

    #[test]
    fn lines_are_handed_over_as_they_come() {
        let mut lines = Vec::new();
        let mut prints = program("printf");
        prints.arg("one\\ntwo\\n");
        let status = Budget::unbounded().run_lines(&mut prints, |line| lines.push(line.to_owned())).unwrap();
        assert!(status.success());
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_fails_is_named_with_its_words() {
        let mut fails = program("bash");
        fails.args(["-c", "exit 3"]);
        let error = Budget::unbounded().run(&mut fails).unwrap_err().to_string();
        assert!(error.starts_with("`bash -c exit 3` failed"), "{error}");
    }
}
