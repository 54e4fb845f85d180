//! The way through a tree of choices. Each way is one interleaving, and the next one differs in the last choice that can.

/// One way, and how many choices there were at each fork.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    forks: Vec<Fork>,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Fork {
    taken: usize,
    of: usize,
}

impl Course {
    /// The first way: always the first choice.
    pub(super) fn first() -> Self {
        Self::default()
    }

    /// The way with these choices, and the first one at every fork behind them.
    pub(super) fn exactly(choices: &[usize]) -> Self {
        Self { forks: choices.iter().map(|taken| Fork { taken: *taken, of: 0 }).collect(), at: 0 }
    }

    /// Which of so many choices this way takes.
    pub(super) fn choose(&mut self, of: usize) -> usize {
        let at = self.at;
        self.at += 1;
        match self.forks.get_mut(at) {
            Some(fork) => {
                fork.of = of;
                fork.taken = fork.taken.min(of.saturating_sub(1));
                fork.taken
            }
            None => {
                self.forks.push(Fork { taken: 0, of });
                0
            }
        }
    }

    /// The choices so far.
    pub(super) fn taken(&self) -> Vec<usize> {
        self.forks.iter().take(self.at).map(|fork| fork.taken).collect()
    }

    /// The next way; none after the last.
    pub(super) fn next(mut self) -> Option<Self> {
        self.forks.truncate(self.at);
        while let Some(mut fork) = self.forks.pop() {
            if fork.taken + 1 < fork.of {
                fork.taken += 1;
                self.forks.push(fork);
                return Some(Self { forks: self.forks, at: 0 });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_through_a_tree_is_gone_once() {
        let mut ways = Vec::new();
        let mut next = Some(Course::first());
        while let Some(mut course) = next {
            let first = course.choose(3);
            // The second fork exists on one branch only.
            let way = if first == 1 { vec![first, course.choose(2)] } else { vec![first] };
            assert_eq!(course.taken(), way);
            ways.push(way);
            next = course.next();
        }
        assert_eq!(ways, [vec![0], vec![1, 0], vec![1, 1], vec![2]]);
    }
}
