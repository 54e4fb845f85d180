//! What a phone wants to be otherwise: as the codes do it, kept before it is answered, one change of a person at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::Text;

use super::request::Refusal;
use super::{Accepted, Effect, Subscriptions, answer, features};
use crate::config::Tenant;
use crate::forwarding::{Condition, Wishes};
use crate::names::{TenantId, Ticket, UserId};
use crate::seam::StoreRefused;
use crate::switchboard::Switchboard;
use crate::view::DeviceKey;

/// How long the store has.
const KEPT_WITHIN: Duration = Duration::from_secs(5);
/// Changes of one person that wait at once, the one that is being kept included; beyond it 503.
const A_USER_MAX: usize = 8;
/// Changes of a node that wait at once; beyond it 503.
const CHANGES_MAX: usize = 1_000;

/// What a phone asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Its person is not to be disturbed, or is again.
    DoNotDisturb(bool),
    /// A condition of forwarding.
    Forward {
        /// Which.
        condition: Condition,
        /// Whether calls are forwarded under it.
        active: bool,
        /// Where to, as it is dialled; none: as before.
        to: Option<String>,
        /// How often devices ring before, of no answer.
        rings: Option<u32>,
    },
}

/// Changes that are being kept or wait for it, by person: what is kept is all that a person wishes, so the next is made of
/// what came of the one before.
#[derive(Default)]
pub(super) struct Changes {
    waiting: BTreeMap<(TenantId, UserId), VecDeque<Change>>,
    /// With the moment after which no answer is none at all; tickets rise with time.
    tickets: BTreeMap<Ticket, (Duration, (TenantId, UserId))>,
    count: usize,
}

/// A SUBSCRIBE that waits for its change.
struct Change {
    owner: DeviceKey,
    wanted: Wanted,
    accepted: Accepted,
}

impl Changes {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.tickets.first_key_value().map(|(_, (until, _))| *until)
    }

    /// Whether anything has to be kept for it, and can be.
    pub(super) fn is_any(
        &self,
        board: &Switchboard,
        tenant: &Tenant,
        owner: &DeviceKey,
        wanted: Wanted,
    ) -> Result<Option<Wanted>, Refusal> {
        let user =
            tenant.devices.get(&owner.1).map(|device| device.user.clone()).ok_or(Refusal::NotItsOwn)?;
        let of_user = self.waiting.get(&(tenant.id.clone(), user)).map_or(0, VecDeque::len);
        if of_user >= A_USER_MAX || self.count >= CHANGES_MAX {
            return Err(Refusal::Overloaded);
        }
        let next = features::wished(&board.picture, tenant, &owner.1, &wanted, board.now.wall)?;
        // What waits before it may make it a change again.
        Ok((of_user > 0 || next.is_some()).then_some(wanted))
    }
}

impl Subscriptions {
    /// Has a change kept, now or after those of the same person that came before.
    pub(super) fn change(
        &mut self,
        board: &mut Switchboard,
        owner: &DeviceKey,
        wanted: Wanted,
        accepted: Accepted,
    ) {
        let user = board.tenant(&owner.0).and_then(|it| it.devices.get(&owner.1).map(|it| it.user.clone()));
        let Some(user) = user else {
            self.asks(&accepted, |asks| asks.saturating_sub(1));
            self.refuse_change(board, accepted, &Refusal::NotItsOwn);
            return;
        };
        let person = (owner.0.clone(), user);
        let queue = self.changes.waiting.entry(person.clone()).or_default();
        queue.push_back(Change { owner: owner.clone(), wanted, accepted });
        let is_first = queue.len() == 1;
        self.changes.count += 1;
        if is_first {
            self.keep_first(board, person);
        }
    }

    /// Asks for the first change of a person to be kept; one that changes nothing, or cannot be, is answered at once.
    fn keep_first(&mut self, board: &mut Switchboard, person: (TenantId, UserId)) {
        while let Some(change) = self.changes.waiting.get(&person).and_then(VecDeque::front) {
            let made = made(board, change);
            match made {
                Ok(Some(wishes)) => {
                    let by = format!("phone {}, by as-feature-event", change.owner.1);
                    let (tenant, user) = person.clone();
                    let ticket = board.wish(tenant, user, Arc::new(wishes), by);
                    let until = board.now.mono + KEPT_WITHIN;
                    self.changes.tickets.insert(ticket, (until, person));
                    return;
                }
                Ok(None) => {
                    if let Some(change) = self.take_first(&person) {
                        self.grant(board, change.accepted);
                    }
                }
                Err(refusal) => {
                    if let Some(change) = self.take_first(&person) {
                        self.refuse_change(board, change.accepted, &refusal);
                    }
                }
            }
        }
    }

    fn take_first(&mut self, person: &(TenantId, UserId)) -> Option<Change> {
        let queue = self.changes.waiting.get_mut(person)?;
        let first = queue.pop_front();
        if queue.is_empty() {
            self.changes.waiting.remove(person);
        }
        self.changes.count = self.changes.count.saturating_sub(usize::from(first.is_some()));
        if let Some(first) = &first {
            self.asks(&first.accepted, |asks| asks.saturating_sub(1));
        }
        first
    }

    /// The store has answered; false where it was not asked from here.
    pub(crate) fn stored(
        &mut self,
        board: &mut Switchboard,
        ticket: Ticket,
        result: &Result<(), StoreRefused>,
    ) -> bool {
        let Some((_, person)) = self.changes.tickets.remove(&ticket) else { return false };
        if let Some(change) = self.take_first(&person) {
            match result {
                Ok(()) => self.grant(board, change.accepted),
                Err(error) => {
                    tracing::warn!(%error, "what a phone asked for was not kept");
                    self.refuse_change(board, change.accepted, &Refusal::NotKept);
                }
            }
        }
        self.keep_first(board, person);
        true
    }

    /// Changes that the store never answered.
    pub(super) fn changes_tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        while let Some((ticket, _)) =
            self.changes.tickets.first_key_value().filter(|(_, (until, _))| *until <= now)
        {
            let (ticket, why) = (*ticket, StoreRefused::Unavailable("no answer".to_owned()));
            self.stored(board, ticket, &Err(why));
        }
    }

    /// Nothing is changed, and nothing begins; the phone shows what it asked for already, so it is told what holds.
    fn refuse_change(&mut self, board: &mut Switchboard, accepted: Accepted, refusal: &Refusal) {
        let Accepted { tx, request, effect, .. } = accepted;
        let response = refusal.response(board, &request);
        match effect {
            Effect::Begins(subscription) => answer(board, tx, response, subscription.dialog.local_tag()),
            Effect::Renews(key) => {
                answer(board, tx, response, &Text::default());
                self.owe(board, key, super::Owed::Everything);
            }
        }
    }
}

/// What a change makes of what its person wishes now; none where that is the same.
fn made(board: &Switchboard, change: &Change) -> Result<Option<Wishes>, Refusal> {
    let (tenant, device) = &change.owner;
    let tenant = board.tenant(tenant).ok_or(Refusal::NotItsOwn)?;
    Ok(features::wished(&board.picture, &tenant, device, &change.wanted, board.now.wall)?)
}
