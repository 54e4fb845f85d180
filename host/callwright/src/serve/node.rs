//! The thread that owns the node: inputs in, effects out, a picture published now and then.
//!
//! It never waits for anybody: what it sends either fits into a queue or is answered as refused.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_api::Meters;
use callwright_core::seam::StoreRefused;
use callwright_core::{Effect, Input, Node, View};
use callwright_rules::Answered;
use callwright_sip::Flow;
use callwright_store::{LATE_MAX, Request};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::clock::Clock;
use super::dialled::Dialled;
use super::errands::Errands;
use super::network::{Datagrams, Headers, Network};
use super::nodes::Neighbours;
use super::pool::Pool;
use super::records::Records;
use super::writer::Changes;

/// How many inputs may wait for the node.
pub(super) const INPUTS_MAX: usize = 16_384;
/// How many datagrams may wait that came to another node's socket.
pub(super) const HANDED_MAX: usize = 4_096;
/// How many inputs are handled between two pictures.
const BATCH_MAX: usize = 256;
/// How often others get a new picture, where nobody waits for one: making it costs as much as a message.
const PICTURE_EVERY: Duration = Duration::from_millis(20);
/// How many messages wait at most until all that has come is handled. Whoever gets one may take this processor at once, and
/// what is done then is done with an empty cache.
const SENT_TOGETHER: usize = 16;
/// How long calls may take to end when the switch ends.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// The node's queue, for all that have something to tell it.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    queue: Sender<Letter>,
    /// What may be dropped has a queue of its own, so that it takes no place of what must arrive.
    handed: Sender<Input>,
}

/// One thing to handle.
#[derive(Debug)]
struct Letter {
    input: Input,
    /// Told when the input is handled and the picture shows it.
    handled: Option<oneshot::Sender<()>>,
}

/// The queue is full, or the node has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Inbox {
    /// Waits for a place in the queue. Once the node has ended nobody is left to tell.
    pub(super) async fn deliver(&self, input: Input) {
        let _ended = self.queue.send(Letter { input, handled: None }).await;
    }

    /// As [`Inbox::deliver`], on a thread of its own.
    pub(super) fn deliver_blocking(&self, input: Input) {
        let _ended = self.queue.blocking_send(Letter { input, handled: None });
    }

    /// Hands a datagram over, or refuses it where the node does not keep up.
    ///
    /// # Errors
    /// [`Refused`]: too many wait, or the node has ended.
    pub(super) fn hand_over(&self, input: Input) -> Result<(), Refused> {
        self.handed.try_send(input).map_err(|_| Refused)
    }

    /// Waits until the node has handled the input and its picture shows it.
    ///
    /// # Errors
    /// [`Refused`]: the node has ended.
    pub(super) async fn settle(&self, input: Input) -> Result<(), Refused> {
        let (handled, settled) = oneshot::channel();
        self.queue.send(Letter { input, handled: Some(handled) }).await.map_err(|_| Refused)?;
        settled.await.map_err(|_| Refused)
    }
}

/// A queue for a node that is about to start.
pub(super) fn inbox() -> (Inbox, Letters) {
    let (queue, letters) = mpsc::channel(INPUTS_MAX);
    let (handed, handed_over) = mpsc::channel(HANDED_MAX);
    (Inbox { queue, handed }, Letters { letters, handed_over })
}

/// The node's end of its queues.
#[derive(Debug)]
pub(super) struct Letters {
    letters: Receiver<Letter>,
    handed_over: Receiver<Input>,
}

#[cfg(test)]
impl Letters {
    /// The next input, for tests of those that tell the node something.
    pub(super) async fn next(&mut self) -> Option<Input> {
        self.letters.recv().await.map(|letter| letter.input)
    }

    /// Whether there is a next input already, for tests.
    pub(super) fn is_any_waiting(&self) -> bool {
        !self.letters.is_empty()
    }

    /// All that other nodes have handed over.
    pub(super) fn handed_now(&mut self) -> Vec<Input> {
        std::iter::from_fn(|| self.handed_over.try_recv().ok()).collect()
    }
}

/// The node's latest picture, for everybody else.
#[derive(Debug, Default)]
pub(super) struct Picture(RwLock<Arc<View>>);

impl Picture {
    /// The latest.
    pub(super) fn latest(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, view: Arc<View>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Where the node's effects go.
pub(super) struct Outside {
    pub(super) clock: Clock,
    pub(super) network: Network,
    pub(super) pool: Pool,
    pub(super) changes: Changes,
    pub(super) picture: Arc<Picture>,
    pub(super) meters: Meters,
    /// The other nodes; none where this one is alone.
    pub(super) neighbours: Option<Neighbours>,
    pub(super) errands: Errands,
}

/// Starts a node's thread, which reads a UDP socket itself. It ends after [`Input::ShutDown`], when its calls have
/// ended and its changes are stored.
pub(super) fn start(
    number: u16,
    node: Node,
    udp: std::net::UdpSocket,
    letters: Letters,
    outside: Outside,
) -> std::io::Result<JoinHandle<()>> {
    outside.picture.publish(node.view());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let datagrams = Datagrams::new(udp)?;
    drop(entered);
    let owner = Owner {
        node,
        outside,
        letters,
        datagrams,
        answers: VecDeque::new(),
        outgoing: Vec::with_capacity(SENT_TOGETHER),
        unstored: 0,
        records: Records::default(),
        picture_due: None,
        leaving: None,
    };
    std::thread::Builder::new()
        .name(format!("callwright-node-{number}"))
        .spawn(move || runtime.block_on(owner.run()))
}

struct Owner {
    node: Node,
    outside: Outside,
    letters: Letters,
    datagrams: Datagrams,
    /// Answers that are known at once, handled before anything else.
    answers: VecDeque<Input>,
    /// Messages that go out when all that has come is handled, in their order.
    outgoing: Vec<(Flow, Bytes)>,
    /// Store effects without an answer yet.
    unstored: usize,
    /// Records of calls that wait to be committed together.
    records: Records,
    /// When the picture is published; none while nothing happened since the last.
    picture_due: Option<Instant>,
    /// When the switch ends at the latest.
    leaving: Option<Instant>,
}

impl Owner {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut inputs = Vec::with_capacity(BATCH_MAX);
        let mut headers = Headers::default();
        let mut settled = Vec::new();
        while !self.has_left() {
            self.wait(&mut headers, &mut batch, &mut inputs).await;
            if !batch.is_empty() || !inputs.is_empty() {
                self.picture_due.get_or_insert_with(|| Instant::now() + PICTURE_EVERY);
            }
            for Letter { input, handled } in batch.drain(..) {
                self.handle(input);
                settled.extend(handled);
            }
            for input in inputs.drain(..) {
                self.handle(input);
            }
            self.do_what_is_due(!settled.is_empty());
            self.outside.meters.inputs_waiting(self.letters.letters.len());
            self.send();
            for handled in settled.drain(..) {
                // Whoever asked may have gone.
                let _gone = handled.send(());
            }
            self.outside.pool.stock_up();
        }
        info!("node ended");
    }

    /// The node's timers, the records and the picture.
    fn do_what_is_due(&mut self, somebody_waits: bool) {
        if self.node.deadline().is_some_and(|deadline| deadline.at <= self.outside.clock.now().mono) {
            self.handle(Input::Tick);
            self.picture_due.get_or_insert_with(|| Instant::now() + PICTURE_EVERY);
        }
        let now = Instant::now();
        if self.records.due().is_some_and(|due| due <= now) || self.leaving.is_some() {
            self.commit_records();
            self.hear_answers();
        }
        if somebody_waits || self.picture_due.is_some_and(|due| due <= now) {
            self.outside.picture.publish(self.node.view());
            self.picture_due = None;
        }
    }

    /// Until there is something to handle, or something is due, or the end.
    async fn wait(&mut self, headers: &mut Headers, batch: &mut Vec<Letter>, inputs: &mut Vec<Input>) {
        let deadline = self.node.deadline().map(|deadline| self.outside.clock.instant(deadline.at));
        let dues = [deadline, self.leaving, self.records.due(), self.picture_due];
        let until = dues.into_iter().flatten().min();
        let ready = tokio::select! {
            _ = self.letters.letters.recv_many(batch, BATCH_MAX) => None,
            _ = self.letters.handed_over.recv_many(inputs, BATCH_MAX), if self.outside.neighbours.is_some() => None,
            ready = self.datagrams.ready() => Some(ready),
            () = due(until) => None,
        };
        if let Some(ready) = ready {
            self.datagrams.take(ready, headers, BATCH_MAX, inputs);
            if let Some(neighbours) = &mut self.outside.neighbours {
                neighbours.hand_over(inputs);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.turn(input);
        self.hear_answers();
    }

    fn hear_answers(&mut self) {
        while let Some(answer) = self.answers.pop_front() {
            self.turn(answer);
        }
    }

    fn turn(&mut self, input: Input) {
        match &input {
            Input::Stored { .. } => self.unstored = self.unstored.saturating_sub(1),
            Input::ShutDown => self.leaving = Some(Instant::now() + FAREWELL_MAX),
            Input::Received { .. }
            | Input::Closed { .. }
            | Input::Tick
            | Input::Drain
            | Input::Run { .. }
            | Input::Configured(_)
            | Input::Wished { .. }
            | Input::Tenant { .. }
            | Input::Rules { .. } => {}
        }
        self.node.handle(self.outside.clock.now(), input);
        while let Some(effect) = self.node.poll() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Transmit { flow, bytes } => {
                self.outgoing.push((flow, bytes));
                if self.outgoing.len() >= SENT_TOGETHER {
                    self.send();
                }
            }
            Effect::Close { flow } => {
                self.send();
                self.outside.network.close(flow);
            }
            Effect::Believe { flow } => self.outside.network.believe(flow),
            Effect::Start(start) => self.answers.extend(self.outside.pool.start(*start)),
            Effect::Answer { run, ask, answer, view, now } => {
                self.answers.extend(self.outside.pool.answer(run, Answered { ask, answer, view, now }));
            }
            Effect::Stop { run } => self.outside.pool.stop(run),
            Effect::Withdraw(withdrawal) => {
                // Where so many are withdrawn at once, this one's calls go to the fallback until it fails again.
                let _dropped = self.outside.errands.withdrawals.try_send(withdrawal);
            }
            Effect::Tell { tenant, notice } => {
                if let Err(lost) = self.outside.errands.told.try_send((tenant, notice.into())) {
                    let (tenant, _) = lost.into_inner();
                    self.outside.meters.event_lost();
                    warn!(%tenant, "an event is lost: too many wait for the store");
                }
            }
            Effect::Wish { ticket, tenant, user, wishes, by } => {
                let dialled = Dialled { ticket, tenant, user, wishes, by };
                if self.outside.errands.dialled.try_send(dialled).is_err() {
                    let result = Err(StoreRefused::Unavailable("too much is dialled at once".to_owned()));
                    self.answers.extend([Input::Stored { ticket, result }]);
                }
            }
            Effect::Store { ticket, changes } => {
                self.unstored += 1;
                let request = Request { ticket, changes };
                if request.is_record() {
                    if let Err(request) = self.records.push(request, Instant::now()) {
                        warn!(
                            waiting = LATE_MAX,
                            "the record of a call is lost: too many wait for the store"
                        );
                        self.refuse(&request);
                    }
                    if self.records.are_many() {
                        self.commit_records();
                    }
                } else {
                    // Somebody waits for this answer, and the records go with it.
                    self.commit_records();
                    if let Err(request) = self.outside.changes.offer(request) {
                        self.refuse(&request);
                    }
                }
            }
        }
    }

    fn send(&mut self) {
        for (flow, bytes) in self.outgoing.drain(..) {
            self.outside.network.send(flow, bytes);
        }
    }

    fn commit_records(&mut self) {
        let changes = &self.outside.changes;
        self.records.commit(Instant::now(), |request| changes.offer(request));
    }

    /// The store's queue is full.
    fn refuse(&mut self, request: &Request) {
        let refused = StoreRefused::Unavailable("its queue is full".to_owned());
        self.answers.push_back(Input::Stored { ticket: request.ticket, result: Err(refused) });
    }

    /// Whether the switch was told to end and nothing of it is left to do.
    fn has_left(&self) -> bool {
        let Some(latest) = self.leaving else { return false };
        let settled = self.node.is_quiet() && self.unstored == 0;
        settled || Instant::now() >= latest
    }
}

/// Waits for a moment; for ever where there is none.
async fn due(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
