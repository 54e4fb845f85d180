//! Runs that wait for a thread. Tenants take turns: a tenant whose rules compute for ever has its runs wait for each other,
//! and another's wait for one slice of them at most.

use std::collections::{BTreeMap, VecDeque};

use callwright_core::names::{RunId, TenantId};

/// The queue of each tenant that has runs waiting, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: BTreeMap<TenantId, VecDeque<RunId>>,
    /// Each tenant with a queue, once.
    order: VecDeque<TenantId>,
    waiting: usize,
}

impl Turns {
    /// How many runs wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// A run waits behind those of its tenant.
    pub(super) fn push(&mut self, tenant: &TenantId, run: RunId) {
        self.waiting += 1;
        if let Some(queue) = self.queues.get_mut(tenant) {
            queue.push_back(run);
            return;
        }
        self.queues.insert(tenant.clone(), VecDeque::from([run]));
        self.order.push_back(tenant.clone());
    }

    /// The first run of the tenant whose turn it is, which then waits until everybody else has had one.
    pub(super) fn pop(&mut self) -> Option<RunId> {
        let tenant = self.order.pop_front()?;
        let queue = self.queues.get_mut(&tenant)?;
        let run = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        self.waiting = self.waiting.saturating_sub(1);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(turns: &mut Turns) -> Vec<u64> {
        std::iter::from_fn(|| turns.pop()).map(|run| run.0).collect()
    }

    #[test]
    fn runs_of_one_tenant_go_in_their_order() {
        let mut turns = Turns::default();
        (1..=3).for_each(|run| turns.push(&"acme".into(), RunId(run)));
        assert_eq!((turns.len(), all(&mut turns), turns.len()), (3, vec![1, 2, 3], 0));
    }

    #[test]
    fn a_tenant_with_many_runs_waiting_gets_every_second_turn() {
        let (mut turns, greedy, modest) = (Turns::default(), "greedy".into(), "modest".into());
        (1..=100).for_each(|run| turns.push(&greedy, RunId(run)));
        (201..=203).for_each(|run| turns.push(&modest, RunId(run)));
        assert_eq!(all(&mut turns)[..8], [1, 201, 2, 202, 3, 203, 4, 5]);
    }

    #[test]
    fn whoever_comes_back_waits_behind_the_others() {
        let (mut turns, one, other) = (Turns::default(), "one".into(), "other".into());
        turns.push(&one, RunId(1));
        turns.push(&other, RunId(2));
        assert_eq!(turns.pop(), Some(RunId(1)));
        turns.push(&one, RunId(1));
        assert_eq!(all(&mut turns), [2, 1]);
    }
}
