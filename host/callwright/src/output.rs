//! The one writer of what people and scripts read: plain text, colour on a terminal, or JSON.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::error::UserError;

/// Where a verb writes its result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
    colour_errors: bool,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Good,
    Bad,
    Strong,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[1;31m",
            Self::Strong => "\u{1b}[1m",
        }
    }
}

impl Output {
    /// A writer for this process; `NO_COLOR` is respected.
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            colour: wanted && std::io::stdout().is_terminal(),
            colour_errors: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// Whether a script reads this.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Text in a style, where the reader is a terminal.
    pub(crate) fn styled(&self, style: Style, text: impl Display) -> String {
        paint(self.colour, style, text)
    }

    /// A line for people; scripts do not get it.
    pub(crate) fn line(&self, text: impl Display) {
        if !self.json {
            write_line(&text);
        }
    }

    /// The result: a value for scripts, else the words for people.
    pub(crate) fn result(&self, value: &impl Serialize, words: impl FnOnce() -> String) {
        if !self.json {
            write_line(&words());
            return;
        }
        match serde_json::to_string_pretty(value) {
            Ok(text) => write_line(&text),
            Err(error) => {
                self.error(&UserError::outside("the result cannot be written as JSON").because(error));
            }
        }
    }

    /// An error, on standard error.
    pub(crate) fn error(&self, error: &UserError) {
        let text = if self.json { error_json(error) } else { self.error_text(error) };
        // Nobody can be told that standard error is gone.
        let _closed = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Something to know while the program goes on, on standard error.
    pub(crate) fn warning(&self, text: impl Display) {
        let _closed = writeln!(
            std::io::stderr().lock(),
            "{} {text}",
            paint(self.colour_errors, Style::Bad, "warning:")
        );
    }

    fn error_text(&self, error: &UserError) -> String {
        let text = error.to_string();
        match text.split_once(": ") {
            Some((head, rest)) => format!("{}: {rest}", paint(self.colour_errors, Style::Bad, head)),
            None => text,
        }
    }
}

/// Columns as wide as their widest cell; the last one runs free.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

fn paint(colour: bool, style: Style, text: impl Display) -> String {
    if colour { format!("{}{text}\u{1b}[0m", style.code()) } else { text.to_string() }
}

fn write_line(text: &impl Display) {
    let mut out = std::io::stdout().lock();
    // A reader such as `head` may have closed the pipe; then nobody is there to read, and that is no error.
    let _closed = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn error_json(error: &UserError) -> String {
    #[derive(Serialize)]
    struct Body<'e> {
        code: &'e str,
        what: &'e str,
        cause: &'e [String],
        hint: Option<&'e str>,
    }
    let UserError { code, what, cause, hint, exit: _ } = error;
    let body = Body { code, what, cause, hint: hint.as_deref() };
    let text = serde_json::to_string(&serde_json::json!({ "error": body }));
    text.unwrap_or_else(|_| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned()], vec!["bbb".to_owned(), String::new()]];
        assert_eq!(table(&["x", "y"], &rows), "x    y\na    long cell\nbbb");
    }
}
