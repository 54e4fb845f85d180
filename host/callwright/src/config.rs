//! The configuration file as it lies in its folder; `callwright-config` knows what stands in it.

use std::path::Path;
use std::sync::Arc;

pub(crate) use callwright_config::Settings;
use callwright_config::parse;

use crate::error::UserError;
use crate::standard;

/// Reads and checks a configuration file; calls that no rule is bound to are the standard rule's.
///
/// # Errors
/// A [`UserError`] that lists every problem of the file.
pub(crate) fn load(path: &Path) -> Result<Settings, UserError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        UserError::wrong_use(format!("cannot read the configuration `{}`", path.display())).because(error)
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut settings = parse(&text, folder).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        UserError::configuration(path, &lines)
    })?;
    Arc::make_mut(&mut settings.switch).standard = Some(standard::version());
    Ok(settings)
}
