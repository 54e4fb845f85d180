//! How long a file and a function may be.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::source::{Source, planted, sources};
use crate::tree::{Offences, none};

/// Lines of a file, its tests not counted.
const FILE_MAX: usize = 600;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_MAX: usize = 70;

/// What is longer all the same, with its lines. The list may only shrink: a figure above the real one is an offence too.
const LONG: [(&str, usize); 0] = [];

/// A file or a function and its lines.
struct Length {
    name: String,
    lines: usize,
    max: usize,
}

fn lengths(source: &Source) -> Vec<Length> {
    let mut functions = Functions { source, found: Vec::new() };
    functions.visit_file(&source.syntax);
    let lines = (1..=source.text.lines().count()).filter(|line| !source.is_test(*line)).count();
    functions.found.push(Length { name: source.path.clone(), lines, max: FILE_MAX });
    functions.found
}

struct Functions<'a> {
    source: &'a Source,
    found: Vec<Length>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line + 1 - signature.span().start().line;
        let name = format!("{}: fn {}", self.source.path, signature.ident);
        self.found.push(Length { name, lines, max: FUNCTION_MAX });
    }
}

impl<'a> Visit<'a> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

fn too_long(lengths: &[Length], exceptions: &[(&str, usize)]) -> Offences {
    let mut offences = Offences::new();
    for Length { name, lines, max } in lengths {
        let allowed = exceptions.iter().find(|(exception, _)| exception == name).map(|(_, lines)| *lines);
        if *lines > allowed.unwrap_or(*max) {
            offences.push(format!("{name}: {lines} lines, at most {max}"));
        }
    }
    for (name, figure) in exceptions {
        let real = lengths.iter().find(|length| length.name == *name);
        if real.is_none_or(|length| length.lines < *figure || length.lines <= length.max) {
            offences.push(format!(
                "{name}: the exception of {figure} lines is too large by now; lower it or take it out"
            ));
        }
    }
    offences
}

#[test]
fn files_and_functions_are_short() {
    let lengths: Vec<Length> = sources().iter().flat_map(lengths).collect();
    none(&too_long(&lengths, &LONG));
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let long = "const A: u8 = 1;\n".repeat(601);
    assert_eq!(too_long(&lengths(&planted("a.rs", &long)), &[]).len(), 1);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(too_long(&lengths(&planted("a.rs", &tests)), &[]).is_empty());
}

#[test]
fn a_long_function_is_found_wherever_it_stands() {
    let body = "    g();\n".repeat(69);
    for (before, after) in [("", ""), ("impl S {\n", "}\n"), ("trait T {\n", "}\n"), ("mod m {\n", "}\n")] {
        let text = format!("{before}fn f() {{\n{body}}}\n{after}");
        assert_eq!(too_long(&lengths(&planted("a.rs", &text)), &[]), ["a.rs: fn f: 71 lines, at most 70"]);
    }
}

#[test]
fn an_exception_may_only_shrink() {
    let lengths = lengths(&planted("a.rs", &"const A: u8 = 1;\n".repeat(700)));
    assert!(too_long(&lengths, &[("a.rs", 700)]).is_empty());
    assert_eq!(too_long(&lengths, &[("a.rs", 699)]).len(), 1);
    assert_eq!(too_long(&lengths, &[("a.rs", 720)]).len(), 1);
    assert_eq!(too_long(&lengths, &[("a.rs", 700), ("gone.rs", 800)]).len(), 1);
}
