//! A Rust file taken apart once: its syntax, its comments, and which of its lines are tests.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;

use crate::tree::{File, files};

/// A Rust file.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
    pub(crate) comments: Vec<Comment>,
    /// The lines, from 1, of items that exist in tests alone.
    pub(crate) test_lines: BTreeSet<usize>,
}

/// Comment lines that follow one another, without their slashes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) is_doc: bool,
    pub(crate) lines: Vec<String>,
}

impl Comment {
    /// The words of all its lines.
    pub(crate) fn joined(&self) -> String {
        self.lines.join(" ")
    }
}

/// All Rust files of the repository.
pub(crate) fn sources() -> Vec<Source> {
    let parsed =
        files(".rs").into_iter().map(|file| Source::parse(file).unwrap_or_else(|error| panic!("{error}")));
    let mut sources: Vec<Source> = parsed.collect();
    // A module declared under `cfg(test)` is a test file, whatever stands in it.
    let declared: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if declared.contains(&source.path) || source.path.split('/').any(|part| part == "tests") {
            source.test_lines = (1..=source.text.lines().count()).collect();
        }
    }
    sources
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn parse(file: File) -> Result<Self, String> {
        let File { path, text } = file;
        let wrong = |error: &dyn std::fmt::Display| format!("{path}: cannot be parsed: {error}");
        let syntax = syn::parse_file(&text).map_err(|error| wrong(&error))?;
        let tokens = TokenStream::from_str(&text).map_err(|error| wrong(&error))?;
        let comments = comments(&text, tokens);
        let mut tests = TestLines::default();
        syn::visit::visit_file(&mut tests, &syntax);
        Ok(Self { path, text, syntax, comments, test_lines: tests.0 })
    }

    /// Whether a line is part of a test.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.contains(&line)
    }
}

/// A file for the checks' own tests.
pub(crate) fn planted(path: &str, text: &str) -> Source {
    Source::parse(File { path: path.to_owned(), text: text.to_owned() }).unwrap()
}

/// Comments are what tokens leave out, and tokens whose text is a doc comment.
fn comments(text: &str, tokens: TokenStream) -> Vec<Comment> {
    let mut ranges = Vec::new();
    leaves(tokens, &mut ranges);
    let mut raw = Vec::new();
    let mut end = 0;
    for range in ranges {
        if range.start >= end {
            raw.extend(in_gap(text, end, range.start));
            if text[range.clone()].starts_with("//") {
                raw.push(range.clone());
            }
        }
        end = end.max(range.end);
    }
    raw.extend(in_gap(text, end, text.len()));
    let mut comments: Vec<Comment> = Vec::new();
    for range in raw {
        let line = text[..range.start].matches('\n').count() + 1;
        let body = &text[range];
        let is_doc = body.starts_with("///") || body.starts_with("//!");
        let stripped = body.trim_start_matches('/').trim_start_matches('!').trim().to_owned();
        match comments.last_mut() {
            Some(last) if last.line + last.lines.len() == line && last.is_doc == is_doc => {
                last.lines.push(stripped);
            }
            Some(_) | None => comments.push(Comment { line, is_doc, lines: vec![stripped] }),
        }
    }
    comments
}

fn leaves(tokens: TokenStream, ranges: &mut Vec<std::ops::Range<usize>>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                ranges.push(group.span_open().byte_range());
                leaves(group.stream(), ranges);
                ranges.push(group.span_close().byte_range());
            }
            TokenTree::Ident(it) => ranges.push(it.span().byte_range()),
            TokenTree::Punct(it) => ranges.push(it.span().byte_range()),
            TokenTree::Literal(it) => ranges.push(it.span().byte_range()),
        }
    }
}

fn in_gap(text: &str, from: usize, to: usize) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(start) = text[at..to].find("//").map(|offset| at + offset) {
        let end = text[start..to].find('\n').map_or(to, |offset| start + offset);
        found.push(start..end);
        at = end;
    }
    found
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let arguments = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        attribute.path().is_ident("test") || (attribute.path().is_ident("cfg") && arguments == "test")
    })
}

#[derive(Default)]
struct TestLines(BTreeSet<usize>);

impl TestLines {
    fn add(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) {
        if is_test_only(attributes) {
            let span = item.span();
            self.0.extend(span.start().line..=span.end().line);
        }
    }
}

impl<'a> syn::visit::Visit<'a> for TestLines {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.add(&item.attrs, item);
        syn::visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add(&item.attrs, item);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        self.add(&item.attrs, item);
    }
}

/// The files that a file declares as modules of tests.
fn test_modules(source: &Source) -> Vec<String> {
    let Some((folder, name)) = source.path.rsplit_once('/') else { return Vec::new() };
    let stem = name.trim_end_matches(".rs");
    let inner =
        if ["lib", "main", "mod"].contains(&stem) { folder.to_owned() } else { format!("{folder}/{stem}") };
    let mut declared = Vec::new();
    for item in &source.syntax.items {
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
            && is_test_only(&module.attrs)
        {
            declared.push(format!("{inner}/{}.rs", module.ident));
        }
    }
    declared
}

#[test]
fn comments_are_told_from_text_that_looks_like_them() {
    let text = "//! One\n//! two.\n\n// plain\nfn f() -> &'static str {\n    \"// no comment\" // at the end\n}\n/// Doc.\nfn g() {}\n";
    let found = planted("a.rs", text).comments;
    let lines: Vec<(usize, String)> = found.iter().map(|it| (it.line, it.joined())).collect();
    let expected = [(1, "One two."), (4, "plain"), (6, "at the end"), (8, "Doc.")];
    assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn lines_of_tests_are_known() {
    let source = planted("a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n}\n#[test]\nfn t() {\n}\n");
    assert_eq!(source.test_lines, (2..=7).collect());
    let declares = planted("host/sip/src/framer.rs", "#[cfg(test)]\nmod tests;\nmod other;\n");
    assert_eq!(test_modules(&declares), ["host/sip/src/framer/tests.rs"]);
}
