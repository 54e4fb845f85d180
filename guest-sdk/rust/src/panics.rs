//! A panic's words reach the tenant's log: of the trap that follows the switch knows no more than that it was one.

#[cfg(target_family = "wasm")]
use std::panic::PanicHookInfo;

#[cfg(target_family = "wasm")]
use crate::log;

/// From now on a panic logs its words and its place before it traps.
#[cfg(target_family = "wasm")]
pub fn log_panics() {
    std::panic::set_hook(Box::new(report));
}

#[cfg(target_family = "wasm")]
fn report(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or(("?", 0), |at| (at.file(), at.line()));
    log::write(log::Level::Warn, &told(panic.payload_as_str().unwrap_or("?"), place));
}

/// `panicked: boom, at src/lib.rs:12`: what comes before `src` is of the machine that built the rule.
#[cfg(any(target_family = "wasm", test))]
fn told(words: &str, (file, line): (&str, u32)) -> String {
    // A search for text would cost a rule 8 kB.
    let source = file.as_bytes().windows(5).rposition(|part| part == b"/src/");
    let file = source.and_then(|at| file.get(at + 1..)).unwrap_or(file);
    format!("panicked: {words}, at {file}:{line}")
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_panic_is_told_with_its_words_and_its_place_in_the_source() {
        assert_eq!(told("boom", ("/home/ana/my-rule/src/lib.rs", 12)), "panicked: boom, at src/lib.rs:12");
        assert_eq!(told("boom", ("src/night.rs", 7)), "panicked: boom, at src/night.rs:7");
        assert_eq!(told("a\nb", ("lib.rs", 1)), "panicked: a\nb, at lib.rs:1");
    }
}
