//! What the compiler's lints cannot say: nothing is silenced without a reason, no test is ignored, the machines of host/ own
//! no socket, thread or timer, and the lists of banned calls differ only where they may.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::source::{Source, planted, sources};
use crate::tree::{File, Offences, files, none, root};

/// What no crate under host/ may name, the binary excepted; clippy sees the calls, this sees the names.
const BANNED: [&str; 6] = [
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::time::Instant",
    "tokio::net",
    "tokio::time",
];

/// What they may not name outside their tests: a test may kill a process to see what it leaves behind, and hand a value
/// from thread to thread.
const BANNED_BUT_IN_TESTS: [&str; 2] = ["std::process::Command", "std::thread"];

/// What layers 0 and 1 may not name outside their tests either: they do no input or output.
const BANNED_BELOW: [&str; 3] = ["std::env", "std::fs", "std::time::SystemTime"];

/// The reasons in clippy.toml that the binary, xtask and the tests are spared.
const LIFTED: [&str; 5] = ["clocks:", "time passes", "threads belong", "sockets belong", "randomness is"];

struct Reader<'a> {
    source: &'a Source,
    banned: Vec<&'static str>,
    found: Offences,
}

impl Reader<'_> {
    fn at(&mut self, item: &impl Spanned, what: &str) {
        self.found.push(format!("{}:{}: {what}", self.source.path, item.span().start().line));
    }

    fn named(&mut self, item: &impl Spanned, path: &str) {
        let is_test = self.source.is_test(item.span().start().line);
        for banned in self.banned.clone() {
            let spares_tests = !BANNED.contains(&banned);
            if (path == banned || path.starts_with(&format!("{banned}::"))) && !(spares_tests && is_test) {
                self.at(item, &format!("`{banned}` belongs to the binary"));
            }
        }
    }

    fn used(&mut self, tree: &syn::UseTree, before: &str) {
        let joined = |ident: &syn::Ident| {
            if before.is_empty() { ident.to_string() } else { format!("{before}::{ident}") }
        };
        match tree {
            syn::UseTree::Path(path) => self.used(&path.tree, &joined(&path.ident)),
            syn::UseTree::Name(name) => self.named(name, &joined(&name.ident)),
            syn::UseTree::Rename(name) => self.named(name, &joined(&name.ident)),
            syn::UseTree::Glob(glob) => self.named(glob, before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.used(tree, before)),
        }
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        let words = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            syn::Meta::Path(_) | syn::Meta::NameValue(_) => String::new(),
        };
        let path = attribute.path();
        if path.is_ident("ignore") {
            self.at(attribute, "an ignored test: a flaky test is a bug in the core");
        } else if path.is_ident("allow") || (path.is_ident("cfg_attr") && words.contains("allow (")) {
            self.at(attribute, "`allow`: write `#[expect(lint, reason = \"…\")]`");
        } else if path.is_ident("expect") && !words.contains("reason =") {
            self.at(attribute, "`expect` without a reason");
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.used(&item.tree, "");
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.named(path, &words.join("::"));
        syn::visit::visit_path(self, path);
    }
}

fn offences(source: &Source) -> Offences {
    let machine = source.path.starts_with("host/") && !source.path.starts_with("host/callwright/");
    let below =
        ["host/sip/", "host/media/", "host/core/"].iter().any(|folder| source.path.starts_with(folder));
    let above = BANNED.iter().chain(&BANNED_BUT_IN_TESTS).filter(|_| machine);
    let banned = above.chain(BANNED_BELOW.iter().filter(|_| below)).copied().collect();
    let mut reader = Reader { source, banned, found: Offences::new() };
    reader.visit_file(&source.syntax);
    let tokens = TokenStream::from_str(&source.text).unwrap();
    unwritten(tokens, &mut |line| {
        reader.found.push(format!("{}:{line}: code that is not written", source.path));
    });
    reader.found
}

/// Finds the macros that stand for missing code, inside other macros too.
fn unwritten(tokens: TokenStream, found: &mut impl FnMut(usize)) {
    let mut before: Option<proc_macro2::Ident> = None;
    for token in tokens {
        let is_call = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '!');
        if let Some(name) =
            before.take().filter(|name| is_call && (name == "todo" || name == "unimplemented"))
        {
            found(name.span().start().line);
        }
        match token {
            TokenTree::Ident(name) => before = Some(name),
            TokenTree::Group(group) => unwritten(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The entries and settings of a `clippy.toml`.
fn entries(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn lifted_offences(strict: &str, lifted: &str) -> Offences {
    let (strict, lifted) = (entries(strict), entries(lifted));
    let may_lift = |line: &&&str| !LIFTED.iter().any(|reason| line.contains(&format!("reason = \"{reason}")));
    let missing = strict.difference(&lifted).filter(may_lift).map(|line| format!("is lifted too: {line}"));
    let added = lifted.difference(&strict).map(|line| format!("is not in the root clippy.toml: {line}"));
    missing.chain(added).collect()
}

#[test]
fn nothing_is_silenced_ignored_or_left_unwritten_and_machines_own_no_clock() {
    none(&sources().iter().flat_map(offences).collect());
}

#[test]
fn lists_of_banned_calls_differ_in_clocks_threads_and_sockets_alone() {
    let strict = std::fs::read_to_string(root().join("clippy.toml")).unwrap();
    let mut lifted = files("/clippy.toml");
    assert_eq!(lifted.len(), 3, "the binary, xtask and the tests");
    lifted.retain(|file| !lifted_offences(&strict, &file.text).is_empty());
    assert!(lifted.is_empty(), "{:?}", lifted.iter().map(|file| &file.path).collect::<Vec<_>>());
}

/// A crate takes the workspace's lints as they are, or all of them but for `unsafe_code`.
fn lint_offences(root: &str, manifest: &File) -> Offences {
    if manifest.text.contains("[lints]\nworkspace = true") {
        return Offences::new();
    }
    let of = |text: &str, table: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != table).skip(1);
        lines
            .take_while(|line| !line.starts_with('['))
            .filter(|line| line.contains('='))
            .map(str::to_owned)
            .collect()
    };
    let mut missing = Offences::new();
    for (ours, theirs) in
        [("[workspace.lints.rust]", "[lints.rust]"), ("[workspace.lints.clippy]", "[lints.clippy]")]
    {
        let taken = of(&manifest.text, theirs);
        let wanted = of(root, ours).into_iter().map(|line| line.replace("\"forbid\"", "\"deny\""));
        missing.extend(
            wanted.filter(|line| !taken.contains(line)).map(|line| format!("{}: {line}", manifest.path)),
        );
    }
    missing
}

/// The allocator of rules (ADR 0007): what it gets wrong stays in the sandbox.
const HEAP: &str = "guest-sdk/rust/src/heap.rs";

/// Where the word `unsafe` stands: in the host one file, of the crate that has an exception for it.
fn unsafe_offences(sources: &[Source]) -> Offences {
    let has = |source: &&Source| words(TokenStream::from_str(&source.text).unwrap()).contains("unsafe");
    let paths = sources.iter().filter(has).map(|source| source.path.as_str());
    let files: Vec<&str> = paths.filter(|path| *path != HEAP).collect();
    let outside = files.iter().filter(|path| !path.starts_with("host/rules/src/")).count();
    if outside > 0 || files.len() > 1 {
        return vec![format!("`unsafe` in {}: one file of host/rules may", files.join(", "))];
    }
    Offences::new()
}

fn words(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(words(group.stream())),
            TokenTree::Ident(name) => drop(found.insert(name.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

#[test]
fn every_crate_of_the_workspace_takes_the_workspace_s_lints() {
    let ours = |path: &str| ["host/", "tests/", "xtask/"].iter().any(|folder| path.starts_with(folder));
    let root = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifests = files("Cargo.toml").into_iter().filter(|file| ours(&file.path));
    none(&manifests.flat_map(|file| lint_offences(&root, &file)).collect());
}

#[test]
fn unsafe_code_stands_in_one_file() {
    none(&unsafe_offences(&sources()));
}

#[test]
fn a_crate_without_the_workspace_s_lints_is_found() {
    let root =
        "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n[workspace.lints.clippy]\nuse_self = \"warn\"\n";
    let manifest = |text: &str| File { path: "host/sip/Cargo.toml".to_owned(), text: text.to_owned() };
    assert_eq!(lint_offences(root, &manifest("[package]")).len(), 2);
    assert!(lint_offences(root, &manifest("[lints]\nworkspace = true\n")).is_empty());
    let own = "[lints.rust]\nunsafe_code = \"deny\"\n\n[lints.clippy]\nuse_self = \"warn\"\n";
    assert!(lint_offences(root, &manifest(own)).is_empty());
    assert_eq!(lint_offences(root, &manifest(&own.replace("warn", "allow"))).len(), 1);
}

#[test]
fn unsafe_code_in_a_second_file_is_found() {
    let unsafe_file = |path| planted(path, "fn f() { unsafe { g() } }");
    assert!(unsafe_offences(&[unsafe_file("host/rules/src/artefact.rs")]).is_empty());
    assert!(unsafe_offences(&[unsafe_file(HEAP)]).is_empty());
    assert_eq!(unsafe_offences(&[unsafe_file("guest-sdk/rust/src/words.rs")]).len(), 1);
    assert_eq!(unsafe_offences(&[unsafe_file("host/core/src/a.rs")]).len(), 1);
    assert_eq!(
        unsafe_offences(&[unsafe_file("host/rules/src/a.rs"), unsafe_file("host/rules/src/b.rs")]).len(),
        1
    );
}

#[test]
fn silenced_lints_and_ignored_tests_are_found() {
    for wrong in [
        "#![allow(dead_code)]",
        "#[allow(dead_code)]\nfn f() {}",
        "#[cfg_attr(test, allow(dead_code))]\nfn f() {}",
        "#[expect(dead_code)]\nfn f() {}",
        "#[test]\n#[ignore]\nfn f() {}",
        "fn f() { todo!() }",
        "fn f() { assert!(g(unimplemented!())) }",
    ] {
        assert_eq!(offences(&planted("xtask/src/a.rs", wrong)).len(), 1, "{wrong}");
    }
    assert!(offences(&planted("a.rs", "#[expect(dead_code, reason = \"x\")]\nfn todo() {}")).is_empty());
}

#[test]
fn sockets_threads_and_clocks_under_host_are_found() {
    for wrong in [
        "use std::net::{IpAddr, UdpSocket};",
        "use std::thread;",
        "use tokio::time::*;",
        "fn f() { let _ = std::time::Instant::now(); }",
        "type S = tokio::net::TcpStream;",
    ] {
        assert_eq!(offences(&planted("host/sim/src/a.rs", wrong)).len(), 1, "{wrong}");
        assert!(offences(&planted("host/callwright/src/a.rs", wrong)).is_empty(), "{wrong}");
    }
    let starts = "use std::process::Command;\n";
    assert_eq!(offences(&planted("host/store/src/a.rs", starts)).len(), 1);
    let in_tests = format!("#[cfg(test)]\nmod tests {{\n    {starts}}}\n");
    assert!(offences(&planted("host/store/src/a.rs", &in_tests)).is_empty());
    let reads = "use std::fs;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(
        offences(&planted("host/core/src/a.rs", reads)),
        ["host/core/src/a.rs:1: `std::fs` belongs to the binary"]
    );
    assert!(offences(&planted("host/store/src/a.rs", reads)).is_empty());
}

#[test]
fn a_ban_that_is_lifted_in_silence_is_found() {
    let strict =
        "a = 1\n{ path = \"x\", reason = \"clocks: y\" },\n{ path = \"m\", reason = \"hash order\" },";
    assert!(lifted_offences(strict, "# why\na = 1\n{ path = \"m\", reason = \"hash order\" },").is_empty());
    assert_eq!(lifted_offences(strict, "a = 1").len(), 1);
    assert_eq!(lifted_offences(strict, "a = 2\n{ path = \"m\", reason = \"hash order\" },").len(), 2);
}
