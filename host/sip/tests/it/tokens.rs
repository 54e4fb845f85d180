//! Tokens that the endpoint mints.

use crate::bench::Bench;
use callwright_sip::{Endpoint, EndpointSettings, Text};
use std::collections::BTreeSet;

fn minted(node: u16, seed: u8) -> Vec<Text> {
    let mut endpoint = Endpoint::new(EndpointSettings::new(node, "198.51.100.1", 5060), [seed; 32]);
    (0..1000).map(|_| endpoint.mint()).collect()
}

#[test]
fn a_token_begins_with_its_node_and_is_like_no_other() {
    let tokens = minted(0x2a, 1);
    assert!(tokens.iter().all(|token| token.as_bytes().starts_with(b"002a") && token.len() == 20));
    assert!(tokens.iter().all(|token| token.as_bytes().iter().all(u8::is_ascii_alphanumeric)));
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len());
}

#[test]
fn the_seed_alone_decides() {
    assert_eq!(minted(1, 1), minted(1, 1));
    assert_ne!(minted(1, 1), minted(1, 2));
}

#[test]
fn an_idle_endpoint_waits_for_nothing() {
    let mut bench = Bench::new();
    assert_eq!(bench.endpoint.deadline(), None);
    bench.endpoint.tick(bench.now);
    assert_eq!(bench.events(), []);
}
