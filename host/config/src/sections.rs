//! Takes the people out of a file, so that they are read one at a time.
//!
//! As one document a file of a million people takes fifty times its size in memory. Their sections, `[tenants.T.users.U]`
//! and what is below it, depend on nothing else in the file, and are documents of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// A file, taken apart.
pub(crate) struct Sections<'t> {
    /// Everything but the people.
    pub(crate) rest: Cow<'t, str>,
    /// Where each part of the rest begins, in it and in the file.
    pub(crate) starts: Vec<(usize, usize)>,
    /// The people by tenant, in the order of the file.
    pub(crate) people: BTreeMap<&'t str, Vec<Section<'t>>>,
}

/// One person.
pub(crate) struct Section<'t> {
    pub(crate) user: &'t str,
    pub(crate) text: &'t str,
    /// Where the text begins in the file.
    pub(crate) start: usize,
}

/// Tenant and user.
type Person<'t> = (&'t str, &'t str);

impl<'t> Sections<'t> {
    /// Takes a file apart.
    pub(crate) fn of(text: &'t str) -> Self {
        let mut sections = Self { rest: Cow::Borrowed(""), starts: Vec::new(), people: BTreeMap::new() };
        let (mut current, mut from) = (None, 0);
        each_header(text, |start, person| {
            if person != current {
                sections.add(current, text, from, start);
                (current, from) = (person, start);
            }
        });
        sections.add(current, text, from, text.len());
        sections
    }

    /// Leaves a file as it is.
    pub(crate) fn whole(text: &'t str) -> Self {
        Self { rest: Cow::Borrowed(text), starts: vec![(0, 0)], people: BTreeMap::new() }
    }

    fn add(&mut self, person: Option<Person<'t>>, text: &'t str, start: usize, end: usize) {
        let piece = text.get(start..end).unwrap_or_default();
        match person {
            Some((tenant, user)) => {
                self.people.entry(tenant).or_default().push(Section { user, text: piece, start });
            }
            None => {
                self.starts.push((self.rest.len(), start));
                self.rest += piece;
            }
        }
    }
}

/// Finds the headers of tables at the beginning of lines, and whose they are.
fn each_header<'t>(text: &'t str, mut found: impl FnMut(usize, Option<Person<'t>>)) {
    let mut line: Vec<Token> = Vec::new();
    // Brackets that are open: within an array a line may begin with one.
    let mut open = 0_usize;
    for token in Source::new(text).lex() {
        if !matches!(token.kind(), TokenKind::Newline | TokenKind::Eof) {
            line.push(token);
            continue;
        }
        match header(text, &line, open) {
            Some((start, person)) => {
                open = 0;
                found(start, person);
            }
            None => open = line.iter().fold(open, |open, token| after(open, token.kind())),
        }
        line.clear();
    }
}

/// A name is no value, so that `[tenants.` at the beginning of a line is a header even where something before is not
/// closed.
fn header<'t>(text: &'t str, line: &[Token], open: usize) -> Option<(usize, Option<Person<'t>>)> {
    let is_blank = |token: &&Token| matches!(token.kind(), TokenKind::Whitespace | TokenKind::Comment);
    let mut words = line.iter().filter(|token| !is_blank(token));
    let start = words.next().filter(|token| token.kind() == TokenKind::LeftSquareBracket)?.span().start();
    let mut names = [""; 4];
    for (index, name) in names.iter_mut().enumerate() {
        let Some(word) = words.next().filter(|word| word.kind() == TokenKind::Atom) else { break };
        *name = text.get(word.span().start()..word.span().end()).unwrap_or_default();
        if index < 3 && words.next().is_none_or(|word| word.kind() != TokenKind::Dot) {
            break;
        }
    }
    match names {
        ["tenants", tenant, "users", user] if !user.is_empty() => Some((start, Some((tenant, user)))),
        ["tenants", tenant, ..] if !tenant.is_empty() => Some((start, None)),
        _ => (open == 0).then_some((start, None)),
    }
}

fn after(open: usize, kind: TokenKind) -> usize {
    match kind {
        TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open + 1,
        TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => open.saturating_sub(1),
        TokenKind::Dot
        | TokenKind::Equals
        | TokenKind::Comma
        | TokenKind::Whitespace
        | TokenKind::Comment
        | TokenKind::Newline
        | TokenKind::LiteralString
        | TokenKind::BasicString
        | TokenKind::MlLiteralString
        | TokenKind::MlBasicString
        | TokenKind::Atom
        | TokenKind::Eof => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> Vec<String> {
        let sections = Sections::of(text);
        let people = sections.people.iter().flat_map(|(tenant, people)| {
            people.iter().map(move |person| format!("{tenant}/{}: {}", person.user, person.text.trim_end()))
        });
        let rest = std::iter::once(format!("rest: {}", sections.rest.trim_end()));
        rest.chain(people).collect()
    }

    #[test]
    fn sections_of_people_are_taken_out_with_what_is_below_them() {
        assert_eq!(
            people(
                "a = 1\n[tenants.t]\n[tenants.t.users.x]\nb = 2\n[tenants.t.users.x.devices.d]\nc = 3\n\
                 \t[ tenants . t . users . y ] # z\n[tenants.t.groups.g]\nd = 4\n"
            ),
            [
                "rest: a = 1\n[tenants.t]\n[tenants.t.groups.g]\nd = 4",
                "t/x: [tenants.t.users.x]\nb = 2\n[tenants.t.users.x.devices.d]\nc = 3",
                "t/y: [ tenants . t . users . y ] # z",
            ]
        );
    }

    #[test]
    fn what_only_looks_like_a_header_is_none() {
        let text = "a = [\n[1],\n[2]]\nb = '''\n[tenants.t.users.x]\n'''\n#\n# [tenants.t.users.y]\nc = 1\n";
        assert_eq!(people(text), [format!("rest: {}", text.trim_end())]);
        assert_eq!(people("[[tenants.t.users.x]]\n")[0], "rest: [[tenants.t.users.x]]");
    }

    #[test]
    fn what_is_not_closed_reaches_no_further_than_its_section() {
        let found = people("[tenants.t.users.x]\na = [\n[tenants.t.users.y]\nb = 1\n");
        assert_eq!(found, ["rest: ", "t/x: [tenants.t.users.x]\na = [", "t/y: [tenants.t.users.y]\nb = 1"]);
    }
}
