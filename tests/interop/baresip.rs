//! baresip as a phone on a host of its own, driven through its control port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::{Heard, listen, write_tone};
use crate::lab::{Host, Lab, Running, within};
use crate::sipp::Transport;
use crate::switch::Device;

/// The port of baresip's `ctrl_tcp`.
const CONTROL: u16 = 4444;

/// A baresip.
pub(crate) struct Baresip {
    folder: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    /// What it told of itself, oldest first.
    events: Vec<Value>,
    running: Running,
    /// Outlives the program on it.
    _host: Host,
}

/// What a phone is.
pub(crate) struct Phone<'a> {
    pub(crate) name: &'a str,
    /// Last part of its address.
    pub(crate) number: u8,
    /// Its tone.
    pub(crate) frequency_hz: u32,
    /// The line of its account file.
    pub(crate) account: String,
}

/// The account of a device that answers by itself.
pub(crate) fn account(device: Device, domain: &str, transport: Transport, more: &str) -> String {
    let Device { extension, password } = device;
    let transport = transport.name();
    format!(
        "<sip:{extension}@{domain};transport={transport}>;auth_user={extension};auth_pass={password};regint=60;\
         answermode=auto;audio_codecs=PCMU{more}\n"
    )
}

impl Baresip {
    /// Starts it on a new host.
    pub(crate) fn start(lab: &Lab, phone: &Phone) -> Self {
        let host = Host::new(phone.name, phone.number);
        let folder = lab.path(phone.name);
        std::fs::create_dir_all(&folder).unwrap();
        write_tone(&folder.join("tone.wav"), phone.frequency_hz);
        let config = include_str!("baresip/config").replace("{folder}", folder.to_str().unwrap());
        lab.write(&format!("{}/config", phone.name), &config.replace("{control}", &CONTROL.to_string()));
        lab.write(&format!("{}/accounts", phone.name), &phone.account);
        let mut running = lab.start(phone.name, host.program("baresip").arg("-f").arg(&folder));
        let mut control = None;
        within(Duration::from_secs(10), "the phone's control port", || {
            running.must_run();
            control = TcpStream::connect((host.address(), CONTROL)).ok();
            control.is_some()
        });
        let control = control.unwrap();
        control.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { folder, control, unread: Vec::new(), events: Vec::new(), running, _host: host }
    }

    /// Sends a command.
    pub(crate) fn tell(&mut self, command: &str, parameters: &str) {
        let message = json!({"command": command, "params": parameters}).to_string();
        write!(self.control, "{}:{message},", message.len()).unwrap();
    }

    /// Waits until it is registered.
    pub(crate) fn registers(&mut self) {
        within(Duration::from_secs(10), "a registration", || {
            self.running.must_run();
            self.running.printed().contains("200 OK")
        });
    }

    /// Waits for an event of this type and of a call that was not told before, and forgets those before it.
    pub(crate) fn reports(&mut self, kind: &str) -> Value {
        let mut found = None;
        within(Duration::from_secs(20), kind, || {
            self.read();
            if let Some(at) = self.events.iter().position(|event| event["type"] == kind) {
                found = self.events.drain(..=at).next_back();
            }
            found.is_some()
        });
        found.unwrap()
    }

    /// What it has heard in each of its calls, oldest first.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let entries = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let mut recordings: Vec<PathBuf> =
            entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with("-dec.wav"))).collect();
        recordings.sort();
        recordings.iter().map(|path| listen(path)).collect()
    }

    /// Reads what has come: netstrings of JSON.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(length) = self.control.read(&mut bytes) {
            assert!(length > 0, "the phone has closed its control port");
            self.unread.extend_from_slice(&bytes[..length]);
        }
        while let Some((message, length)) = netstring(&self.unread) {
            self.events.push(serde_json::from_slice(message).unwrap());
            self.unread.drain(..length);
        }
    }
}

/// The first netstring, as `5:hello,`, and its length with all.
fn netstring(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let message = bytes.get(colon + 1..colon + 1 + length)?;
    (bytes.get(colon + 1 + length) == Some(&b',')).then_some((message, colon + length + 2))
}

#[test]
fn netstrings_are_read_when_they_are_whole() {
    assert_eq!(netstring(b"5:hello,3:x"), Some((&b"hello"[..], 8)));
    assert_eq!(netstring(b"5:hell"), None);
    assert_eq!(netstring(b"5"), None);
}
