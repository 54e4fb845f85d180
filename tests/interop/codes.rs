//! Codes that a phone of somebody else's making dials: it is answered by silence that ends after a second, and that satisfies it.

use std::time::Duration;

use serde_json::Value;

use crate::baresip::{Baresip, Phone, account};
use crate::lab::{Lab, SWITCH, within};
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{ANA, Switch};

/// What is dialled, and what the switch says that it did.
const CODES: [(&str, &str); 5] = [
    ("*50", "only 1001 rings from now on"),
    ("**21*101#", "forwarding always goes to user:bob"),
    ("*#21#", "forwarding always is active"),
    ("##21#", "forwarding always is erased"),
    ("*78", "do not disturb is on"),
];

#[test]
fn a_foreign_phone_dials_codes() {
    let lab = Lab::new("codes");
    let mut switch = Switch::start(&lab);
    let by_address = account(ANA, SWITCH, Transport::Udp, "");
    let phone = Phone { name: "ana", number: 11, frequency_hz: 440, account: by_address };
    let mut ana = Baresip::start(&lab, &phone);
    ana.registers();
    for (code, _) in CODES {
        ana.tell("dial", code);
        ana.reports("CALL_ESTABLISHED");
        // It is the switch that hangs up.
        ana.reports("CALL_CLOSED");
    }
    within(Duration::from_secs(5), "the calls' records", || switch.calls().len() == CODES.len());
    let mut records = switch.calls();
    records.reverse();
    for ((code, did), record) in CODES.iter().zip(&records) {
        assert_eq!((&record["number"], &record["disposition"]), (&Value::from(*code), &Value::from("coded")));
        let explained = switch.tell(&["call", "explain", record["id"].as_str().unwrap()]);
        assert!(explained.starts_with(&format!("ana dialled {code} on 1001: {did}.")), "{explained}");
    }
    ana.tell("dial", "*99");
    let closed = ana.reports("CALL_CLOSED");
    assert!(closed.to_string().contains("404"), "{closed}");
    switch.must_be_well();
}

#[test]
fn a_code_is_answered_by_silence_that_ends_after_a_second() {
    for transport in [Transport::Udp, Transport::Tcp] {
        is_answered_by_silence_over(transport);
    }
}

fn is_answered_by_silence_over(transport: Transport) {
    let lab = Lab::new(&format!("code-on-the-wire-{}", transport.name()));
    let mut switch = Switch::start(&lab);
    let dials =
        Script::of(ANA).invite().expect_challenge().ack_failure().invite_again(ANA.password).perhaps(100);
    let dials = dials.expect(200).ack().expect_request("BYE").ok();
    let mut ana = Sipp::calls(&lab, transport, "*50", &dials);
    ana.must_succeed();
    assert_eq!(ana.ladder(), "INVITE> <401 ACK> INVITE> <200 ACK> <BYE 200>");
    let answer = ana.received().into_iter().find(|message| message.starts_with("SIP/2.0 200")).unwrap();
    assert!(answer.contains("\na=inactive"), "{answer}");
    within(Duration::from_secs(5), "the call's record", || switch.calls().len() == 1);
    // spec: TELEPHONY T33
    let talk_ms = switch.calls()[0]["talk_ms"].as_u64().unwrap();
    assert!(talk_ms >= 900, "it was told for {talk_ms} ms");
    switch.must_be_well();
}
