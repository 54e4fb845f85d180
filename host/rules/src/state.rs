//! What a run holds on the host's side: the picture it reads from, its handles, counters and what it said.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use callwright_core::config::Tenant;
use callwright_core::label::label;
use callwright_core::names::{AskId, RunId};
use callwright_core::notice::Warned;
use callwright_core::rule::{
    ActiveRule, CallFacts, Care, DestinationRef, Entry, LegReport, LogLine, Note, Party, RunOutcome,
    RunStart, Spent,
};
use callwright_core::{Now, View, place};
use jiff::Timestamp;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::door::Door;
use crate::journal::{Counts, End, Journal};
use crate::limits::{Bounds, NOTES_MAX, REDACTED_MAX, RunLimits, WARNING_BYTES_MAX, WARNINGS_MAX};
use crate::price::{Kind, Price};
use crate::reached::LeftOut;

/// Why a host function ended the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The price of an import was more than what was left.
    #[error("out of fuel in {0}")]
    Fuel(&'static str),
    /// A counted limit; its name.
    #[error("limit exceeded: {0}")]
    Limit(&'static str),
    /// The driver broke the contract.
    #[error("{0}")]
    Internal(&'static str),
}

impl From<ResourceTableError> for Stop {
    fn from(error: ResourceTableError) -> Self {
        match error {
            ResourceTableError::Full => Self::Limit("handles"),
            ResourceTableError::NotPresent
            | ResourceTableError::WrongType
            | ResourceTableError::HasChildren => Self::Internal("a handle points nowhere"),
        }
    }
}

/// The store's data.
pub(crate) struct RunState {
    pub(crate) call: Arc<CallFacts>,
    pub(crate) rule: Arc<ActiveRule>,
    pub(crate) view: Arc<View>,
    /// As last seen: a tenant removed while the phones ring is still the tenant of its calls.
    pub(crate) tenant: Option<Arc<Tenant>>,
    pub(crate) now: Now,
    pub(crate) table: ResourceTable,
    pub(crate) limits: RunLimits,
    pub(crate) bounds: Bounds,
    pub(crate) journal: Journal,
    pub(crate) door: Door,
    /// The import that is being paid for or answered; none while the guest computes.
    pub(crate) inside: Option<&'static str>,
    pub(crate) slices: u32,
    pub(crate) reads: u32,
    pub(crate) actions: u32,
    pub(crate) legs: u32,
    /// Legs and rings made, for their names in the journal.
    pub(crate) made: u32,
    pub(crate) asks: u32,
    /// The caller has gone: only log and store work.
    pub(crate) caller_gone: bool,
    pub(crate) last_legs: Vec<LegReport>,
    /// Fuel to pay on top of the price of the host call that is being answered.
    pub(crate) surcharge: u64,
    /// For what is left to chance.
    pub(crate) seed: u64,
    pub(crate) left_out: LeftOut,
    guest_bytes: usize,
    began: Duration,
    /// Numbers that it was shown last, as it was shown them, and what stands for each.
    redacted: Vec<(String, u64)>,
    log: Log,
    notes: Vec<Note>,
    notes_taken: usize,
}

/// The tenant's log of this run.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u32,
    dropped_bytes: usize,
    /// What was said at the level of warnings, each once.
    warnings: Vec<Warned>,
    /// How many of them were handed over.
    handed: usize,
}

impl RunState {
    pub(crate) fn new(start: &RunStart, limits: RunLimits, door: Door) -> Self {
        Self { journal: Journal::begin(start, &limits), ..Self::unwritten(start, limits, door) }
    }

    /// For an instance without a call: whatever is said is written nowhere.
    pub(crate) fn rehearsing(limits: RunLimits) -> Self {
        static NOBODY: LazyLock<RunStart> = LazyLock::new(rehearsal);
        Self::unwritten(&NOBODY, limits, Door::default())
    }

    fn unwritten(start: &RunStart, limits: RunLimits, door: Door) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            call: start.call.clone(),
            rule: start.rule.clone(),
            tenant: start.view.config.tenants.get(&start.call.tenant).cloned(),
            view: start.view.clone(),
            now: start.now,
            table,
            limits,
            bounds: Bounds::new(&limits),
            journal: Journal::default(),
            door,
            inside: None,
            slices: 1,
            reads: 0,
            actions: 0,
            legs: 0,
            made: 0,
            asks: 0,
            caller_gone: false,
            last_legs: Vec::new(),
            surcharge: 0,
            seed: start.seed,
            left_out: LeftOut::default(),
            guest_bytes: 0,
            began: start.call_began,
            redacted: Vec::new(),
            log: Log::default(),
            notes: Vec::new(),
            notes_taken: 0,
        }
    }

    /// The call has come for which nobody stood in until now. What the instance has taken counts as it would have.
    pub(crate) fn begin(&mut self, start: &RunStart, door: Door) {
        let bounds = std::mem::replace(&mut self.bounds, Bounds::new(&self.limits));
        *self = Self { bounds, ..Self::new(start, self.limits, door) };
    }

    /// From now on the run sees this.
    pub(crate) fn see(&mut self, view: Arc<View>, now: Now) {
        if let Some(tenant) = view.config.tenants.get(&self.call.tenant) {
            self.tenant = Some(tenant.clone());
        }
        self.view = view;
        self.now = now;
    }

    /// Whom a destination means now; none where nobody holds the role that it is.
    pub(crate) fn meant(&self, to: &DestinationRef) -> Option<DestinationRef> {
        match &self.tenant {
            Some(tenant) => place::meant(tenant, to, self.now.wall).to,
            None => Some(to.clone()),
        }
    }

    /// Milliseconds since the call came in.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.now.mono.saturating_sub(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// Counts a host call and the text that it brings.
    pub(crate) fn count(&mut self, price: &Price, text_bytes: usize) -> Result<(), Stop> {
        match price.kind {
            Kind::Read if self.reads >= self.limits.reads => return Err(Stop::Limit("reads")),
            Kind::Action if self.actions >= self.limits.actions => return Err(Stop::Limit("actions")),
            Kind::Read => self.reads += 1,
            Kind::Action => self.actions += 1,
            Kind::Free => {}
        }
        self.guest_bytes = self.guest_bytes.saturating_add(text_bytes);
        if self.guest_bytes > self.limits.guest_bytes {
            return Err(Stop::Limit("bytes"));
        }
        Ok(())
    }

    /// Bytes of text that it gave to the host.
    pub(crate) fn guest_bytes(&self) -> usize {
        self.guest_bytes
    }

    /// Bytes of all that it logged, where some found no room.
    pub(crate) fn log_wanted(&self) -> Option<usize> {
        (self.log.dropped > 0).then(|| self.log.bytes.saturating_add(self.log.dropped_bytes))
    }

    /// Makes a handle. Where the interface has no error for it, a full table ends the run.
    pub(crate) fn handle<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>, Stop> {
        Ok(self.table.push(value)?)
    }

    /// Makes the handles of a list, each at its price.
    pub(crate) fn handles<T: Send + 'static>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Resource<T>>, Stop> {
        let handles = values.into_iter().map(|value| self.handle(value)).collect::<Result<Vec<_>, _>>()?;
        self.surcharge_for(handles.len());
        Ok(handles)
    }

    /// A list costs by what is in it.
    pub(crate) fn surcharge_for(&mut self, items: usize) {
        self.surcharge = self.surcharge.saturating_add(crate::price::PER_ITEM.saturating_mul(items as u64));
    }

    /// The number of the next leg, ring or question.
    pub(crate) fn next_ask(&mut self) -> AskId {
        self.asks = self.asks.saturating_add(1);
        AskId(self.asks)
    }

    /// Keeps something that explains the decision.
    pub(crate) fn note(&mut self, note: Note) {
        if self.notes_taken + self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        }
    }

    /// Keeps a fact that the rule read.
    pub(crate) fn note_read(&mut self, what: impl Into<String>, got: impl Into<String>) {
        self.note(Note::Read { what: what.into(), got: got.into() });
    }

    /// Writes into the tenant's log, or counts what finds no room.
    pub(crate) fn log(&mut self, level: &'static str, message: &str) {
        let bytes = message.len().saturating_add(level.len());
        if self.log.bytes.saturating_add(bytes) > self.limits.log_bytes {
            self.log.dropped = self.log.dropped.saturating_add(1);
            self.log.dropped_bytes = self.log.dropped_bytes.saturating_add(bytes);
            return;
        }
        self.log.bytes += bytes;
        self.log.lines.push(LogLine { level: level.to_owned(), message: plain(message, usize::MAX) });
    }

    /// What people call a destination. What the rule says of a number that it sees a part of is told apart from what it says of
    /// another that looks the same.
    pub(crate) fn label(&mut self, to: &DestinationRef) -> String {
        let shown = label(self.tenant.as_deref(), to);
        if let DestinationRef::Number(number) = to
            && *number != shown
        {
            self.redacted.retain(|(known, _)| *known != shown);
            if self.redacted.len() >= REDACTED_MAX {
                self.redacted.remove(0);
            }
            self.redacted.push((shown.clone(), hash(number)));
        }
        shown
    }

    /// Keeps a warning for the tenant, whether or not the log has room for it.
    pub(crate) fn warn(&mut self, message: &str) {
        if self.log.warnings.len() >= WARNINGS_MAX {
            return;
        }
        let text = plain(message, WARNING_BYTES_MAX);
        let meant = self.redacted.iter().filter(|(shown, _)| text.contains(shown));
        let mut numbers: Vec<u64> = meant.map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        let hidden = if numbers.is_empty() { 0 } else { hash(&numbers) };
        let warned = Warned { text, hidden };
        if !self.log.warnings.contains(&warned) {
            self.log.warnings.push(warned);
        }
    }

    /// What is new since it was last asked for.
    pub(crate) fn take_spent(&mut self, fuel: u64, fuel_exact: bool) -> Spent {
        let notes = std::mem::take(&mut self.notes);
        self.notes_taken += notes.len();
        let warnings = self.log.warnings[self.log.handed..].to_vec();
        self.log.handed = self.log.warnings.len();
        Spent {
            fuel,
            fuel_exact,
            slices: self.slices,
            ran_us: 0,
            notes,
            log: std::mem::take(&mut self.log.lines),
            warnings,
            journal: self.journal.take(),
            limits: Vec::new(),
        }
    }

    /// Writes the journal's last line.
    pub(crate) fn end(&mut self, outcome: &RunOutcome, fuel: u64, fuel_exact: bool) {
        let memory = self.bounds.memory;
        let counts = Some(Counts { reads: self.reads, actions: self.actions, memory, ms: self.elapsed_ms() });
        self.journal.end(&End { outcome, fuel, fuel_exact, counts });
    }

    /// Says how much of the log was dropped, at the end.
    pub(crate) fn close_log(&mut self) {
        if self.log.dropped > 0 {
            let message = format!(
                "{} more lines were dropped: the log of a call holds {} bytes",
                self.log.dropped, self.limits.log_bytes
            );
            self.log.lines.push(LogLine { level: "warn".to_owned(), message });
        }
    }
}

/// A call that nobody made.
fn rehearsal() -> RunStart {
    let nobody = Party::default();
    let call = CallFacts {
        id: "rehearsal".into(),
        tenant: "".into(),
        caller: nobody.clone(),
        dialled: nobody,
        number: String::new(),
        group: None,
        for_user: None,
        entry: Entry::Device(None),
    };
    let rule = ActiveRule {
        tenant: "".into(),
        name: "rehearsal".into(),
        version: "".into(),
        bind: Vec::new(),
        fallback: None,
        settings: Arc::default(),
        care: Care::default(),
    };
    let now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
    let (rule, call, view) = (Arc::new(rule), Arc::new(call), Arc::default());
    RunStart { run: RunId(0), rule, call, seed: 0, view, now, call_began: Duration::ZERO }
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Text of a guest as people may see it: without control characters, not longer than `bytes_max`.
pub(crate) fn plain(text: &str, bytes_max: usize) -> String {
    let end = text
        .char_indices()
        .map(|(at, character)| at + character.len_utf8())
        .take_while(|end| *end <= bytes_max)
        .last();
    let text = &text[..end.unwrap_or(0)];
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn text_is_cut_between_characters_and_loses_what_moves_a_cursor() {
        assert_eq!(plain("a\u{1b}[31m\r\nb", 100), "a [31m  b");
        assert_eq!(plain("grün", 3), "gr");
        assert_eq!(plain("grün", 4), "grü");
        assert_eq!(plain("", 4), "");
    }
}
