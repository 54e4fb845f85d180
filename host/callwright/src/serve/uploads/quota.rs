//! How many uploads a tenant may have compiled: compiling takes seconds of a core, and everybody's wait for the same desk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callwright_api::{Overloaded, TooOften, UploadError};
use callwright_core::names::TenantId;

const HOUR: Duration = Duration::from_secs(3_600);
/// Uploads of one tenant that are compiled or wait for it.
const IN_HAND_MAX: u32 = 2;

/// The quotas of all tenants that have uploaded something.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas(Arc<Mutex<BTreeMap<TenantId, Quota>>>);

/// One tenant's: a bucket that holds an hour's uploads and fills up within an hour.
#[derive(Debug)]
struct Quota {
    left: f64,
    filled: Instant,
    in_hand: u32,
}

/// An upload in hand; it is out of hand when this is dropped.
#[derive(Debug)]
pub(super) struct InHand {
    quotas: Quotas,
    tenant: TenantId,
    per_hour: u32,
}

impl Quotas {
    /// Takes an upload in hand.
    ///
    /// # Errors
    /// [`Overloaded`]: the tenant has others in hand already.
    pub(super) fn take_in(&self, tenant: &TenantId, per_hour: u32) -> Result<InHand, Overloaded> {
        let mut quotas = self.quotas();
        let fresh = || Quota { left: per_hour.into(), filled: Instant::now(), in_hand: 0 };
        let quota = quotas.entry(tenant.clone()).or_insert_with(fresh);
        if quota.in_hand >= IN_HAND_MAX {
            return Err(Overloaded);
        }
        quota.in_hand += 1;
        Ok(InHand { quotas: self.clone(), tenant: tenant.clone(), per_hour })
    }

    fn quotas(&self) -> MutexGuard<'_, BTreeMap<TenantId, Quota>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand {
    /// Pays for compiling it.
    ///
    /// # Errors
    /// [`TooOften`]: the tenant has compiled its share, and when it may again.
    pub(super) fn pay(&self, now: Instant) -> Result<(), UploadError> {
        let mut quotas = self.quotas.quotas();
        let Some(quota) = quotas.get_mut(&self.tenant) else { return Ok(()) };
        let full = f64::from(self.per_hour);
        let passed = now.saturating_duration_since(quota.filled).as_secs_f64() / HOUR.as_secs_f64();
        quota.left = (quota.left + full * passed).min(full);
        quota.filled = now;
        if quota.left < 1.0 {
            let again_in = HOUR.mul_f64((1.0 - quota.left) / full);
            return Err(TooOften { per_hour: self.per_hour, again_in }.into());
        }
        quota.left -= 1.0;
        Ok(())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(quota) = self.quotas.quotas().get_mut(&self.tenant) {
            quota.in_hand = quota.in_hand.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_compiles_so_many_an_hour_and_is_told_when_it_may_again() {
        let quotas = Quotas::default();
        let upload = quotas.take_in(&"acme".into(), 2).unwrap();
        let now = Instant::now();
        assert!(upload.pay(now).is_ok());
        assert!(upload.pay(now).is_ok());
        let Err(UploadError::TooOften(refused)) = upload.pay(now) else { panic!("it was let in") };
        assert!((1_799..=1_801).contains(&refused.again_in.as_secs()), "{refused:?}");
        assert!(upload.pay(now + refused.again_in + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn one_tenant_s_uploads_wait_for_each_other_and_not_for_another_s() {
        let (quotas, one) = (Quotas::default(), TenantId::from("one"));
        let first = quotas.take_in(&one, 9).unwrap();
        let _second = quotas.take_in(&one, 9).unwrap();
        assert!(quotas.take_in(&one, 9).is_err());
        assert!(quotas.take_in(&"other".into(), 9).is_ok());
        drop(first);
        assert!(quotas.take_in(&one, 9).is_ok());
    }
}
