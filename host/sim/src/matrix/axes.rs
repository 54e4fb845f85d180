//! What is varied, and the scenario of each combination.

use std::fmt::Write as _;

/// Something that may matter.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: &'static [&'static str],
    /// What it is, for people.
    pub about: &'static str,
}

const DIALLED: Axis = Axis { name: "dialled", values: &["person", "group"], about: "what the caller dials" };
const SCHEDULE: Axis =
    Axis { name: "schedule", values: &["in hours", "outside"], about: "whether her forwarding's hours hold" };
const MODE: Axis = Axis {
    name: "mode",
    values: &["off", "ring-all", "no-answer", "failover", "forward-only"],
    about: "her forwarding mode",
};
const COLD: Axis = Axis {
    name: "cold route",
    values: &["none", "1002", "cleo"],
    about: "the device or colleague that rings alone in place of her devices",
};
const DND: Axis = Axis { name: "dnd", values: &["no", "yes"], about: "she is not to be disturbed" };
const SILENT: Axis =
    Axis { name: "silent", values: &["no", "1001"], about: "a device is not to be disturbed" };
const REGISTERED: Axis =
    Axis { name: "registered", values: &["both", "1001", "none"], about: "which of her devices are online" };
const TALKING: Axis = Axis { name: "talking", values: &["no", "yes"], about: "she is on a call of her own" };
const WAITING: Axis = Axis { name: "call waiting", values: &["on", "off"], about: "her call waiting" };
const LEGS: Axis = Axis {
    name: "1001",
    values: &["rings", "declines", "busy", "silent"],
    about: "what her desk phone does: rings, 603 after 180, 486 at once, or no response at all",
};
const TARGET: Axis = Axis {
    name: "cleo",
    values: &["free", "engaged", "offline"],
    about: "her destination: free, on a call with call waiting off, or without a phone",
};

/// All of them; the last turns fastest.
pub(super) fn axes() -> [Axis; 11] {
    [DIALLED, SCHEDULE, MODE, COLD, DND, SILENT, REGISTERED, TALKING, WAITING, LEGS, TARGET]
}

/// One combination.
#[derive(Clone, Debug)]
pub struct Cell(Vec<(&'static str, &'static str)>);

impl Cell {
    /// The combination of that number, from 0.
    #[must_use]
    pub fn of(mut number: usize) -> Self {
        let mut values = Vec::new();
        for axis in axes().iter().rev() {
            let count = axis.values.len();
            values.push((axis.name, axis.values[number % count]));
            number /= count;
        }
        Self(values)
    }

    fn is(&self, axis: &Axis, value: &str) -> bool {
        self.value(axis) == value
    }

    fn value(&self, axis: &Axis) -> &'static str {
        self.0.iter().find(|(name, _)| *name == axis.name).map_or("", |(_, value)| value)
    }

    /// What is dialled.
    pub(super) fn number(&self) -> &'static str {
        if self.is(&DIALLED, "group") { "200" } else { "100" }
    }

    /// Whether nobody refuses: then a foreteller knows how it ends.
    pub(super) fn is_foretold(&self) -> bool {
        self.is(&LEGS, "rings")
    }

    /// The world in which the call is made, and the call.
    #[must_use]
    pub fn scenario(&self) -> String {
        format!("{}call c1 from 1011 to {}\n", self.scenario_before(), self.number())
    }

    /// The same without the call.
    pub(super) fn scenario_before(&self) -> String {
        let mut text = String::from(
            "rule standard\n\
             user ana 100: desk 1001, soft 1002\n\
             user bob 101: desk 1011\n\
             user cleo 102: desk 1021\n\
             user dora 103: desk 1031\n\
             group team 200: ana\n\
             user cleo call-waiting off\n\
             at 2026-11-20 18:02 Europe/Berlin\n\
             hours now: mon-fri 08:00-20:00\n\
             hours later: mon-fri 20:00-22:00\n\
             set ring-time 10s\n",
        );
        if self.is(&WAITING, "off") {
            text.push_str("user ana call-waiting off\n");
        }
        let offline: &[&str] = match self.value(&REGISTERED) {
            "both" => &[],
            "1001" => &["1002"],
            _ => &["1001", "1002"],
        };
        for phone in offline {
            let _infallible = writeln!(text, "phone {phone} offline");
        }
        if self.is(&TARGET, "offline") {
            text.push_str("phone 1021 offline\n");
        }
        text.push_str(&self.wishes());
        // Calls that go on are made before: the phones that answer them ring from then on.
        text.push_str("phone 1031 answers\n");
        if self.is(&TALKING, "yes") {
            text.push_str("call c8 from 1001 to 1031\nwait 2s\n");
        }
        if self.is(&TARGET, "engaged") {
            text.push_str("call c9 from 1021 to 1031\nwait 2s\n");
        }
        let desk = match self.value(&LEGS) {
            "declines" => "declines after 2s",
            "busy" => "busy",
            "silent" => "silent",
            _ => "rings",
        };
        let _infallible = write!(text, "phone 1001 {desk}\nphone 1002 rings\nphone 1021 rings\nwait 1s\n");
        text
    }

    fn wishes(&self) -> String {
        let mut text = format!("forwarding ana {} to user:cleo", self.value(&MODE));
        text.push_str(if self.is(&SCHEDULE, "in hours") { " during now" } else { " during later" });
        match self.value(&COLD) {
            "1002" => text.push_str(" only device:1002"),
            "cleo" => text.push_str(" only user:cleo"),
            _ => {}
        }
        if self.is(&DND, "yes") {
            text.push_str(" undisturbed");
        }
        if self.is(&SILENT, "1001") {
            text.push_str(" silent 1001");
        }
        text.push('\n');
        text
    }
}
