//! What people are told of their wishes: the same by whatever they ask.

use super::people::EMPTY;
use super::*;

#[test]
fn a_ring_has_one_length_before_and_after_the_call() {
    let switch = Switch::start_with(EMPTY);
    let passwords = switch.with_acme();
    switch.does("forwarding set ana --mode no-answer --to user:bob");
    switch.call(&passwords, "100");
    let (before, after) = (switch.does("number show 100"), switch.does("call explain last"));
    assert!(before.contains("rings 1001 (desk) of ana for 25 s"), "{before}");
    assert!(after.contains("rings 1001, for up to 25 s"), "{after}");
}
