//! What is wrong with a document, and where in it: a document may be read in pieces, and each knows where it was cut out.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a file, or with what came through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Key path, as `tenants.acme.zone`; empty where the file is no TOML, and where it is the document itself.
    pub path: String,
    /// Line in the file, counted from 1; 0 where there is no file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", 0) => f.write_str(&self.what),
            ("", line) => write!(f, "line {line}: {}", self.what),
            (path, 0) => write!(f, "{path}: {}", self.what),
            (path, line) => write!(f, "{path}: {} (line {line})", self.what),
        }
    }
}

/// Everything found wrong so far, in the order of discovery.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    text: &'t str,
    has_lines: bool,
    /// With the place in the text; lines are counted once, at the end.
    problems: RefCell<Vec<(usize, Problem)>>,
    divided: Cell<bool>,
}

impl<'t> Report<'t> {
    /// Nothing is wrong yet with `text`.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, has_lines: true, problems: RefCell::default(), divided: Cell::new(false) }
    }

    /// Nothing is wrong yet with what is in no file.
    pub(crate) fn without_file() -> Self {
        Self { has_lines: false, ..Report::new("") }
    }

    /// Notes that a table stands in several pieces, so that the file must be read as a whole.
    pub(crate) fn is_divided(&self) {
        self.divided.set(true);
    }

    /// Whether the file must be read as a whole.
    pub(crate) fn must_be_whole(&self) -> bool {
        self.divided.get()
    }

    /// All problems, in the order of the file.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        if !self.has_lines {
            return problems.into_iter().map(|(_, problem)| problem).collect();
        }
        let mut order: Vec<usize> = (0..problems.len()).collect();
        order.sort_by_key(|index| problems[*index].0);
        let (mut line, mut counted) = (1, 0);
        for index in order {
            let (at, problem) = &mut problems[index];
            line += self.text.get(counted..*at).unwrap_or_default().matches('\n').count();
            counted = *at;
            problem.line = line;
        }
        problems.sort_by_key(|(_, problem)| problem.line);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// A piece of the file's text that is a document of its own, or several of them put together.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    report: &'a Report<'a>,
    /// Where each part begins in the piece and in the file, in order.
    starts: Vec<(usize, usize)>,
}

impl<'a> Origin<'a> {
    /// A piece of these parts.
    pub(crate) fn new(report: &'a Report<'a>, starts: Vec<(usize, usize)>) -> Self {
        Self { report, starts }
    }

    /// What is reported here is found there.
    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// Notes a problem at a place of the piece.
    pub(crate) fn add(&self, path: &str, at: Range<usize>, what: impl Into<String>) {
        let part = self.starts.iter().rev().find(|(start, _)| *start <= at.start);
        let place = part.map_or(at.start, |(start, in_file)| in_file + (at.start - start));
        let place = place.min(self.report.text.len());
        let problem = Problem { path: path.to_owned(), line: 0, what: what.into() };
        self.report.problems.borrow_mut().push((place, problem));
    }
}
