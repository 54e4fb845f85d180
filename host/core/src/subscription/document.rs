//! The documents of `as-feature-event`, XML of ECMA-323 as phones and switches write it.
//!
//! What comes in is hostile: it is short, flat, and without a document type, or it is nothing.

use roxmltree::{Document, Node, ParsingOptions};

use super::change::Wanted;
use super::features::Forward;
use crate::forwarding::{Condition, RINGS_MAX};
use crate::names::Extension;

/// The longest document that is read, in bytes.
pub(super) const DOCUMENT_MAX: usize = 4 * 1024;
/// Its most nodes, texts between its elements counted.
const NODES_MAX: u32 = 40;
/// How deep it may be.
const DEPTH_MAX: usize = 4;
/// The longest number that calls may be sent to, in characters.
const NUMBER_MAX: usize = 128;
/// Without this namespace some phones stop, and some start anew.
const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// The conditions that phones have keys for, and their words for them.
pub(super) const TYPES: [(Condition, &str); 3] = [
    (Condition::Always, "forwardImmediate"),
    (Condition::Busy, "forwardBusy"),
    (Condition::NoAnswer, "forwardNoAns"),
];

/// Why a document says nothing that can be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentError {
    /// Longer than any that phones send.
    #[error("a document of more than {DOCUMENT_MAX} bytes")]
    TooLong,
    /// No XML, or more of it than is looked at.
    #[error("no document: {0}")]
    NotXml(#[from] roxmltree::Error),
    /// Elements within elements within elements.
    #[error("a document deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Nothing that can be set here.
    #[error("neither SetDoNotDisturb nor SetForwarding")]
    Unknown,
    /// An element is not there.
    #[error("no {0}")]
    Missing(&'static str),
    /// An element is there twice.
    #[error("more than one {0}")]
    Repeated(&'static str),
    /// An element says what it cannot say.
    #[error("{0} says nothing that is known")]
    Wrong(&'static str),
}

/// Reads what a phone wants.
pub(super) fn read(body: &[u8]) -> Result<Wanted, DocumentError> {
    if body.len() > DOCUMENT_MAX {
        return Err(DocumentError::TooLong);
    }
    // Most phones declare ISO 8859-1, of which every byte is the character of its number.
    let text = std::str::from_utf8(body)
        .map_or_else(|_| body.iter().map(|byte| char::from(*byte)).collect(), str::to_owned);
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options)?;
    if document.descendants().any(|node| node.ancestors().count() > DEPTH_MAX + 1) {
        return Err(DocumentError::TooDeep);
    }
    let root = document.root_element();
    match root.tag_name().name() {
        "SetDoNotDisturb" => Ok(Wanted::DoNotDisturb(flag(root, "doNotDisturbOn")?)),
        "SetForwarding" => forward(root),
        _ => Err(DocumentError::Unknown),
    }
}

fn forward(root: Node<'_, '_>) -> Result<Wanted, DocumentError> {
    let kind = text_of(root, "forwardingType")?.ok_or(DocumentError::Missing("forwardingType"))?;
    let known = TYPES.into_iter().find(|(_, word)| *word == kind);
    let (condition, _) = known.ok_or(DocumentError::Wrong("forwardingType"))?;
    let active = flag(root, "activateForward")?;
    let to = text_of(root, "forwardDN")?.filter(|to| !to.is_empty());
    if to.as_ref().is_some_and(|to| to.len() > NUMBER_MAX) {
        return Err(DocumentError::Wrong("forwardDN"));
    }
    let rings = text_of(root, "ringCount")?.filter(|rings| !rings.is_empty());
    let rings = rings.map(|rings| rings.parse::<u32>().ok().filter(|rings| *rings <= RINGS_MAX));
    let rings = rings.map(|rings| rings.ok_or(DocumentError::Wrong("ringCount"))).transpose()?;
    // None at all is how phones say that it is not theirs to say.
    Ok(Wanted::Forward { condition, active, to, rings: rings.filter(|rings| *rings > 0) })
}

fn flag(root: Node<'_, '_>, name: &'static str) -> Result<bool, DocumentError> {
    match text_of(root, name)?.as_deref() {
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(DocumentError::Wrong(name)),
        None => Err(DocumentError::Missing(name)),
    }
}

/// The text of the one child of that name, in whatever namespace: there are two spellings of it about.
fn text_of(root: Node<'_, '_>, name: &'static str) -> Result<Option<String>, DocumentError> {
    let mut found = root.children().filter(|child| child.is_element() && child.tag_name().name() == name);
    let first = found.next();
    if found.next().is_some() {
        return Err(DocumentError::Repeated(name));
    }
    Ok(first.map(|first| first.text().unwrap_or_default().trim().to_owned()))
}

/// The document that shows do-not-disturb.
pub(super) fn do_not_disturb(device: &Extension, is_on: bool) -> String {
    document("DoNotDisturbEvent", device, &[("doNotDisturbOn", Some(is_on.to_string()))])
}

/// The document that shows one condition of forwarding.
pub(super) fn forwarding(device: &Extension, kind: &str, forward: &Forward) -> String {
    let fields = [
        ("forwardingType", Some(kind.to_owned())),
        ("forwardStatus", Some(forward.active.to_string())),
        ("forwardTo", forward.to.clone()),
        ("ringCount", forward.rings.map(|rings| rings.to_string())),
    ];
    document("ForwardingEvent", device, &fields)
}

fn document(root: &str, device: &Extension, fields: &[(&str, Option<String>)]) -> String {
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", escaped(text));
    let fields: String =
        fields.iter().filter_map(|(name, text)| Some(element(name, text.as_deref()?))).collect();
    let device = element("device", device.as_str());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<{root} xmlns=\"{NAMESPACE}\">{device}{fields}</{root}>\r\n"
    )
}

/// Text that is no markup, in characters that every encoding has; what XML has no place for is left out.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            ' '..='~' => written.push(c),
            c if c.is_control() => {}
            c => written.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    written
}

#[cfg(test)]
mod tests;
