//! The phones of one life of the switch: some register and take it back all the time, some call others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use callwright_sim::phone::manner::{Dial, Manner, Order, Then};
use callwright_sim::phone::seen::Sighting;

use crate::handset::Handset;
use crate::switch::{PASSWORD, RESTLESS, pair};

/// How many of the pairs call.
const CALLING: u16 = 4;

/// What a device was last told about its registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// It has been accepted.
    Yes,
    /// It has been taken back.
    No,
    /// It asked for a change and has heard nothing yet.
    Asked,
}

/// All phones of one life of the switch.
pub(crate) struct Phones<'a> {
    began: Instant,
    handsets: BTreeMap<String, Handset>,
    /// What each was told last.
    registered: &'a mut BTreeMap<String, Registered>,
    /// Devices with a call of their own.
    calling: BTreeSet<String>,
    calls: u64,
}

impl<'a> Phones<'a> {
    pub(crate) fn new(
        switch: SocketAddr,
        round: u32,
        registered: &'a mut BTreeMap<String, Registered>,
    ) -> Self {
        let pairs = (0..CALLING).map(pair).flat_map(|(caller, callee, _)| [caller, callee]);
        let devices = pairs.chain(RESTLESS.map(str::to_owned)).zip(u64::from(round) * 100..);
        let handset = |(device, seed): (String, u64)| {
            let handset = Handset::new(&device, PASSWORD, [127, 0, 0, 1], switch, seed);
            (device, handset)
        };
        let handsets = devices.map(handset).collect();
        Self { began: Instant::now(), handsets, registered, calling: BTreeSet::new(), calls: 0 }
    }

    /// Uses them, and notes what the switch has acknowledged.
    pub(crate) fn use_until(mut self, over: &AtomicBool) {
        let answers = Manner {
            then: Then::Answer,
            then_after: Duration::from_millis(20),
            talks_for: Some(Duration::from_millis(30)),
            ..Manner::default()
        };
        for (device, handset) in &mut self.handsets {
            self.registered.insert(device.clone(), Registered::Asked);
            handset.order(self.began.elapsed(), Order::Manner(answers.clone()));
            handset.order(self.began.elapsed(), Order::Register);
        }
        while !over.load(Ordering::Relaxed) {
            self.listen();
            self.go_on();
            (0..CALLING).for_each(|number| self.call_again(number));
        }
    }

    fn order(&mut self, device: &str, order: Order) {
        let now = self.began.elapsed();
        if let Some(handset) = self.handsets.get_mut(device) {
            handset.order(now, order);
        }
    }

    fn listen(&mut self) {
        let mut quiet = true;
        for handset in self.handsets.values_mut() {
            quiet &= !handset.listen(self.began.elapsed(), |_| {});
        }
        if quiet {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Each phone's next step, once the switch has acknowledged the last.
    fn go_on(&mut self) {
        let mut news = Vec::new();
        for (device, handset) in &mut self.handsets {
            news.extend(handset.news().into_iter().map(|seen| (device.clone(), seen.what)));
        }
        for (device, what) in news {
            match what {
                Sighting::Registered { .. } => {
                    self.registered.insert(device.clone(), Registered::Yes);
                    if RESTLESS.contains(&device.as_str()) {
                        self.change(&device, Order::Unregister);
                    }
                }
                Sighting::Unregistered => {
                    self.registered.insert(device.clone(), Registered::No);
                    self.change(&device, Order::Register);
                }
                Sighting::RegistrationRefused { status } => panic!("{device}: {status}"),
                Sighting::Released { .. } | Sighting::Refused { .. } => {
                    self.calling.remove(&device);
                }
                Sighting::Dialled { .. }
                | Sighting::Called { .. }
                | Sighting::Cancelled { .. }
                | Sighting::Progress { .. }
                | Sighting::Established
                | Sighting::Hears { .. }
                | Sighting::HungUp
                | Sighting::Held
                | Sighting::Resumed
                | Sighting::Others { .. }
                | Sighting::Glare => {}
            }
        }
    }

    /// Half of them stay as they are for a while, so that the switch dies over settled ones too.
    fn change(&mut self, device: &str, order: Order) {
        if !self.calls.is_multiple_of(2) || !device.ends_with(['1', '2', '3', '4']) {
            self.registered.insert(device.to_owned(), Registered::Asked);
            self.order(device, order);
        }
    }

    fn call_again(&mut self, number: u16) {
        let (caller, callee, to) = pair(number);
        let ready =
            [&caller, &callee].iter().all(|device| self.registered.get(*device) == Some(&Registered::Yes));
        if ready && self.calling.insert(caller.clone()) {
            self.calls += 1;
            let name = format!("c{}", self.calls);
            self.order(&caller, Order::Call(Dial::new(&name, &to)));
        }
    }
}
