//! What the keys of a desk phone show and do: do-not-disturb and forwarding of its person.
//!
//! The person's, not the device's: whoever presses the key wants peace or their calls elsewhere, on whatever phone they sit.

use std::time::Duration;

use callwright_sip::{Scheme, Uri};
use jiff::Timestamp;

use super::change::Wanted;
use super::document::{self, TYPES};
use crate::codes::{self, Ask, Code, CodeError};
use crate::config::Tenant;
use crate::dial;
use crate::forwarding::{self, Condition, RINGS_MAX, Wishes};
use crate::names::Extension;
use crate::rule::DestinationRef;
use crate::view::View;

/// How long devices may ring before a call is forwarded, at least and at most.
const AFTER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// What the keys show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Features {
    /// The person is not to be disturbed.
    pub(super) undisturbed: bool,
    /// In the order of [`TYPES`].
    pub(super) forwards: [Forward; 3],
}

/// What the key of one condition shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forward {
    /// Calls are forwarded under it, at the times that the person has chosen.
    pub(super) active: bool,
    /// Where to, as it is dialled.
    pub(super) to: Option<String>,
    /// How often devices ring before, of no answer.
    pub(super) rings: Option<u32>,
}

impl Features {
    /// What the keys of a device show; none where there is no such device.
    pub(super) fn of(view: &View, tenant: &Tenant, device: &Extension) -> Option<Self> {
        let user = &tenant.devices.get(device)?.user;
        let wishes = forwarding::of_user(view, tenant, user);
        let wishes = wishes.as_deref().cloned().unwrap_or_default();
        let forwards = TYPES.map(|(condition, _)| Forward::of(&wishes, tenant, condition));
        Some(Self { undisturbed: wishes.do_not_disturb, forwards })
    }

    /// One document each of what it shows, or of what is other than before.
    pub(super) fn documents(&self, device: &Extension, since: Option<&Self>) -> Vec<String> {
        let mut documents = Vec::new();
        if since.is_none_or(|since| since.undisturbed != self.undisturbed) {
            documents.push(document::do_not_disturb(device, self.undisturbed));
        }
        for (at, ((_, kind), forward)) in TYPES.into_iter().zip(&self.forwards).enumerate() {
            if since.and_then(|since| since.forwards.get(at)) != Some(forward) {
                documents.push(document::forwarding(device, kind, forward));
            }
        }
        documents
    }
}

impl Forward {
    fn of(wishes: &Wishes, tenant: &Tenant, condition: Condition) -> Self {
        let wish = wishes.conditions.get(&condition);
        let own = wish.map(|wish| wish.to.as_slice()).filter(|to| !to.is_empty());
        let busy =
            Some(wishes.busy_to.as_slice()).filter(|to| condition == Condition::Busy && !to.is_empty());
        let to = own.or(busy).unwrap_or(&wishes.numbers).first();
        let to = to.map(|to| as_dialled(tenant, to));
        let is_wished = wish.is_some_and(|wish| wish.active);
        let rings = || {
            let (ring_time, cadence) = (wishes.ring_time(tenant).as_millis(), tenant.cadence.as_millis());
            let rings = ring_time.checked_div(cadence).unwrap_or(0);
            u32::try_from(rings).unwrap_or(RINGS_MAX).clamp(1, RINGS_MAX)
        };
        Self {
            active: wishes.enabled && is_wished && to.is_some(),
            to,
            rings: (condition == Condition::NoAnswer).then(rings),
        }
    }
}

/// A destination as somebody would dial it; one that has no number by its name.
fn as_dialled(tenant: &Tenant, to: &DestinationRef) -> String {
    match to {
        DestinationRef::User(user) | DestinationRef::Person(user) => {
            let extension = tenant.users.get(user).and_then(|user| user.extension.as_ref());
            extension.map_or_else(|| user.to_string(), Extension::to_string)
        }
        DestinationRef::Device(device) => device.to_string(),
        DestinationRef::Group(group) => {
            let extension = tenant.groups.get(group).and_then(|group| group.extension.as_ref());
            extension.map_or_else(|| group.to_string(), Extension::to_string)
        }
        DestinationRef::Place(place) => {
            let extension = tenant.roles.get(place).and_then(|role| role.extension.as_ref());
            extension.map_or_else(|| place.to_string(), Extension::to_string)
        }
        DestinationRef::Number(number) => number.clone(),
    }
}

/// What a key makes of what the person of a device wishes, by the way of the codes; none where it changes nothing.
pub(super) fn wished(
    view: &View,
    tenant: &Tenant,
    device: &Extension,
    wanted: &Wanted,
    at: Timestamp,
) -> Result<Option<Wishes>, CodeError> {
    let shown = Features::of(view, tenant, device).ok_or(CodeError::NotAllowed)?;
    let dialled = codes::dialled(view, tenant, device, &code_of(&shown, wanted), at)?;
    let before = forwarding::saved(view, tenant, &dialled.user);
    let Some(mut next) = dialled.wishes else { return Ok(None) };
    if let Some(rings) = rings_of(&shown, wanted)
        && let Some(wish) = next.conditions.get_mut(&Condition::NoAnswer)
    {
        let (least, most) = AFTER;
        wish.after = Some(tenant.cadence.saturating_mul(rings).clamp(least, most));
    }
    let is_same = before.map_or_else(|| next == Wishes::default(), |before| **before == next);
    Ok((!is_same).then_some(next))
}

/// How often devices are to ring, where that is not what the phone was shown.
fn rings_of(shown: &Features, wanted: &Wanted) -> Option<u32> {
    match wanted {
        Wanted::Forward { condition: Condition::NoAnswer, active: true, rings: Some(rings), .. } => {
            let known = shown.forwards.iter().find_map(|forward| forward.rings);
            Some(*rings).filter(|rings| known != Some(*rings))
        }
        Wanted::Forward { .. } | Wanted::DoNotDisturb(_) => None,
    }
}

/// The code that somebody would dial for it.
fn code_of(shown: &Features, wanted: &Wanted) -> Code {
    match wanted {
        Wanted::DoNotDisturb(is_on) => Code::Undisturbed(*is_on),
        Wanted::Forward { condition, active: false, .. } => Code::Forward(vec![*condition], Ask::Deactivate),
        Wanted::Forward { condition, active: true, to, .. } => {
            let at = TYPES.iter().position(|(known, _)| known == condition);
            let known = at.and_then(|at| shown.forwards.get(at)).and_then(|forward| forward.to.as_ref());
            // A phone sends back what it was shown, which may stand for several, or for what has no number.
            let ask = match to {
                Some(to) if known != Some(to) => Ask::Register(number_of(to), None),
                Some(_) | None => Ask::Activate,
            };
            Code::Forward(vec![*condition], ask)
        }
    }
}

/// A number as it is dialled, where a phone wrote a URI of it.
fn number_of(written: &str) -> String {
    match Uri::parse(written) {
        Ok(uri) if matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) => {
            dial::dialled_number(&uri)
        }
        Ok(_) | Err(_) => written.to_owned(),
    }
}
