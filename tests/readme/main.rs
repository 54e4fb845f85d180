//! Runs the `sh` blocks of README.md as they stand, in their order, in one shell at the repository's root.
//!
//! What stands at the root is a copy, mounted over it for that shell alone: the blocks may make and change what they like,
//! and cargo finds what it has built under the same path.
//!
//! A comment on the line before a block says what else should happen with it, and is not seen by whoever reads the page:
//!
//! - `<!-- not run: WHY -->` leaves the block out, for the reason given; the command that runs this test is one.
//! - `<!-- runs until: TEXT -->` starts the block beside the others, goes on as soon as it has printed TEXT, and ends it
//!   after the last block.
//!
//! Blocks of other languages are text.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be read fails them")]

use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What all blocks together may take: the first of them may have to compile.
const ALL_MAX: Duration = Duration::from_secs(15 * 60);
/// What a block that goes on running has to print its text, s.
const TEXT_MAX_S: u32 = 600;

/// A fenced `sh` block.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// The line of its first command.
    line: usize,
    text: String,
    fate: Fate,
}

/// What happens with a block.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Run,
    RunUntil(String),
    NotRun,
}

/// The `sh` blocks of a page; an error names the line of a comment that nobody understands.
fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if language.trim() == "sh" {
                let fate =
                    fate(before).ok_or_else(|| format!("README.md:{number}: what does `{before}` mean?"))?;
                blocks.push(Block { line: number + 2, text: body.join("\n"), fate });
            }
        }
        before = line;
    }
    Ok(blocks)
}

fn fate(before: &str) -> Option<Fate> {
    let Some(comment) = before.strip_prefix("<!--") else { return Some(Fate::Run) };
    let (word, rest) = comment.strip_suffix("-->")?.trim().split_once(": ")?;
    match word {
        "not run" => Some(Fate::NotRun),
        "runs until" => Some(Fate::RunUntil(rest.to_owned())),
        _ => None,
    }
}

/// The blocks as one script. `logs` takes what a block that goes on running prints.
fn script(blocks: &[Block], logs: &Path) -> String {
    let mut script = String::from("set -euo pipefail\n");
    for Block { line, text, fate } in blocks {
        let at = format!("README.md:{line}");
        writeln!(script, "trap 'echo \"{at}: failed\" >&2' ERR\necho '== {at} =='").unwrap();
        match fate {
            Fate::NotRun => writeln!(script, "echo 'not run'").unwrap(),
            Fate::Run => writeln!(script, "{text}").unwrap(),
            Fate::RunUntil(wanted) => {
                let log = logs.join(format!("block-{line}.log"));
                let (log, wanted) = (quoted(log.to_str().unwrap()), quoted(wanted));
                writeln!(script, "(\n{text}\n) >{log} 2>&1 &\nawaited=$!").unwrap();
                writeln!(script, "for i in $(seq {}); do", TEXT_MAX_S * 5).unwrap();
                writeln!(script, "  if grep -qF -- {wanted} {log}; then break; fi").unwrap();
                writeln!(script, "  kill -0 $awaited 2>/dev/null || break\n  sleep 0.2\ndone\ncat {log}")
                    .unwrap();
                writeln!(script, "grep -qF -- {wanted} {log}").unwrap();
            }
        }
    }
    script
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Puts a copy of the repository in its place, with what has been compiled, and then runs the script that `$1` names.
const IN_A_COPY: &str = r#"
set -euo pipefail
copy=target/readme
rm -rf $copy
mkdir -p $copy
git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C $copy
for built in target/debug guest-sdk/target; do
  mkdir -p $built $copy/$built
  mount --bind $built $copy/$built
done
mount --rbind $copy "$PWD"
cd "$PWD"
exec bash "$1"
"#;

/// A shell that runs a script where the copy is mounted.
fn in_a_copy(script: &Path) -> Command {
    let mut command = Command::new("unshare");
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["bash", "-c", IN_A_COPY, "readme"]).arg(script).current_dir(root());
    command
}

/// A shell that runs a script as it is.
fn in_place(script: &Path, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg(script).current_dir(folder);
    command
}

fn written(script: &str, folder: &Path) -> PathBuf {
    let file = folder.join("blocks.sh");
    std::fs::write(&file, script).unwrap();
    file
}

/// Runs a shell in a process group of its own, which ends with it. Returns whether it succeeded.
fn succeeds(mut shell: Command, time: Duration) -> bool {
    let mut child = shell.stdin(Stdio::null()).process_group(0).spawn().unwrap();
    let until = Instant::now() + time;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() >= until {
            break None;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    // What still runs: blocks that go on, or everything where the time is over. An empty group is no error.
    let end =
        format!("kill -TERM -- -{0} 2>/dev/null; sleep 1; kill -KILL -- -{0} 2>/dev/null; true", child.id());
    Command::new("bash").args(["-c", &end]).status().unwrap();
    child.wait().unwrap();
    status.is_some_and(|status| status.success())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn the_blocks_run_as_they_stand() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&page).unwrap();
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(blocks.iter().any(|block| block.text.contains(command)), "no block says `{command}`");
    }
    assert!(blocks.iter().any(|block| block.fate != Fate::NotRun), "no block is run");
    let logs = tempfile::tempdir().unwrap();
    let script = written(&script(&blocks, logs.path()), logs.path());
    assert!(succeeds(in_a_copy(&script), ALL_MAX), "a block failed, see above");
}

#[test]
fn blocks_are_read_with_what_is_said_of_them() {
    let page = "# A\n\n```sh\none\ntwo\n```\n<!-- not run: it takes long -->\n```sh\nthree\n```\n```toml\nsh = 1\n```\n\
                <!-- runs until: it's up -->\n```sh\nfour\n```\n";
    let found = blocks(page).unwrap();
    let block = |line, text: &str, fate| Block { line, text: text.to_owned(), fate };
    let until = Fate::RunUntil("it's up".to_owned());
    let expected =
        [block(4, "one\ntwo", Fate::Run), block(9, "three", Fate::NotRun), block(16, "four", until)];
    assert_eq!(found, expected);
}

#[test]
fn a_comment_that_nobody_understands_is_refused() {
    assert!(blocks("<!-- skip -->\n```sh\none\n```\n").is_err());
    assert!(blocks("<!-- not run -->\n```sh\none\n```\n").is_err());
}

fn runs(page: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let script = written(&script(&blocks(page).unwrap(), folder.path()), folder.path());
    succeeds(in_place(&script, folder.path()), Duration::from_secs(20))
}

#[test]
fn a_block_that_fails_is_found() {
    assert!(runs("```sh\na=1\n```\n```sh\ntest $a = 1\n```\n"));
    assert!(!runs("```sh\nfalse\ntrue\n```\n"));
    assert!(!runs("```sh\necho $unknown\n```\n"));
}

#[test]
fn a_block_that_goes_on_is_awaited_and_ended() {
    let began = Instant::now();
    assert!(runs(
        "<!-- runs until: it's up -->\n```sh\necho \"it's up\"\nsleep 300\n```\n```sh\ntrue\n```\n"
    ));
    assert!(!runs("<!-- runs until: it's up -->\n```sh\necho down\n```\n"));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn blocks_that_do_not_end_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let script = written("sleep 300 &\nsleep 300", folder.path());
    assert!(!succeeds(in_place(&script, folder.path()), Duration::from_millis(300)));
}
