//! Nothing stays behind of a measurement that is broken off: Ctrl-C and `kill` run no guard of ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::Context;

use super::load::Running;
use crate::shell;

/// Waits for the end of its input, which comes when we end in any way, unless a line says that all is well. A program that
/// was asked to end gets 5 s before its folder goes.
const SCRIPT: &str = "trap '' INT TERM HUP
    read fine && exit
    kill -TERM \"$1\"
    tries=0
    while kill -0 \"$1\" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    rm -rf \"$2\"";

/// Ends a program and removes its folder when we end before we did so ourselves.
pub(super) struct Undertaker(Child);

impl Undertaker {
    /// Watches over a program and a folder.
    pub(super) fn of(program: &Running, folder: &Path) -> anyhow::Result<Self> {
        let mut shell = shell::program("sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(program.0.id().to_string()).arg(folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(shell.spawn().context("`sh` could not be started")?))
    }
}

impl Drop for Undertaker {
    /// What it watched over is ended after this, by its own guard.
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            // One that is gone needs no word.
            let _told = pipe.write_all(b"fine\n");
        }
        // It may have ended by itself.
        let _status = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder, a program that sleeps, and who watches over them.
    fn watched(name: &str) -> (std::path::PathBuf, Running, Undertaker) {
        let folder = std::env::temp_dir().join(format!("callwright-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = shell::program("sleep");
        command.arg("300");
        let program = Running::start(command).unwrap();
        let undertaker = Undertaker::of(&program, &folder).unwrap();
        (folder, program, undertaker)
    }

    #[test]
    fn nothing_stays_behind_when_we_end() {
        let (folder, mut program, mut undertaker) = watched("broken-off");
        drop(undertaker.0.stdin.take());
        assert!(!program.0.wait().unwrap().success());
        assert!(undertaker.0.wait().unwrap().success());
        assert!(!folder.exists());
    }

    #[test]
    fn nothing_is_touched_when_all_is_well() {
        let (folder, mut program, undertaker) = watched("well");
        drop(undertaker);
        assert!(folder.exists());
        assert!(program.is_running().unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
