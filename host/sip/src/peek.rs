//! Whose message it is, found without reading all of it: for a front that hands messages to nodes.
//!
//! It sees of a message what the node will see, by the same readers, and decides nothing about it: what is malformed or
//! forged reaches some node, which answers as it answers anybody.

use crate::endpoint::token;
use crate::grammar;
use crate::header::Name;
use crate::message::Start;
use crate::message::parse::Skim;
use crate::name_addr::NameAddr;
use crate::text::Text;
use crate::uri::{Host, Uri};
use crate::via::{MAGIC_COOKIE, Via};
use bytes::Bytes;

/// Who a message is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peek {
    /// For what this node has begun: it minted the branch of the response, or the tag in To of the request.
    Node(u16),
    /// For whoever these two hosts mean.
    New {
        /// Of the Request-URI.
        asked: Host,
        /// Of the URI in From.
        from: Host,
    },
    /// For nobody: it answers or continues nothing of ours, or cannot be read so far.
    Nobody,
}

impl Peek {
    /// Reads the start line and fields up to those that say it.
    pub fn at(message: &Bytes) -> Self {
        let text = Text::from(message.clone());
        let found = Skim::of(&text).and_then(|(start, fields)| match start {
            Start::Request { uri, .. } => request(&uri, fields),
            Start::Response { .. } => response(fields).map(Self::Node),
        });
        found.unwrap_or(Self::Nobody)
    }
}

/// The node that minted the branch of the top Via.
fn response(mut fields: Skim) -> Option<u16> {
    let (_, vias) = fields.find(|(name, _)| matches!(name, Name::Via))?;
    let via = grammar::split_list(&vias).next()?;
    let branch = Via::written_branch(&via)?;
    token::node_of(branch.as_bytes().strip_prefix(MAGIC_COOKIE.as_bytes())?)
}

/// A request within a dialog is for the node that minted its To tag, every other for its tenant.
fn request(uri: &Text, fields: Skim) -> Option<Peek> {
    let (mut from, mut to) = (None, None);
    for (name, value) in fields {
        if matches!(name, Name::From) {
            from.get_or_insert(value);
        } else if matches!(name, Name::To) {
            to.get_or_insert(value);
        }
        if from.is_some() && to.is_some() {
            break;
        }
    }
    if let Some(tag) = NameAddr::written_tag(&to?).ok()? {
        return token::node_of(tag.as_bytes()).map(Peek::Node);
    }
    let from = NameAddr::parse(from?).ok()?.uri.host;
    Some(Peek::New { asked: Uri::parse(uri.clone()).ok()?.host, from })
}
