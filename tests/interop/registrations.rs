//! Registrations played by sipp.

use crate::lab::Lab;
use crate::script::Script;
use crate::sipp::{Sipp, Transport};
use crate::switch::{ANA, Switch};

fn registers(name: &str, transport: Transport, script: &Script) {
    let lab = Lab::new(&format!("{name}-{}", transport.name()));
    let mut switch = Switch::start(&lab);
    Sipp::calls(&lab, transport, "", script).must_succeed();
    switch.must_be_well();
}

fn challenged() -> Script {
    Script::of(ANA).register().expect_challenge()
}

#[test]
fn a_phone_with_its_password_registers() {
    for transport in [Transport::Udp, Transport::Tcp] {
        registers("register", transport, &challenged().register_again(ANA.password).expect(200));
    }
}

#[test]
fn a_phone_with_a_wrong_password_does_not_register() {
    for transport in [Transport::Udp, Transport::Tcp] {
        registers("register-wrong", transport, &challenged().register_again("guessed").expect_challenge());
    }
}

#[test]
fn nobody_registers_as_a_user() {
    let user = crate::switch::Device { extension: "100", password: ANA.password };
    let script =
        Script::of(user).register().expect_challenge().register_again(ANA.password).expect_challenge();
    registers("register-user", Transport::Udp, &script);
}
