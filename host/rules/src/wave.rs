//! Values as WAVE text for the journal. A handle is written as a string of kind and name: `"user:ana"`.

use std::fmt::Write as _;

use wasmtime::component::Resource;

use crate::handle::Named;
use crate::state::RunState;

/// A value that the journal can write.
pub(crate) trait Wave {
    /// Writes the value.
    fn wave(&self, run: &RunState, out: &mut String);

    /// Bytes of text in it, where it comes from the guest.
    fn text_bytes(&self) -> usize {
        0
    }
}

/// Writes arguments as a tuple.
pub(crate) fn tuple(run: &RunState, values: &[&dyn Wave], out: &mut String) {
    out.push('(');
    sequence(run, values.iter().copied(), out);
    out.push(')');
}

/// Writes a case with its payload: `refused(17)`.
pub(crate) fn case(run: &RunState, name: &str, payload: &dyn Wave, out: &mut String) {
    out.push_str(name);
    out.push('(');
    payload.wave(run, out);
    out.push(')');
}

fn sequence<'a>(run: &RunState, values: impl Iterator<Item = &'a dyn Wave>, out: &mut String) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        value.wave(run, out);
    }
}

impl Wave for () {
    fn wave(&self, _: &RunState, _: &mut String) {}
}

impl Wave for bool {
    fn wave(&self, _: &RunState, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Wave for $number {
            fn wave(&self, _: &RunState, out: &mut String) {
                // Writing into a string does not fail.
                let _written = write!(out, "{self}");
            }
        }
    )* };
}

numbers!(u8, u16, u32, i16, i32);

impl Wave for String {
    fn wave(&self, _: &RunState, out: &mut String) {
        quoted(self, out);
    }

    fn text_bytes(&self) -> usize {
        self.len()
    }
}

impl<T: Wave> Wave for Option<T> {
    fn wave(&self, run: &RunState, out: &mut String) {
        match self {
            Some(value) => case(run, "some", value, out),
            None => out.push_str("none"),
        }
    }
}

impl<T: Wave, E: Wave> Wave for Result<T, E> {
    fn wave(&self, run: &RunState, out: &mut String) {
        let (name, payload): (&str, &dyn Wave) = match self {
            Ok(value) => ("ok", value),
            Err(error) => ("err", error),
        };
        out.push_str(name);
        out.push('(');
        let before = out.len();
        payload.wave(run, out);
        if out.len() == before {
            // A case without a payload has no brackets.
            out.pop();
        } else {
            out.push(')');
        }
    }
}

impl<T: Wave> Wave for Vec<T> {
    fn wave(&self, run: &RunState, out: &mut String) {
        out.push('[');
        sequence(run, self.iter().map(|value| value as &dyn Wave), out);
        out.push(']');
    }
}

impl<T: Named + 'static> Wave for Resource<T> {
    fn wave(&self, run: &RunState, out: &mut String) {
        match run.table.get(self) {
            Ok(value) => value.name().wave(run, out),
            Err(_) => out.push_str("\"unknown\""),
        }
    }
}

/// Writes a text between quotation marks. Nearly all texts are plain; a hostile one may be nothing but escapes, so that each of
/// those has to be cheap too.
fn quoted(text: &str, out: &mut String) {
    let mut written = 0;
    out.push('"');
    for (at, special) in text.char_indices().filter(|(_, c)| matches!(c, '"' | '\\') || c.is_control()) {
        out.push_str(&text[written..at]);
        written = at + special.len_utf8();
        match special {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control => numbered(control, out),
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
}

/// Writes a control character by its number: `\u{1b}`.
fn numbered(control: char, out: &mut String) {
    let code = u32::from(control);
    out.push_str("\\u{");
    // None has more than two digits (Unicode, category Cc).
    if code > 0xf {
        out.extend(char::from_digit(code >> 4, 16));
    }
    out.extend(char::from_digit(code & 0xf, 16));
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_plain_but_for_what_has_to_be_escaped() {
        for (text, written) in [
            ("", "\"\""),
            ("plain", "\"plain\""),
            ("say \"no\"", "\"say \\\"no\\\"\""),
            ("a\\b\tc\r\n", "\"a\\\\b\\tc\\r\\n\""),
            ("gr\u{fc}n \u{1f4de}", "\"gr\u{fc}n \u{1f4de}\""),
        ] {
            let mut out = String::new();
            quoted(text, &mut out);
            assert_eq!(out, written, "{text:?}");
        }
    }

    #[test]
    fn every_control_character_is_written_by_its_number() {
        for control in (char::MIN..=char::MAX).filter(|c| c.is_control() && !['\t', '\n', '\r'].contains(c)) {
            let mut out = String::new();
            quoted(&format!("a{control}b"), &mut out);
            assert_eq!(out, format!("\"a\\u{{{:x}}}b\"", u32::from(control)));
        }
    }
}
