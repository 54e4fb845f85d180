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
        Self::start(lab, "caller", transport, script, &["-s", to])
    }

    /// A phone that registers and then plays a script for each call that comes.
    pub(crate) fn is_called(lab: &Lab, transport: Transport, device: Device, script: &Script) -> Self {
        let calls = lab.write("callee-call.xml", &script.xml());
        let registers = Script::of(device).register().expect_challenge();
        let registers = registers.register_again(device.password).expect(200).pause(STAY_MS);
        // sipp plays the out-of-call scenario for what does not belong to the call of its own, here the registration.
        let options = ["-oocsf", calls.to_str().unwrap()];
        let mut callee = Self::start(lab, "callee", transport, &registers, &options);
        within(Duration::from_secs(10), "the registration", || {
            callee.running.must_run();
            callee.received().iter().any(|message| message.starts_with("SIP/2.0 200"))
        });
        callee
    }

    fn start(lab: &Lab, name: &str, transport: Transport, script: &Script, options: &[&str]) -> Self {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        must_be_free(port);
        let file = |ending: &str| lab.path(&format!("{name}{ending}"));
        let (messages, errors) = (file("-messages.txt"), file("-errors.txt"));
        let scenario = lab.write(&format!("{name}.xml"), &script.xml());
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(scenario).args([
            "-i",
            SWITCH,
            "-p",
            &port.to_string(),
            "-t",
            transport.option(),
        ]);
        command.args(["-m", "1", "-nostdin", "-timeout", "150s", "-timeout_error", "-max_retrans", "6"]);
        command.args(["-trace_msg", "-message_file"]).arg(&messages).args(["-trace_err", "-error_file"]);
        command.arg(errors).args(options).arg(format!("{SWITCH}:{SIP}"));
        Self { running: lab.start(name, &mut command), messages }
    }

    /// Waits until the script is over and fails where it did not go as written.
    pub(crate) fn must_succeed(&mut self) {
        let went_well = self.running.succeeds_within(CALL_MAX);
        assert!(went_well, "the caller's course was another; it received:\n{}", self.received().join("\n"));
    }

    /// The messages it received so far.
    pub(crate) fn received(&self) -> Vec<String> {
        let Ok(bytes) = std::fs::read(&self.messages) else { return Vec::new() };
        received(&String::from_utf8_lossy(&bytes))
    }

    /// Waits for a request with this method and returns it.
    pub(crate) fn receives(&self, method: &str) -> String {
        let start = format!("{method} ");
        let found = || self.received().into_iter().find(|message| message.starts_with(&start));
        within(Duration::from_secs(10), &format!("{method} at the callee"), || found().is_some());
        found().unwrap()
    }
}

/// The received ones of a message file, whose entries look like
/// `------- 2026-11-20 23:57:07.123456` and `UDP message received [512] bytes :` before the message.
fn received(file: &str) -> Vec<String> {
    let mut messages = Vec::new();
    for entry in file.split("\n-----------------------------------------------") {
        if let Some((head, message)) = entry.split_once(" bytes")
            && head.contains("message received")
        {
            let message = message.split_once('\n').map_or("", |(_, message)| message);
            messages.push(message.trim_start().to_owned());
        }
    }
    messages
}

#[test]
fn received_messages_are_read_from_the_file_of_sipp() {
    let line = "-----------------------------------------------";
    let file = format!(
        "\n{line} 2026-11-20\nUDP message sent (310 bytes):\n\nREGISTER sip:a SIP/2.0\n\n\
         \n{line} 2026-11-20\nUDP message received [99] bytes :\n\nSIP/2.0 200 OK\nVia: x\n\n"
    );
    let found = received(&file);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("SIP/2.0 200 OK\n"));
}
