//! The courses a call can take, each played by sipp over UDP and over TCP: from a device of Bob's to Ana, who has one.

use std::time::Duration;

use crate::lab::{Lab, within};
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{ANA, BOB, Switch};

/// Ana's extension.
const TO_ANA: &str = "100";

/// Makes a test of each course over each transport.
macro_rules! over_both {
    ($($course:ident)+) => {
        mod udp {
            $(#[test] fn $course() { super::$course(crate::sipp::Transport::Udp); })+
        }
        mod tcp {
            $(#[test] fn $course() { super::$course(crate::sipp::Transport::Tcp); })+
        }
    };
}

over_both! {
    an_answered_call_is_ended_by_the_caller
    an_answered_call_is_ended_by_the_callee
    an_engaged_phone_is_busy
    a_person_declines
    nobody_answers
    the_caller_gives_up
    a_call_without_credentials_goes_nowhere
    a_call_with_a_wrong_password_goes_nowhere
    a_call_is_held_and_resumed
}

/// A switch, Ana's phone and what becomes of a call.
struct Course {
    switch: Switch,
    ana: Sipp,
    caller: Sipp,
    /// Ended last: it says where the traces are.
    _lab: Lab,
}

impl Course {
    /// `calls` is Bob's side, `is_called` Ana's.
    fn play(name: &str, transport: Transport, calls: &Script, is_called: &Script) -> Self {
        let lab = Lab::new(&format!("{name}-{}", transport.name()));
        let switch = Switch::start(&lab);
        let ana = Sipp::is_called(&lab, transport, ANA, is_called);
        let mut caller = Sipp::calls(&lab, transport, TO_ANA, calls);
        caller.must_succeed();
        Self { switch, ana, caller, _lab: lab }
    }

    /// What Ana's phone was sent, apart from what belongs to its registration.
    fn requests_to_ana(&self) -> Vec<String> {
        self.ana.received().into_iter().filter(|message| !message.starts_with("SIP/2.0")).collect()
    }

    /// Fails where the record of the one call names another cause of its end.
    fn must_have_ended_by(mut self, cause: &str) {
        within(Duration::from_secs(5), "the call's record", || self.switch.calls().len() == 1);
        let record = &self.switch.calls()[0];
        assert_eq!(record["cause"], cause, "{record:#}");
        self.switch.must_be_well();
    }
}

/// Bob's side until his INVITE is accepted for good.
fn bob_calls() -> Script {
    Script::of(BOB).invite().expect_challenge().ack_failure().invite_again(BOB.password).perhaps(100)
}

/// Bob's side until he talks.
fn bob_talks() -> Script {
    bob_calls().perhaps(180).expect(200).ack()
}

/// Ana's side until her phone rings.
fn ana_rings() -> Script {
    Script::of(ANA).expect_request("INVITE").reply("180 Ringing")
}

/// Ana's side until she talks.
fn ana_talks() -> Script {
    ana_rings().pause(300).answer("sendrecv").expect_request("ACK")
}

fn an_answered_call_is_ended_by_the_caller(transport: Transport) {
    let bob = bob_talks().pause(500).bye().expect(200);
    let course = Course::play("ended-by-caller", transport, &bob, &ana_talks().expect_request("BYE").ok());
    course.ana.receives("BYE");
    course.must_have_ended_by("caller-hung-up");
}

fn an_answered_call_is_ended_by_the_callee(transport: Transport) {
    let bob = bob_talks().expect_request("BYE").ok();
    let ana = ana_rings().pause(300).answer("sendrecv").expect_ack_and_names();
    let course =
        Course::play("ended-by-callee", transport, &bob, &ana.pause(500).bye_as_callee().expect(200));
    course.must_have_ended_by("callee-hung-up");
}

fn an_engaged_phone_is_busy(transport: Transport) {
    let ana = Script::of(ANA).expect_request("INVITE").reply("486 Busy Here").expect_request("ACK");
    let course = Course::play("busy", transport, &bob_calls().expect(486).ack_failure(), &ana);
    course.must_have_ended_by("busy");
}

fn a_person_declines(transport: Transport) {
    let ana = ana_rings().pause(300).reply("603 Decline").expect_request("ACK");
    let bob = bob_calls().expect(180).expect(603).ack_failure();
    let course = Course::play("decline", transport, &bob, &ana);
    course.must_have_ended_by("declined");
}

fn nobody_answers(transport: Transport) {
    let ana = ana_rings().expect_request("CANCEL").ok().cancelled().expect_request("ACK");
    let bob = bob_calls().expect(180).expect(480).ack_failure();
    let course = Course::play("no-answer", transport, &bob, &ana);
    // spec: TELEPHONY T12
    assert!(!course.ana.receives("CANCEL").contains("\nReason:"), "a missed call is shown as missed");
    course.must_have_ended_by("no-answer");
}

fn the_caller_gives_up(transport: Transport) {
    let ana = ana_rings().expect_request("CANCEL").ok().cancelled().expect_request("ACK");
    let bob = bob_calls().expect(180).pause(500).cancel().expect(200).expect(487).ack_failure();
    let course = Course::play("cancel", transport, &bob, &ana);
    assert!(!course.ana.receives("CANCEL").contains("\nReason:"), "a missed call is shown as missed");
    course.must_have_ended_by("caller-cancelled");
}

fn a_call_without_credentials_goes_nowhere(transport: Transport) {
    let bob = Script::of(BOB).invite().expect_challenge().ack_failure().pause(500);
    let course = Course::play("unauthenticated", transport, &bob, &ana_rings());
    assert!(course.requests_to_ana().is_empty());
    assert!(course.switch.calls().is_empty());
}

fn a_call_with_a_wrong_password_goes_nowhere(transport: Transport) {
    let bob = Script::of(BOB).invite().expect_challenge().ack_failure();
    let bob = bob.invite_again("guessed").expect_challenge().ack_failure().pause(500);
    let course = Course::play("wrong-password", transport, &bob, &ana_rings());
    assert!(course.requests_to_ana().is_empty());
    assert!(course.switch.calls().is_empty());
}

fn a_call_is_held_and_resumed(transport: Transport) {
    let bob = bob_talks().pause(300).reinvite("sendonly").perhaps(100).expect(200).ack();
    let bob = bob.pause(300).reinvite("sendrecv").perhaps(100).expect(200).ack().pause(300).bye().expect(200);
    let ana = ana_talks().expect_request("INVITE").answer("recvonly").expect_request("ACK");
    let ana =
        ana.expect_request("INVITE").answer("sendrecv").expect_request("ACK").expect_request("BYE").ok();
    let course = Course::play("re-invite", transport, &bob, &ana);
    let sent = course.requests_to_ana();
    let directions: Vec<&str> =
        sent.iter().filter(|message| message.starts_with("INVITE ")).map(|it| direction(it)).collect();
    assert_eq!(directions, ["sendrecv", "sendonly", "sendrecv"]);
    let received = course.caller.received();
    let to_hold =
        received.iter().filter(|message| message.contains("CSeq: 3 INVITE") && message.contains("m=audio"));
    let mut answers: Vec<&str> = to_hold.map(|message| direction(message)).collect();
    answers.dedup();
    assert_eq!(answers, ["recvonly"]);
    course.must_have_ended_by("caller-hung-up");
}

/// The direction of a message's session description.
fn direction(message: &str) -> &str {
    message.lines().filter_map(|line| line.trim().strip_prefix("a=")).next_back().unwrap_or("none")
}
