//! One virtual world: a switch, phones, wires, a clock that jumps over idle time, and what keeps watch over it all.
//!
//! It owns the order of events and nothing of their meaning: phones know how to be phones, the switch is the
//! production core, [`Checks`] know what must never happen.

mod life;
mod seat;
pub(crate) mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callwright_core::forwarding::Wishes;
use callwright_core::names::{RunId, TenantId, Ticket, UserId};
use callwright_core::rule::{ActiveRule, RunEvent};
use callwright_core::seam::StoreRefused;
use callwright_core::{Change, Config, Effect, Input, Now, View};
use callwright_sip::{Flow, Transport};
use jiff::{SignedDuration, Timestamp};

use crate::agenda::Agenda;
use crate::alarm::Alarm;
use crate::checks::{Checks, Violation};
use crate::fault::Fault;
use crate::ledger::{Kept, Ledger};
use crate::link::Link;
use crate::phone::Phone;
use crate::phone::manner::{Order, PhoneEffect, PhoneInput};
use crate::runs::{Runs, Said, TrapAt, Trapping};
use crate::tally::Tally;
use crate::trace::{SWITCH, Trace};
use callwright_store::{Happened as Event, Restored};
use life::Life;
use seat::Seat;
pub use seat::{PhoneSetup, Unplugged};
use switch::Switch;

/// Steps at one moment after which the world is said to stand still.
const STEPS_AT_ONE_MOMENT_MAX: u32 = 100_000;

/// What a world begins with.
pub struct WorldSetup {
    /// Everything random follows from this.
    pub seed: u64,
    /// The calendar's time at the beginning.
    pub wall: Timestamp,
    /// Tenants and what is theirs.
    pub config: Arc<Config>,
    /// Active rules.
    pub rules: Vec<Arc<ActiveRule>>,
    /// Who drives them.
    pub runs: Box<dyn Runs>,
    /// What the switch does wrong on purpose.
    pub fault: Option<Fault>,
}

/// Something that is going to happen.
#[derive(Debug)]
pub enum Happening {
    /// Somebody presses a key of a phone.
    Order(String, Order),
    /// A phone's wire changes.
    Rewire(String, Link),
    /// All wires lose their faults, and the store works.
    Repair,
    /// A phone is cut off, or comes back.
    Unplug(String, Option<Unplugged>),
    /// A phone's connection is closed.
    CloseConnection(String),
    /// The store takes so long from now on.
    StoreDelay(Duration),
    /// The store refuses, or works again.
    StoreRefuses(Option<StoreRefused>),
    /// Rules take so much longer for each word from now on.
    RulesTake(Duration),
    /// Rules trap at this host call from now on.
    RulesTrap(Option<TrapAt>),
    /// What a run has said is still on its way when the run is stopped.
    WordsOutlive,
    /// The operator changes the configuration.
    Configured(Arc<Config>),
    /// A tenant activates other rules.
    Rules(TenantId, Vec<Arc<ActiveRule>>),
    /// A user saves how they want to be forwarded.
    Wished(TenantId, UserId, Option<Arc<Wishes>>),
    /// The same for a while: then what they had saved before is there again.
    WishedFor(TenantId, UserId, Arc<Wishes>, Duration),
    /// The calendar's clock is set, and the clock of deadlines goes on as before.
    ClockJumps(SignedDuration),
    /// The switch is killed where it stands: what it has not committed is gone, and what is sent to it is lost.
    Kill,
    /// It starts again from what is in the store.
    Start,
    /// The switch takes no new calls from now on.
    Drain,
    /// The switch is asked to end.
    ShutDown,
}

/// What lies on the agenda: what somebody planned, and what follows from the wires.
#[derive(Debug)]
enum Due {
    Planned(Happening),
    ToSwitch(Flow, Bytes),
    /// Arrives where the connection is still the one it was sent on.
    ToPhone(String, u64, Bytes),
    SwitchLoses(Flow),
    PhoneLoses(String, u64),
    /// With the time at which it was asked for.
    Commit(Duration, Ticket, Vec<Change>),
    /// What somebody has dialled is to be kept.
    Wish(Ticket, (TenantId, UserId), Arc<Wishes>),
    Said(Said),
}

/// The virtual world.
pub struct World {
    mono: Duration,
    wall: Timestamp,
    /// When the calendar's clock was set, and by how much.
    jumps: Vec<(Duration, SignedDuration)>,
    switch: Box<dyn Switch>,
    life: Life,
    address: SocketAddr,
    seats: BTreeMap<String, Seat>,
    lanes: BTreeMap<SocketAddr, String>,
    connections: u64,
    agenda: Agenda<Due>,
    runs: Trapping,
    runs_take: Duration,
    words_outlive: bool,
    runs_over: BTreeSet<RunId>,
    runs_alive: BTreeSet<RunId>,
    ledger: Ledger,
    /// When the last commit is done that was asked for: one writer keeps the order.
    last_commit: Duration,
    checks: Checks,
    trace: Trace,
    told: Vec<(TenantId, Event)>,
    alarm: Alarm,
    steps_here: u32,
    seed: u64,
}

impl World {
    /// A world with a switch and no phones yet.
    #[must_use]
    pub fn new(setup: WorldSetup) -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5060);
        let alarm = Alarm::default();
        let checks = Checks::new(&setup.config);
        let now = Now { mono: Duration::ZERO, wall: setup.wall };
        let life = Life::first(&setup);
        let node = life.setup(address, setup.seed, Restored::default(), now);
        let switch = alarm.listen(|| switch::built(node, setup.fault));
        Self {
            mono: Duration::ZERO,
            wall: setup.wall,
            jumps: Vec::new(),
            switch,
            life,
            address,
            seats: BTreeMap::new(),
            lanes: BTreeMap::new(),
            connections: 0,
            agenda: Agenda::default(),
            runs: Trapping::new(setup.runs),
            runs_take: Duration::ZERO,
            words_outlive: false,
            runs_over: BTreeSet::new(),
            runs_alive: BTreeSet::new(),
            ledger: Ledger::default(),
            last_commit: Duration::ZERO,
            checks,
            trace: Trace::default(),
            told: Vec::new(),
            alarm,
            steps_here: 0,
            seed: setup.seed,
        }
    }

    /// Puts a phone on the network. It does nothing until it is told to.
    pub fn add_phone(&mut self, setup: PhoneSetup) {
        let number = u8::try_from(self.seats.len() % 250).unwrap_or(0) + 2;
        let subnet = u8::try_from(self.seats.len() / 250 % 250).unwrap_or(0) + 1;
        let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, subnet, number)), 5060);
        let connection = match setup.transport {
            Transport::Udp => 0,
            Transport::Tcp => self.next_connection(),
        };
        let seat = Seat::new(
            &setup,
            at,
            Flow { transport: setup.transport, peer: self.address, connection },
            self.seed,
        );
        self.checks.phone(at, &setup.tenant, &setup.extension);
        self.lanes.insert(at, setup.name.clone());
        self.seats.insert(setup.name, seat);
    }

    /// Puts something on the agenda. What lies in the past happens next.
    pub fn schedule(&mut self, at: Duration, happening: Happening) {
        self.agenda.push(at.max(self.mono), Due::Planned(happening));
    }

    /// Lets everything happen that is due by `end`, and moves the clock there.
    pub fn run_until(&mut self, end: Duration) {
        while let Some(at) = self.next_moment().filter(|at| *at <= end) {
            self.pass_to(at);
            self.step();
            if self.steps_here > STEPS_AT_ONE_MOMENT_MAX {
                self.checks.stands_still(self.now());
                break;
            }
        }
        self.pass_to(end);
    }

    /// The end of a world: nothing may be left of any call.
    pub fn finish(&mut self) {
        let now = self.now();
        let view = self.switch.view();
        self.checks.at_rest(now, &view, self.ledger.records());
        self.checks.stored(now, self.ledger.differences(now.wall, &view));
    }

    /// What must never happen, and did.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.checks.violations()
    }

    /// How often rare things have happened.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        self.checks.tally()
    }

    /// Everything that was sent.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Committed call records, oldest first.
    #[must_use]
    pub fn records(&self) -> &[Kept] {
        self.ledger.records()
    }

    /// What tenants were told, oldest first.
    #[must_use]
    pub fn told(&self) -> &[(TenantId, Event)] {
        &self.told
    }

    /// What the switch shows.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.switch.view()
    }

    /// A phone by its name.
    #[must_use]
    pub fn phone(&self, name: &str) -> Option<&Phone> {
        self.seats.get(name).map(|seat| &seat.phone)
    }

    /// Whether the switch would ring that phone.
    #[must_use]
    pub fn is_bound(&self, name: &str) -> bool {
        let Some(seat) = self.seats.get(name) else { return false };
        let flow = seat.flow_as_seen_by_the_switch();
        self.switch.view().bindings.values().any(|binding| binding.flow == flow)
    }

    /// The calendar's time at a moment of the world.
    #[must_use]
    pub fn wall_at(&self, mono: Duration) -> Timestamp {
        let since = SignedDuration::try_from(mono).unwrap_or(SignedDuration::MAX);
        let jumps = self.jumps.iter().filter(|(at, _)| *at <= mono);
        let since = jumps.fold(since, |since, (_, by)| since.saturating_add(*by));
        self.wall.checked_add(since).unwrap_or(self.wall)
    }

    /// The time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.mono
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, wall: self.wall_at(self.mono) }
    }

    fn next_moment(&self) -> Option<Duration> {
        let phones = self.seats.values().filter_map(|seat| seat.phone.deadline());
        let switch = self.switch.deadline().map(|deadline| deadline.at);
        phones.chain(switch).chain(self.agenda.next_at()).min()
    }

    fn pass_to(&mut self, at: Duration) {
        if at > self.mono {
            self.mono = at;
            self.steps_here = 0;
        }
    }

    /// Exactly one thing happens: an entry of the agenda, else a phone's timer, else the switch's.
    fn step(&mut self) {
        self.steps_here += 1;
        if let Some(due) = self.agenda.pop_due(self.mono) {
            self.fall_due(due);
            return;
        }
        let mono = self.mono;
        let due = |seat: &Seat| seat.phone.deadline().is_some_and(|at| at <= mono);
        if let Some(name) = self.seats.iter().find(|(_, seat)| due(seat)).map(|(name, _)| name.clone()) {
            self.drive_phone(&name, PhoneInput::Tick);
            return;
        }
        self.drive_switch(Input::Tick);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Order(name, order) => {
                if order == Order::Register {
                    self.reconnect(&name);
                }
                self.drive_phone(&name, PhoneInput::Order(order));
            }
            Happening::Rewire(name, link) => {
                if let Some(seat) = self.seats.get_mut(&name) {
                    seat.link = link;
                }
            }
            Happening::Repair => {
                self.seats.values_mut().for_each(|seat| seat.link = seat.link.without_faults());
                self.ledger.refuses = None;
            }
            Happening::Unplug(name, how) => {
                if let Some(seat) = self.seats.get_mut(&name) {
                    seat.unplugged = how;
                }
            }
            Happening::CloseConnection(name) => self.close_connection(&name),
            Happening::StoreDelay(delay) => self.ledger.delay = delay,
            Happening::StoreRefuses(why) => {
                self.trace.note(
                    self.mono,
                    SWITCH,
                    why.as_ref().map_or("the store works".to_owned(), ToString::to_string),
                );
                self.ledger.refuses = why;
            }
            Happening::RulesTake(time) => self.runs_take = time,
            Happening::RulesTrap(at) => self.runs.at = at,
            Happening::WordsOutlive => self.words_outlive = true,
            Happening::Configured(config) => {
                self.life.config = Arc::clone(&config);
                self.checks.configured(&config);
                self.drive_switch(Input::Configured(config));
            }
            Happening::Rules(tenant, active) => {
                self.life.rules.retain(|rule| rule.tenant != tenant);
                self.life.rules.extend(active.iter().cloned());
                self.drive_switch(Input::Rules { tenant, active });
            }
            Happening::Wished(tenant, user, wishes) => {
                self.life.wishes.retain(|(known, _)| *known != (tenant.clone(), user.clone()));
                self.life
                    .wishes
                    .extend(wishes.clone().map(|wishes| ((tenant.clone(), user.clone()), wishes)));
                self.drive_switch(Input::Wished { tenant, user, wishes });
            }
            Happening::WishedFor(tenant, user, wishes, time) => self.wish_for(&tenant, &user, &wishes, time),
            Happening::ClockJumps(by) => {
                self.jumps.push((self.mono, by));
                self.trace.note(self.mono, SWITCH, format!("its clock is set to {}", self.now().wall));
                self.checks.clock_jumped(self.mono, &self.switch.view());
            }
            Happening::Kill => self.kill(),
            Happening::Start => self.start_again(),
            Happening::Drain => self.drive_switch(Input::Drain),
            Happening::ShutDown => self.drive_switch(Input::ShutDown),
        }
    }

    fn fall_due(&mut self, due: Due) {
        match due {
            Due::Planned(happening) => self.happen(happening),
            Due::ToSwitch(flow, bytes) => self.drive_switch(Input::Received { flow, bytes }),
            Due::ToPhone(name, connection, bytes) => {
                let is_there = self
                    .seats
                    .get(&name)
                    .is_some_and(|seat| seat.unplugged.is_none() && seat.flow.connection == connection);
                if is_there {
                    self.drive_phone(&name, PhoneInput::Received(bytes));
                }
            }
            Due::SwitchLoses(flow) => self.drive_switch(Input::Closed { flow }),
            Due::PhoneLoses(name, connection) => {
                if self.seats.get_mut(&name).is_some_and(|seat| seat.disconnect(connection)) {
                    self.drive_phone(&name, PhoneInput::Closed);
                }
            }
            Due::Commit(asked, ticket, changes) => {
                let result = self.ledger.commit(&changes);
                self.checks.committed(&changes, result.is_ok(), self.mono - asked);
                self.drive_switch(Input::Stored { ticket, result });
            }
            Due::Wish(ticket, (tenant, user), wishes) => {
                let result = match self.ledger.refuses.clone() {
                    Some(why) => Err(why),
                    None => {
                        self.happen(Happening::Wished(tenant, user, Some(wishes)));
                        Ok(())
                    }
                };
                self.drive_switch(Input::Stored { ticket, result });
            }
            Due::Said(said) => self.hear(said),
        }
    }

    /// Tells the core what a run says. Every start has exactly one end, whoever makes it first.
    fn hear(&mut self, said: Said) {
        if self.runs_over.contains(&said.run) {
            return;
        }
        if matches!(said.event, RunEvent::Ended(_)) {
            self.runs_over.insert(said.run);
            self.runs_alive.remove(&said.run);
        }
        if let Some(words) = crate::words::last_words(&said) {
            self.trace.note(self.mono, SWITCH, words);
        }
        self.trace.note(self.mono, SWITCH, crate::words::of_run(&said.event));
        self.drive_switch(Input::Run { run: said.run, event: said.event, spent: said.spent });
    }

    /// One step of the switch, watched from both sides.
    fn drive_switch(&mut self, input: Input) {
        if !self.life.is_up {
            return;
        }
        let now = self.now();
        let before = self.switch.view();
        self.checks.before(now, &before, &input);
        let Self { switch, alarm, .. } = self;
        let effects = alarm.listen(|| {
            switch.handle(now, input);
            std::iter::from_fn(|| switch.poll()).collect::<Vec<_>>()
        });
        for effect in &effects {
            self.checks.effect(now, effect);
        }
        let after = self.switch.view();
        self.checks.after(now, &before, &after, self.alarm.take());
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Transmit { flow, bytes } => self.transmit_to_phone(flow, bytes),
            Effect::Close { flow } => {
                if let Some(name) = self.lanes.get(&flow.peer).cloned() {
                    self.agenda.push(self.mono, Due::PhoneLoses(name, flow.connection));
                }
            }
            // No link here closes by itself, and there are no earlier versions to go back to.
            Effect::Believe { .. } | Effect::Withdraw(_) => {}
            Effect::Tell { tenant, notice } => {
                self.trace.note(self.mono, SWITCH, crate::words::of_notice(&notice));
                self.told.push((tenant, notice.into()));
            }
            Effect::Start(start) => {
                self.runs_alive.insert(start.run);
                let said = self.runs.start(*start);
                self.plan(said);
            }
            Effect::Answer { run, ask, answer, view, now } => {
                self.trace.note(self.mono, SWITCH, crate::words::of_answer(&answer));
                let said = self.runs.answer(run, ask, answer, view, now);
                self.plan(said);
            }
            Effect::Stop { run } => {
                if !self.words_outlive {
                    // The run is gone, and with it whatever it was about to say.
                    self.agenda.retain(|due| !matches!(due, Due::Said(said) if said.run == run));
                }
                let said = self.runs.stop(run);
                self.plan(said);
            }
            Effect::Wish { ticket, tenant, user, wishes, .. } => {
                self.last_commit = self.last_commit.max(self.mono + self.ledger.delay);
                self.agenda.push(self.last_commit, Due::Wish(ticket, (tenant, user), wishes));
            }
            Effect::Store { ticket, changes } => {
                self.last_commit = self.last_commit.max(self.mono + self.ledger.delay);
                self.agenda.push(self.last_commit, Due::Commit(self.mono, ticket, changes));
            }
        }
    }

    fn plan(&mut self, said: Vec<Said>) {
        self.runs.met().into_iter().for_each(|trap| self.checks.count(trap));
        for said in said {
            let at = self.mono + said.after + self.runs_take;
            self.agenda.push(at, Due::Said(said));
        }
    }

    fn transmit_to_phone(&mut self, flow: Flow, bytes: Bytes) {
        let Some(name) = self.lanes.get(&flow.peer).cloned() else { return };
        let mono = self.mono;
        let Some(seat) = self.seats.get_mut(&name) else { return };
        let is_gone =
            seat.unplugged.is_some() || seat.flow.connection != flow.connection || !seat.is_connected;
        let arrivals = if is_gone { Vec::new() } else { seat.arrivals(mono, &bytes, seat::Way::Down) };
        let refuses = seat.unplugged == Some(Unplugged::WithIcmp);
        self.trace.sent(mono, SWITCH, &name, bytes, arrivals.is_empty());
        if refuses {
            self.agenda.push(mono, Due::SwitchLoses(flow));
        }
        for (at, chunk) in arrivals {
            self.agenda.push(at, Due::ToPhone(name.clone(), flow.connection, chunk));
        }
    }

    fn drive_phone(&mut self, name: &str, input: PhoneInput) {
        let mono = self.mono;
        let Some(seat) = self.seats.get_mut(name) else { return };
        seat.phone.handle(mono, input);
        let effects = std::iter::from_fn(|| seat.phone.poll()).collect::<Vec<_>>();
        for effect in effects {
            match effect {
                PhoneEffect::Transmit(bytes) => self.transmit_to_switch(name, bytes),
                PhoneEffect::Close => self.close_connection(name),
            }
        }
    }

    fn transmit_to_switch(&mut self, name: &str, bytes: Bytes) {
        let mono = self.mono;
        let Some(seat) = self.seats.get_mut(name) else { return };
        let is_gone = seat.unplugged.is_some() || !seat.is_connected;
        let arrivals = if is_gone { Vec::new() } else { seat.arrivals(mono, &bytes, seat::Way::Up) };
        let flow = seat.flow_as_seen_by_the_switch();
        self.trace.sent(mono, name, SWITCH, bytes, arrivals.is_empty());
        for (at, chunk) in arrivals {
            self.agenda.push(at, Due::ToSwitch(flow, chunk));
        }
    }

    fn close_connection(&mut self, name: &str) {
        let Some(seat) = self.seats.get_mut(name) else { return };
        let (flow, at) = (seat.flow_as_seen_by_the_switch(), seat.last_up.max(self.mono));
        if seat.disconnect(flow.connection) {
            self.checks.closed_by_peer();
            self.agenda.push(at, Due::SwitchLoses(flow));
            self.drive_phone(name, PhoneInput::Closed);
        }
    }

    /// A phone that registers opens a connection where it has none.
    fn reconnect(&mut self, name: &str) {
        let connection = self.next_connection();
        let Some(seat) = self.seats.get_mut(name) else { return };
        if let Some(flow) = seat.reconnect(connection) {
            self.drive_phone(name, PhoneInput::Connected(flow));
        }
    }

    fn next_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }
}
