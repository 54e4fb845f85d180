//! Two baresips call each other through a rule, and each hears the other's tone.

use std::time::Duration;

use serde_json::json;

use crate::audio::Heard;
use crate::baresip::{Baresip, Phone, account};
use crate::lab::{Lab, SWITCH, within};
use crate::sipp::Transport;
use crate::switch::{ANA, BOB, Switch};

const ANA_HZ: u32 = 440;
const BOB_HZ: u32 = 1_000;
/// How long each call is.
const TALK: Duration = Duration::from_secs(4);

fn two_phones_hear_each_other(transport: Transport) {
    let lab = Lab::new(&format!("talk-{}", transport.name()));
    let mut switch = Switch::start(&lab);
    switch.activate("hello-ring");
    // One knows the switch by its address, the other the tenant's domain and the switch as its outbound proxy.
    let by_address = account(ANA, SWITCH, transport, "");
    let proxy = format!(";outbound=\"sip:{SWITCH}:5060;transport={}\"", transport.name());
    let by_domain = account(BOB, "acme.example", transport, &proxy);
    let ana = Phone { name: "ana", number: 11, frequency_hz: ANA_HZ, account: by_address };
    let bob = Phone { name: "bob", number: 12, frequency_hz: BOB_HZ, account: by_domain };
    let (mut ana, mut bob) = (Baresip::start(&lab, &ana), Baresip::start(&lab, &bob));
    ana.registers();
    bob.registers();
    call(&mut bob, &mut ana, "sip:100@acme.example");
    call(&mut ana, &mut bob, &format!("sip:101@{SWITCH}"));
    must_have_heard(&ana.heard(), BOB_HZ);
    must_have_heard(&bob.heard(), ANA_HZ);
    within(Duration::from_secs(5), "the calls' records", || switch.calls().len() == 2);
    for record in switch.calls() {
        assert_eq!(record["cause"], "caller-hung-up", "{record:#}");
        let run = &record["runs"][0];
        assert_eq!((&run["rule"], &run["outcome"]), (&json!("hello-ring"), &json!("ok")), "{record:#}");
        let explained = switch.tell(&["call", "explain", record["id"].as_str().unwrap()]);
        assert!(explained.contains("hello-ring"), "{explained}");
        lab.write(&format!("explained-{}.txt", record["id"].as_str().unwrap()), &explained);
    }
    switch.must_be_well();
}

/// One calls, the other answers by itself, they talk, and the caller hangs up.
fn call(caller: &mut Baresip, callee: &mut Baresip, to: &str) {
    caller.tell("dial", to);
    caller.reports("CALL_ESTABLISHED");
    callee.reports("CALL_ESTABLISHED");
    std::thread::sleep(TALK);
    caller.tell("hangup", "");
    callee.reports("CALL_CLOSED");
    caller.reports("CALL_CLOSED");
}

/// A recording of each of the two calls holds the other's tone: sox's rough frequency is within a tenth.
fn must_have_heard(calls: &[Heard], frequency_hz: u32) {
    assert_eq!(calls.len(), 2, "a recording a call");
    for Heard { frequency_hz: heard_hz, loudest, length_s } in calls {
        let wanted = f64::from(frequency_hz);
        assert!((heard_hz - wanted).abs() < wanted / 10.0, "heard {heard_hz} Hz instead of {wanted}");
        assert!(*loudest > 0.3, "heard it at {loudest} of full loudness");
        assert!(*length_s > 2.0, "heard {length_s} s of {TALK:?}");
    }
}

#[test]
fn two_phones_hear_each_other_over_udp() {
    two_phones_hear_each_other(Transport::Udp);
}

#[test]
fn two_phones_hear_each_other_over_tcp() {
    two_phones_hear_each_other(Transport::Tcp);
}
