//! What a node's own socket gave it and is another's. The system spreads datagrams over the sockets by their
//! addresses, so that half of the messages of two nodes come to the wrong one.

use std::sync::Arc;

use callwright_api::Meters;
use callwright_core::Input;

use super::Nodes;

/// The other nodes, as a node's thread sees them.
#[derive(Debug)]
pub(in crate::serve) struct Neighbours {
    own: u16,
    nodes: Arc<Nodes>,
    meters: Meters,
    /// What is being sorted; kept for its memory.
    taken: Vec<Input>,
}

impl Neighbours {
    /// The neighbours of a node; none where it is alone.
    pub(in crate::serve) fn of(own: u16, nodes: &Arc<Nodes>, meters: &Meters) -> Option<Self> {
        let (nodes, meters) = (Arc::clone(nodes), meters.clone());
        (nodes.count() > 1).then(|| Self { own, nodes, meters, taken: Vec::new() })
    }

    /// Hands over what is for others, and leaves what is for this node or nobody, in its order.
    ///
    /// A datagram for a node that does not keep up is dropped, as its socket would drop it.
    pub(in crate::serve) fn hand_over(&mut self, inputs: &mut Vec<Input>) {
        let directory = self.nodes.directory();
        std::mem::swap(inputs, &mut self.taken);
        for input in self.taken.drain(..) {
            let Input::Received { bytes, .. } = &input else {
                // An ICMP error comes to any socket of the port, not to the one that sent.
                for node in (1..=self.nodes.count()).filter(|node| *node != self.own) {
                    send(&self.nodes, &self.meters, node, input.clone());
                }
                inputs.push(input);
                continue;
            };
            match directory.node_of(bytes) {
                Some(node) if node != self.own => send(&self.nodes, &self.meters, node, input),
                Some(_) | None => inputs.push(input),
            }
        }
    }
}

fn send(nodes: &Nodes, meters: &Meters, node: u16, input: Input) {
    let is_taken = nodes.inbox(node).is_some_and(|inbox| inbox.hand_over(input).is_ok());
    if !is_taken {
        meters.dropped();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use callwright_sip::Flow;

    use super::*;
    use crate::serve::node::{HANDED_MAX, Letters};

    fn nodes(count: u16) -> (Arc<Nodes>, Vec<Letters>) {
        let text = "listen = \"127.0.0.1:5060\"\ndata = \"data\"\n[tenants]\n";
        let config = callwright_config::parse(text, Path::new(".")).unwrap().switch;
        let (nodes, letters) = Nodes::new(count, &config);
        (Arc::new(nodes), letters)
    }

    /// A response to something that a node asked.
    fn answer(node: u16, number: usize) -> Input {
        let flow = Flow::udp(([192, 0, 2, 7], 5060).into());
        let bytes = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{node:04x}aaaaaaaaaaaaaaaa\r\nCall-ID: {number}\r\n\r\n"
        );
        Input::Received { flow, bytes: Bytes::from(bytes) }
    }

    fn shown(input: &Input) -> String {
        format!("{input:?}")
    }

    #[test]
    fn a_node_that_is_alone_has_no_neighbours() {
        assert!(Neighbours::of(1, &nodes(1).0, &Meters::default()).is_none());
    }

    #[test]
    fn each_gets_its_own_in_order_and_what_is_for_nobody_stays() {
        let (nodes, mut letters) = nodes(3);
        let mut neighbours = Neighbours::of(2, &nodes, &Meters::default()).unwrap();
        let junk =
            Input::Received { flow: Flow::udp(([192, 0, 2, 7], 5060).into()), bytes: Bytes::from("\0") };
        let gone = Input::Closed { flow: Flow::udp(([192, 0, 2, 7], 5060).into()) };
        let mut inputs = vec![
            answer(3, 1),
            answer(2, 2),
            junk.clone(),
            answer(3, 3),
            answer(1, 4),
            gone.clone(),
            answer(9, 5),
        ];
        neighbours.hand_over(&mut inputs);
        let all = |inputs: &[Input]| inputs.iter().map(shown).collect::<Vec<_>>();
        assert_eq!(all(&inputs), all(&[answer(2, 2), junk, gone.clone(), answer(9, 5)]));
        assert_eq!(all(&letters[2].handed_now()), all(&[answer(3, 1), answer(3, 3), gone.clone()]));
        assert_eq!(all(&letters[0].handed_now()), all(&[answer(1, 4), gone]));
        assert!(letters[1].handed_now().is_empty());
    }

    #[test]
    fn a_neighbour_that_does_not_keep_up_holds_nobody_up() {
        let (nodes, mut letters) = nodes(2);
        let mut neighbours = Neighbours::of(1, &nodes, &Meters::default()).unwrap();
        let mut inputs: Vec<_> = (0..HANDED_MAX + 10).map(|number| answer(2, number)).collect();
        neighbours.hand_over(&mut inputs);
        assert!(inputs.is_empty());
        let handed = letters[1].handed_now();
        assert_eq!(handed.len(), HANDED_MAX);
        assert_eq!(shown(&handed[0]), shown(&answer(2, 0)), "the first come are kept");
    }
}
