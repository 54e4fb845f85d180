//! Versions that fail again and again are withdrawn: for a while their calls go to the fallback at once, and the outside is
//! asked to make active again what was active before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::names::{RuleName, TenantId, Version};
use crate::rule::{ActiveRule, RunOutcome};

/// Failures within [`WINDOW`] that withdraw a version, where at least every second of its runs failed: a caller who
/// knows how to make a rule fail now and then takes it from nobody.
const FAILURES: u32 = 5;
/// How long failures are counted together, and how long a version stays withdrawn before it is tried again.
const WINDOW: Duration = Duration::from_secs(60);

/// A version that keeps failing, and how it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Withdrawal {
    /// The version as it was active.
    pub rule: Arc<ActiveRule>,
    /// Runs that failed within the minute.
    pub failed: u32,
    /// All its runs since the first of them.
    pub runs: u32,
    /// How the last of them failed.
    pub last: RunOutcome,
}

/// The versions that have failed within the last minute.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    tenants: BTreeMap<TenantId, BTreeMap<(RuleName, Version), Watch>>,
}

/// One version since its first failure.
#[derive(Debug)]
struct Watch {
    since: Duration,
    runs: u32,
    failed: u32,
    withdrawn: bool,
}

impl Breaker {
    /// Whether the version is withdrawn.
    pub(crate) fn is_open(&self, rule: &ActiveRule, now: Duration) -> bool {
        // Most tenants have no failing rule, and need no key.
        let Some(watched) = self.tenants.get(&rule.tenant) else { return false };
        let watch = watched.get(&(rule.name.clone(), rule.version.clone()));
        watch.is_some_and(|watch| watch.withdrawn && !watch.is_stale(now))
    }

    /// A run of the version has ended. How it failed, where it is withdrawn by that.
    pub(crate) fn ended(
        &mut self,
        rule: &Arc<ActiveRule>,
        outcome: &RunOutcome,
        now: Duration,
    ) -> Option<Withdrawal> {
        let failed = is_failure(outcome);
        if !failed && !self.tenants.contains_key(&rule.tenant) {
            return None;
        }
        let watched = self.tenants.entry(rule.tenant.clone()).or_default();
        watched.retain(|_, watch| !watch.is_stale(now));
        let key = (rule.name.clone(), rule.version.clone());
        if failed {
            let fresh = Watch { since: now, runs: 0, failed: 0, withdrawn: false };
            watched.entry(key.clone()).or_insert(fresh).failed += 1;
        }
        let withdrawn = watched.get_mut(&key).and_then(|watch| {
            let (rule, last) = (Arc::clone(rule), outcome.clone());
            watch.count(now).then_some(Withdrawal { rule, failed: watch.failed, runs: watch.runs, last })
        });
        if watched.is_empty() {
            self.tenants.remove(&rule.tenant);
        }
        withdrawn
    }

    /// The tenant has chosen what is active: whatever it chose is tried.
    pub(crate) fn forget(&mut self, tenant: &TenantId) {
        self.tenants.remove(tenant);
    }
}

impl Watch {
    fn is_stale(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= WINDOW
    }

    /// Counts a run whose failure is counted already; true at the moment when it is too much.
    fn count(&mut self, now: Duration) -> bool {
        self.runs = self.runs.saturating_add(1);
        if self.withdrawn || self.failed < FAILURES || self.failed.saturating_mul(2) < self.runs {
            return false;
        }
        self.withdrawn = true;
        self.since = now;
        true
    }
}

/// Whether the component is at fault.
fn is_failure(outcome: &RunOutcome) -> bool {
    match outcome {
        RunOutcome::FuelExhausted(_)
        | RunOutcome::DeadlineExceeded
        | RunOutcome::MemoryLimit
        | RunOutcome::TableLimit
        | RunOutcome::StackOverflow
        | RunOutcome::LimitExceeded(_)
        | RunOutcome::Trap(_)
        | RunOutcome::BadOutput
        | RunOutcome::PermissionDenied(_)
        | RunOutcome::InstantiateFailed(_) => true,
        RunOutcome::Ok
        | RunOutcome::Declined(_)
        | RunOutcome::HostBusy
        | RunOutcome::TenantThrottled
        | RunOutcome::BreakerOpen
        | RunOutcome::CallerGone
        | RunOutcome::Internal(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(version: &str) -> Arc<ActiveRule> {
        Arc::new(ActiveRule {
            tenant: "acme".into(),
            name: "r".into(),
            version: version.into(),
            bind: Vec::new(),
            fallback: None,
            settings: Arc::default(),
            care: crate::rule::Care::default(),
        })
    }

    fn trap() -> RunOutcome {
        RunOutcome::Trap("unreachable".to_owned())
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_fifth_failure_in_a_minute_withdraws_a_version_for_a_minute() {
        let (mut breaker, bad) = (Breaker::default(), rule("bad"));
        for second in 0..4 {
            assert_eq!(breaker.ended(&bad, &trap(), at(second)), None);
            assert!(!breaker.is_open(&bad, at(second)));
        }
        let withdrawn = Withdrawal { rule: Arc::clone(&bad), failed: 5, runs: 5, last: trap() };
        assert_eq!(breaker.ended(&bad, &trap(), at(4)), Some(withdrawn));
        assert_eq!(breaker.ended(&bad, &trap(), at(5)), None, "said once");
        assert!(breaker.is_open(&bad, at(63)));
        assert!(!breaker.is_open(&rule("good"), at(5)));
        assert!(!breaker.is_open(&bad, at(64)));
    }

    #[test]
    fn failures_that_are_rare_or_far_apart_withdraw_nothing() {
        let (mut breaker, shaky) = (Breaker::default(), rule("shaky"));
        for second in 0..20 {
            assert_eq!(breaker.ended(&shaky, &trap(), at(second)), None);
            assert_eq!(breaker.ended(&shaky, &RunOutcome::Ok, at(second)), None);
            assert_eq!(breaker.ended(&shaky, &RunOutcome::Ok, at(second)), None);
        }
        let mut breaker = Breaker::default();
        for minute in 0..10 {
            assert_eq!(breaker.ended(&shaky, &trap(), at(minute * 61)), None);
        }
    }

    #[test]
    fn what_is_no_fault_of_the_component_counts_for_nothing_and_is_not_kept() {
        let (mut breaker, good) = (Breaker::default(), rule("good"));
        for outcome in [RunOutcome::Ok, RunOutcome::CallerGone, RunOutcome::Declined(String::new())] {
            for _ in 0..10 {
                assert_eq!(breaker.ended(&good, &outcome, at(0)), None);
            }
        }
        assert!(breaker.tenants.is_empty());
    }

    #[test]
    fn a_choice_of_the_tenant_s_is_tried_whatever_was_before() {
        let (mut breaker, bad) = (Breaker::default(), rule("bad"));
        for second in 0..5 {
            breaker.ended(&bad, &trap(), at(second));
        }
        assert!(breaker.is_open(&bad, at(5)));
        breaker.forget(&"acme".into());
        assert!(!breaker.is_open(&bad, at(5)));
    }
}
