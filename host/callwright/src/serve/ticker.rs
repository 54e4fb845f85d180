//! The clock of CPU slices: a thread that ticks every 10 ms for as long as there is an engine.

use std::time::Duration;

use callwright_rules::Engine;

/// The length of a slice (RULES §3).
const TICK: Duration = Duration::from_millis(10);

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(engine: &Engine) -> std::io::Result<()> {
    let ticker = engine.ticker();
    let thread = std::thread::Builder::new().name("callwright-tick".to_owned());
    thread.spawn(move || {
        while ticker.tick() {
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
