//! How much one run may use, and the guard of its memories and tables.

use callwright_core::notice::WARNINGS_AN_HOUR;
use serde::Serialize;
use wasmtime::ResourceLimiter;

/// Notes of a run that are kept for explain; the journal has the rest.
pub(crate) const NOTES_MAX: usize = 64;
/// Bytes of one `call.because`; longer is cut.
pub(crate) const BECAUSE_BYTES_MAX: usize = 500;
/// Bytes of one warning that the tenant is told; longer is cut, and the log has the rest.
pub(crate) const WARNING_BYTES_MAX: usize = 500;
/// Different warnings of a run that the tenant may be told: with one more than there may be within an hour the tenant hears that
/// there are more.
pub(crate) const WARNINGS_MAX: usize = WARNINGS_AN_HOUR + 1;
/// Numbers of which a run's warnings know which they were, though the rule sees a part of them only: as many as a call may have
/// legs.
pub(crate) const REDACTED_MAX: usize = 30;
/// Bytes of one leg's label; longer is cut.
pub(crate) const LABEL_BYTES_MAX: usize = 64;
/// Bytes of a run's journal; after that it only says that it was cut.
pub(crate) const JOURNAL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes that one host call may hand over before the host has looked at them. Above `guest_bytes`, so that a text
/// which is too long is usually counted and refused by name.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all memories of an instance that may wait for its call.
pub(crate) const SPARE_MEMORY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Core instances of one component: interpreters bring more than twenty.
pub(crate) const CORE_INSTANCES_MAX: u32 = 40;
/// Memories of one component.
pub(crate) const MEMORIES_MAX: u32 = 3;
/// Tables of one component.
pub(crate) const TABLES_MAX: u32 = 10;

/// What one run may use (RULES §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RunLimits {
    /// Fuel, by `fuel-schedule/1` and the price list.
    pub fuel: u64,
    /// CPU slices of one epoch tick.
    pub slices: u32,
    /// Bytes of all memories together.
    pub memory_bytes: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Calls of functions that change the call.
    pub actions: u32,
    /// Calls of functions that answer from the view.
    pub reads: u32,
    /// Bytes of text that the rule gives to the host.
    pub guest_bytes: usize,
    /// Handles that it holds at once.
    pub handles: usize,
    /// Legs of one ring.
    pub legs_at_once: u32,
    /// Legs of all rings.
    pub legs: u32,
    /// Bytes of log.
    pub log_bytes: usize,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000,
            slices: 20,
            memory_bytes: 16 * 1024 * 1024,
            table_elements: 10_000,
            actions: 200,
            reads: 5_000,
            guest_bytes: 256 * 1024,
            handles: 1_000,
            legs_at_once: 10,
            legs: 30,
            log_bytes: 8 * 1024,
        }
    }
}

/// Refuses growth over the limits and remembers that it did, since a guest may swallow the refusal.
#[derive(Debug)]
pub(crate) struct Bounds {
    memory_max: usize,
    table_max: usize,
    /// Bytes of all memories.
    pub(crate) memory: usize,
    table: usize,
    /// What all memories would have come to, where one was refused to grow.
    pub(crate) memory_refused: Option<usize>,
    /// What all tables would have come to, where one was refused to grow.
    pub(crate) table_refused: Option<usize>,
}

impl Bounds {
    pub(crate) fn new(limits: &RunLimits) -> Self {
        Self {
            memory_max: limits.memory_bytes,
            table_max: limits.table_elements,
            memory: 0,
            table: 0,
            memory_refused: None,
            table_refused: None,
        }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_max {
            self.memory_refused = self.memory_refused.max(Some(total));
            return Ok(false);
        }
        // Over its own maximum the growth fails without our doing.
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.memory = total;
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.table.saturating_add(desired.saturating_sub(current));
        if total > self.table_max {
            self.table_refused = self.table_refused.max(Some(total));
            return Ok(false);
        }
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.table = total;
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_limited_together() {
        let mut bounds = Bounds::new(&RunLimits { memory_bytes: 100, ..RunLimits::default() });
        assert!(bounds.memory_growing(0, 60, None).unwrap());
        assert!(bounds.memory_growing(0, 40, None).unwrap());
        assert_eq!(bounds.memory_refused, None);
        assert!(!bounds.memory_growing(40, 41, None).unwrap());
        assert_eq!(bounds.memory_refused, Some(101));
    }

    #[test]
    fn growth_over_a_memory_s_own_maximum_takes_nothing() {
        let mut bounds = Bounds::new(&RunLimits { memory_bytes: 100, ..RunLimits::default() });
        assert!(bounds.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(bounds.memory, 0);
        assert_eq!(bounds.memory_refused, None);
    }
}
