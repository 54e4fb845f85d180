//! What a comment may hold: an RFC is cited in one form, a task names its issue, and no code sleeps in it.

use regex_lite::Regex;

use crate::source::{Comment, planted, sources};
use crate::tree::{Offences, none};

/// How a comment that pins a clause begins: `spec: RFC 3261 §17.1.1.2`, or one of our own pages.
const SPEC: &str = r"^spec: (RFC \d+ §[A-Z0-9][0-9.]*[0-9a-z]?|TELEPHONY T\d+|(ARCHITECTURE|RULES) §\d+)";

fn rfc_offences(comment: &Comment) -> Offences {
    let text = comment.joined();
    let mut offences = Offences::new();
    for cite in Regex::new(r"(?i)rfc[\s_-]*\d{3,5}").unwrap().find_iter(&text) {
        let (before, after) = (&text[..cite.start()], &text[cite.end()..]);
        let is_name = before.ends_with(['/', '_', '`', '-']) || after.starts_with(['/', '_', '`', '-']);
        let form = Regex::new(r"^RFC \d+$").unwrap();
        let named = Regex::new(r"(?i)^,? ?\(?(section|sec\.|clause|chapter)").unwrap();
        if (!form.is_match(cite.as_str()) && !is_name) || named.is_match(after) {
            offences.push(format!("`{}`: write `RFC 3261 §17.1.1.2`", cite.as_str()));
        }
    }
    let source = Regex::new(r"(RFC \d+ |[A-Z]{4,}(\.md)? |§[0-9A-Z][0-9.a-z]*(,| and| or| to) )$").unwrap();
    for (at, sign) in text.match_indices('§') {
        let after = &text[at + sign.len()..];
        if !source.is_match(&text[..at]) || !after.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            offences.push(format!("`§{}`: of which document?", after.chars().take(8).collect::<String>()));
        }
    }
    if Regex::new(r"(?i)\b(section|clause) \d[\d.]* of (the )?RFC").unwrap().is_match(&text) {
        offences.push("a section of an RFC: write `RFC 3261 §17.1.1.2`".to_owned());
    }
    offences
}

fn spec_offences(comment: &Comment) -> Offences {
    let (spec, loose) = (Regex::new(SPEC).unwrap(), Regex::new(r"(?i)^spec\b ?:").unwrap());
    let wrong = comment.lines.iter().filter(|line| loose.is_match(line) && !spec.is_match(line));
    wrong
        .map(|line| format!("`{line}`: begin with `spec: RFC 3261 §17.1.1.2` or `spec: TELEPHONY T12`"))
        .collect()
}

fn task_offences(comment: &Comment) -> Offences {
    let text = comment.joined();
    let task = Regex::new(r"\b(TODO|FIXME|XXX|HACK)\b(\(#\d+\))?").unwrap();
    let loose = task.find_iter(&text).filter(|found| !(found.as_str().starts_with("TODO(#")));
    loose.map(|found| format!("`{}` without an issue: write `TODO(#12)`", found.as_str())).collect()
}

/// A line that parses as a statement is code; prose does not, and a lone word is spared.
fn code_offences(comment: &Comment) -> Offences {
    let is_code = |line: &&String| {
        line.ends_with(';') && line.contains(['(', '=', ':']) && syn::parse_str::<syn::Stmt>(line).is_ok()
    };
    let code = comment.lines.iter().filter(|_| !comment.is_doc).filter(is_code);
    code.map(|line| format!("`{line}`: commented-out code")).collect()
}

fn offences(comment: &Comment) -> Offences {
    [rfc_offences, spec_offences, task_offences, code_offences]
        .iter()
        .flat_map(|check| check(comment))
        .collect()
}

#[test]
fn comments_keep_to_the_form() {
    let mut found = Offences::new();
    for source in sources() {
        for comment in &source.comments {
            found
                .extend(offences(comment).iter().map(|it| format!("{}:{}: {it}", source.path, comment.line)));
        }
    }
    none(&found);
}

fn found_in(comment: &str) -> usize {
    planted("a.rs", &format!("{comment}\nfn f() {{}}\n")).comments.iter().flat_map(offences).count()
}

#[test]
fn other_forms_of_citing_an_rfc_are_found() {
    for wrong in [
        "// See RFC3261 for this",
        "// rfc 3261",
        "// RFC 3261, section 17.1",
        "// RFC 3261 Section 17.1",
        "// section 17.1 of RFC 3261",
        "// §17.1 says so",
        "// RFC 3261 § 17.1",
        "// spec: 3261 17.1",
        "// spec: RFC 3261",
        "// Spec: RFC 3261 §17.1",
    ] {
        assert!(found_in(wrong) > 0, "{wrong}");
    }
    for right in [
        "// RFC 3261 §17.1.1.2 says so, RFC 6026 too",
        "/// One. RFC 3261\n/// §10.3 step 7.",
        "// spec: RFC 3261 §17.1.1.2",
        "// spec: RFC 3261 §17.1.1.2 and §17.1.1.3",
        "// spec: TELEPHONY T12",
        "// the files of corpora/rfc4475 and of ARCHITECTURE §4",
    ] {
        assert_eq!(found_in(right), 0, "{right}");
    }
}

#[test]
fn a_task_without_an_issue_is_found() {
    assert_eq!(found_in(&format!("// {}: later", "TODO")), 1);
    assert_eq!(found_in(&format!("/// {} this", "FIXME")), 1);
    assert_eq!(found_in(&format!("// {}(#12): later", "TODO")), 0);
}

#[test]
fn commented_out_code_is_found_and_prose_is_not() {
    assert_eq!(found_in("// let a = b.c(d);"), 1);
    assert_eq!(found_in("// leg.cancel();"), 1);
    assert_eq!(found_in("// it ends here (the leg is gone);"), 0);
}
