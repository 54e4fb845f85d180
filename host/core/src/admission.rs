//! How much of the switch each tenant may have: runs at once, fuel, log (RULES §3).
//!
//! Core admits a run before it is started, so the pool only queues what may run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Tenant;
use crate::names::TenantId;
use crate::rule::{LogLine, Reached};

/// Seconds of a tenant's fuel that can be saved up.
const BURST_S: u64 = 10;
/// Bytes that a tenant's rules may log in a minute (RULES §3).
const LOG_A_MINUTE: usize = 100 * 1024;
/// Bytes of journals that a tenant's runs may write in a minute: some thousand usual ones, and what a disk bears for a day.
const JOURNAL_A_MINUTE: usize = 16 * 1024 * 1024;
const MINUTE: Duration = Duration::from_secs(60);

/// Shares in use, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    shares: BTreeMap<TenantId, Share>,
    logs: BTreeMap<TenantId, Logged>,
    journals: BTreeMap<TenantId, Journalled>,
}

/// What a tenant's runs wrote into their journals in the minute that is running.
#[derive(Debug)]
struct Journalled {
    since: Duration,
    bytes: usize,
}

/// What a tenant's rules logged in the minute that is running.
#[derive(Debug)]
struct Logged {
    since: Duration,
    bytes: usize,
    dropped: u32,
}

#[derive(Debug)]
struct Share {
    running: u32,
    /// Fuel left in the bucket; runs that spend more than is left put it below zero.
    fuel: i128,
    filled: Duration,
}

impl Admission {
    /// Counts one more run of the tenant, where its share has room for one; else which part of it is used up.
    pub(crate) fn admit(&mut self, tenant: &Tenant, now: Duration) -> Result<(), Reached> {
        let full = i128::from(tenant.fuel_per_s) * i128::from(BURST_S);
        let share =
            self.shares.entry(tenant.id.clone()).or_insert(Share { running: 0, fuel: full, filled: now });
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
        if lines.is_empty() {
            return;
        }
        let fresh = || Logged { since: now, bytes: 0, dropped: 0 };
        let logged = self.logs.entry(tenant.clone()).or_insert_with(fresh);
        let mut told = None;
        if now.saturating_sub(logged.since) >= MINUTE {
            told = (logged.dropped > 0).then_some(logged.dropped);
            *logged = fresh();
        }
        lines.retain(|line| {
            let room = logged.bytes + line.message.len() <= LOG_A_MINUTE;
            if room {
                logged.bytes += line.message.len();
            } else {
                logged.dropped = logged.dropped.saturating_add(1);
            }
            room
        });
        if let Some(dropped) = told {
            let message =
                format!("{dropped} lines of this tenant were dropped: over {LOG_A_MINUTE} bytes a minute");
            lines.insert(0, LogLine { level: "warn".to_owned(), message });
        }
    }

    /// Takes the lines of a journal out that are over the tenant's minute. `last` of them stay: a run's end is short, and
    /// a journal that lacks what was before it was cut.
    pub(crate) fn journal(&mut self, tenant: &TenantId, now: Duration, lines: &mut Vec<String>, last: usize) {
        let fresh = || Journalled { since: now, bytes: 0 };
        let written = self.journals.entry(tenant.clone()).or_insert_with(fresh);
        if now.saturating_sub(written.since) >= MINUTE {
            *written = fresh();
        }
        let bytes: usize = lines.iter().map(String::len).sum();
        if written.bytes.saturating_add(bytes) > JOURNAL_A_MINUTE {
            lines.drain(..lines.len().saturating_sub(last));
            return;
        }
        written.bytes += bytes;
    }

    /// A run is over and has used so much.
    pub(crate) fn release(&mut self, tenant: &TenantId, fuel: u64) {
        if let Some(share) = self.shares.get_mut(tenant) {
            share.running = share.running.saturating_sub(1);
            share.fuel -= i128::from(fuel);
        }
    }
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
        let mut admission = Admission::default();
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
        let mut admission = Admission::default();
        let long = || vec!["x".repeat(9 * 1024 * 1024), "end".to_owned()];
        let (mut first, mut second, mut later) = (long(), long(), long());
        admission.journal(&"acme".into(), Duration::ZERO, &mut first, 1);
        admission.journal(&"acme".into(), Duration::ZERO, &mut second, 1);
        admission.journal(&"acme".into(), Duration::from_secs(60), &mut later, 1);
        assert_eq!([first.len(), second.len(), later.len()], [2, 1, 2]);
        assert_eq!(second, ["end"]);
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
