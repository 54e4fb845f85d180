//! The five modes of personal forwarding, each with a person's phone online, offline, busy, in vain, declining and not to be disturbed: thirty
//! calls at once through one switch, and each ends where FEATURES F30 to F36 say.

use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, within};
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{BOB, Device, Switch, person};

/// What a person's phone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phone {
    Online,
    Offline,
    Busy,
    NoAnswer,
    Declined,
    Undisturbed,
}

/// Where a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At the person's own phone.
    Own,
    /// At the colleague whom they forward to.
    Colleague,
    /// Nowhere: what the caller hears.
    Refused(u16),
}

use End::{Colleague, Own, Refused};

const PHONES: [Phone; 6] =
    [Phone::Online, Phone::Offline, Phone::Busy, Phone::NoAnswer, Phone::Declined, Phone::Undisturbed];

/// In the order of [`PHONES`].
const MODES: [(&str, [End; 6]); 5] = [
    // Nothing is forwarded.
    ("off", [Own, Refused(480), Refused(486), Refused(480), Refused(603), Refused(486)]),
    // The colleague rings from the beginning; a decline ends the own phones alone (T10).
    ("ring-all", [Own, Colleague, Colleague, Colleague, Colleague, Colleague]),
    // Q5: at once where nothing can ring. Q3, Q19: so for whoever is engaged or not to be disturbed. Q29: a decline is final.
    ("no-answer", [Own, Colleague, Colleague, Colleague, Refused(603), Colleague]),
    // Q6: nothing that rang is forwarded.
    ("failover", [Own, Colleague, Refused(486), Refused(480), Refused(603), Refused(486)]),
    // The own phones are silent, whatever they would do.
    ("forward-only", [Colleague; 6]),
];

/// One of the thirty: a person, a colleague, and a phone of each.
struct Cell {
    mode: &'static str,
    phone: Phone,
    end: End,
    number: usize,
}

impl Cell {
    fn all() -> Vec<Self> {
        let of_mode = |(mode, ends): &(&'static str, [End; 6])| {
            let mode = *mode;
            PHONES.into_iter().zip(*ends).map(move |(phone, end)| (mode, phone, end)).collect::<Vec<_>>()
        };
        let cells = MODES.iter().flat_map(of_mode).enumerate();
        cells.map(|(number, (mode, phone, end))| Self { mode, phone, end, number }).collect()
    }

    fn user(&self) -> String {
        format!("p{}", self.number)
    }

    fn colleague(&self) -> String {
        format!("q{}", self.number)
    }

    /// The person's extension, which is called.
    fn extension(&self) -> String {
        format!("{}", 300 + self.number)
    }

    fn own(&self) -> Device {
        device(3_000 + self.number)
    }

    fn other(&self) -> Device {
        device(4_000 + self.number)
    }

    /// Both people, with a phone each.
    fn people(&self) -> String {
        let colleagues = format!("{}", 400 + self.number);
        let own = person(&self.user(), &self.extension(), self.own(), "");
        own + &person(&self.colleague(), &colleagues, self.other(), "")
    }

    /// What the person saves, as somebody does by the command line.
    fn save(&self, switch: &Switch) {
        let (user, to) = (self.user(), format!("user:{}", self.colleague()));
        let undisturbed = (self.phone == Phone::Undisturbed).to_string();
        let wish = ["forwarding", "set", &user, "--mode", self.mode, "--to", &to, "--rings", "1"];
        switch.tell(&[&wish[..], &["--do-not-disturb", &undisturbed]].concat());
    }

    fn must_be(&self, record: &Value) {
        let who = format!("{} with the phone {:?}: {record:#}", self.mode, self.phone);
        let answered = record["disposition"]["answered"]["device"].as_str();
        match self.end {
            Own => assert_eq!(answered, Some(self.own().extension), "{who}"),
            Colleague => assert_eq!(answered, Some(self.other().extension), "{who}"),
            Refused(status) => {
                assert_eq!((answered, &record["status"]), (None, &Value::from(status)), "{who}");
            }
        }
        let legs = record["legs"].as_array().unwrap();
        let rang = |device: Device| legs.iter().any(|leg| leg["device"] == device.extension);
        let may_ring =
            !matches!(self.phone, Phone::Offline | Phone::Undisturbed) && self.mode != "forward-only";
        assert_eq!(rang(self.own()), may_ring, "{who}");
        assert_eq!(rang(self.other()), self.end == Colleague || self.mode == "ring-all", "{who}");
    }
}

/// The tests end with their process: what names a device may stay as long.
fn device(extension: usize) -> Device {
    let leak = |text: String| &*text.leak();
    Device { extension: leak(extension.to_string()), password: leak(format!("secret-{extension}")) }
}

/// A phone of the switch's choice answers the call that came.
fn rings() -> Script {
    Script::of(device(9_000)).expect_request("INVITE").reply("180 Ringing")
}

/// Answers after that time, and obeys a CANCEL before it.
fn answers_after(time_ms: u32) -> Script {
    let answers = rings().unless_cancelled_within(time_ms).answer("sendrecv").expect_request("ACK");
    answers.expect_request("BYE").ok()
}

/// What a person's phone plays; none for one that rings in no cell.
fn played_by(phone: Phone) -> Option<Script> {
    match phone {
        Phone::Offline => None,
        // One that must not ring would answer.
        Phone::Online | Phone::Undisturbed => Some(answers_after(200)),
        Phone::Busy => {
            let busy = Script::of(device(9_000)).expect_request("INVITE").reply("486 Busy Here");
            Some(busy.expect_request("ACK"))
        }
        Phone::NoAnswer => Some(rings().expect_request("CANCEL").ok().cancelled().expect_request("ACK")),
        Phone::Declined => Some(rings().pause(200).reply("603 Decline").expect_request("ACK")),
    }
}

/// Bob, until his call is answered or refused.
fn bob_gets(end: End) -> Script {
    let calls = Script::of(BOB).invite().expect_challenge().ack_failure().invite_again(BOB.password);
    let calls = calls.perhaps(100).perhaps(180);
    let calls = match end {
        Own | Colleague => calls.expect(200).ack().pause(300).bye().expect(200),
        Refused(status) => calls.expect(status).ack_failure(),
    };
    calls.for_each_row()
}

#[test]
fn every_mode_with_every_phone_ends_where_it_should() {
    every_call_ends_where_it_should_over(Transport::Udp);
}

#[test]
fn every_mode_with_every_phone_ends_there_over_tcp_too() {
    every_call_ends_where_it_should_over(Transport::Tcp);
}

fn every_call_ends_where_it_should_over(transport: Transport) {
    let lab = Lab::new(&format!("modes-{}", transport.name()));
    let cells = Cell::all();
    let people: String = cells.iter().map(Cell::people).collect();
    let tenant = format!("ring-time-s = 3\nring-cadence-s = 2\n{}{people}", person("bob", "101", BOB, ""));
    let mut switch = Switch::start_with(&lab, &tenant);
    for cell in &cells {
        cell.save(&switch);
    }
    let colleagues: Vec<Device> = cells.iter().map(Cell::other).collect();
    let mut phones =
        vec![Sipp::is_called_as(&lab, "colleagues", transport, &colleagues, &answers_after(1_000))];
    for phone in PHONES {
        let own: Vec<Device> = cells.iter().filter(|cell| cell.phone == phone).map(Cell::own).collect();
        if let Some(script) = played_by(phone) {
            phones.push(Sipp::is_called_as(&lab, &format!("{phone:?}"), transport, &own, &script));
        }
    }
    let mut callers = Vec::new();
    for (name, end) in
        [("answered", Own), ("480", Refused(480)), ("486", Refused(486)), ("603", Refused(603))]
    {
        let is_answered = |end: End| matches!(end, Own | Colleague);
        let ends = |cell: &&Cell| cell.end == end || is_answered(cell.end) && is_answered(end);
        let rows: Vec<String> = cells.iter().filter(ends).map(Cell::extension).collect();
        callers.push(Sipp::plays_each(&lab, &format!("caller-{name}"), transport, &rows, &bob_gets(end)));
    }
    for caller in &mut callers {
        caller.must_succeed();
    }
    within(Duration::from_secs(10), "the calls' records", || switch.calls().len() == cells.len());
    let records = switch.calls();
    for cell in &cells {
        let record = records.iter().find(|record| record["number"] == *cell.extension());
        cell.must_be(record.unwrap());
    }
    switch.must_be_well();
}
