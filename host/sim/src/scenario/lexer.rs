//! The words of a scenario's line, and what is wrong with them.

use std::collections::VecDeque;
use std::time::Duration;

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word; `user:ana` and `08:00-18:00` are one each.
    Word(String),
    /// Text in double quotes.
    Quoted(String),
    /// `,`
    Comma,
    /// `:` at the end of a word.
    Colon,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Something else should stand there.
    #[error("expected {wanted}, got {got}")]
    Expected {
        /// What should stand there.
        wanted: &'static str,
        /// What stands there; "the end of the line" where nothing does.
        got: String,
    },
    /// A name that nothing has.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// Phone, call, user, …
        kind: &'static str,
        /// As written.
        name: String,
    },
    /// A name that something has already.
    #[error("there is a {kind} `{name}` already")]
    Taken {
        /// Phone, call, user, …
        kind: &'static str,
        /// As written.
        name: String,
    },
    /// Quotes that are not closed.
    #[error("text that begins with a double quote does not end with one")]
    OpenQuote,
    /// A rule that cannot be used.
    #[error("rule `{name}`: {why}")]
    Rule {
        /// Its name.
        name: String,
        /// Why, and what to do.
        why: String,
    },
}

/// The words of one statement, taken from the left.
#[derive(Clone, Debug)]
pub(super) struct Words(VecDeque<Token>);

/// Cuts a line into statements at `;`, and leaves out the comment.
pub(super) fn statements(line: &str) -> Result<Vec<Words>, Mistake> {
    let mut all = Vec::new();
    let mut tokens = VecDeque::new();
    let mut rest = line.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '#' => break,
            ';' => all.push(Words(std::mem::take(&mut tokens))),
            ',' => tokens.push_back(Token::Comma),
            '"' => {
                let mut text = String::new();
                loop {
                    match rest.next() {
                        Some('"') => break,
                        Some(letter) => text.push(letter),
                        None => return Err(Mistake::OpenQuote),
                    }
                }
                tokens.push_back(Token::Quoted(text));
            }
            letter if letter.is_whitespace() => {}
            letter => {
                let mut word = String::from(letter);
                while let Some(letter) =
                    rest.next_if(|letter| !letter.is_whitespace() && !matches!(letter, ',' | ';' | '"' | '#'))
                {
                    word.push(letter);
                }
                let bare = word.strip_suffix(':').map(str::to_owned);
                let ends_in_colon = bare.is_some();
                match bare.unwrap_or(word) {
                    word if word.is_empty() => {}
                    word => tokens.push_back(Token::Word(word)),
                }
                if ends_in_colon {
                    tokens.push_back(Token::Colon);
                }
            }
        }
    }
    all.push(Words(tokens));
    all.retain(|words| !words.0.is_empty());
    Ok(all)
}

impl Words {
    /// The next word or quoted text.
    pub(super) fn text(&mut self, wanted: &'static str) -> Result<String, Mistake> {
        match self.0.pop_front() {
            Some(Token::Word(text) | Token::Quoted(text)) => Ok(text),
            other => Err(Mistake::Expected { wanted, got: shown(other.as_ref()) }),
        }
    }

    /// The next word, where it is quoted.
    pub(super) fn quoted(&mut self) -> Option<String> {
        match self.0.front() {
            Some(Token::Quoted(_)) => self.text("text").ok(),
            Some(Token::Word(_) | Token::Comma | Token::Colon) | None => None,
        }
    }

    /// Takes that word where it stands next.
    pub(super) fn accept(&mut self, word: &str) -> bool {
        let stands = matches!(self.0.front(), Some(Token::Word(next)) if next == word);
        if stands {
            self.0.pop_front();
        }
        stands
    }

    /// Takes those words where they stand next, all or none.
    pub(super) fn accept_all(&mut self, words: &[&str]) -> bool {
        let stand = words.len() <= self.0.len()
            && words
                .iter()
                .zip(&self.0)
                .all(|(wanted, token)| matches!(token, Token::Word(word) if word == wanted));
        if stand {
            self.0.drain(..words.len());
        }
        stand
    }

    /// That word and no other.
    pub(super) fn expect(&mut self, word: &'static str) -> Result<(), Mistake> {
        if self.accept(word) { Ok(()) } else { Err(self.wrong(word)) }
    }

    /// Takes a comma.
    pub(super) fn comma(&mut self) -> bool {
        let stands = self.0.front() == Some(&Token::Comma);
        if stands {
            self.0.pop_front();
        }
        stands
    }

    /// Takes a colon where it stands next.
    pub(super) fn accept_colon(&mut self) -> bool {
        let stands = self.0.front() == Some(&Token::Colon);
        if stands {
            self.0.pop_front();
        }
        stands
    }

    /// Takes a colon.
    pub(super) fn colon(&mut self) -> Result<(), Mistake> {
        match self.0.pop_front() {
            Some(Token::Colon) => Ok(()),
            other => Err(Mistake::Expected { wanted: "`:`", got: shown(other.as_ref()) }),
        }
    }

    /// A length of time.
    pub(super) fn duration(&mut self) -> Result<Duration, Mistake> {
        let text = self.text("a time as 4s, 250ms or 1m30s")?;
        duration(&text)
            .ok_or(Mistake::Expected { wanted: "a time as 4s, 250ms or 1m30s", got: format!("`{text}`") })
    }

    /// A length of time after that word, where it stands next.
    pub(super) fn duration_after(&mut self, word: &str) -> Result<Option<Duration>, Mistake> {
        if self.accept(word) { self.duration().map(Some) } else { Ok(None) }
    }

    /// A number.
    pub(super) fn number<N: std::str::FromStr>(&mut self, wanted: &'static str) -> Result<N, Mistake> {
        let text = self.text(wanted)?;
        text.parse().map_err(|_| Mistake::Expected { wanted, got: format!("`{text}`") })
    }

    /// What may be left out at the end of a statement: nothing.
    pub(super) fn end(&self) -> Result<(), Mistake> {
        match self.0.front() {
            None => Ok(()),
            Some(_) => Err(self.wrong("the end of the statement")),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That something else should stand next.
    pub(super) fn wrong(&self, wanted: &'static str) -> Mistake {
        Mistake::Expected { wanted, got: shown(self.0.front()) }
    }
}

fn shown(token: Option<&Token>) -> String {
    match token {
        Some(Token::Word(word)) => format!("`{word}`"),
        Some(Token::Quoted(text)) => format!("\"{text}\""),
        Some(Token::Comma) => "`,`".to_owned(),
        Some(Token::Colon) => "`:`".to_owned(),
        None => "the end of the line".to_owned(),
    }
}

/// Reads `4s`, `250ms`, `1m30s`, `2h`, `14.5s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let amount: f64 = number.parse().ok()?;
        total += Duration::try_from_secs_f64(amount * seconds).ok()?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_into_statements_and_words() {
        let mut all = statements("user ana 100: desk 1001, soft 1002 ; wait 1m30s # later").unwrap();
        assert_eq!(all.len(), 2);
        assert!(all[0].accept_all(&["user", "ana"]));
        assert_eq!(all[0].text("extension").unwrap(), "100");
        assert!(all[0].colon().is_ok());
        assert!(all[1].accept("wait"));
        assert_eq!(all[1].duration(), Ok(Duration::from_secs(90)));
        assert!(all[1].is_empty());
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("14.5s"), Some(Duration::from_millis(14_500)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        for wrong in ["", "4", "s", "4x", "4s5"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_mistake_says_what_stands_there() {
        let mut words = statements("call \"c 1\"").unwrap().remove(0);
        assert_eq!(words.expect("hangup").unwrap_err().to_string(), "expected hangup, got `call`");
        assert_eq!(statements("\"open").unwrap_err(), Mistake::OpenQuote);
    }
}
