//! What a person reads when something failed: what, where, and what to do next; and the exit code that says the same.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Why the program ends, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A test or a comparison failed.
    Failed = 1,
    /// Wrong use: arguments, configuration, files.
    WrongUse = 2,
    /// The rule is not acceptable: incompatible world or missing grant.
    Incompatible = 5,
    /// The switch refused or could not be reached.
    Remote = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The one form of every error that a person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserError {
    /// Its stable code, as `CW-0101`.
    pub(crate) code: Cow<'static, str>,
    /// What failed, with names and numbers.
    pub(crate) what: String,
    /// Where, or why; several where there are several.
    pub(crate) cause: Vec<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// How the program ends.
    pub(crate) exit: Exit,
}

impl UserError {
    /// An error with nothing but its name; the rest is added by the methods below.
    pub(crate) fn new(code: &'static str, exit: Exit, what: impl Into<String>) -> Self {
        Self { code: code.into(), what: what.into(), cause: Vec::new(), hint: None, exit }
    }

    /// Wrong arguments or files.
    pub(crate) fn wrong_use(what: impl Into<String>) -> Self {
        Self::new("CW-0101", Exit::WrongUse, what)
    }

    /// A configuration file with problems, all of them.
    pub(crate) fn configuration(path: &Path, problems: &[String]) -> Self {
        let count = match problems.len() {
            1 => "one problem".to_owned(),
            many => format!("{many} problems"),
        };
        let what = format!("the configuration `{}` has {count}", path.display());
        let mut error = Self::new("CW-0102", Exit::WrongUse, what);
        error.cause = problems.to_vec();
        error.help("`docs/configuration.md` lists every key")
    }

    /// The switch cannot do what it was started for.
    pub(crate) fn outside(what: impl Into<String>) -> Self {
        Self::new("CW-0103", Exit::Failed, what)
    }

    /// Whether the same may go well later: the switch is not there, has too much to do, or its disk or store fails.
    pub(crate) fn may_pass(&self) -> bool {
        ["CW-0201", "CW-0307", "CW-0308", "CW-0309"].contains(&self.code.as_ref())
    }

    /// Adds where or why.
    pub(crate) fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause.push(cause.to_string());
        self
    }

    /// Adds what to do next.
    pub(crate) fn help(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.what)?;
        for cause in &self.cause {
            write!(f, "\n  at: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhelp: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UserError {}
