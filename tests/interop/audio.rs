//! Tones: what a phone plays, and what another has heard of it.

use std::path::Path;

use crate::lab::run;

/// Writes a tone of half a minute.
pub(crate) fn write_tone(path: &Path, frequency_hz: u32) {
    let path = path.to_str().unwrap();
    run(
        "sox",
        ["-n", "-r", "8000", "-c", "1", "-b", "16", path, "synth", "30", "sine", &frequency_hz.to_string()],
    );
}

/// What a recording holds.
pub(crate) struct Heard {
    pub(crate) frequency_hz: f64,
    pub(crate) loudest: f64,
    pub(crate) length_s: f64,
}

/// Listens to a recording, without the first half second.
pub(crate) fn listen(path: &Path) -> Heard {
    // sox prints its figures to the error stream.
    let command = "sox \"$1\" -n trim 0.5 stat 2>&1";
    let figures = run("bash", ["-c", command, "listen", path.to_str().unwrap()]);
    let figure = |name: &str| {
        let line = figures.lines().find(|line| line.split_whitespace().collect::<String>().starts_with(name));
        let value = line.and_then(|line| line.split(':').nth(1));
        value
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {name} in:\n{figures}"))
    };
    Heard {
        frequency_hz: figure("Roughfrequency"),
        loudest: figure("Maximumamplitude"),
        length_s: figure("Length(seconds)"),
    }
}
