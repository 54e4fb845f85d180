//! What was measured and what was promised of it: one table for people, one object for programs.

use anyhow::bail;
use serde_json::{Map, Value, json};

use crate::shell;

/// Figures in the order in which they were measured.
#[derive(Default)]
pub(super) struct Report {
    figures: Vec<Figure>,
}

struct Figure {
    /// What it is, with its unit at the end.
    name: String,
    value: Value,
    limit: Option<Limit>,
}

struct Limit {
    words: String,
    kept: bool,
}

impl Report {
    /// Tells a figure that nothing is promised of.
    pub(super) fn tell(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.figures.push(Figure { name: name.into(), value: value.into(), limit: None });
    }

    /// Tells a figure and whether it is what was promised.
    pub(super) fn judge(
        &mut self,
        name: impl Into<String>,
        value: impl Into<Value>,
        words: impl Into<String>,
        kept: bool,
    ) {
        let limit = Limit { words: words.into(), kept };
        self.figures.push(Figure { name: name.into(), value: value.into(), limit: Some(limit) });
    }

    /// Tells a figure that must be this number.
    pub(super) fn must_be(&mut self, name: &str, value: &Value, wanted: u32) {
        self.judge(name, value.clone(), wanted.to_string(), value.as_u64() == Some(u64::from(wanted)));
    }

    /// Prints everything.
    ///
    /// # Errors
    /// A promise was not kept; the error names the figures.
    pub(super) fn print(self, as_json: bool) -> anyhow::Result<()> {
        let broken = self.broken();
        if as_json {
            shell::answer(&self.object().to_string())?;
        } else {
            for figure in &self.figures {
                shell::answer(figure.line().trim_end())?;
            }
        }
        if !broken.is_empty() {
            bail!("not kept: {}", broken.join(", "));
        }
        Ok(())
    }

    fn broken(&self) -> Vec<String> {
        let broken = |figure: &&Figure| figure.limit.as_ref().is_some_and(|limit| !limit.kept);
        self.figures.iter().filter(broken).map(|figure| figure.name.clone()).collect()
    }

    fn object(&self) -> Value {
        let mut object = Map::new();
        let mut verdicts = Map::new();
        for Figure { name, value, limit } in &self.figures {
            object.insert(name.clone(), value.clone());
            if let Some(Limit { words, kept }) = limit {
                verdicts.insert(name.clone(), json!({ "limit": words, "kept": kept }));
            }
        }
        object.insert("verdicts".to_owned(), Value::Object(verdicts));
        object.insert("kept".to_owned(), json!(self.broken().is_empty()));
        Value::Object(object)
    }
}

impl Figure {
    fn line(&self) -> String {
        let name = self.name.replace('_', " ");
        let verdict = self.limit.as_ref().map_or_else(String::new, |limit| {
            format!("{}; {}", if limit.kept { "kept" } else { "NOT KEPT" }, limit.words)
        });
        format!("{name:<44} {:>10}  {verdict}", self.value.to_string())
    }
}

/// Two digits after the point, for figures that people read.
pub(super) fn rounded(value: f64) -> Value {
    json!((value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_named_and_fails() {
        let mut report = Report::default();
        report.tell("phones", 3);
        report.must_be("calls_up", &json!(2), 2);
        report.must_be("calls_ended", &json!(null), 2);
        assert_eq!(
            report.object(),
            json!({
                "phones": 3, "calls_up": 2, "calls_ended": null, "kept": false,
                "verdicts": { "calls_up": { "limit": "2", "kept": true },
                              "calls_ended": { "limit": "2", "kept": false } },
            })
        );
        assert!(report.figures[2].line().ends_with("NOT KEPT; 2"), "{}", report.figures[2].line());
        assert_eq!(report.print(true).unwrap_err().to_string(), "not kept: calls_ended");
    }
}
