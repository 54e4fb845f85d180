//! When two URIs are the same (RFC 3261 §19.1.4, RFC 3966 §4).

use super::{Scheme, Uri};
use crate::grammar;
use crate::text::Text;
use std::collections::BTreeMap;

/// Parameters that must be in both URIs or in neither (RFC 3261 §19.1.4).
const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri {
    /// Whether both name the same thing by RFC 3261 §19.1.4; `==` compares the text of the parts instead.
    pub fn same_as(&self, other: &Self) -> bool {
        match (&self.scheme, &other.scheme) {
            (Scheme::Tel, Scheme::Tel) => digits(self) == digits(other) && decoded(self) == decoded(other),
            (Scheme::Other(ours), Scheme::Other(theirs)) => ours == theirs && self.user == other.user,
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => {
                self.user == other.user
                    && self.password == other.password
                    && self.host == other.host
                    && self.port == other.port
                    && same_params(self, other)
                    && same_headers(self.headers.as_ref(), other.headers.as_ref())
            }
            (Scheme::Sip | Scheme::Sips | Scheme::Tel | Scheme::Other(_), _) => false,
        }
    }
}

/// Visual separators of a number mean nothing (RFC 3966 §5.1.1).
fn digits(uri: &Uri) -> String {
    let number = uri.user.as_deref().unwrap_or_default();
    number.chars().filter(|character| !"-.()".contains(*character)).flat_map(char::to_lowercase).collect()
}

/// Names in lower case and values without escapes and case, for neither counts.
fn decoded(uri: &Uri) -> BTreeMap<String, String> {
    let lower = |text: &Text| {
        let bytes = grammar::unescape(text.as_bytes()).unwrap_or_else(|_| text.as_bytes().to_vec());
        String::from_utf8_lossy(&bytes).to_lowercase()
    };
    uri.params.iter().map(|(name, value)| (lower(name), value.map(lower).unwrap_or_default())).collect()
}

fn same_params(ours: &Uri, theirs: &Uri) -> bool {
    let (ours, theirs) = (decoded(ours), decoded(theirs));
    let in_both_agree = ours.iter().all(|(name, value)| theirs.get(name).is_none_or(|other| other == value));
    in_both_agree && NEVER_IGNORED.iter().all(|name| ours.contains_key(*name) == theirs.contains_key(*name))
}

fn same_headers(ours: Option<&Text>, theirs: Option<&Text>) -> bool {
    let fields = |text: Option<&Text>| {
        let bytes = text.map_or(&b""[..], Text::as_bytes);
        let mut fields: Vec<Vec<u8>> = bytes
            .split(|byte| *byte == b'&')
            .map(|field| grammar::unescape(field).unwrap_or_else(|_| field.to_vec()).to_ascii_lowercase())
            .collect();
        fields.sort();
        fields
    };
    fields(ours) == fields(theirs)
}
