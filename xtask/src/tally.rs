//! How many tests passed and failed, read from what the test programs print.

/// The tests of a run so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Counts a line where it is the summary of a test program:
    /// `test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub(crate) fn line(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse::<u64>().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse::<u64>().unwrap_or(0),
                Some(_) | None => {}
            }
        }
    }

    /// Counts a step that failed. One whose tests failed is counted by its tests already.
    pub(crate) fn step_failed(&mut self, before: Self) {
        if self.failed == before.failed {
            self.failed += 1;
        }
    }

    /// Whether nothing failed.
    pub(crate) fn is_green(self) -> bool {
        self.failed == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn of(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.line(line));
        tally
    }

    #[test]
    fn summaries_of_test_programs_are_added_up() {
        let tally = of(&[
            "running 13 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]);
        assert_eq!(tally.to_string(), "15 passed, 2 failed");
        assert!(!tally.is_green());
    }

    #[test]
    fn a_step_that_fails_without_a_failed_test_counts_as_one() {
        let before = of(&["test result: ok. 12 passed; 0 failed; 0 ignored"]);
        let mut after = before;
        after.step_failed(before);
        assert_eq!(after.to_string(), "12 passed, 1 failed");
    }

    #[test]
    fn a_step_whose_tests_failed_is_counted_by_them() {
        let mut after = of(&["test result: FAILED. 12 passed; 4 failed; 0 ignored"]);
        after.step_failed(Tally::default());
        assert_eq!(after.to_string(), "12 passed, 4 failed");
    }
}
