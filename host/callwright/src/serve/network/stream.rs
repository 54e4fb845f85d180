//! What one connection says, brought to the nodes. To a node that is alone it goes as it comes; several nodes get whole
//! messages, for a peer such as another switch may speak to all tenants on one connection.

use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_core::Input;
use callwright_sip::{Cutter, Flow, Piece, STREAM_IDLE};

use super::Connections;
use crate::serve::nodes::Nodes;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: &[u8] = b"\r\n";

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// More is read.
    GoesOn,
    /// A node has been given a reason to close it.
    Closed,
}

/// The reading side of a connection.
pub(super) struct Stream<'a> {
    flow: Flow,
    nodes: &'a Nodes,
    connections: &'a Connections,
    /// None where one node alone cuts by itself.
    cutter: Option<Cutter>,
    /// When the message began that is not complete.
    begun: Option<Instant>,
    /// The nodes that know of this connection.
    told: Vec<u16>,
}

impl<'a> Stream<'a> {
    /// A connection that has said nothing yet.
    pub(super) fn new(flow: Flow, nodes: &'a Nodes, connections: &'a Connections) -> Self {
        let cutter = (nodes.count() > 1).then(Cutter::default);
        Self { flow, nodes, connections, cutter, begun: None, told: Vec::new() }
    }

    /// How long the next piece may take: a message that has begun ends in time.
    pub(super) fn patience(&self, silence: Duration) -> Duration {
        self.begun.map_or(silence, |begun| STREAM_IDLE.saturating_sub(begun.elapsed()))
    }

    /// Takes what has come.
    pub(super) async fn piece(&mut self, bytes: Bytes) -> Then {
        let Some(mut cutter) = self.cutter.take() else {
            self.tell(1, bytes).await;
            return Then::GoesOn;
        };
        cutter.push(&bytes);
        let (mut is_pinged, mut is_complete) = (false, false);
        let directory = self.nodes.directory();
        // What is for nobody goes to one node, the same for all of a connection.
        let any = u16::try_from(self.flow.connection % u64::from(self.nodes.count())).unwrap_or(0) + 1;
        while let Some(piece) = cutter.next_piece() {
            match piece {
                Piece::Message(message) => {
                    is_complete = true;
                    self.tell(directory.node_of(&message).unwrap_or(any), message).await;
                }
                Piece::Ping => is_pinged = true,
                Piece::Broken(rest) => {
                    self.tell(directory.node_of(&rest).unwrap_or(any), rest).await;
                    return Then::Closed;
                }
            }
        }
        if is_pinged {
            self.connections.send(self.flow, Bytes::from_static(PONG));
        }
        if is_complete || !cutter.is_midway() {
            self.begun = None;
        }
        if cutter.is_midway() {
            self.begun.get_or_insert_with(Instant::now);
        }
        self.cutter = Some(cutter);
        Then::GoesOn
    }

    /// The connection is over.
    pub(super) async fn closed(self) {
        for node in self.told {
            if let Some(inbox) = self.nodes.inbox(node) {
                inbox.deliver(Input::Closed { flow: self.flow }).await;
            }
        }
    }

    async fn tell(&mut self, node: u16, bytes: Bytes) {
        let Some(inbox) = self.nodes.inbox(node) else { return };
        if !self.told.contains(&node) {
            self.told.push(node);
        }
        inbox.deliver(Input::Received { flow: self.flow, bytes }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use callwright_api::Meters;

    use super::*;
    use crate::serve::node::Letters;
    use crate::serve::nodes::owner;

    /// Nodes for many tenants, with a connection to them.
    struct Desk {
        nodes: Nodes,
        letters: Vec<Letters>,
        connections: Connections,
    }

    impl Desk {
        fn new(count: u16) -> Self {
            let tenants: String = (0..20)
                .map(|number| {
                    format!("[tenants.t{number}]\ndomains = [\"t{number}.example\"]\nzone = \"UTC\"\n")
                })
                .collect();
            let text = format!("listen = \"127.0.0.1:5060\"\ndata = \"data\"\n{tenants}");
            let config = callwright_config::parse(&text, Path::new(".")).unwrap().switch;
            let (nodes, letters) = Nodes::new(count, &config);
            let connections = Connections::new(Meters::default());
            Self { nodes, letters, connections }
        }

        /// What each node has heard since.
        async fn heard(&mut self) -> Vec<String> {
            let mut all = Vec::new();
            for letters in &mut self.letters {
                let mut heard = String::new();
                while letters.is_any_waiting() {
                    let input = letters.next().await.unwrap();
                    if let Input::Received { bytes, .. } = input {
                        heard.push_str(std::str::from_utf8(&bytes).unwrap());
                    } else {
                        assert!(matches!(input, Input::Closed { .. }), "{input:?}");
                        heard.push_str("closed");
                    }
                }
                all.push(heard);
            }
            all
        }
    }

    fn options(tenant: &str, body: &str) -> String {
        format!(
            "OPTIONS sip:{tenant}.example SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Tenants of the first and of the second of two nodes.
    fn tenants() -> (String, String) {
        let of = |node| {
            (0..20).map(|number| format!("t{number}")).find(|name| owner(&name.as_str().into(), 2) == node)
        };
        (of(1).unwrap(), of(2).unwrap())
    }

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[tokio::test]
    async fn one_connection_carries_the_messages_of_tenants_of_several_nodes() {
        let mut desk = Desk::new(2);
        let (one, other) = tenants();
        let (to_one, to_other) = (options(&one, "body"), options(&other, ""));
        let whole = format!("{to_one}{to_other}{to_one}");
        for cut in [1, 40, to_one.len(), to_one.len() + 7, whole.len() - 1] {
            let mut stream =
                Stream::new(Flow::tcp(([192, 0, 2, 7], 9).into(), 1), &desk.nodes, &desk.connections);
            assert_eq!(stream.piece(bytes(&whole[..cut])).await, Then::GoesOn);
            assert_eq!(stream.piece(bytes(&whole[cut..])).await, Then::GoesOn);
            assert_eq!(stream.patience(Duration::MAX), Duration::MAX);
            stream.closed().await;
            assert_eq!(desk.heard().await, [format!("{to_one}{to_one}closed"), format!("{to_other}closed")]);
        }
    }

    #[tokio::test]
    async fn a_connection_of_one_node_alone_goes_to_it_as_it_comes() {
        let mut desk = Desk::new(1);
        let mut stream =
            Stream::new(Flow::tcp(([192, 0, 2, 7], 9).into(), 1), &desk.nodes, &desk.connections);
        for piece in ["\r\n\r\n", "OPTI", "ONS"] {
            assert_eq!(stream.piece(bytes(piece)).await, Then::GoesOn);
        }
        assert_eq!(stream.patience(Duration::MAX), Duration::MAX, "the node has the clock");
        stream.closed().await;
        assert_eq!(desk.heard().await, ["\r\n\r\nOPTIONSclosed"]);
    }

    #[tokio::test]
    async fn a_message_that_has_begun_must_end_in_time_and_nothing_else_must() {
        let desk = Desk::new(2);
        let mut stream =
            Stream::new(Flow::tcp(([192, 0, 2, 7], 9).into(), 1), &desk.nodes, &desk.connections);
        let silence = Duration::from_secs(4_000);
        stream.piece(bytes("\r\n\r\n")).await;
        assert_eq!(stream.patience(silence), silence);
        stream.piece(bytes("OPTIONS")).await;
        let begun = stream.begun;
        stream.piece(bytes(" sip:")).await;
        assert!(stream.patience(silence) <= STREAM_IDLE && stream.begun == begun, "it is not begun again");
        stream.begun = Instant::now().checked_sub(STREAM_IDLE * 2);
        assert_eq!(stream.patience(silence), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_cut_is_left_to_a_node_to_answer_and_close() {
        let mut desk = Desk::new(2);
        let lying = options("t1", "").replace("Content-Length: 0", "Content-Length: x");
        let mut stream =
            Stream::new(Flow::tcp(([192, 0, 2, 7], 9).into(), 1), &desk.nodes, &desk.connections);
        assert_eq!(stream.piece(bytes(&format!("{lying}more"))).await, Then::Closed);
        let heard = desk.heard().await;
        assert_eq!(heard.iter().filter(|heard| heard.starts_with(&lying)).count(), 1, "{heard:?}");
    }
}
