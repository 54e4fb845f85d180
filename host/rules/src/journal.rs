//! The journal of a run: JSON Lines that explain, replay and compare it (RULES §4).
//!
//! One line each for the head, every question on its way out (`ask`), every host call when it is answered (`call`), and
//! the end. Values are WAVE text. The order of keys is fixed, so equal runs have equal bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use callwright_core::rule::{RunOutcome, RunStart, Setting};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::limits::{JOURNAL_BYTES_MAX, RunLimits};
use crate::price::FUEL_SCHEDULE;
use crate::upload::WORLD;

/// Bytes of a call's line beside its texts.
const LINE_BYTES: usize = 112;
/// Bytes of the longest text whose place is used again.
const PAPER_BYTES_MAX: usize = 4 * 1024;
/// The digest of no settings, which is `{}`: most rules have none.
const NO_SETTINGS: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
/// Version of the journal's form.
const FORM: u32 = 1;

/// Lines that are written and not yet handed over.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Vec<String>,
    bytes: usize,
    calls: u32,
    cut: bool,
    /// Texts that are written into over and over: a run makes some dozen host calls, and each has arguments and a result.
    papers: [String; 2],
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
            settings: settings_digest(&start.rule.settings),
            seed: format!("{:016x}", start.seed),
            wall: start.now.wall.to_string(),
        }));
        journal
    }

    /// How many host calls were answered.
    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// A question goes out.
    pub(crate) fn ask(&mut self, call: &HostCall<'_>) {
        let n = self.calls.saturating_add(1);
        self.write(&Line::Ask { n, f: call.import, args: call.args, fuel: call.fuel_before, ms: call.ms });
    }

    /// A host call was answered.
    ///
    /// Written by hand: it is most of a journal, and takes a third of the time that the serialiser takes.
    pub(crate) fn call(&mut self, call: &HostCall<'_>, ret: &str, fuel_after: u64) {
        self.calls = self.calls.saturating_add(1);
        if !self.has_room() {
            return;
        }
        let mut line = String::with_capacity(call.import.len() + call.args.len() + ret.len() + LINE_BYTES);
        line.push_str("{\"t\":\"call\",\"n\":");
        number(&mut line, self.calls.into());
        line.push_str(",\"f\":\"");
        escaped(&mut line, call.import);
        line.push_str("\",\"args\":\"");
        escaped(&mut line, call.args);
        line.push_str("\",\"ret\":\"");
        escaped(&mut line, ret);
        line.push_str("\",\"fuel\":[");
        number(&mut line, call.fuel_before);
        line.push(',');
        number(&mut line, fuel_after);
        line.push_str("],\"ms\":");
        number(&mut line, call.ms);
        line.push('}');
        self.keep(line);
    }

    /// An empty text to write into; [`Journal::take_back`] has it used again.
    pub(crate) fn paper(&mut self) -> String {
        let paper = self.papers.iter_mut().max_by_key(|paper| paper.capacity());
        paper.map(std::mem::take).unwrap_or_default()
    }

    /// A text that is read, unless it has become large.
    pub(crate) fn take_back(&mut self, mut paper: String) {
        if paper.capacity() <= PAPER_BYTES_MAX
            && let Some(place) = self.papers.iter_mut().find(|place| place.capacity() == 0)
        {
            paper.clear();
            *place = paper;
        }
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
        if self.has_room() {
            self.push(line);
        }
    }

    /// Whether there is room for one more line; the first that finds none is told so in its place.
    fn has_room(&mut self) -> bool {
        if !self.cut && self.bytes > JOURNAL_BYTES_MAX {
            self.cut = true;
            self.push(&Line::Cut { bytes: self.bytes });
        }
        !self.cut
    }

    fn push(&mut self, line: &Line<'_>) {
        // Strings and numbers always serialise; a line that did not would be missing, not wrong.
        if let Ok(text) = serde_json::to_string(line) {
            self.keep(text);
        }
    }

    fn keep(&mut self, line: String) {
        self.bytes = self.bytes.saturating_add(line.len());
        self.lines.push(line);
    }
}

/// Writes a number in decimal.
fn number(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // A digit is a byte.
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    // Digits are UTF-8.
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// Writes the inside of a JSON string (RFC 8259 §7).
fn escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some(control) => {
                // Writing into a string does not fail.
                let _written = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

fn settings_digest(settings: &BTreeMap<String, Setting>) -> String {
    if settings.is_empty() {
        return NO_SETTINGS.to_owned();
    }
    let settings = serde_json::to_vec(settings).unwrap_or_default();
    format!("sha256:{}", crate::upload::hex(&Sha256::digest(settings)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_written_by_hand_is_what_the_serialiser_writes() {
        let texts = ["", "plain", "say \"no\"", "back\\slash", "grün\n\u{1}\u{7f}", "\"", "end\\"];
        for (at, text) in texts.into_iter().enumerate() {
            let mut journal = Journal::default();
            let call = HostCall { import: "call.because", args: text, fuel_before: u64::MAX, ms: 17 };
            journal.call(&call, texts[texts.len() - 1 - at], 0);
            let line: serde_json::Value = serde_json::from_str(&journal.take()[0]).unwrap();
            let expected = serde_json::json!({
                "t": "call", "n": 1, "f": "call.because", "args": text, "ret": texts[texts.len() - 1 - at],
                "fuel": [u64::MAX, 0], "ms": 17,
            });
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn settings_are_known_by_their_digest() {
        for settings in [BTreeMap::new(), BTreeMap::from([("wait".to_owned(), Setting::Number(10))])] {
            let digest = Sha256::digest(serde_json::to_vec(&settings).unwrap());
            assert_eq!(settings_digest(&settings), format!("sha256:{}", crate::upload::hex(&digest)));
        }
    }

    #[test]
    fn what_is_written_on_is_used_again_and_what_became_large_is_not() {
        let mut journal = Journal::default();
        let mut paper = journal.paper();
        paper.push_str("used");
        let place = paper.as_ptr();
        journal.take_back(paper);
        let paper = journal.paper();
        assert_eq!((paper.as_ptr(), paper.as_str()), (place, ""));
        journal.take_back("x".repeat(PAPER_BYTES_MAX + 1));
        assert_eq!(journal.paper().capacity(), 0);
    }
}
