//! sipp as a phone: one that calls and says by its exit code whether the call took its course, and one that registers and
//! is called.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::lab::{Lab, Running, SWITCH, must_be_free, within};
use crate::script::Script;
use crate::switch::{Device, SIP};

/// What a call may take from its INVITE to its end.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Long enough for a callee to stay until its test ends it.
const STAY_MS: u32 = 120_000;

/// Each sipp has a port of its own: a TCP connection that has ended occupies its port for a minute.
static NEXT_PORT: AtomicU16 = AtomicU16::new(6_100);

/// How a phone's messages travel.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// As part of a test's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// sipp's word for one socket for all calls.
    fn option(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }
}

/// A sipp and where it writes its messages.
pub(crate) struct Sipp {
    running: Running,
    messages: PathBuf,
}

impl Sipp {
    /// A phone that plays a script against the switch.
    pub(crate) fn calls(lab: &Lab, transport: Transport, to: &str, script: &Script) -> Self {
        Self::start(lab, "caller", transport, script, 1, &["-s", to])
    }

    /// A phone that plays a script for each row of a table, all at once; [`FIELDS`] are its columns.
    pub(crate) fn plays_each(
        lab: &Lab,
        name: &str,
        transport: Transport,
        rows: &[String],
        script: &Script,
    ) -> Self {
        let table = lab.write(&format!("{name}.csv"), &format!("SEQUENTIAL\n{}\n", rows.join("\n")));
        let options = ["-inf", table.to_str().unwrap(), "-r", "50"];
        Self::start(lab, name, transport, script, rows.len(), &options)
    }

    /// A phone that registers and then plays a script for each call that comes.
    pub(crate) fn is_called(lab: &Lab, transport: Transport, device: Device, script: &Script) -> Self {
        Self::is_called_as(lab, "callee", transport, &[device], script)
    }

    /// Several phones in one: each device registers, and for each call that comes to one of them the script is played.
    pub(crate) fn is_called_as(
        lab: &Lab,
        name: &str,
        transport: Transport,
        devices: &[Device],
        script: &Script,
    ) -> Self {
        let calls = lab.write(&format!("{name}-call.xml"), &script.xml());
        let registers = Script::of(FIELDS).register().expect_challenge();
        let registers = registers.register_again(FIELDS.password).expect(200).pause(STAY_MS);
        let row = |device: &Device| format!("{};{}", device.extension, credentials(device));
        let rows: Vec<String> = devices.iter().map(row).collect();
        let table = lab.write(&format!("{name}.csv"), &format!("SEQUENTIAL\n{}\n", rows.join("\n")));
        // sipp plays the out-of-call scenario for what does not belong to a call of its own, here a registration.
        let options = ["-oocsf", calls.to_str().unwrap(), "-inf", table.to_str().unwrap(), "-r", "50"];
        let mut callee = Self::start(lab, name, transport, &registers, devices.len(), &options);
        within(Duration::from_secs(20), "the registrations", || {
            callee.running.must_run();
            callee.received().iter().filter(|message| message.starts_with("SIP/2.0 200")).count()
                >= devices.len()
        });
        callee
    }

    fn start(
        lab: &Lab,
        name: &str,
        transport: Transport,
        script: &Script,
        calls: usize,
        options: &[&str],
    ) -> Self {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed).to_string();
        must_be_free(port.parse().unwrap());
        let file = |ending: &str| lab.path(&format!("{name}{ending}"));
        let (messages, errors) = (file("-messages.txt"), file("-errors.txt"));
        let scenario = lab.write(&format!("{name}.xml"), &script.xml());
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(scenario).args(["-i", SWITCH, "-p", &port, "-t", transport.option()]);
        command.args(["-m", &calls.to_string(), "-nostdin", "-timeout", "150s", "-timeout_error"]);
        command.args(["-max_retrans", "6", "-trace_msg", "-message_file"]).arg(&messages);
        command.args(["-trace_err", "-error_file"]).arg(errors).args(options);
        command.arg(format!("{SWITCH}:{SIP}"));
        Self { running: lab.start(name, &mut command), messages }
    }

    /// Waits until the script is over and fails where it did not go as written.
    pub(crate) fn must_succeed(&mut self) {
        let went_well = self.running.succeeds_within(CALL_MAX);
        assert!(went_well, "the caller's course was another; it received:\n{}", self.received().join("\n"));
    }

    /// The messages it received so far.
    pub(crate) fn received(&self) -> Vec<String> {
        let all = self.messages().into_iter();
        all.filter(|message| !message.was_sent).map(|message| message.text).collect()
    }

    /// Its side of its calls so far, as a ladder is read: `INVITE> <180 <200 ACK>`. Without registrations, repetitions, and 100, which
    /// may come or not.
    pub(crate) fn ladder(&self) -> String {
        let mut steps: Vec<Message> = Vec::new();
        for message in self.messages() {
            let is_told = !message.text.contains(" REGISTER\n") && !message.text.starts_with("SIP/2.0 100");
            if is_told && !steps.contains(&message) {
                steps.push(message);
            }
        }
        steps.iter().map(Message::step).collect::<Vec<_>>().join(" ")
    }

    fn messages(&self) -> Vec<Message> {
        let Ok(bytes) = std::fs::read(&self.messages) else { return Vec::new() };
        messages(&String::from_utf8_lossy(&bytes))
    }

    /// Waits for a request with this method and returns it.
    pub(crate) fn receives(&self, method: &str) -> String {
        let start = format!("{method} ");
        let found = || self.received().into_iter().find(|message| message.starts_with(&start));
        within(Duration::from_secs(10), &format!("{method} at the callee"), || found().is_some());
        found().unwrap()
    }
}

/// The columns of a table in place of a device: its extension, and all of its credentials.
pub(crate) const FIELDS: Device = Device { extension: "[field0]", password: "[field1]" };

/// A device's credentials as sipp wants them in a table.
pub(crate) fn credentials(device: &Device) -> String {
    format!("[authentication username={} password={}]", device.extension, device.password)
}

/// One entry of a message file.
#[derive(PartialEq)]
struct Message {
    was_sent: bool,
    text: String,
}

impl Message {
    /// `INVITE>`, `<180`.
    fn step(&self) -> String {
        let first = self.text.lines().next().unwrap_or_default();
        let mut words = first.split(' ');
        let word = match words.next() {
            Some("SIP/2.0") => words.next(),
            method => method,
        };
        let word = word.unwrap_or_default();
        if self.was_sent { format!("{word}>") } else { format!("<{word}") }
    }
}

/// A message file's entries, which look like `------- 2026-11-20 23:57:07.123456` and `UDP message received [512] bytes :`, or
/// `UDP message sent (512 bytes):`, before the message.
fn messages(file: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    for entry in file.split("\n-----------------------------------------------") {
        if let Some((head, message)) = entry.split_once(" bytes")
            && (head.contains("message received") || head.contains("message sent"))
        {
            let text = message.split_once('\n').map_or("", |(_, message)| message).trim_start();
            messages.push(Message { was_sent: head.contains("message sent"), text: text.replace('\r', "") });
        }
    }
    messages
}

#[test]
fn messages_are_read_from_the_file_of_sipp() {
    let line = "-----------------------------------------------";
    let file = format!(
        "\n{line} 2026-11-20\nUDP message sent (310 bytes):\n\nREGISTER sip:a SIP/2.0\n\n\
         \n{line} 2026-11-20\nUDP message received [99] bytes :\n\nSIP/2.0 200 OK\nVia: x\n\n"
    );
    let found = messages(&file);
    assert_eq!(found.iter().map(Message::step).collect::<Vec<_>>(), ["REGISTER>", "<200"]);
    assert!(found[1].text.starts_with("SIP/2.0 200 OK\n"));
}
