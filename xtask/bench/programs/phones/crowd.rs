//! All phones, their sockets, and what is done with all of them.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use callwright_sip::{Message, Method, Name};

use crate::phone::{self, EXPIRES_S, Phone};

/// Phones for which there is one socket. Neighbours do not share one, so that the answers to those that register together
/// find room in many buffers.
const A_SOCKET_FOR: u32 = 1_000;
/// Every phone registers again after so long.
const REFRESH: Duration = Duration::from_secs(300);
/// When something that had no answer is sent again (RFC 3261 §17.1.1.1 as T1).
const AGAIN: Duration = Duration::from_millis(500);
/// How long anything may take in all.
const GIVE_UP: Duration = Duration::from_secs(300);
/// Calls that begin in a second, and those that change in a second.
const CALLS_A_SECOND: f64 = 200.0;

/// Every phone.
pub(crate) struct Crowd {
    switch: SocketAddr,
    sockets: Vec<(UdpSocket, String)>,
    phones: Vec<Phone>,
    calls: u32,
    window: usize,
    buffer: Vec<u8>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    registered: u32,
    repeated: u32,
    refused: u32,
    up: u32,
    changed: u32,
    ended: u32,
}

impl Crowd {
    pub(crate) fn new(switch: SocketAddr, phones: u32, calls: u32, window: usize) -> anyhow::Result<Self> {
        if calls * 2 > phones {
            bail!("{calls} calls need twice as many phones");
        }
        let mut sockets = Vec::new();
        for _ in 0..phones.div_ceil(A_SOCKET_FOR) {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            let contact = socket.local_addr()?.to_string();
            sockets.push((socket, contact));
        }
        let phones = (0..phones).map(Phone::new).collect();
        Ok(Self {
            switch,
            sockets,
            phones,
            calls,
            window,
            buffer: vec![0; 65_536],
            counts: Counts::default(),
        })
    }

    /// Registers every phone, or takes every registration back.
    pub(crate) fn register(&mut self, wanted: bool) -> anyhow::Result<String> {
        self.counts = Counts::default();
        let began = Instant::now();
        let mut waiting: VecDeque<u32> = (0..).take(self.phones.len()).collect();
        let mut asked: VecDeque<(Instant, u32)> = VecDeque::new();
        while !waiting.is_empty() || !asked.is_empty() {
            if began.elapsed() > GIVE_UP {
                bail!(
                    "{} of {} phones are registered after {GIVE_UP:?}",
                    self.counts.registered,
                    self.phones.len()
                );
            }
            while asked.len() < self.window {
                let Some(number) = waiting.pop_front() else { break };
                self.send_register(number, wanted)?;
                asked.push_back((Instant::now(), number));
            }
            self.listen(wanted)?;
            // Answers come nearly in order, so what is done is nearly always at the front.
            while let Some((at, number)) = asked.front().copied() {
                if self.phones[number as usize].registered == wanted {
                    asked.pop_front();
                } else if at.elapsed() > AGAIN {
                    asked.pop_front();
                    self.counts.repeated += 1;
                    self.send_register(number, wanted)?;
                    asked.push_back((Instant::now(), number));
                } else {
                    break;
                }
            }
        }
        self.told(began)
    }

    /// Holds all calls up for so long, and changes each once, while every phone registers again in its turn.
    pub(crate) fn hold(&mut self, time: Duration) -> anyhow::Result<String> {
        self.counts = Counts::default();
        let began = Instant::now();
        let (mut refreshed, mut called, mut changed) = (0_u32, 0_u32, 0_u32);
        let phones = u32::try_from(self.phones.len())?;
        let half = time.as_secs_f64() / 2.0;
        while began.elapsed() < time {
            let now = began.elapsed().as_secs_f64();
            while f64::from(refreshed) < now * f64::from(phones) / REFRESH.as_secs_f64() {
                self.send_register(refreshed % phones, true)?;
                refreshed += 1;
            }
            while called < self.calls && f64::from(called) < now * CALLS_A_SECOND {
                self.send_invite(called)?;
                called += 1;
            }
            while changed < self.calls && f64::from(changed) < (now - half) * CALLS_A_SECOND {
                self.send_change(changed)?;
                changed += 1;
            }
            self.listen(true)?;
        }
        self.told(began)
    }

    /// Ends every call.
    pub(crate) fn hang_up(&mut self) -> anyhow::Result<String> {
        self.counts = Counts::default();
        let began = Instant::now();
        for number in 0..self.calls {
            if let Some(bye) = self.phones[number as usize].bye() {
                self.send(number, &bye)?;
            }
            self.listen(true)?;
        }
        while self.counts.ended < self.calls && began.elapsed() < Duration::from_secs(10) {
            self.listen(true)?;
        }
        self.told(began)
    }

    fn told(&self, began: Instant) -> anyhow::Result<String> {
        let Counts { registered, repeated, refused, up, changed, ended } = self.counts;
        let seconds = began.elapsed().as_secs_f64();
        Ok(format!(
            "{{\"seconds\": {seconds:.3}, \"registered\": {registered}, \"repeated\": {repeated}, \
             \"refused\": {refused}, \"calls_up\": {up}, \"calls_changed\": {changed}, \"calls_ended\": {ended}}}"
        ))
    }

    fn socket(&self, number: u32) -> &(UdpSocket, String) {
        &self.sockets[number as usize % self.sockets.len()]
    }

    fn send_register(&mut self, number: u32, wanted: bool) -> anyhow::Result<()> {
        let contact = &self.socket(number).1.clone();
        let expires = if wanted { EXPIRES_S } else { 0 };
        let register = self.phones[number as usize].register(contact, expires);
        self.send(number, &register)
    }

    /// The first half calls the second.
    fn send_invite(&mut self, number: u32) -> anyhow::Result<()> {
        let to = number + u32::try_from(self.phones.len())? / 2;
        let contact = &self.socket(number).1.clone();
        let invite = self.phones[number as usize].invite(contact, to);
        self.send(number, &invite)
    }

    /// The caller asks within the call for the same media again, as phones do that hold and resume.
    fn send_change(&mut self, number: u32) -> anyhow::Result<()> {
        let contact = &self.socket(number).1.clone();
        match self.phones[number as usize].change(contact) {
            Some(invite) => self.send(number, &invite),
            None => Ok(()),
        }
    }

    fn send(&self, number: u32, message: &Bytes) -> anyhow::Result<()> {
        let (socket, _) = self.socket(number);
        match socket.send_to(message, self.switch) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Hears everything that has come, or rests for a moment.
    fn listen(&mut self, wanted: bool) -> anyhow::Result<()> {
        let mut heard = false;
        for index in 0..self.sockets.len() {
            for _ in 0..64 {
                let (socket, _) = &self.sockets[index];
                let length = match socket.recv_from(&mut self.buffer) {
                    Ok((length, _)) => length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => bail!("the switch is gone"),
                    Err(error) => return Err(error.into()),
                };
                heard = true;
                let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
                if let Ok(message) = Message::parse(bytes) {
                    self.heard(index, &message, wanted)?;
                }
            }
        }
        if !heard {
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    fn heard(&mut self, index: usize, message: &Message, wanted: bool) -> anyhow::Result<()> {
        let Some(status) = message.status() else {
            let (socket, contact) = &self.sockets[index];
            if let Some(answer) = phone::answer(message, contact) {
                socket.send_to(&answer, self.switch)?;
            }
            return Ok(());
        };
        let (Ok(from), Ok(cseq)) = (message.from(), message.cseq()) else { return Ok(()) };
        let number = from.uri.user.as_deref().and_then(|user| user.get(1..)?.parse::<u32>().ok());
        let Some(number) = number.filter(|number| (*number as usize) < self.phones.len()) else {
            return Ok(());
        };
        let succeeded = (200..300).contains(&status);
        if status < 200 {
            return Ok(());
        }
        if status == 401 {
            return self.challenged(number, message, &cseq.method, wanted);
        }
        if succeeded && cseq.method == Method::Invite {
            return self.answered(number, message, cseq.seq);
        }
        let phone = &mut self.phones[number as usize];
        if succeeded && cseq.method == Method::Register {
            phone.registered = wanted;
            self.counts.registered += 1;
        } else if succeeded && cseq.method == Method::Bye {
            if let Some(call) = phone.call.as_mut().filter(|call| !call.over) {
                call.over = true;
                self.counts.ended += 1;
            }
        } else {
            self.counts.refused += 1;
        }
        Ok(())
    }

    fn challenged(
        &mut self,
        number: u32,
        message: &Message,
        method: &Method,
        wanted: bool,
    ) -> anyhow::Result<()> {
        let phone = &mut self.phones[number as usize];
        if !phone.challenged(message) {
            self.counts.refused += 1;
            return Ok(());
        }
        if *method == Method::Register {
            self.send_register(number, wanted)
        } else if *method == Method::Invite {
            self.send_invite(number)
        } else {
            Ok(())
        }
    }

    fn answered(&mut self, number: u32, message: &Message, cseq: u32) -> anyhow::Result<()> {
        let phone = &mut self.phones[number as usize];
        let Some(call) = &mut phone.call else { return Ok(()) };
        if call.answered.is_none() {
            let to = message.headers.get(&Name::To).cloned().unwrap_or_default().detached();
            let target = message.headers.get(&Name::Contact).map(|contact| contact.lossy().into_owned());
            let target = target.unwrap_or_default().trim_matches(['<', '>']).into();
            call.answered = Some((to, target));
            self.counts.up += 1;
        } else if call.changing == Some(cseq) {
            call.changing = None;
            self.counts.changed += 1;
        }
        match phone.ack(cseq) {
            Some(ack) => self.send(number, &ack),
            None => Ok(()),
        }
    }
}
