//! The simulator's phones on real UDP sockets.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_sim::phone::PhoneSettings;
use callwright_sim::phone::manner::{Order, PhoneEffect, PhoneInput};
use callwright_sim::phone::seen::Sighting;
use callwright_sim::{Ladder, Phone};
use callwright_sip::Flow;

use crate::data;
use crate::error::UserError;

/// How often the sockets are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The longest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// For how long a phone registers that nobody watches.
const EXPIRES_S: u32 = 600;
/// The switch's lane in a ladder.
const SWITCH: &str = "switch";

/// All built-in phones, driven by one loop.
pub(crate) struct Phones {
    switch: SocketAddr,
    /// What stands behind the @ of their addresses.
    domain: String,
    began: Instant,
    phones: Vec<(Phone, UdpSocket)>,
    /// What is drawn at present, and when it began.
    ladder: Option<(Ladder, Duration)>,
    buffer: Vec<u8>,
}

impl Phones {
    /// No phones yet.
    pub(crate) fn new(switch: SocketAddr, domain: &str) -> Self {
        Self {
            switch,
            domain: domain.to_owned(),
            began: Instant::now(),
            phones: Vec::new(),
            ladder: None,
            buffer: vec![0; DATAGRAM_MAX],
        }
    }

    /// Plugs a phone in; it registers at once.
    ///
    /// # Errors
    /// There is no socket for it.
    pub(crate) fn add(&mut self, extension: &str, password: &str) -> Result<(), UserError> {
        // The same phone each time it is plugged in: it takes the place of its own binding (RFC 5626 §4.1).
        self.add_as(extension, password, format!("urn:x-callwright:phone:{extension}"), EXPIRES_S)
    }

    /// Plugs in a phone that is the only one to be that instance.
    ///
    /// # Errors
    /// There is no socket for it.
    pub(crate) fn add_as(
        &mut self,
        extension: &str,
        password: &str,
        instance: String,
        expires_s: u32,
    ) -> Result<(), UserError> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
            socket.connect(self.switch)?;
            socket.set_nonblocking(true)?;
            let local = socket.local_addr()?;
            Ok((socket, local))
        });
        let (socket, local) =
            socket.map_err(|error| UserError::outside("there is no socket for a phone").because(error))?;
        let phone = Phone::new(PhoneSettings {
            extension: extension.to_owned(),
            password: password.to_owned(),
            domain: self.domain.clone(),
            display: extension.to_owned(),
            user_agent: "callwright phone".to_owned(),
            local,
            flow: Flow::udp(self.switch),
            expires_s,
            instance: Some(instance),
            seed: u64::from_be_bytes(data::random()?),
        });
        self.phones.push((phone, socket));
        self.order(extension, &Order::Register);
        Ok(())
    }

    /// Presses a key of a phone.
    pub(crate) fn order(&mut self, extension: &str, order: &Order) {
        for index in 0..self.phones.len() {
            if self.phones.get(index).is_some_and(|(phone, _)| phone.settings().extension == extension) {
                self.handle(index, PhoneInput::Order(order.clone()));
            }
        }
    }

    /// Waits until every phone is registered; false when that takes too long.
    pub(crate) fn all_registered(&mut self, within: Duration) -> bool {
        self.run_until(within, |phones| phones.are_registered())
    }

    /// Whether every phone is registered.
    pub(crate) fn are_registered(&self) -> bool {
        self.phones.iter().all(|(phone, _)| phone.is_registered())
    }

    /// Whether that phone's last call is answered.
    pub(crate) fn talks(&self, extension: &str) -> bool {
        let phone = self.phones.iter().find(|(phone, _)| phone.settings().extension == extension);
        let last = phone.and_then(|(phone, _)| {
            let calls = phone.seen().iter().rev();
            calls.map(|seen| &seen.what).find(|what| {
                matches!(what, Sighting::Established | Sighting::Dialled { .. } | Sighting::Refused { .. })
            })
        });
        matches!(last, Some(Sighting::Established | Sighting::Refused { .. }))
    }

    /// Whether no phone has a call.
    pub(crate) fn is_idle(&self) -> bool {
        self.phones.iter().all(|(phone, _)| phone.calls() == 0)
    }

    /// What a phone has seen and heard since its first `skip` sightings.
    pub(crate) fn seen(&self, extension: &str, skip: usize) -> Vec<Sighting> {
        let phone = self.phones.iter().find(|(phone, _)| phone.settings().extension == extension);
        phone.map_or_else(Vec::new, |(phone, _)| {
            phone.seen().iter().skip(skip).map(|seen| seen.what.clone()).collect()
        })
    }

    /// From now on messages are drawn, in these lanes.
    pub(crate) fn begin_ladder(&mut self, lanes: &[&str]) {
        self.ladder = Some((Ladder::new(lanes), self.began.elapsed()));
    }

    /// What was drawn.
    pub(crate) fn end_ladder(&mut self) -> Ladder {
        self.ladder.take().map(|(ladder, _)| ladder).unwrap_or_default()
    }

    /// Lets the phones live for a while.
    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Lets the phones live until something is so; false when it takes too long.
    pub(crate) fn run_until(&mut self, within: Duration, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + within;
        while Instant::now() < end {
            self.look();
            if is_so(self) {
                return true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }

    /// Lets the phones live beside the program, for as long as it runs.
    pub(crate) fn keep_running(mut self) {
        std::thread::spawn(move || {
            loop {
                self.look();
                std::thread::sleep(LOOK_EVERY);
            }
        });
    }

    /// What has arrived, and what is due.
    fn look(&mut self) {
        for index in 0..self.phones.len() {
            while let Some(bytes) = self.receive(index) {
                self.draw(index, false, &bytes);
                self.handle(index, PhoneInput::Received(bytes));
            }
            let now = self.began.elapsed();
            let due = self.phones.get(index).and_then(|(phone, _)| phone.deadline());
            if due.is_some_and(|due| due <= now) {
                self.handle(index, PhoneInput::Tick);
            }
        }
    }

    fn receive(&mut self, index: usize) -> Option<Bytes> {
        let (_, socket) = self.phones.get(index)?;
        match socket.recv(&mut self.buffer) {
            Ok(length) => Some(Bytes::copy_from_slice(self.buffer.get(..length)?)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            // The switch is not there at the moment: the phone's own timers deal with it.
            Err(_) => None,
        }
    }

    fn handle(&mut self, index: usize, input: PhoneInput) {
        let now = self.began.elapsed();
        let Some((phone, _)) = self.phones.get_mut(index) else { return };
        phone.handle(now, input);
        while let Some((phone, socket)) = self.phones.get_mut(index) {
            match phone.poll() {
                Some(PhoneEffect::Transmit(bytes)) => {
                    // What is not sent is lost, as on any network.
                    let _lost = socket.send(&bytes);
                    self.draw(index, true, &bytes);
                }
                Some(PhoneEffect::Close) => {}
                None => break,
            }
        }
    }

    fn draw(&mut self, index: usize, out: bool, bytes: &[u8]) {
        let Some((phone, _)) = self.phones.get(index) else { return };
        let lane = phone.settings().extension.as_str();
        if let Some((ladder, since)) = &mut self.ladder {
            let at = self.began.elapsed().saturating_sub(*since);
            let (from, to) = if out { (lane, SWITCH) } else { (SWITCH, lane) };
            ladder.message(at, from, to, bytes);
        }
    }
}
