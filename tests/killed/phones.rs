//! Phones on sockets of their own: some register and take it back all the time, one calls another.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_sim::Phone;
use callwright_sim::phone::PhoneSettings;
use callwright_sim::phone::manner::{Dial, Manner, Order, PhoneEffect, PhoneInput, Then};
use callwright_sim::phone::seen::Sighting;
use callwright_sip::Flow;

use crate::switch::{ANA, BOB, PASSWORD, RESTLESS, TO_ANA};

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

/// A phone and its socket.
struct Handset {
    device: &'static str,
    phone: Phone,
    socket: UdpSocket,
    heard: usize,
}

/// All phones of one life of the switch.
pub(crate) struct Phones {
    began: Instant,
    handsets: Vec<Handset>,
    calls: u64,
}

impl Phones {
    pub(crate) fn new(switch: SocketAddr, round: u64) -> Self {
        let devices = [ANA, BOB].into_iter().chain(RESTLESS).zip(0..);
        let handsets = devices.map(|(device, number)| Handset::new(device, switch, round * 100 + number));
        Self { began: Instant::now(), handsets: handsets.collect(), calls: 0 }
    }

    /// Uses them, and notes what the switch has acknowledged.
    pub(crate) fn use_until(mut self, over: &AtomicBool, registered: &mut BTreeMap<String, Registered>) {
        let answers = Manner {
            then: Then::Answer,
            then_after: Duration::from_millis(20),
            talks_for: Some(Duration::from_millis(30)),
            ..Manner::default()
        };
        self.order(ANA, Order::Manner(answers));
        for device in [ANA, BOB].into_iter().chain(RESTLESS) {
            registered.insert(device.to_owned(), Registered::Asked);
            self.order(device, Order::Register);
        }
        while !over.load(Ordering::Relaxed) {
            self.listen();
            self.go_on(registered);
        }
    }

    fn order(&mut self, device: &str, order: Order) {
        let now = self.began.elapsed();
        if let Some(handset) = self.handsets.iter_mut().find(|handset| handset.device == device) {
            handset.handle(now, PhoneInput::Order(order));
        }
    }

    fn listen(&mut self) {
        let mut quiet = true;
        for handset in &mut self.handsets {
            let now = self.began.elapsed();
            let mut datagram = [0; 4_096];
            while let Ok(length) = handset.socket.recv(&mut datagram) {
                quiet = false;
                handset.handle(now, PhoneInput::Received(Bytes::copy_from_slice(&datagram[..length])));
            }
            if handset.phone.deadline().is_some_and(|deadline| deadline <= now) {
                handset.handle(now, PhoneInput::Tick);
            }
        }
        if quiet {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Each phone's next step, once the switch has acknowledged the last.
    fn go_on(&mut self, registered: &mut BTreeMap<String, Registered>) {
        let mut orders = Vec::new();
        for handset in &mut self.handsets {
            let news: Vec<_> =
                handset.phone.seen()[handset.heard..].iter().map(|seen| seen.what.clone()).collect();
            handset.heard += news.len();
            for what in news {
                match what {
                    Sighting::Registered { .. } => {
                        registered.insert(handset.device.to_owned(), Registered::Yes);
                        if RESTLESS.contains(&handset.device) {
                            orders.push((handset.device, Order::Unregister));
                        }
                    }
                    Sighting::Unregistered => {
                        registered.insert(handset.device.to_owned(), Registered::No);
                        orders.push((handset.device, Order::Register));
                    }
                    Sighting::RegistrationRefused { status } => panic!("{}: {status}", handset.device),
                    Sighting::Dialled { .. }
                    | Sighting::Called { .. }
                    | Sighting::Cancelled { .. }
                    | Sighting::Progress { .. }
                    | Sighting::Established
                    | Sighting::Hears { .. }
                    | Sighting::Refused { .. }
                    | Sighting::HungUp
                    | Sighting::Released { .. }
                    | Sighting::Held
                    | Sighting::Resumed
                    | Sighting::Glare => {}
                }
            }
        }
        for (device, order) in orders {
            // Half of them stay as they are for a while, so that the switch dies over settled ones too.
            if !self.calls.is_multiple_of(2) || !device.ends_with(['1', '2', '3', '4']) {
                registered.insert(device.to_owned(), Registered::Asked);
                self.order(device, order);
            }
        }
        self.call_again(registered);
    }

    fn call_again(&mut self, registered: &BTreeMap<String, Registered>) {
        let ready = [ANA, BOB].iter().all(|device| registered.get(*device) == Some(&Registered::Yes));
        let idle = self.handsets.iter().all(|handset| handset.phone.calls() == 0);
        if ready && idle {
            self.calls += 1;
            let name = format!("c{}", self.calls);
            self.order(BOB, Order::Call(Dial::new(&name, TO_ANA)));
        }
    }
}

impl Handset {
    fn new(device: &'static str, switch: SocketAddr, seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(switch).unwrap();
        socket.set_nonblocking(true).unwrap();
        let settings = PhoneSettings {
            extension: device.to_owned(),
            password: PASSWORD.to_owned(),
            domain: "acme.example".to_owned(),
            display: device.to_owned(),
            user_agent: "killed/1".to_owned(),
            local: socket.local_addr().unwrap(),
            flow: Flow::udp(switch),
            expires_s: 600,
            // The same phone in every life of the switch: its new binding takes the place of the old one.
            instance: Some(format!("urn:uuid:00000000-0000-4000-8000-00000000{device}")),
            seed,
        };
        Self { device, phone: Phone::new(settings), socket, heard: 0 }
    }

    fn handle(&mut self, now: Duration, input: PhoneInput) {
        self.phone.handle(now, input);
        while let Some(effect) = self.phone.poll() {
            match effect {
                // A dead switch takes nothing: the phone will try again.
                PhoneEffect::Transmit(bytes) => drop(self.socket.send(&bytes)),
                PhoneEffect::Close => {}
            }
        }
    }
}
