//! Messages nobody here wrote: the torture tests of RFC 4475 and RFC 5118, where they lie beside the repository.

use crate::bench::{Bench, phone, phone_stream};
use bytes::Bytes;
use callwright_sip::{Event, Message};
use std::path::{Path, PathBuf};

/// Bytes and name of every message of one corpus.
fn corpus(name: &str) -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(name);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("corpus {name} is not beside the repository: nothing was checked against it");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap().into())
    };
    paths.iter().map(read).collect()
}

/// What RFC 4475 calls valid, or broken only for those who look further than this layer.
const ACCEPTED: [&str; 30] = [
    "baddate",
    "badbranch",
    "bcast",
    "bext01",
    "cparam01",
    "cparam02",
    "dblreq",
    "esc01",
    "esc02",
    "escnull",
    "escruri",
    "intmeth",
    "inv2543",
    "invut",
    "longreq",
    "lwsdisp",
    "mpart01",
    "noreason",
    "novelsc",
    "regaut01",
    "regbadct",
    "regescrt",
    "sdp01",
    "semiuri",
    "transports",
    "unkscm",
    "unksm2",
    "unreason",
    "wsinv",
    "zeromf",
];

/// What RFC 4475 calls broken in a way that this layer sees; `test` is no message of the RFC and has no version.
const REFUSED: [&str; 17] = [
    "badinv01",
    "badvers",
    "bigcode",
    "clerr",
    "insuf",
    "lwsruri",
    "lwsstart",
    "ltgtruri",
    "mcl01",
    "mismatch01",
    "mismatch02",
    "multi01",
    "ncl",
    "quotbal",
    "scalar02",
    "scalarlg",
    "test",
];

/// What RFC 4475 calls broken and lets everybody read who can.
const TOLERATED: [&str; 3] = ["badaspec", "baddn", "trws"];

#[test]
fn every_torture_message_is_read_or_refused_without_harm() {
    // spec: RFC 4475 §3
    for (name, bytes) in corpus("rfc4475").into_iter().chain(corpus("rfc5118")) {
        for flow in [phone(), phone_stream()] {
            let mut bench = Bench::new();
            bench.receive(flow, bytes.clone());
            bench.pass(std::time::Duration::from_secs(60));
            bench.transmits();
        }
        if let Ok(message) = Message::parse(bytes) {
            assert_eq!(Message::parse(message.to_bytes()), Ok(message), "{name} changes when printed");
        }
    }
}

#[test]
fn the_judgement_of_rfc_4475_is_ours() {
    // spec: RFC 4475 §3
    for (file, bytes) in corpus("rfc4475") {
        let name = file.trim_end_matches(".dat");
        let mut bench = Bench::new();
        bench.receive(phone(), bytes);
        let malformed = bench.events().iter().any(|event| matches!(event, Event::Malformed { .. }));
        let wanted = if malformed { &REFUSED[..] } else { &ACCEPTED[..] };
        assert!(wanted.contains(&name) || TOLERATED.contains(&name), "{name}: malformed is {malformed}");
    }
}

#[test]
fn the_judgement_of_rfc_5118_is_ours() {
    // spec: RFC 5118 §4
    for (name, bytes) in corpus("rfc5118") {
        let mut bench = Bench::new();
        bench.receive(phone(), bytes);
        let malformed = bench.events().iter().any(|event| matches!(event, Event::Malformed { .. }));
        // The address without brackets, and the one that the grammar of RFC 3261 allowed by mistake.
        let wanted = ["ipv6-bad", "ipv6-bug-abnf-3-colons"].contains(&name.as_str());
        assert_eq!(malformed, wanted, "{name}");
    }
}
