//! Where traces go: standard error, filtered by `RUST_LOG` or the configuration's `log`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::error::UserError;

/// Starts the log of this process.
///
/// # Errors
/// The filter cannot be read.
pub(crate) fn start(configured: &str) -> Result<(), UserError> {
    let (key, filter) = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => ("RUST_LOG", filter),
        Ok(_) | Err(_) => ("log", configured.to_owned()),
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|error| {
        UserError::wrong_use(format!("{key}: `{filter}` is no filter for the log"))
            .because(error)
            .help("write `info`, or `warn,callwright_core=debug`")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| UserError::outside("the log cannot be started").because(error))
}
