//! A simulated phone on a socket of its own, for programs that talk to a running switch over loopback.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use callwright_sim::Phone;
use callwright_sim::phone::PhoneSettings;
use callwright_sim::phone::manner::{Order, PhoneEffect, PhoneInput};
use callwright_sim::phone::seen::{Seen, Sighting};
use callwright_sip::Flow;

/// A phone and its socket.
pub(crate) struct Handset {
    /// Whether it has ever been registered.
    pub(crate) registered: bool,
    phone: Phone,
    socket: UdpSocket,
    heard: usize,
}

impl Handset {
    /// A phone of `acme.example` at that address, on a port of the system's choice.
    pub(crate) fn new(device: &str, password: &str, address: [u8; 4], switch: SocketAddr, seed: u64) -> Self {
        Self::of(device, "acme.example", password, address, switch, seed)
    }

    /// The same of another domain.
    pub(crate) fn of(
        device: &str,
        domain: &str,
        password: &str,
        address: [u8; 4],
        switch: SocketAddr,
        seed: u64,
    ) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0))).unwrap();
        socket.connect(switch).unwrap();
        socket.set_nonblocking(true).unwrap();
        let settings = PhoneSettings {
            extension: device.to_owned(),
            password: password.to_owned(),
            domain: domain.to_owned(),
            display: device.to_owned(),
            user_agent: "handset/1".to_owned(),
            local: socket.local_addr().unwrap(),
            flow: Flow::udp(switch),
            expires_s: 600,
            // The same phone in every life of the switch: its new binding takes the place of the old one.
            instance: Some(format!("urn:uuid:00000000-0000-4000-8000-00000000{device}")),
            seed,
        };
        Self { registered: false, phone: Phone::new(settings), socket, heard: 0 }
    }

    /// Somebody presses a key.
    pub(crate) fn order(&mut self, now: Duration, order: Order) {
        self.handle(now, PhoneInput::Order(order));
    }

    /// Reads what has come, showing each datagram to `watch` first, and lets time pass. Whether anything had come.
    pub(crate) fn listen(&mut self, now: Duration, mut watch: impl FnMut(&[u8])) -> bool {
        let mut datagram = [0; 4_096];
        let mut any = false;
        while let Ok(length) = self.socket.recv(&mut datagram) {
            any = true;
            watch(&datagram[..length]);
            self.handle(now, PhoneInput::Received(Bytes::copy_from_slice(&datagram[..length])));
        }
        if self.phone.deadline().is_some_and(|deadline| deadline <= now) {
            self.handle(now, PhoneInput::Tick);
        }
        any
    }

    /// What it has noticed since it was last asked.
    pub(crate) fn news(&mut self) -> Vec<Seen> {
        let news = self.phone.seen()[self.heard..].to_vec();
        self.heard += news.len();
        self.registered |= news.iter().any(|seen| matches!(seen.what, Sighting::Registered { .. }));
        news
    }

    fn handle(&mut self, now: Duration, input: PhoneInput) {
        self.phone.handle(now, input);
        while let Some(effect) = self.phone.poll() {
            match effect {
                // What the network refuses, and what a dead switch does not take, is lost: the phone will try again.
                PhoneEffect::Transmit(bytes) => drop(self.socket.send(&bytes)),
                PhoneEffect::Close => {}
            }
        }
    }
}
