//! Ladder diagrams: who sent what to whom, and when, as a telecom engineer draws them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::glance::Glance;

/// The widest line that is printed, in characters.
const WIDTH: usize = 100;
/// The column of times.
const TIMES: usize = 10;
/// The widest lane.
const LANE_MAX: usize = 22;
/// The narrowest lane; more lanes than fit are left out.
const LANE_MIN: usize = 10;

/// Messages and notes between named parties, printed by time.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    lanes: Vec<String>,
    rows: Vec<Row>,
    seen: BTreeSet<(String, String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Row {
    at: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Message { from: String, to: String, label: String, is_lost: bool },
    Note { lane: String, text: String },
}

impl Ladder {
    /// Begins a ladder whose lanes stand in this order; parties that are not named join on the right.
    #[must_use]
    pub fn new(lanes: &[&str]) -> Self {
        Self { lanes: lanes.iter().map(|lane| (*lane).to_owned()).collect(), ..Self::default() }
    }

    /// Adds a message that arrives. What is no SIP message, as a keep-alive, is left out.
    pub fn message(&mut self, at: Duration, from: &str, to: &str, bytes: &[u8]) {
        self.arrow(at, from, to, bytes, false);
    }

    /// Adds a message that the network loses.
    pub fn lost(&mut self, at: Duration, from: &str, to: &str, bytes: &[u8]) {
        self.arrow(at, from, to, bytes, true);
    }

    /// Adds words beside a lane.
    pub fn note(&mut self, at: Duration, lane: &str, text: &str) {
        self.join(lane);
        self.rows.push(Row { at, what: What::Note { lane: lane.to_owned(), text: text.to_owned() } });
    }

    fn arrow(&mut self, at: Duration, from: &str, to: &str, bytes: &[u8], is_lost: bool) {
        let Some(glance) = Glance::of(bytes) else { return };
        self.join(from);
        self.join(to);
        let is_new = self.seen.insert((from.to_owned(), to.to_owned(), bytes.to_vec()));
        let label = if is_new { glance.label() } else { format!("{} again", glance.label()) };
        self.rows.push(Row {
            at,
            what: What::Message { from: from.to_owned(), to: to.to_owned(), label, is_lost },
        });
    }

    fn join(&mut self, lane: &str) {
        if !self.lanes.iter().any(|known| known == lane) {
            self.lanes.push(lane.to_owned());
        }
    }

    fn lane_width(&self) -> usize {
        ((WIDTH - TIMES) / self.lanes.len().max(1)).clamp(LANE_MIN, LANE_MAX)
    }

    /// Where the line of a lane stands; none where it is out of the page.
    fn centre(&self, lane: &str) -> Option<usize> {
        let index = self.lanes.iter().position(|known| known == lane)?;
        let centre = TIMES + self.lane_width() * index + self.lane_width() / 2;
        (centre + self.lane_width() / 2 <= WIDTH).then_some(centre)
    }

    fn heading(&self) -> String {
        let mut line = vec![' '; WIDTH];
        for lane in &self.lanes {
            let Some(centre) = self.centre(lane) else { continue };
            let name = cropped(lane, self.lane_width() - 1);
            write_at(&mut line, centre.saturating_sub(name.chars().count() / 2), &name);
        }
        line.into_iter().collect()
    }

    fn row(&self, row: &Row) -> Option<String> {
        let mut line = vec![' '; WIDTH];
        for centre in self.lanes.iter().filter_map(|lane| self.centre(lane)) {
            line[centre] = '|';
        }
        write_at(&mut line, 0, &format!("{:>8}", clock(row.at)));
        match &row.what {
            What::Note { lane, text } => {
                let start = self.centre(lane)? + 2;
                let text = cropped(text, WIDTH - start);
                write_at(&mut line, start, &text);
                // Words that end at a lane's line would read as joined to it.
                if let Some(cell) = line.get_mut(start + text.chars().count()) {
                    *cell = ' ';
                }
            }
            What::Message { from, to, label, is_lost } => {
                draw_arrow(&mut line, self.centre(from)?, self.centre(to)?, label, *is_lost);
            }
        }
        Some(line.into_iter().collect())
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading().trim_end())?;
        let mut rows = self.rows.iter().collect::<Vec<_>>();
        // A stable sort: what happened at one moment stays in its order.
        rows.sort_by_key(|row| row.at);
        for line in rows.into_iter().filter_map(|row| self.row(row)) {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn draw_arrow(line: &mut [char], from: usize, to: usize, label: &str, is_lost: bool) {
    let (left, right) = (from.min(to) + 1, from.max(to).saturating_sub(1));
    let Some(room) = line.get_mut(left..=right) else { return };
    room.fill('-');
    let points_right = from < to;
    // Where the whole does not fit, its first word says more than the beginning of all.
    let space = room.len().saturating_sub(3);
    let first = label.split(' ').next().unwrap_or(label);
    let label = if label.chars().count() <= space { label.to_owned() } else { cropped(first, space) };
    let tip = match (is_lost, points_right) {
        (true, _) => 'x',
        (false, true) => '>',
        (false, false) => '<',
    };
    let tip_at = if points_right { room.len().saturating_sub(1) } else { 0 };
    if let Some(cell) = room.get_mut(tip_at) {
        *cell = tip;
    }
    let start = (room.len().saturating_sub(label.chars().count())) / 2;
    write_at(room, start, &label);
}

fn write_at(line: &mut [char], start: usize, text: &str) {
    for (cell, letter) in line.iter_mut().skip(start).zip(text.chars()) {
        *cell = letter;
    }
}

fn cropped(text: &str, room: usize) -> String {
    text.chars().take(room).collect()
}

/// Time since the beginning, in seconds to the millisecond.
pub(crate) fn clock(at: Duration) -> String {
    format!("{}.{:03}", at.as_secs(), at.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(start: &str, cseq: &str, body: &str) -> Vec<u8> {
        format!("{start}\r\nCall-ID: c1\r\nCSeq: {cseq}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn a_call_reads_as_a_ladder() {
        let mut ladder = Ladder::new(&["1011", "switch"]);
        let invite = sip("INVITE sip:100@acme.example SIP/2.0", "1 INVITE", "v=0");
        let ms = Duration::from_millis;
        ladder.message(ms(0), "1011", "switch", &invite);
        ladder.message(ms(0), "switch", "1011", &sip("SIP/2.0 100 Trying", "1 INVITE", ""));
        ladder.note(ms(0), "switch", "follow-me rings device:1001");
        ladder.lost(ms(0), "switch", "1001", &invite);
        ladder.message(ms(500), "switch", "1001", &invite);
        ladder.message(ms(500), "1001", "switch", &sip("SIP/2.0 180 Ringing", "1 INVITE", ""));
        ladder.message(ms(20_000), "switch", "1003", &invite);
        ladder.message(ms(24_000), "1003", "switch", &sip("SIP/2.0 200 OK", "1 INVITE", "v=0"));
        ladder.message(ms(83_250), "1011", "switch", &sip("BYE sip:x SIP/2.0", "2 BYE", ""));
        ladder.message(ms(83_250), "switch", "1011", &sip("SIP/2.0 200 OK", "2 BYE", ""));
        assert_eq!(ladder.to_string(), include_str!("ladder/basic.txt"));
    }

    #[test]
    fn no_line_is_wider_than_the_page_whatever_stands_in_it() {
        let mut ladder = Ladder::default();
        for number in 0..15 {
            ladder.message(
                Duration::from_secs(9_999_999),
                "a very long name of a phone",
                &format!("{number}"),
                &sip("INVITE sip:x SIP/2.0", "1 INVITE", ""),
            );
            ladder.note(Duration::ZERO, &format!("{number}"), &"ä".repeat(200));
        }
        assert!(ladder.to_string().lines().all(|line| line.chars().count() <= WIDTH));
    }
}
