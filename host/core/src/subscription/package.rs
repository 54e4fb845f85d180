//! The event packages: their names, and what they tell. Another package is another variant of both enums.

use callwright_sip::Text;

use super::features::Features;
use crate::config::Tenant;
use crate::names::Extension;
use crate::view::View;

/// The packages there are, as Allow-Events says it (RFC 6665 §8.2.2).
pub(crate) const ALLOW_EVENTS: &str = "as-feature-event";

/// An event package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// The keys of desk phones for do-not-disturb and forwarding.
    Features,
}

impl Package {
    const ALL: [Self; 1] = [Self::Features];

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name().as_bytes() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Features => "as-feature-event",
        }
    }

    /// The type of its documents, both ways.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Features => "application/x-as-feature-event+xml",
        }
    }

    /// What there is to tell a device; none where it is nobody's any more.
    pub(super) fn state(self, view: &View, tenant: &Tenant, device: &Extension) -> Option<State> {
        match self {
            Self::Features => Features::of(view, tenant, device).map(State::Features),
        }
    }
}

/// What a package tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Of [`Package::Features`].
    Features(Features),
}

impl State {
    /// Its documents: all of them, or those that are other than before.
    pub(super) fn documents(&self, device: &Extension, since: Option<&Self>) -> Vec<String> {
        match (self, since) {
            (Self::Features(features), None) => features.documents(device, None),
            (Self::Features(features), Some(Self::Features(since))) => {
                features.documents(device, Some(since))
            }
        }
    }
}

/// One body of some documents: the document itself, or a part for each (RFC 2046 §5.1.3). None where there is none.
pub(super) fn body(package: Package, documents: &[String]) -> Option<(Text, String)> {
    let kind = package.content_type();
    match documents {
        [] => None,
        [one] => Some((Text::from_static(kind), one.clone())),
        several => {
            let part = |document: &String| {
                let length = document.len();
                format!(
                    "--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{document}\r\n"
                )
            };
            let parts: String = several.iter().map(part).collect();
            let kind = format!("multipart/mixed;boundary={BOUNDARY}");
            Some((kind.into(), format!("{parts}--{BOUNDARY}--\r\n")))
        }
    }
}

/// What stands between two documents, and in none of them.
const BOUNDARY: &str = "callwright-part";
