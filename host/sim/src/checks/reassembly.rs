//! Whole messages out of the chunks of streams, read as naively as possible.

use std::collections::BTreeMap;

use bytes::Bytes;
use callwright_sip::{Flow, Transport};

use crate::glance::Glance;

/// A message with its size.
pub(super) struct Heard {
    pub(super) glance: Glance,
    pub(super) bytes: Bytes,
    pub(super) is_datagram: bool,
}

/// What is left of each stream.
#[derive(Default)]
pub(super) struct Reassembly(BTreeMap<Flow, Vec<u8>>);

impl Reassembly {
    /// The messages that are whole now.
    pub(super) fn take(&mut self, flow: Flow, bytes: &Bytes) -> Vec<Heard> {
        match flow.transport {
            Transport::Udp => {
                let glance = Glance::of(bytes);
                glance
                    .map(|glance| Heard { glance, bytes: bytes.clone(), is_datagram: true })
                    .into_iter()
                    .collect()
            }
            Transport::Tcp => {
                let rest = self.0.entry(flow).or_default();
                rest.extend_from_slice(bytes);
                std::iter::from_fn(|| next_of(rest)).collect()
            }
        }
    }

    pub(super) fn forget(&mut self, flow: Flow) {
        self.0.remove(&flow);
    }
}

fn next_of(rest: &mut Vec<u8>) -> Option<Heard> {
    let keep_alives = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    rest.drain(..keep_alives);
    let head = rest.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let glance = Glance::of(&rest[..head])?;
    let length: usize = glance.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if rest.len() < head + length {
        return None;
    }
    let bytes = Bytes::from(rest.drain(..head + length).collect::<Vec<_>>());
    Some(Heard { glance: Glance::of(&bytes)?, bytes, is_datagram: false })
}
