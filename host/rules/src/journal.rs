//! The journal of a run: JSON Lines that explain, replay and compare it (RULES §4).
//!
//! One line each for the head, every question on its way out (`ask`), every host call when it is answered (`call`), and
//! the end. Values are WAVE text. The order of keys is fixed, so equal runs have equal bytes.

use callwright_core::rule::{RunOutcome, RunStart};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::limits::{JOURNAL_BYTES_MAX, RunLimits};
use crate::price::FUEL_SCHEDULE;
use crate::upload::WORLD;

/// Version of the journal's form.
const FORM: u32 = 1;

/// Lines that are written and not yet handed over.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Vec<String>,
    bytes: usize,
    calls: u32,
    cut: bool,
}

#[derive(Serialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
enum Line<'a> {
    Head(Head<'a>),
    Ask {
        n: u32,
        f: &'a str,
        args: &'a str,
        fuel: u64,
        ms: u64,
    },
    Call {
        n: u32,
        f: &'a str,
        args: &'a str,
        ret: &'a str,
        fuel: [u64; 2],
        ms: u64,
    },
    Cut {
        bytes: usize,
    },
    End {
        outcome: &'a RunOutcome,
        fuel: u64,
        fuel_exact: bool,
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        counts: Option<Counts>,
    },
}

#[derive(Serialize)]
struct Head<'a> {
    v: u32,
    call: &'a str,
    tenant: &'a str,
    rule: &'a str,
    component: &'a str,
    world: &'a str,
    fuel_schedule: &'a str,
    limits: &'a RunLimits,
    settings: String,
    /// In hexadecimal: JSON readers disagree about 64-bit numbers.
    seed: String,
    wall: String,
}

/// One host call as the journal writes it.
pub(crate) struct HostCall<'a> {
    pub(crate) import: &'a str,
    pub(crate) args: &'a str,
    pub(crate) fuel_before: u64,
    /// Milliseconds since the call came in.
    pub(crate) ms: u64,
}

/// How a run ended, as the journal writes it.
pub(crate) struct End<'a> {
    pub(crate) outcome: &'a RunOutcome,
    pub(crate) fuel: u64,
    pub(crate) fuel_exact: bool,
    /// None where the run was dropped and nobody can know.
    pub(crate) counts: Option<Counts>,
}

/// What a run has used by its end, beside fuel.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Counts {
    pub(crate) reads: u32,
    pub(crate) actions: u32,
    /// Bytes of all memories.
    pub(crate) memory: usize,
    /// Milliseconds since the call came in.
    pub(crate) ms: u64,
}

impl Journal {
    /// Begins with the head.
    pub(crate) fn begin(start: &RunStart, limits: &RunLimits) -> Self {
        let mut journal = Self::default();
        journal.write(&Line::Head(Head {
            v: FORM,
            call: start.call.id.as_str(),
            tenant: start.call.tenant.as_str(),
            rule: start.rule.name.as_str(),
            component: start.rule.version.as_str(),
            world: WORLD,
            fuel_schedule: FUEL_SCHEDULE,
            limits,
            settings: settings_digest(start),
            seed: format!("{:016x}", start.seed),
            wall: start.now.wall.to_string(),
        }));
        journal
    }

    /// A question goes out.
    pub(crate) fn ask(&mut self, call: &HostCall<'_>) {
        let n = self.calls.saturating_add(1);
        self.write(&Line::Ask { n, f: call.import, args: call.args, fuel: call.fuel_before, ms: call.ms });
    }

    /// A host call was answered.
    pub(crate) fn call(&mut self, call: &HostCall<'_>, ret: &str, fuel_after: u64) {
        self.calls = self.calls.saturating_add(1);
        let fuel = [call.fuel_before, fuel_after];
        self.write(&Line::Call { n: self.calls, f: call.import, args: call.args, ret, fuel, ms: call.ms });
    }

    /// The run is over. Written even where the journal was cut.
    pub(crate) fn end(&mut self, end: &End<'_>) {
        let End { outcome, fuel, fuel_exact, counts } = *end;
        self.push(&Line::End { outcome, fuel, fuel_exact, counts });
    }

    /// Takes what is new.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    fn write(&mut self, line: &Line<'_>) {
        if self.cut {
            return;
        }
        if self.bytes > JOURNAL_BYTES_MAX {
            self.cut = true;
            self.push(&Line::Cut { bytes: self.bytes });
            return;
        }
        self.push(line);
    }

    fn push(&mut self, line: &Line<'_>) {
        // Strings and numbers always serialise; a line that did not would be missing, not wrong.
        if let Ok(text) = serde_json::to_string(line) {
            self.bytes = self.bytes.saturating_add(text.len());
            self.lines.push(text);
        }
    }
}

fn settings_digest(start: &RunStart) -> String {
    let settings = serde_json::to_vec(start.rule.settings.as_ref()).unwrap_or_default();
    format!("sha256:{}", crate::upload::hex(&Sha256::digest(settings)))
}
