//! The call flows of RFC 5359 that forward and screen calls, on the wire: what each party sees, in its order.
//!
//! The RFC draws a proxy between the parties; here a B2BUA is, which makes these differences and no others:
//! - The caller is challenged by 401, as by a user agent, and not by 407.
//! - 181 (Call Is Being Forwarded) is not sent: the caller hears one ringback, and each phone that rings is a 180 of its own.
//! - The 100 of the RFC may come or not (RFC 3261 §17.2.1), and is not compared.
//! - Screening (2.13, 2.14) ends at the 403. No phone is reached past the switch, so that the 305 is not needed; its announcement wants sound.

use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{ANA, BOB, Device, Switch, person};

const CLEO: Device = Device { extension: "1021", password: "c-21-secret" };
const DORA: Device = Device { extension: "1031", password: "d-31-secret" };
const EMIL: Device = Device { extension: "1041", password: "e-41-secret" };

/// A caller who talks and hangs up.
const TALKS: &str = "INVITE> <401 ACK> INVITE> <180 <200 ACK> BYE> <200";
/// The same where two phones ring one after the other.
const TALKS_TO_THE_SECOND: &str = "INVITE> <401 ACK> INVITE> <180 <180 <200 ACK> BYE> <200";
/// A phone that takes the call, which the caller ends.
const ANSWERS: &str = "<INVITE 180> 200> <ACK <BYE 200>";
/// A phone that rings in vain.
const RINGS_IN_VAIN: &str = "<INVITE 180> <CANCEL 200> 487> <ACK";
/// A phone that is silent the whole time.
const NOTHING: &str = "";

/// A flow: how ana wishes to be reached, and what each party does and sees.
struct Flow<'a> {
    name: &'a str,
    /// Keys of ana, who is called.
    wishes: &'a str,
    /// Sections of the tenant.
    more: &'a str,
    rule: Option<&'a str>,
    /// Bob's side.
    caller: (Script, &'a str),
    callees: Vec<(&'a str, Device, Script, &'a str)>,
}

impl Flow<'_> {
    /// Over datagrams, and over connections.
    fn play(&self) {
        for transport in [Transport::Udp, Transport::Tcp] {
            self.play_over(transport);
        }
    }

    fn play_over(&self, transport: Transport) {
        let lab = Lab::new(&format!("{}-{}", self.name, transport.name()));
        let people = [
            person("ana", "100", ANA, self.wishes),
            person("bob", "101", BOB, ""),
            person("cleo", "102", CLEO, ""),
            person("dora", "103", DORA, ""),
            person("emil", "104", EMIL, ""),
        ];
        let tenant = format!("ring-time-s = 4\nring-cadence-s = 2\n{}{}", people.concat(), self.more);
        let mut switch = Switch::start_with(&lab, &tenant);
        if let Some(rule) = self.rule {
            switch.activate(rule);
        }
        let start = |(name, device, script, _): &(&str, Device, Script, &str)| {
            Sipp::is_called_as(&lab, name, transport, &[*device], script)
        };
        let callees: Vec<Sipp> = self.callees.iter().map(start).collect();
        let mut bob = Sipp::calls(&lab, transport, "100", &self.caller.0);
        bob.must_succeed();
        let over = transport.name();
        must_have_seen(&format!("bob over {over}"), &bob, self.caller.1);
        for ((name, _, _, seen), phone) in self.callees.iter().zip(&callees) {
            must_have_seen(&format!("{name} over {over}"), phone, seen);
        }
        switch.must_be_well();
    }
}

/// The last messages may still be on their way.
fn must_have_seen(who: &str, phone: &Sipp, wanted: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    while phone.ladder() != wanted && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(phone.ladder(), wanted, "{who}");
}

/// Bob until his INVITE is accepted for good.
fn bob_calls() -> Script {
    Script::of(BOB).invite().expect_challenge().ack_failure().invite_again(BOB.password).perhaps(100)
}

fn bob_talks_and_hangs_up() -> Script {
    bob_calls().perhaps(180).expect(200).ack().pause(300).bye().expect(200)
}

fn bob_is_refused() -> Script {
    bob_calls().expect(403).ack_failure()
}

fn rings(device: Device) -> Script {
    Script::of(device).expect_request("INVITE").reply("180 Ringing")
}

fn answers(device: Device) -> Script {
    rings(device).pause(200).answer("sendrecv").expect_request("ACK").expect_request("BYE").ok()
}

fn refuses(device: Device, status: &str) -> Script {
    Script::of(device).expect_request("INVITE").reply(status).expect_request("ACK")
}

fn rings_in_vain(device: Device) -> Script {
    rings(device).expect_request("CANCEL").ok().cancelled().expect_request("ACK")
}

#[test]
fn rfc_5359_2_7_call_forwarding_unconditional() {
    let flow = Flow {
        name: "rfc5359-2.7",
        wishes: "forwarding = { mode = \"forward-only\", to = [\"user:cleo\"] }",
        more: "",
        rule: None,
        caller: (bob_talks_and_hangs_up(), TALKS),
        callees: vec![("ana", ANA, answers(ANA), NOTHING), ("cleo", CLEO, answers(CLEO), ANSWERS)],
    };
    flow.play();
}

#[test]
fn rfc_5359_2_8_call_forwarding_busy() {
    let flow = Flow {
        name: "rfc5359-2.8",
        wishes: "forwarding = { conditions = { busy = { to = [\"user:cleo\"] } } }",
        more: "",
        rule: None,
        caller: (bob_talks_and_hangs_up(), TALKS),
        callees: vec![
            ("ana", ANA, refuses(ANA, "486 Busy Here"), "<INVITE 486> <ACK"),
            ("cleo", CLEO, answers(CLEO), ANSWERS),
        ],
    };
    flow.play();
}

#[test]
fn rfc_5359_2_9_call_forwarding_no_answer() {
    let flow = Flow {
        name: "rfc5359-2.9",
        wishes: "forwarding = { mode = \"no-answer\", to = [\"user:cleo\"], rings = 1 }",
        more: "",
        rule: None,
        caller: (bob_talks_and_hangs_up(), TALKS_TO_THE_SECOND),
        callees: vec![
            ("ana", ANA, rings_in_vain(ANA), RINGS_IN_VAIN),
            ("cleo", CLEO, answers(CLEO), ANSWERS),
        ],
    };
    flow.play();
}

#[test]
fn rfc_5359_2_12_find_me() {
    let wishes = "forwarding = { mode = \"no-answer\", to = [\"user:cleo\", \"user:dora\", \"user:emil\"], rings = 1, in-order = true }";
    let talks = bob_calls().perhaps(180).expect(200).ack().expect_request("BYE").ok();
    let emil = rings(EMIL).pause(200).answer("sendrecv").expect_ack_and_names();
    let flow = Flow {
        name: "rfc5359-2.12",
        wishes,
        more: "",
        rule: None,
        caller: (talks, "INVITE> <401 ACK> INVITE> <180 <180 <200 ACK> <BYE 200>"),
        callees: vec![
            ("ana", ANA, rings_in_vain(ANA), RINGS_IN_VAIN),
            ("cleo", CLEO, refuses(CLEO, "480 Not Logged In"), "<INVITE 480> <ACK"),
            ("dora", DORA, refuses(DORA, "486 Busy Here"), "<INVITE 486> <ACK"),
            ("emil", EMIL, emil.pause(300).bye_as_callee().expect(200), "<INVITE 180> 200> <ACK BYE> <200"),
        ],
    };
    flow.play();
}

#[test]
fn rfc_5359_2_13_incoming_call_screening() {
    let flow = Flow {
        name: "rfc5359-2.13",
        wishes: "",
        more: "[tenants.acme.tables.blocked-callers]\n\"user:bob\" = \"sells insurance\"\n",
        rule: Some("screen"),
        caller: (bob_is_refused(), "INVITE> <401 ACK> INVITE> <403 ACK>"),
        callees: vec![("ana", ANA, answers(ANA), NOTHING)],
    };
    flow.play();
}

#[test]
fn rfc_5359_2_14_outgoing_call_screening() {
    let flow = Flow {
        name: "rfc5359-2.14",
        wishes: "",
        more: "[tenants.acme.tables.barred-numbers]\n\"user:bob\" = \"100\"\n",
        rule: Some("screen"),
        caller: (bob_is_refused(), "INVITE> <401 ACK> INVITE> <403 ACK>"),
        callees: vec![("ana", ANA, answers(ANA), NOTHING)],
    };
    flow.play();
}
