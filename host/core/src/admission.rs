//! How much of the switch each tenant may have: runs at once, fuel, log (RULES §3).
//!
//! Core admits a run before it is started, so the pool only queues what may run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Config, Tenant};
use crate::names::TenantId;
use crate::rule::{LogLine, Reached};

/// Seconds of a tenant's fuel that can be saved up.
const BURST_S: u64 = 10;
/// Bytes that a tenant's rules may log in a minute (RULES §3).
const LOG_A_MINUTE: usize = 100 * 1024;
/// Bytes of journals that a tenant's runs may write in a minute: some thousand usual ones, and what a disk bears for a day.
const JOURNAL_A_MINUTE: usize = 16 * 1024 * 1024;
/// Bytes of journals that a tenant's calls may hold in memory until their records are written: a run is
/// over in seconds, and its call may go on for a day.
const JOURNALS_HELD: usize = 64 * 1024 * 1024;
const MINUTE: Duration = Duration::from_secs(60);

/// Shares in use, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    shares: BTreeMap<TenantId, Share>,
}

/// What a tenant that has had a run uses.
#[derive(Debug)]
struct Share {
    running: u32,
    /// Fuel left in the bucket; runs that spend more than is left put it below zero.
    fuel: i128,
    filled: Duration,
    logged: Minute,
    journalled: Minute,
    /// Bytes of journals that are in memory.
    held: usize,
}

/// What was written in the minute that is running.
#[derive(Debug)]
struct Minute {
    since: Duration,
    bytes: usize,
    /// Lines that found no room in it.
    dropped: u32,
}

impl Minute {
    fn begun(since: Duration) -> Self {
        Self { since, bytes: 0, dropped: 0 }
    }

    /// Begins the next one where this one is over; how many lines it dropped.
    fn turn(&mut self, now: Duration) -> u32 {
        if now.saturating_sub(self.since) < MINUTE {
            return 0;
        }
        std::mem::replace(self, Self::begun(now)).dropped
    }

    /// Takes room for so many bytes, where there is.
    fn take(&mut self, bytes: usize, most: usize) -> bool {
        let is_room = self.bytes.saturating_add(bytes) <= most;
        if is_room {
            self.bytes += bytes;
        }
        is_room
    }
}

impl Admission {
    /// Counts one more run of the tenant, where its share has room for one; else which part of it is used up.
    pub(crate) fn admit(&mut self, tenant: &Tenant, now: Duration) -> Result<(), Reached> {
        let full = i128::from(tenant.fuel_per_s) * i128::from(BURST_S);
        let share = self.shares.entry(tenant.id.clone()).or_insert_with(|| Share {
            running: 0,
            fuel: full,
            filled: now,
            logged: Minute::begun(now),
            journalled: Minute::begun(now),
            held: 0,
        });
        let refill =
            i128::from(tenant.fuel_per_s) * as_i128(now.saturating_sub(share.filled).as_micros()) / 1_000_000;
        share.fuel = share.fuel.saturating_add(refill).min(full);
        share.filled = now;
        if share.running >= tenant.runs_max {
            let max = tenant.runs_max.into();
            return Err(Reached { limit: "runs-max".to_owned(), used: share.running.into(), max });
        }
        if share.fuel <= 0 {
            let used =
                u64::try_from(full.saturating_sub(share.fuel) / i128::from(BURST_S)).unwrap_or(u64::MAX);
            return Err(Reached { limit: "fuel-per-s".to_owned(), used, max: tenant.fuel_per_s });
        }
        share.running += 1;
        Ok(())
    }

    /// Takes the lines out that are over the tenant's minute; the first line after it counts them.
    pub(crate) fn log(&mut self, tenant: &TenantId, now: Duration, lines: &mut Vec<LogLine>) {
        let Some(share) = self.shares.get_mut(tenant).filter(|_| !lines.is_empty()) else { return };
        let dropped = share.logged.turn(now);
        lines.retain(|line| {
            let is_room = share.logged.take(line.message.len(), LOG_A_MINUTE);
            share.logged.dropped = share.logged.dropped.saturating_add(u32::from(!is_room));
            is_room
        });
        if dropped > 0 {
            let message =
                format!("{dropped} lines of this tenant were dropped: over {LOG_A_MINUTE} bytes a minute");
            lines.insert(0, LogLine { level: "warn".to_owned(), message });
        }
    }

    /// Takes the lines of a journal out that are over the tenant's minute, or over what it may hold in memory; how many
    /// bytes stay, which are [`Self::let_go`] later. `last` of the lines stay: a run's end is short, and a journal that
    /// lacks what was before it was cut.
    pub(crate) fn journal(
        &mut self,
        tenant: &TenantId,
        now: Duration,
        lines: &mut Vec<String>,
        last: usize,
    ) -> usize {
        let Some(share) = self.shares.get_mut(tenant).filter(|_| !lines.is_empty()) else { return 0 };
        share.journalled.turn(now);
        let bytes = length(lines);
        let is_room = share.held.saturating_add(bytes) <= JOURNALS_HELD;
        if !is_room || !share.journalled.take(bytes, JOURNAL_A_MINUTE) {
            lines.drain(..lines.len().saturating_sub(last));
        }
        let stay = length(lines);
        share.held = share.held.saturating_add(stay);
        stay
    }

    /// A call with so many bytes of journal is forgotten.
    pub(crate) fn let_go(&mut self, tenant: &TenantId, bytes: usize) {
        if let Some(share) = self.shares.get_mut(tenant) {
            share.held = share.held.saturating_sub(bytes);
        }
    }

    /// Forgets tenants that the configuration no longer has, and that use nothing.
    pub(crate) fn configured(&mut self, config: &Config) {
        self.shares.retain(|tenant, share| {
            config.tenants.contains_key(tenant) || share.running > 0 || share.held > 0
        });
    }

    /// Whether no run is going on and no call holds a journal.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.shares.values().all(|share| share.running == 0 && share.held == 0)
    }

    /// A run is over and has used so much.
    pub(crate) fn release(&mut self, tenant: &TenantId, fuel: u64) {
        if let Some(share) = self.shares.get_mut(tenant) {
            share.running = share.running.saturating_sub(1);
            share.fuel -= i128::from(fuel);
        }
    }
}

fn length(lines: &[String]) -> usize {
    lines.iter().map(String::len).sum()
}

fn as_i128(micros: u128) -> i128 {
    i128::try_from(micros).unwrap_or(i128::MAX / u64::MAX as i128)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::tenant;

    fn limited(runs_max: u32, fuel_per_s: u64) -> Arc<Tenant> {
        let mut tenant = tenant();
        tenant.runs_max = runs_max;
        tenant.fuel_per_s = fuel_per_s;
        Arc::new(tenant)
    }

    /// One run of the tenant is going on.
    fn with_a_run() -> Admission {
        let mut admission = Admission::default();
        assert!(admission.admit(&limited(1, 1_000), Duration::ZERO).is_ok());
        admission
    }

    #[test]
    fn a_tenant_runs_no_more_rules_at_once_than_its_share() {
        let (tenant, mut admission) = (limited(2, 1_000), Admission::default());
        assert!(admission.admit(&tenant, Duration::ZERO).is_ok());
        assert!(admission.admit(&tenant, Duration::ZERO).is_ok());
        let full = Reached { limit: "runs-max".to_owned(), used: 2, max: 2 };
        assert_eq!(admission.admit(&tenant, Duration::ZERO), Err(full));
        admission.release(&tenant.id, 0);
        assert!(admission.admit(&tenant, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_tenant_logs_no_more_than_its_minute_and_hears_what_was_dropped() {
        let mut admission = with_a_run();
        let line = || LogLine { level: "info".to_owned(), message: "x".repeat(60 * 1024) };
        let mut lines = vec![line(), line(), line()];
        admission.log(&"acme".into(), Duration::ZERO, &mut lines);
        assert_eq!(lines.len(), 1);
        let mut later = vec![line()];
        admission.log(&"acme".into(), Duration::from_secs(61), &mut later);
        assert_eq!(later[0].message, "2 lines of this tenant were dropped: over 102400 bytes a minute");
        assert_eq!(later.len(), 2);
    }

    #[test]
    fn a_tenant_s_journals_have_room_for_a_minute_and_their_ends_always() {
        let mut admission = with_a_run();
        let long = || vec!["x".repeat(9 * 1024 * 1024), "end".to_owned()];
        let (mut first, mut second, mut later) = (long(), long(), long());
        assert_eq!(admission.journal(&"acme".into(), Duration::ZERO, &mut first, 1), length(&first));
        assert_eq!(admission.journal(&"acme".into(), Duration::ZERO, &mut second, 1), 3);
        admission.journal(&"acme".into(), Duration::from_secs(60), &mut later, 1);
        assert_eq!([first.len(), second.len(), later.len()], [2, 1, 2]);
        assert_eq!(second, ["end"]);
    }

    #[test]
    fn a_tenant_s_long_calls_hold_only_so_much_of_their_journals() {
        let mut admission = with_a_run();
        let mut held = Vec::new();
        for minute in 0..100 {
            let mut lines = vec!["x".repeat(16 * 1024 * 1024)];
            let now = Duration::from_secs(60 * minute);
            held.push(admission.journal(&"acme".into(), now, &mut lines, 0));
        }
        assert_eq!(held.iter().sum::<usize>(), JOURNALS_HELD);
        admission.let_go(&"acme".into(), held[0]);
        let mut lines = vec!["next".to_owned()];
        assert_eq!(admission.journal(&"acme".into(), Duration::from_secs(9_999), &mut lines, 0), 4);
    }

    #[test]
    fn a_tenant_that_is_gone_is_forgotten_when_it_uses_nothing() {
        let (tenant, mut admission) = (limited(2, 1_000), Admission::default());
        assert!(admission.admit(&tenant, Duration::ZERO).is_ok());
        let nobody = Config::new([].into(), None, Vec::new());
        admission.configured(&nobody);
        assert_eq!(admission.shares.len(), 1);
        admission.release(&tenant.id, 0);
        admission.configured(&nobody);
        assert!(admission.shares.is_empty());
    }

    #[test]
    fn a_tenant_that_spent_its_fuel_waits_until_the_bucket_fills() {
        let (tenant, mut admission) = (limited(10, 1_000), Admission::default());
        assert!(admission.admit(&tenant, Duration::ZERO).is_ok());
        admission.release(&tenant.id, 12_000);
        let spent = Reached { limit: "fuel-per-s".to_owned(), used: 1_100, max: 1_000 };
        assert_eq!(admission.admit(&tenant, Duration::from_secs(1)), Err(spent));
        assert!(admission.admit(&tenant, Duration::from_secs(3)).is_ok());
    }
}
