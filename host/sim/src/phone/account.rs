//! What a phone proves itself with: its password, and the challenge it last met.

use callwright_sip::digest::{self, Secret};
use callwright_sip::{Message, Name, Text};

use crate::dice::Dice;

/// A phone's account at the switch.
#[derive(Debug)]
pub(crate) struct Account {
    user: String,
    password: Secret,
    dice: Dice,
    challenge: Option<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    value: Text,
    answer_in: Name,
    used: u32,
}

impl Account {
    /// An account that has met no challenge yet.
    pub(crate) fn new(user: &str, password: &str, dice: Dice) -> Self {
        Self { user: user.to_owned(), password: Secret::new(password), dice, challenge: None }
    }

    /// Keeps the challenge of a 401 or 407. False where there is none that can be answered.
    pub(crate) fn challenged(&mut self, response: &Message) -> bool {
        let found = [
            (Name::WwwAuthenticate, Name::Authorization),
            (Name::ProxyAuthenticate, Name::ProxyAuthorization),
        ]
        .into_iter()
        .find_map(|(asked_in, answer_in)| {
            response.headers.get(&asked_in).map(|value| (value.clone(), answer_in))
        });
        let is_found = found.is_some();
        if let Some((value, answer_in)) = found {
            self.challenge = Some(Challenge { value, answer_in, used: 0 });
        }
        is_found
    }

    /// Adds credentials to a request where a challenge is known: its nonce is used again with a higher count.
    pub(crate) fn sign(&mut self, request: &mut Message) {
        let cnonce = format!("{:08x}", self.dice.below(1 << 32));
        let (Some(challenge), Some(method), Some(uri)) =
            (&mut self.challenge, request.method().cloned(), request.uri().cloned())
        else {
            return;
        };
        challenge.used += 1;
        let answer = digest::answer(
            &challenge.value,
            &method,
            &uri,
            &self.user,
            &self.password,
            &cnonce,
            challenge.used,
        );
        if let Ok(credentials) = answer {
            request.headers.set(challenge.answer_in.clone(), credentials);
        }
    }
}
