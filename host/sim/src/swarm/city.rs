//! A random town: tenants, people, phones, wires and rules, all from one seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::Config;
use callwright_core::config::{Exception, Expiry, Fallback, Hours, Place, WeeklySpan};
use callwright_core::forwarding::{Mode, Wishes};
use callwright_core::kept::KeptAsk;
use callwright_core::names::{TenantId, UserId};
use callwright_core::rule::{
    ActiveRule, BindTarget, Care, DestinationRef, LegPlan, Refusal, RingPlan, RunOutcome,
};
use callwright_rules::Rule;
use callwright_rules::upload::version_of;
use callwright_sip::Transport;
use callwright_sip::digest::Algorithm;
use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::link::Link;
use crate::phone::manner::Order;
use crate::runs::{Script, Step};
use crate::scenario::shelf::Drivers;
use crate::town::{Household, config_of, password_of};
use crate::world::{Happening, PhoneSetup, World, WorldSetup};

/// A tenant's name says at once whose something is.
const TENANTS: [&str; 2] = ["acme", "globex"];
const PEOPLE: [&str; 3] = ["ana", "bob", "cleo"];
const LABELS: [&str; 3] = ["desk", "soft", "mobile"];
/// The switch's own address.
const OWN_HOST: &str = "10.0.0.1";
/// A Friday in November, a minute before the office closes.
const BEGINS: i64 = 1_795_193_940;

/// The world of a seed before anything happens in it.
pub(super) struct City {
    pub(super) world: World,
    pub(super) phones: Vec<Resident>,
    pub(super) plan: Vec<String>,
    /// The configuration as it is, and with one person of each tenant gone.
    pub(super) configs: [Arc<Config>; 2],
    /// Tenants with rules, and those.
    pub(super) rules: Vec<Arc<ActiveRule>>,
}

/// A phone of the town.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    pub(super) name: String,
    /// Whose it is.
    pub(super) house: TenantId,
    /// Its own extension.
    pub(super) number: String,
    pub(super) transport: Transport,
    /// What can be dialled in its tenant.
    pub(super) numbers: Vec<String>,
}

/// Builds the town and lets its phones register.
pub(super) fn build(seed: u64, fault: Option<Fault>, components: &[Rule]) -> City {
    let mut dice = Dice::new(seed, "city");
    let mut plan = Vec::new();
    let count = if dice.chance(500) { 2 } else { 1 };
    let houses: Vec<_> = TENANTS.iter().take(count).map(|id| household(id, &mut dice)).collect();
    let mut runs = Drivers::default();
    let mut rules = Vec::new();
    for house in &houses {
        rules.extend(rule(house, &mut runs, components, &mut dice, &mut plan).map(Arc::new));
    }
    // Half of the switches have a standard rule; of the components any will do.
    let standard = dice.pick(components).filter(|_| dice.chance(500));
    standard.into_iter().for_each(|rule| runs.add_component(rule.clone()));
    let standard = standard.map(|rule| rule.version().clone());
    let config = |houses: &[Household]| config_of(houses, OWN_HOST, standard.clone());
    let configs = [config(&houses), config(&houses.iter().map(without_somebody).collect::<Vec<_>>())];
    let mut world = World::new(WorldSetup {
        seed,
        wall: Timestamp::from_second(BEGINS).unwrap_or(Timestamp::UNIX_EPOCH),
        config: Arc::clone(&configs[0]),
        rules: rules.clone(),
        runs: Box::new(runs),
        fault,
    });
    let mut phones = Vec::new();
    for house in &houses {
        settle(house, &mut world, &mut phones, &mut dice);
    }
    for phone in &phones {
        let at = dice.between(Duration::ZERO, Duration::from_secs(1));
        world.schedule(at, Happening::Order(phone.name.clone(), Order::Register));
    }
    City { world, phones, plan, configs, rules }
}

/// The same house after somebody has left.
fn without_somebody(house: &Household) -> Household {
    let mut house = house.clone();
    if let Some(gone) = house.users.last().map(|user| user.id.clone()) {
        house.remove(&gone);
    }
    house
}

fn household(id: &str, dice: &mut Dice) -> Household {
    let mut house = Household::new(id);
    house.digest = if dice.chance(500) { Algorithm::Md5 } else { Algorithm::Sha256 };
    house.expiry = Expiry { min_s: 20, max_s: 120, default_s: 60 };
    house.session_expires_s = 90;
    house.ring_time = Duration::from_secs(8 + dice.below(10));
    let people = 2 + usize::try_from(dice.below(2)).unwrap_or(0);
    for (index, person) in PEOPLE.iter().take(people).enumerate() {
        let devices = [1, 1, 2, 3][usize::try_from(dice.below(4)).unwrap_or(0)];
        let devices: Vec<_> =
            (0..devices).map(|device| (LABELS[device].to_owned(), format!("10{index}{device}"))).collect();
        house.user(person, &format!("{person} of {id}"), &format!("1{index}"), &devices);
        if let Some(user) = house.users.last_mut() {
            user.call_waiting = [None, Some(true), Some(false)][usize::try_from(dice.below(3)).unwrap_or(0)];
            user.forwarding = dice.chance(600).then(|| Arc::new(wishes(&user.id, people, dice)));
        }
    }
    let everybody: Vec<_> =
        PEOPLE.iter().take(people).map(|person| DestinationRef::User((*person).into())).collect();
    house.group("everybody", Some("20"), &everybody);
    house.hours.insert("office".into(), office());
    house.places.push(Place { name: "night-desk".into(), target: DestinationRef::User("bob".into()) });
    house.fallback = match dice.below(4) {
        0 => Fallback::Ring { to: DestinationRef::Place("night-desk".into()), for_ms: 6_000 },
        1 => Fallback::Refuse(Refusal::Busy),
        _ => Fallback::RingDialled,
    };
    house
}

/// How somebody wishes to be reached: some mode, and colleagues or a number outside.
fn wishes(user: &UserId, people: usize, dice: &mut Dice) -> Wishes {
    let mut numbers: Vec<_> = PEOPLE.iter().take(people).filter(|person| **person != user.as_str()).collect();
    numbers.truncate(usize::try_from(dice.below(3)).unwrap_or(0));
    let mut wishes = Wishes {
        numbers: numbers.into_iter().map(|person| DestinationRef::User((*person).into())).collect(),
        in_order: dice.chance(500),
        rings: Some(1 + u32::try_from(dice.below(3)).unwrap_or(0)),
        unanswered: dice.chance(300).then(|| DestinationRef::Place("night-desk".into())),
        do_not_disturb: dice.chance(100),
        enabled: dice.chance(900),
        ..Wishes::default()
    };
    if dice.chance(300) {
        wishes.numbers.push(DestinationRef::Number("+4930123456".to_owned()));
    }
    let modes = Mode::CHOICES;
    wishes.choose(dice.pick(&modes).copied().unwrap_or(Mode::Off));
    wishes
}

/// Open on weekdays until a minute after the world begins.
fn office() -> Hours {
    let from = Time::constant(8, 0, 0, 0);
    let weekly = [Weekday::Monday, Weekday::Friday].map(|day| WeeklySpan {
        day,
        from,
        to: Time::constant(17, 0, 0, 0),
    });
    let holiday = Exception { name: "Christmas".to_owned(), spans: Vec::new() };
    let exceptions = BTreeMap::from([(Date::constant(2026, 12, 25), holiday)]);
    Hours { name: "office".into(), zone: None, weekly: weekly.to_vec(), exceptions }
}

fn settle(house: &Household, world: &mut World, phones: &mut Vec<Resident>, dice: &mut Dice) {
    let numbers: Vec<_> = house
        .users
        .iter()
        .filter_map(|user| user.extension.clone())
        .chain(house.devices.iter().map(|device| device.extension.clone()))
        .map(|extension| extension.to_string())
        .chain(["20".to_owned(), "112".to_owned(), "999999".to_owned()])
        .collect();
    for device in &house.devices {
        // Now and then two phones share one credential (TELEPHONY T6).
        let copies = if dice.chance(80) { 2 } else { 1 };
        for copy in 0..copies {
            let name = format!("{}/{}{}", house.id, device.extension, if copy == 0 { "" } else { "b" });
            let transport = if dice.chance(350) { Transport::Tcp } else { Transport::Udp };
            let has_instance = copies == 2 || dice.chance(700);
            world.add_phone(PhoneSetup {
                name: name.clone(),
                tenant: house.id.clone(),
                domain: house.domain.clone(),
                extension: device.extension.to_string(),
                password: if dice.chance(20) {
                    "wrong".to_owned()
                } else {
                    password_of(device.extension.as_str())
                },
                display: format!("{} of {}", device.user, house.id),
                transport,
                link: wire(dice),
                expires_s: [15, 60, 120, 120][usize::try_from(dice.below(4)).unwrap_or(0)],
                behind_nat: dice.chance(250),
                instance: has_instance.then(|| format!("urn:uuid:{name}")),
            });
            phones.push(Resident {
                name,
                house: house.id.clone(),
                number: device.extension.to_string(),
                transport,
                numbers: numbers.clone(),
            });
        }
    }
}

/// A wire, good or bad.
pub(super) fn wire(dice: &mut Dice) -> Link {
    let delay = Duration::from_millis(dice.below(60));
    if dice.chance(400) {
        return Link { delay, ..Link::default() };
    }
    let mut some = |most: u64| u16::try_from(dice.below(most)).unwrap_or(0);
    Link {
        delay,
        loss_per_mille: some(250),
        duplicate_per_mille: some(150),
        reorder_per_mille: some(200),
        cut_per_mille: some(800),
        jitter: Duration::from_millis(u64::from(some(80))),
    }
}

fn rule(
    house: &Household,
    runs: &mut Drivers,
    components: &[Rule],
    dice: &mut Dice,
    plan: &mut Vec<String>,
) -> Option<ActiveRule> {
    if dice.chance(250) {
        return None;
    }
    let bind = if dice.chance(700) { BindTarget::Tenant } else { BindTarget::User("ana".into()) };
    let name = format!("rule-of-{}", house.id);
    if let Some(rule) = dice.pick(components) {
        runs.add_component(rule.clone());
        plan.push(format!("{}: {name} is component {}", house.id, rule.version()));
        let (version, settings) = (rule.version().clone(), Arc::default());
        return Some(ActiveRule {
            tenant: house.id.clone(),
            name: name.into(),
            version,
            bind: vec![bind],
            fallback: None,
            settings,
            care: Care::default(),
        });
    }
    let script = script(house, dice);
    plan.push(format!("{}: {name} is {:?}", house.id, script.steps));
    let version = version_of(format!("{script:?}").as_bytes());
    Some(runs.add_script(&TenantId::clone(&house.id), &name.into(), script, version, vec![bind]))
}

fn script(house: &Household, dice: &mut Dice) -> Script {
    let mut steps = Vec::new();
    if dice.chance(300) {
        steps.push(Step::Because("the dice said so".to_owned()));
    }
    if dice.chance(200) {
        steps.push(Step::Take(dice.between(Duration::from_millis(1), Duration::from_millis(800))));
    }
    for _ in 0..dice.below(3) {
        if dice.chance(300) {
            steps.push(Step::Keep(keeping(dice)));
        }
        steps.push(Step::Ring(ring(house, dice)));
    }
    if dice.chance(200) {
        steps.push(Step::Keep(keeping(dice)));
    }
    steps.push(match dice.below(12) {
        0 => Step::End(RunOutcome::Ok),
        1 => Step::End(RunOutcome::Trap("unreachable".to_owned())),
        2 => Step::End(RunOutcome::FuelExhausted("handle-call".to_owned())),
        3 => Step::End(RunOutcome::Declined("no thanks".to_owned())),
        4 => Step::End(RunOutcome::MemoryLimit),
        5 => Step::End(RunOutcome::HostBusy),
        6 => Step::Hang,
        7 => Step::Refuse(Refusal::Busy),
        8 | 9 => {
            let later = dice.between(Duration::from_millis(1), Duration::from_secs(5));
            Step::RingThenEnd(ring(house, dice), later, RunOutcome::Trap("unreachable".to_owned()))
        }
        _ => Step::Standard,
    });
    Script { steps }
}

/// Few keys, so that calls meet at them, for good or for so short that some are over before they are written.
fn keeping(dice: &mut Dice) -> KeptAsk {
    let key = format!("key {}", dice.below(3));
    let ttl_s = if dice.chance(500) { 0 } else { u32::try_from(dice.below(40)).unwrap_or(0) };
    match dice.below(5) {
        0 => KeptAsk::Get { key },
        1 => KeptAsk::Set { key, value: dice.below(10).to_string(), ttl_s },
        2 => KeptAsk::Remove { key },
        3 => KeptAsk::Add { key, by: 1, ttl_s },
        _ => KeptAsk::Claim { key, ttl_s },
    }
}

fn ring(house: &Household, dice: &mut Dice) -> RingPlan {
    let legs = (0..=dice.below(3)).map(|_| {
        let person = || "ana".into();
        let to = match dice.below(6) {
            0 => DestinationRef::Group("everybody".into()),
            1 => DestinationRef::Place("night-desk".into()),
            2 => DestinationRef::User(dice.pick(&house.users).map_or_else(person, |user| user.id.clone())),
            3 => DestinationRef::Person(dice.pick(&house.users).map_or_else(person, |user| user.id.clone())),
            _ => DestinationRef::Device(
                dice.pick(&house.devices).map_or_else(|| "1000".into(), |device| device.extension.clone()),
            ),
        };
        let start_after = if dice.chance(600) {
            Duration::ZERO
        } else {
            dice.between(Duration::ZERO, Duration::from_secs(6))
        };
        let ring_for = dice.chance(300).then(|| dice.between(Duration::from_secs(1), Duration::from_secs(8)));
        LegPlan { to, start_after, ring_for, label: None }
    });
    RingPlan {
        legs: legs.collect(),
        time: dice.between(Duration::from_secs(2), Duration::from_secs(14)),
        stop_on_decline: dice.chance(200),
        ring_busy: dice.chance(200),
        keep_unmissed: false,
        skip_rung: false,
    }
}
