//! Where rules run. A run is a value: it waits here for a thread, and parks here while phones ring.
//!
//! A rule that has been quick runs on the node's own thread (ADR 0006), every other on the pool's.
//! Every start gets exactly one end, whatever happens to the run in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callwright_api::Meters;
use callwright_core::Input;
use callwright_core::names::{RunId, TenantId};
use callwright_core::rule::{RunEvent, RunOutcome, RunStart, Spent};
use callwright_rules::{Answered, Run, Spare, Step};
use tracing::{debug, error};

use super::node::Inbox;
use super::shelf::{Shelf, Shelved};
use super::stock::Stock;
use super::turns::Turns;

/// How many threads run the rules of a node.
const WORKERS: usize = 2;
/// How many runs of all nodes may wait for a thread or an answer at once.
const RUNS_MAX: usize = 10_000;
/// How many runs may wait for a thread; beyond it a start is refused at once.
const QUEUE_MAX: usize = 1_000;
/// How long a start may wait for a thread (RULES §2).
const PATIENCE: Duration = Duration::from_secs(1);

/// The pool, as the node's thread uses it. Dropping it ends the threads once they are idle.
pub(super) struct Pool {
    shared: Arc<Shared>,
    stock: Stock,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    inbox: Inbox,
    shelf: Arc<Shelf>,
    meters: Meters,
    runs_max: usize,
}

#[derive(Default)]
struct State {
    queue: Turns,
    runs: BTreeMap<RunId, Slot>,
    closed: bool,
}

/// Where a run is. `Fresh`, `Due` and `Doomed` are in the queue.
enum Slot {
    Fresh {
        start: Box<RunStart>,
        since: Instant,
    },
    Due {
        live: Live,
        resume: Option<Answered>,
    },
    Parked(Live),
    Busy,
    /// Busy telling its question, which is answered already.
    Answered(Answered),
    /// Busy, and told to stop meanwhile.
    Stopping,
    Doomed(Option<Live>),
}

/// A run, how long it has been on a thread, and what its version is known for.
struct Live {
    run: Run,
    ran: Duration,
    ready: Shelved,
    tenant: TenantId,
}

impl Slot {
    /// Whose run it is, where it has something to do.
    fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Fresh { start, .. } => Some(&start.call.tenant),
            Self::Due { live, .. } | Self::Parked(live) | Self::Doomed(Some(live)) => Some(&live.tenant),
            Self::Busy | Self::Answered(_) | Self::Stopping | Self::Doomed(None) => None,
        }
    }
}

/// What came of a stretch on a thread.
enum Stretch {
    /// To be told to the node before the run is parked.
    Asked(Input, Live),
    Slice(Live),
    Ended(Input),
}

impl Live {
    fn new(ready: Shelved, spare: Option<Spare>, start: RunStart) -> Self {
        let tenant = start.call.tenant.clone();
        let run = match spare {
            Some(spare) => Run::start_with(spare, start),
            None => Run::start(&ready.rule, start),
        };
        Self { run, ran: Duration::ZERO, ready, tenant }
    }
}

impl Pool {
    /// Starts the threads of one of so many nodes.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start_threads(
        inbox: &Inbox,
        shelf: &Arc<Shelf>,
        meters: &Meters,
        nodes: u16,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            inbox: inbox.clone(),
            shelf: Arc::clone(shelf),
            meters: meters.clone(),
            runs_max: RUNS_MAX / usize::from(nodes.max(1)),
        });
        for number in 1..=WORKERS {
            let shared = Arc::clone(&shared);
            let name = format!("callwright-rule-{number}");
            std::thread::Builder::new().name(name).spawn(move || shared.work())?;
        }
        let spares = shelf.spares_max() / usize::from(nodes.max(1));
        Ok(Self { shared, stock: Stock::new(spares) })
    }

    /// Begins a run. What it says is returned where it is known at once: the rule is quick, or there is no place for it.
    pub(super) fn start(&mut self, start: RunStart) -> Option<Input> {
        let run = start.run;
        let mut state = self.shared.state();
        if state.runs.len() >= self.shared.runs_max || state.queue.len() >= QUEUE_MAX {
            return Some(ended(run, RunOutcome::HostBusy, Spent::default()));
        }
        if let Some(ready) = self.shared.shelf.quick(&start.rule.version) {
            state.runs.insert(run, Slot::Busy);
            drop(state);
            let spare = self.stock.take(&start.rule.version);
            return self.stretch_here(run, Live::new(ready, spare, start), None);
        }
        let slot = Slot::Fresh { start: Box::new(start), since: Instant::now() };
        self.shared.enqueue(&mut state, run, slot);
        None
    }

    /// Lets a run go on with its answer; returns what it says where its rule is quick. One that has ended meanwhile
    /// needs no answer.
    pub(super) fn answer(&mut self, run: RunId, resume: Answered) -> Option<Input> {
        let mut state = self.shared.state();
        match state.runs.remove(&run) {
            Some(Slot::Parked(live)) if live.ready.pace.is_quick() => {
                state.runs.insert(run, Slot::Busy);
                drop(state);
                return self.stretch_here(run, live, Some(resume));
            }
            Some(Slot::Parked(live)) => {
                self.shared.enqueue(&mut state, run, Slot::Due { live, resume: Some(resume) });
            }
            Some(Slot::Busy) => {
                state.runs.insert(run, Slot::Answered(resume));
            }
            Some(other) => {
                error!(%run, "an answer for a run that does not wait");
                state.runs.insert(run, other);
            }
            None => debug!(%run, "an answer for a run that has ended"),
        }
        None
    }

    /// Makes an instance for a call to come, where one is wanted: for when everything else is done.
    pub(super) fn stock_up(&mut self) {
        self.stock.make_one(Instant::now());
    }

    /// Lets a run run on this thread, the node's, which hears at once what it says.
    fn stretch_here(&mut self, id: RunId, live: Live, resume: Option<Answered>) -> Option<Input> {
        let ready = live.ready.clone();
        match self.shared.stretch(id, live, resume) {
            // Whether it was slow or a slice ended early: a thread of the pool takes it from here.
            Stretch::Slice(live) => {
                self.shared.park(id, live, true);
                None
            }
            Stretch::Asked(asked, live) => {
                self.shared.park(id, live, false);
                Some(asked)
            }
            Stretch::Ended(ended) => {
                self.shared.state().runs.remove(&id);
                self.stock.want(&ready, Instant::now());
                Some(ended)
            }
        }
    }

    /// Drops a run, and makes its end if it has none yet.
    pub(super) fn stop(&self, run: RunId) {
        let mut state = self.shared.state();
        match state.runs.remove(&run) {
            Some(Slot::Fresh { .. }) => {
                state.runs.insert(run, Slot::Doomed(None));
            }
            Some(Slot::Due { live, .. }) => {
                state.runs.insert(run, Slot::Doomed(Some(live)));
            }
            Some(Slot::Parked(live)) => self.shared.enqueue(&mut state, run, Slot::Doomed(Some(live))),
            Some(Slot::Busy | Slot::Answered(_) | Slot::Stopping) => {
                state.runs.insert(run, Slot::Stopping);
            }
            Some(Slot::Doomed(live)) => {
                state.runs.insert(run, Slot::Doomed(live));
            }
            None => debug!(%run, "a stop for a run that has ended"),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.work.notify_all();
    }
}

/// What a thread has taken from the queue.
enum Job {
    Begin(Box<RunStart>),
    GoOn(Live, Option<Answered>),
    Bury(Option<Live>),
    TooLate,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, state: &mut State, run: RunId, slot: Slot) {
        let Some(tenant) = slot.tenant().cloned() else {
            error!(%run, "a run that has nothing to do is to wait for a thread");
            return;
        };
        state.runs.insert(run, slot);
        state.queue.push(&tenant, run);
        self.meters.runs_waiting(state.queue.len());
        self.work.notify_one();
    }

    /// One thread's life.
    fn work(&self) {
        while let Some((run, job)) = self.next() {
            match job {
                Job::Begin(start) => match self.shelf.ready(&start.rule.version) {
                    Ok(ready) => self.step(run, Live::new(ready, None, *start), None),
                    Err(why) => self.fail(run, RunOutcome::InstantiateFailed(why)),
                },
                Job::GoOn(live, resume) => self.step(run, live, resume),
                Job::Bury(live) => self.bury(run, live),
                Job::TooLate => self.fail(run, RunOutcome::HostBusy),
            }
        }
    }

    /// Waits for the next run that has something to do; none when the pool is closed.
    fn next(&self) -> Option<(RunId, Job)> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let Some(run) = state.queue.pop() else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            self.meters.runs_waiting(state.queue.len());
            let job = match state.runs.insert(run, Slot::Busy) {
                Some(Slot::Fresh { since, .. }) if since.elapsed() > PATIENCE => Job::TooLate,
                Some(Slot::Fresh { start, .. }) => Job::Begin(start),
                Some(Slot::Due { live, resume }) => Job::GoOn(live, resume),
                Some(Slot::Doomed(live)) => Job::Bury(live),
                Some(Slot::Parked(_) | Slot::Busy | Slot::Answered(_) | Slot::Stopping) | None => {
                    error!(%run, "the queue names a run that has nothing to do");
                    Job::Bury(None)
                }
            };
            return Some((run, job));
        }
    }

    /// Lets a run run on a thread of the pool.
    fn step(&self, id: RunId, live: Live, resume: Option<Answered>) {
        match self.stretch(id, live, resume) {
            Stretch::Slice(live) => self.park(id, live, true),
            Stretch::Asked(asked, live) => {
                // Told before it is parked: whatever the node says to it comes after its question.
                self.inbox.deliver_blocking(asked);
                self.park(id, live, false);
            }
            Stretch::Ended(ended) => self.end(id, ended),
        }
    }

    /// Lets a run run until it asks, has used its slice, or ends.
    fn stretch(&self, id: RunId, mut live: Live, resume: Option<Answered>) -> Stretch {
        let stopwatch = live.ready.pace.begin();
        let step = live.run.resume(resume);
        live.ran += live.ready.pace.end(&stopwatch);
        let ran_us = micros(live.ran);
        match step {
            Step::Slice => Stretch::Slice(live),
            Step::Event { event: event @ RunEvent::Asked { .. }, mut spent } => {
                spent.ran_us = ran_us;
                Stretch::Asked(Input::Run { run: id, event, spent: *spent }, live)
            }
            Step::Event { event: RunEvent::Ended(outcome), mut spent } => {
                spent.ran_us = ran_us;
                self.meters.ran(live.ran);
                Stretch::Ended(ended(id, outcome, *spent))
            }
        }
    }

    /// Puts a run back: to wait for its answer, or into the queue where it has something to do.
    fn park(&self, id: RunId, live: Live, due: bool) {
        let mut state = self.state();
        match state.runs.remove(&id) {
            Some(Slot::Answered(resume)) => {
                self.enqueue(&mut state, id, Slot::Due { live, resume: Some(resume) });
            }
            Some(Slot::Stopping) => self.enqueue(&mut state, id, Slot::Doomed(Some(live))),
            Some(Slot::Busy) if due => self.enqueue(&mut state, id, Slot::Due { live, resume: None }),
            Some(Slot::Busy) => {
                state.runs.insert(id, Slot::Parked(live));
            }
            Some(Slot::Fresh { .. } | Slot::Due { .. } | Slot::Parked(_) | Slot::Doomed(_)) | None => {
                error!(run = %id, "a run was on a thread and elsewhere");
            }
        }
    }

    /// Ends a run at the node's wish.
    fn bury(&self, id: RunId, live: Option<Live>) {
        let stopped = live.map(|live| (live.run.stop(RunOutcome::CallerGone), live.ran));
        match stopped {
            Some((Step::Event { event: RunEvent::Ended(outcome), mut spent }, ran)) => {
                spent.ran_us = micros(ran);
                self.end(id, ended(id, outcome, *spent));
            }
            Some((Step::Event { event: RunEvent::Asked { .. }, .. } | Step::Slice, _)) | None => {
                self.fail(id, RunOutcome::CallerGone);
            }
        }
    }

    /// Ends a run that has nothing to say.
    fn fail(&self, run: RunId, outcome: RunOutcome) {
        self.end(run, ended(run, outcome, Spent::default()));
    }

    fn end(&self, run: RunId, ended: Input) {
        self.state().runs.remove(&run);
        self.inbox.deliver_blocking(ended);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn ended(run: RunId, outcome: RunOutcome, spent: Spent) -> Input {
    Input::Run { run, event: RunEvent::Ended(outcome), spent }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use callwright_core::names::AskId;
    use callwright_core::rule::{ActiveRule, Answer, CallFacts, Care, Entry, Party};
    use callwright_core::{Now, View};
    use jiff::Timestamp;

    use super::*;
    use crate::data::Data;
    use crate::serve::node::{self, Letters};

    const NOW: Now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };

    /// The pool of a switch's one node in which the rule of `start` is ready, with what it tells the node.
    fn pool() -> (tempfile::TempDir, Pool, Letters) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&Data::open(folder.path()).unwrap()).unwrap();
        shelf.put(shelf.rule_in_text("ready"));
        let (inbox, letters) = node::inbox();
        let pool = Pool::start_threads(&inbox, &Arc::new(shelf), &Meters::default(), 1).unwrap();
        (folder, pool, letters)
    }

    fn start(run: u64, version: &str) -> RunStart {
        let rule = ActiveRule {
            tenant: "acme".into(),
            name: "rule".into(),
            version: version.into(),
            bind: Vec::new(),
            fallback: None,
            settings: Arc::new(BTreeMap::new()),
            care: Care::default(),
        };
        let call = CallFacts {
            id: "c".into(),
            tenant: "acme".into(),
            caller: Party::default(),
            dialled: Party::default(),
            number: "100".into(),
            group: None,
            for_user: None,
            entry: Entry::Device(Some("1011".into())),
        };
        RunStart {
            run: RunId(run),
            rule: Arc::new(rule),
            call: Arc::new(call),
            seed: 1,
            view: Arc::new(View::default()),
            now: NOW,
            call_began: Duration::ZERO,
        }
    }

    async fn event(letters: &mut Letters, run: u64) -> RunEvent {
        match letters.next().await {
            Some(Input::Run { run: of, event, .. }) if of == RunId(run) => event,
            other => panic!("{other:?}"),
        }
    }

    fn done() -> Answered {
        Answered { ask: AskId(1), answer: Answer::Done(Ok(())), view: Arc::new(View::default()), now: NOW }
    }

    #[tokio::test]
    async fn a_run_asks_waits_goes_on_with_its_answer_and_ends_once() {
        let (_folder, mut pool, mut letters) = pool();
        assert!(pool.start(start(1, "ready")).is_none());
        assert!(matches!(event(&mut letters, 1).await, RunEvent::Asked { ask: AskId(1), .. }));
        assert!(pool.answer(RunId(1), done()).is_none());
        assert_eq!(event(&mut letters, 1).await, RunEvent::Ended(RunOutcome::Ok));
        assert!(pool.answer(RunId(1), done()).is_none());
        pool.stop(RunId(1));
        assert!(pool.shared.state().runs.is_empty());
    }

    #[tokio::test]
    async fn a_rule_that_has_been_quick_answers_its_starter_at_once() {
        let (_folder, mut pool, mut letters) = pool();
        let pace = pool.shared.shelf.ready(&"ready".into()).unwrap().pace;
        for run in 100..200 {
            if pace.is_quick() {
                break;
            }
            assert!(pool.start(start(run, "ready")).is_none());
            assert!(matches!(event(&mut letters, run).await, RunEvent::Asked { .. }));
            pool.stop(RunId(run));
            assert!(matches!(event(&mut letters, run).await, RunEvent::Ended(_)));
        }
        let asked = pool.start(start(2, "ready"));
        assert!(matches!(asked, Some(Input::Run { event: RunEvent::Asked { .. }, .. })), "{asked:?}");
        let ended = pool.answer(RunId(2), done());
        assert!(
            matches!(ended, Some(Input::Run { event: RunEvent::Ended(RunOutcome::Ok), .. })),
            "{ended:?}"
        );
        assert!(pool.shared.state().runs.is_empty());
    }

    #[tokio::test]
    async fn a_quick_rule_s_next_call_finds_its_instance_made() {
        let (_folder, mut pool, _letters) = pool();
        let pace = pool.shared.shelf.ready(&"ready".into()).unwrap().pace;
        (0..100).for_each(|_| pace.note(Duration::ZERO));
        for run in 1..=3 {
            assert!(pool.start(start(run, "ready")).is_some());
            assert_eq!(pool.stock.len(), 0, "it is used");
            let ended = pool.answer(RunId(run), done());
            assert!(
                matches!(ended, Some(Input::Run { event: RunEvent::Ended(RunOutcome::Ok), .. })),
                "{ended:?}"
            );
            pool.stock_up();
            assert_eq!(pool.stock.len(), 1);
        }
    }

    #[tokio::test]
    async fn a_rule_that_is_slow_once_goes_back_to_the_pool() {
        let (_folder, mut pool, mut letters) = pool();
        let pace = pool.shared.shelf.ready(&"ready".into()).unwrap().pace;
        (0..100).for_each(|_| pace.note(Duration::ZERO));
        assert!(pool.start(start(1, "ready")).is_some());
        pace.note(Duration::from_secs(1));
        assert!(pool.answer(RunId(1), done()).is_none());
        assert_eq!(event(&mut letters, 1).await, RunEvent::Ended(RunOutcome::Ok));
        assert!(pool.start(start(2, "ready")).is_none());
        assert!(matches!(event(&mut letters, 2).await, RunEvent::Asked { .. }));
    }

    #[tokio::test]
    async fn a_run_that_is_stopped_while_it_waits_ends_as_caller_gone() {
        let (_folder, mut pool, mut letters) = pool();
        assert!(pool.start(start(1, "ready")).is_none());
        assert!(matches!(event(&mut letters, 1).await, RunEvent::Asked { .. }));
        pool.stop(RunId(1));
        pool.stop(RunId(1));
        assert_eq!(event(&mut letters, 1).await, RunEvent::Ended(RunOutcome::CallerGone));
    }

    #[tokio::test]
    async fn a_version_that_is_not_loaded_ends_the_run_and_not_the_thread() {
        let (_folder, mut pool, mut letters) = pool();
        for run in 1..=5 {
            assert!(pool.start(start(run, "lost")).is_none());
            let ended = event(&mut letters, run).await;
            assert!(matches!(ended, RunEvent::Ended(RunOutcome::InstantiateFailed(_))), "{ended:?}");
        }
        assert!(pool.start(start(6, "ready")).is_none());
        assert!(matches!(event(&mut letters, 6).await, RunEvent::Asked { .. }));
    }

    #[tokio::test]
    async fn a_start_that_waited_too_long_or_finds_no_place_is_host_busy() {
        let (_folder, mut pool, mut letters) = pool();
        {
            let mut state = pool.shared.state();
            let since = Instant::now().checked_sub(PATIENCE * 2).unwrap();
            let slot = Slot::Fresh { start: Box::new(start(1, "ready")), since };
            pool.shared.enqueue(&mut state, RunId(1), slot);
        }
        assert_eq!(event(&mut letters, 1).await, RunEvent::Ended(RunOutcome::HostBusy));
        {
            let mut state = pool.shared.state();
            state.runs.extend((100..).take(RUNS_MAX).map(|run| (RunId(run), Slot::Busy)));
        }
        let refused = pool.start(start(2, "ready"));
        let Some(Input::Run { run: RunId(2), event, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(event, RunEvent::Ended(RunOutcome::HostBusy));
    }
}
