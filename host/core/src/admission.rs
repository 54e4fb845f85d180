//! Which tenant may start how many runs: a semaphore and a token bucket each (RULES §3).
//!
//! Core admits a run before it is started, so the pool only queues what may run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Tenant;
use crate::names::TenantId;

/// Seconds of a tenant's fuel that can be saved up.
const BURST_S: u64 = 10;

/// Shares in use, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    shares: BTreeMap<TenantId, Share>,
}

#[derive(Debug)]
struct Share {
    running: u32,
    /// Fuel left in the bucket; runs that spend more than is left put it below zero.
    fuel: i128,
    filled: Duration,
}

impl Admission {
    /// Whether the tenant may start one more run now; counts it when so.
    pub(crate) fn admit(&mut self, tenant: &Tenant, now: Duration) -> bool {
        let full = i128::from(tenant.fuel_per_s) * i128::from(BURST_S);
        let share =
            self.shares.entry(tenant.id.clone()).or_insert(Share { running: 0, fuel: full, filled: now });
        let refill =
            i128::from(tenant.fuel_per_s) * as_i128(now.saturating_sub(share.filled).as_micros()) / 1_000_000;
        share.fuel = share.fuel.saturating_add(refill).min(full);
        share.filled = now;
        if share.running >= tenant.runs_max || share.fuel <= 0 {
            return false;
        }
        share.running += 1;
        true
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
        assert!(admission.admit(&tenant, Duration::ZERO));
        assert!(admission.admit(&tenant, Duration::ZERO));
        assert!(!admission.admit(&tenant, Duration::ZERO));
        admission.release(&tenant.id, 0);
        assert!(admission.admit(&tenant, Duration::ZERO));
    }

    #[test]
    fn a_tenant_that_spent_its_fuel_waits_until_the_bucket_fills() {
        let (tenant, mut admission) = (limited(10, 1_000), Admission::default());
        assert!(admission.admit(&tenant, Duration::ZERO));
        admission.release(&tenant.id, 12_000);
        assert!(!admission.admit(&tenant, Duration::from_secs(1)));
        assert!(admission.admit(&tenant, Duration::from_secs(3)));
    }
}
