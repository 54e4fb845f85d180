//! The keys of a desk phone: it subscribes, sets do-not-disturb and forwarding by SUBSCRIBEs with documents, and is told of what
//! somebody changes at the API.

use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, within};
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{ANA, Switch};

const UNDISTURBED: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n\
    <SetDoNotDisturb xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\n\
    <device>1001</device><doNotDisturbOn>true</doNotDisturbOn>\n</SetDoNotDisturb>\n";
const FORWARD: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n\
    <SetForwarding xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\n\
    <device>1001</device><forwardingType>forwardBusy</forwardingType>\n\
    <activateForward>true</activateForward><forwardDN>101</forwardDN>\n</SetForwarding>\n";

/// Every NOTIFY that it received, without repetitions.
fn notifies(phone: &Sipp) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for message in phone.received() {
        if message.starts_with("NOTIFY ") && !told.contains(&message) {
            told.push(message);
        }
    }
    told
}

fn presses_its_keys(transport: Transport) {
    let lab = Lab::new(&format!("features-{}", transport.name()));
    let mut switch = Switch::start(&lab);
    let told = |script: Script| script.expect_request("NOTIFY").ok();
    let script = Script::of(ANA).subscribe().expect_challenge().subscribe_again(ANA.password);
    let script = told(script.expect_subscribed());
    let script = told(script.subscribe_within(ANA.password, 600, UNDISTURBED));
    let script = told(script.subscribe_within(ANA.password, 600, FORWARD));
    // What is changed at the API for good, and what is changed for a moment and ends by itself.
    let script = told(told(told(script)));
    let script = told(script.subscribe_within(ANA.password, 0, ""));
    let mut phone = Sipp::calls(&lab, transport, "1001", &script);
    within(Duration::from_secs(20), "the keys", || notifies(&phone).len() == 3);
    let shown: Value = serde_json::from_str(&switch.tell(&["forwarding", "show", "ana", "--json"])).unwrap();
    assert_eq!(shown["live"]["do-not-disturb"], true, "{shown}");
    assert_eq!(shown["live"]["conditions"]["busy"]["to"], serde_json::json!(["user:bob"]), "{shown}");
    let shown = switch.tell(&["user", "show", "ana"]);
    assert!(shown.contains("subscribed to as-feature-event"), "{shown}");
    let log = switch.tell(&["audit", "--json"]);
    assert!(log.contains("phone 1001, by as-feature-event"), "{log}");
    switch.tell(&["forwarding", "set", "ana", "--do-not-disturb", "false"]);
    within(Duration::from_secs(20), "what was changed", || notifies(&phone).len() == 4);
    switch.tell(&["forwarding", "set", "ana", "--do-not-disturb", "true", "--until", "1s"]);
    phone.must_succeed();
    let notifies = notifies(&phone);
    assert_eq!(notifies.len(), 7, "{notifies:?}");
    for (notify, says) in notifies.iter().zip([
        "<doNotDisturbOn>false</doNotDisturbOn>",
        "<doNotDisturbOn>true</doNotDisturbOn>",
        "<forwardingType>forwardBusy</forwardingType><forwardStatus>true</forwardStatus><forwardTo>101</forwardTo>",
        "<doNotDisturbOn>false</doNotDisturbOn>",
        "<doNotDisturbOn>true</doNotDisturbOn>",
        "<doNotDisturbOn>false</doNotDisturbOn>",
        "Subscription-State: terminated;reason=timeout",
    ]) {
        assert!(notify.contains(says), "{says} is not in\n{notify}");
    }
    let one = &notifies[3];
    assert!(
        one.contains("Content-Type: application/x-as-feature-event+xml") && !one.contains("multipart"),
        "{one}"
    );
    switch.must_be_well();
}

#[test]
fn a_phone_presses_its_keys_over_udp() {
    presses_its_keys(Transport::Udp);
}

#[test]
fn a_phone_presses_its_keys_over_tcp() {
    presses_its_keys(Transport::Tcp);
}
