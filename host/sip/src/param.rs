//! `;name=value` parameters of URIs and headers, kept as written.

use crate::grammar::{self, ValueError};
use crate::text::Text;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// One parameter as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Param {
    name: Text,
    value: Option<Text>,
}

/// Parameters in their order; names are compared without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Params(Vec<Param>);

impl Params {
    /// The value without its quotes; empty where the parameter stands alone, as in `;lr`.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let param = self.find(name)?;
        Some(match &param.value {
            None => Cow::Borrowed(""),
            Some(value) if value.as_bytes().first() == Some(&b'"') => {
                Cow::Owned(grammar::unquote(value.as_bytes()))
            }
            Some(value) => value.lossy(),
        })
    }

    /// The value as it was written, quotes included; `None` also where the parameter stands alone.
    pub fn raw(&self, name: &str) -> Option<&Text> {
        self.find(name)?.value.as_ref()
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets a parameter, in quotes where the value is no token and no host.
    pub fn set(&mut self, name: &str, value: &str) {
        let plain = !value.is_empty()
            && value.bytes().all(|byte| grammar::is_token_byte(byte) || b"[]:".contains(&byte));
        let value = if plain { Text::from(value) } else { Text::from(grammar::quote(value)) };
        self.put(name, Some(value));
    }

    /// Sets a parameter without a value, as `;lr` or `;rport` in a request.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|param| !param.name.eq_ignore_case(name));
    }

    /// Names and values as written.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, Option<&Text>)> {
        self.0.iter().map(|param| (&param.name, param.value.as_ref()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|param| param.name.eq_ignore_case(name))
    }

    fn put(&mut self, name: &str, value: Option<Text>) {
        match self.0.iter_mut().find(|param| param.name.eq_ignore_case(name)) {
            Some(param) => param.value = value,
            None => self.0.push(Param { name: Text::from(name), value }),
        }
    }

    /// Reads what stands after a value, in this part of the text: nothing, or `;` and parameters, with white space
    /// wherever it may be.
    pub(crate) fn parse(text: &Text, part: Range<usize>) -> Result<Self, ValueError> {
        let mut params = Vec::new();
        scan(text.as_bytes(), part, |name, value| {
            params.push(Param { name: text.slice(name), value: value.map(|value| text.slice(value)) });
        })?;
        Ok(Self(params))
    }

    /// The value of one parameter as it was written, without keeping the others.
    pub(crate) fn written(
        text: &Text,
        part: Range<usize>,
        wanted: &[u8],
    ) -> Result<Option<Text>, ValueError> {
        let bytes = text.as_bytes();
        let mut found = None;
        scan(bytes, part, |name, value| {
            if found.is_none() && bytes.get(name).is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
                found = Some(value);
            }
        })?;
        Ok(found.flatten().map(|value| text.slice(value)))
    }
}

/// Finds where names and values stand.
fn scan(
    bytes: &[u8],
    part: Range<usize>,
    mut found: impl FnMut(Range<usize>, Option<Range<usize>>),
) -> Result<(), ValueError> {
    let bytes = bytes.get(..part.end).unwrap_or_default();
    let mut at = skip_space(bytes, part.start);
    while let Some(byte) = bytes.get(at) {
        if *byte != b';' {
            return Err(ValueError::Byte(*byte));
        }
        let start = skip_space(bytes, at + 1);
        let name_end = end_of_name(bytes, start);
        at = skip_space(bytes, name_end);
        if name_end == start {
            // An empty parameter, as in `;;lr` or a `;` at the end, is common and means nothing.
            continue;
        }
        let value = if bytes.get(at) == Some(&b'=') {
            let value_start = skip_space(bytes, at + 1);
            let value_end = end_of_value(bytes, value_start)?;
            at = skip_space(bytes, value_end);
            Some(value_start..value_end)
        } else {
            None
        };
        found(start..name_end, value);
    }
    Ok(())
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|param| match &param.value {
            Some(value) => write!(f, ";{}={value}", param.name),
            None => write!(f, ";{}", param.name),
        })
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).copied().is_some_and(grammar::is_space) {
        at += 1;
    }
    at
}

/// Names of URI parameters may hold `[]/:&+$` beside token bytes (RFC 3261 §25.1 `paramchar`).
fn end_of_name(bytes: &[u8], start: usize) -> usize {
    static NAME: grammar::Bytes = grammar::Bytes::alphanumeric_and(b"-.!%*_+`'~[]/:&$()");
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().position(|byte| !NAME.has(*byte)).map_or(bytes.len(), |length| start + length)
}

fn end_of_value(bytes: &[u8], start: usize) -> Result<usize, ValueError> {
    if bytes.get(start) == Some(&b'"') {
        return grammar::end_of_quoted(bytes, start);
    }
    let ends = |byte: &u8| grammar::is_space(*byte) || matches!(byte, b';' | b',' | b'"' | b'<' | b'>');
    let rest = bytes.get(start..).unwrap_or_default();
    let end = rest.iter().position(ends).map_or(bytes.len(), |length| start + length);
    if end == start {
        return Err(ValueError::Empty);
    }
    Ok(end)
}
