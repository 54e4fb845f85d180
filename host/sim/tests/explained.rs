//! What people read of some calls, whole: the demo's two, one to a person without a registered device, one whose rule traps,
//! one to a role, and one to a group within a group.
//!
//! A changed text is changed on purpose: `EXPLAINED=write cargo test -p callwright-sim --test explained` writes the files
//! anew, and the diff shows what people will read.

use std::fs;
use std::path::Path;

use callwright_core::explain::explain;
use callwright_rules::{Engine, EngineLimits};
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::scenario::{parse, run};
use jiff::tz::TimeZone;

/// What the same rule spends and is called differs between compilers; everything else is the same on every machine.
fn without_build(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            match (words[at - 1], words[at]) {
                ("version", _) => words[at] = "VERSION,",
                ("(version", _) => words[at] = "VERSION)",
                (_, "fuel") => words[at - 1] = "SOME",
                _ => {}
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n") + "\n"
}

#[test]
fn calls_are_explained_as_people_have_read_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explained");
    let shelf = Shelf::new(Engine::new(EngineLimits::capped(8, 65_530)).unwrap(), &root);
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for name in [
        "the-delayed-leg-answers",
        "opening-hours-send-the-call-elsewhere",
        "nobody-is-registered",
        "a-rule-traps",
        "a-role-is-dialled",
        "a-group-within-a-group-is-dialled",
    ] {
        let text = fs::read_to_string(folder.join(format!("{name}.scenario"))).unwrap();
        let report = run(&parse(name, &text).unwrap(), &shelf, &folder).unwrap();
        assert_eq!(report.complaint(), "");
        let record = &report.records[0].record;
        let explained = without_build(&explain(record, &berlin).to_string());
        let file = folder.join(format!("{name}.txt"));
        if std::env::var_os("EXPLAINED").is_some() {
            fs::write(&file, &explained).unwrap();
        }
        assert_eq!(explained, fs::read_to_string(&file).unwrap(), "{}", file.display());
    }
}
