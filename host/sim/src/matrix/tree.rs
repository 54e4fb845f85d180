//! Results as a tree that branches only where an axis matters.

use std::fmt::Write as _;

use super::axes::Axis;

/// A branch by the values of an axis, or one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// Whatever else holds.
    Leaf(String),
    /// By the axis of that number: values that come to the same stand together.
    Branch(usize, Vec<(Vec<usize>, Self)>),
}

impl Tree {
    /// Results in the order of their cells: the last axis turns fastest.
    pub(super) fn of(axes: &[Axis], results: &[String]) -> Self {
        Self::from(axes, 0, results)
    }

    fn from(axes: &[Axis], at: usize, results: &[String]) -> Self {
        let Some(axis) = axes.get(at) else {
            return Self::Leaf(results.first().cloned().unwrap_or_default());
        };
        let size = results.len() / axis.values.len();
        let mut branches: Vec<(Vec<usize>, Self)> = Vec::new();
        for value in 0..axis.values.len() {
            let part = results.get(value * size..(value + 1) * size).unwrap_or_default();
            let tree = Self::from(axes, at + 1, part);
            match branches.iter_mut().find(|(_, known)| *known == tree) {
                Some((values, _)) => values.push(value),
                None => branches.push((vec![value], tree)),
            }
        }
        match branches.len() {
            1 => branches.remove(0).1,
            _ => Self::Branch(at, branches),
        }
    }

    pub(super) fn write(&self, axes: &[Axis], depth: usize, out: &mut String) {
        let Self::Branch(at, branches) = self else { return };
        let Some(axis) = axes.get(*at) else { return };
        for (values, tree) in branches {
            let values: Vec<_> = values.iter().filter_map(|value| axis.values.get(*value).copied()).collect();
            // Writing to a string does not fail.
            let _infallible = write!(out, "{:1$}{2}: {3}", "", depth * 2, axis.name, values.join(" or "));
            match tree {
                Self::Leaf(result) => {
                    let _infallible = writeln!(out, "  =>  {result}");
                }
                Self::Branch(..) => {
                    out.push('\n');
                    tree.write(axes, depth + 1, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_without_effect_is_not_written_and_equal_values_stand_together() {
        let axis = |name, values| Axis { name, values, about: "" };
        let axes = [axis("a", &["x", "y", "z"][..]), axis("b", &["1", "2"][..])];
        let results = ["p", "p", "q", "r", "p", "p"].map(str::to_owned);
        let mut text = String::new();
        Tree::of(&axes, &results).write(&axes, 0, &mut text);
        assert_eq!(text, "a: x or z  =>  p\na: y\n  b: 1  =>  q\n  b: 2  =>  r\n");
    }
}
