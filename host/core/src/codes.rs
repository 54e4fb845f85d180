//! What phones dial to change how calls reach their user: the star codes of the tenant's plan, and those of GSM.
//!
//! Pure functions: from digits to a wish, and from wishes to other wishes. The digits of GSM are `**SC*n#` to register, `*SC#` to
//! activate, `#SC#` to deactivate, `##SC#` to erase and `*#SC#` to ask, where SC is 21 (always), 61 (no answer), 62
//! (unreachable), 67 (busy), 004 (the three last) or 002 (all).

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Tenant;
use crate::explain::list;
use crate::forwarding::{self, Condition, Effect, WhyNot, Wish, Wishes};
use crate::names::{Extension, UserId, is_e164};
use crate::presence;
use crate::rule::DestinationRef;
use crate::view::View;

/// The codes of a tenant; none of them is the beginning of another, nor of a code of GSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePlan {
    /// From now on only the device that dials it rings.
    pub route_here: Option<String>,
    /// Followed by an extension: only that device, or that colleague, rings.
    pub route_to: Option<String>,
    /// All devices ring again.
    pub route_all: Option<String>,
    /// The user is not to be disturbed.
    pub undisturbed: Option<String>,
    /// The user may be disturbed again.
    pub disturbed: Option<String>,
    /// Whether the codes of GSM are understood.
    pub gsm: bool,
}

impl Default for CodePlan {
    fn default() -> Self {
        let code = |code: &str| Some(code.to_owned());
        Self {
            route_here: code("*50"),
            route_to: code("*49"),
            route_all: code("*51"),
            undisturbed: code("*78"),
            disturbed: code("*79"),
            gsm: true,
        }
    }
}

/// What a code asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Only the device that dials it rings.
    RouteHere,
    /// Only that device or colleague rings, by extension.
    RouteTo(String),
    /// All devices ring.
    RouteAll,
    /// Do not disturb, or do.
    Undisturbed(bool),
    /// Something about forwarding.
    Forward(Vec<Condition>, Ask),
}

/// What a code of GSM asks of some conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// There, from now on; and for no answer after how long.
    Register(String, Option<Duration>),
    /// As registered before.
    Activate,
    /// Not any more, but what is registered stays.
    Deactivate,
    /// Not any more, and nothing stays.
    Erase,
    /// Whether calls are forwarded now.
    Query,
}

impl Code {
    /// Whether it changes nothing.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Forward(_, Ask::Query))
    }
}

/// Why a code did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It is no code of this tenant.
    #[error("no such code")]
    NoSuchCode,
    /// Devices cannot be asked to ring as long as that.
    #[error("the time in it must be {} to {} s", AFTER_S.start(), AFTER_S.end())]
    NoSuchTime,
    /// The number in it stands for nothing that calls may go to.
    #[error("nobody to go to")]
    NoSuchNumber,
    /// The device has not proved that it is its user's.
    #[error("not allowed")]
    NotAllowed,
    /// Calls of somebody would go to themselves.
    #[error("that is one's own number")]
    Oneself,
    /// Somebody else's device.
    #[error("that phone is somebody else's")]
    NotTheirDevice,
    /// A colleague who does not take calls of this user.
    #[error("that colleague does not take these calls")]
    NotTaken,
    /// There is nothing to activate.
    #[error("no forwarding number is set")]
    NothingRegistered,
    /// What was asked about is not active.
    #[error("this forwarding is not active")]
    NotActive,
    /// It is set, and calls are not forwarded now: the reason.
    #[error("this forwarding is not active now: {}", .0.told())]
    NotNow(Effect),
}

/// How long devices may be asked to ring before no answer, in seconds: what the codes of GSM can say.
const AFTER_S: std::ops::RangeInclusive<u64> = 5..=30;

/// The conditions of a service code of GSM (3GPP TS 22.030, annex B).
fn conditions(service: &str) -> Option<Vec<Condition>> {
    let conditional = [Condition::Busy, Condition::NoAnswer, Condition::Unreachable];
    match service {
        "21" => Some(vec![Condition::Always]),
        "61" => Some(vec![Condition::NoAnswer]),
        "62" => Some(vec![Condition::Unreachable]),
        "67" => Some(vec![Condition::Busy]),
        "004" => Some(conditional.to_vec()),
        "002" => Some([Condition::Always].into_iter().chain(conditional).collect()),
        _ => None,
    }
}

impl CodePlan {
    /// Whether digits are meant as a code at all.
    #[must_use]
    pub fn is_code(dialled: &str) -> bool {
        dialled.starts_with(['*', '#'])
    }

    /// Reads what was dialled.
    ///
    /// # Errors
    /// [`CodeError::NoSuchCode`], [`CodeError::NoSuchTime`].
    pub fn read(&self, dialled: &str) -> Result<Code, CodeError> {
        let is = |code: &Option<String>| code.as_deref() == Some(dialled);
        if is(&self.route_here) {
            return Ok(Code::RouteHere);
        }
        if is(&self.route_all) {
            return Ok(Code::RouteAll);
        }
        if is(&self.undisturbed) || is(&self.disturbed) {
            return Ok(Code::Undisturbed(is(&self.undisturbed)));
        }
        if let Some(extension) = self.route_to.as_deref().and_then(|code| dialled.strip_prefix(code))
            && !extension.is_empty()
        {
            return Ok(Code::RouteTo(extension.to_owned()));
        }
        if self.gsm { gsm(dialled) } else { Err(CodeError::NoSuchCode) }
    }

    /// What is wrong with the plan: codes of which one is the beginning of another, and so can never be told apart.
    #[must_use]
    pub fn conflicts(&self) -> Vec<String> {
        let own = [
            ("route-here", &self.route_here),
            ("route-to", &self.route_to),
            ("route-all", &self.route_all),
            ("undisturbed", &self.undisturbed),
            ("disturbed", &self.disturbed),
        ];
        let own: Vec<_> = own.into_iter().filter_map(|(name, code)| Some((name, code.as_deref()?))).collect();
        let mut found = Vec::new();
        for (at, (name, code)) in own.iter().enumerate() {
            if !is_dialled(code) {
                found.push(format!("{name}: `{code}` is no code: write `*` or `#` and then digits"));
            }
            for (other, with) in &own[at + 1..] {
                if code.starts_with(with) || with.starts_with(code) {
                    found.push(format!("{name} `{code}` and {other} `{with}` cannot be told apart"));
                }
            }
            if self.gsm && GSM_BEGINS.iter().any(|gsm| code.starts_with(gsm)) {
                found.push(format!("{name}: `{code}` is the beginning of a code of GSM"));
            }
        }
        found
    }
}

/// How codes of GSM begin that are no star and digits alone.
const GSM_BEGINS: [&str; 4] = ["**", "##", "*#", "#"];

fn is_dialled(code: &str) -> bool {
    let digits = code.trim_start_matches(['*', '#']);
    digits.len() < code.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `**61*+4930123456**15#` and its like.
fn gsm(dialled: &str) -> Result<Code, CodeError> {
    let none = CodeError::NoSuchCode;
    let rest = dialled.strip_suffix('#').ok_or(none)?;
    let (registers, rest, ask) = [
        ("**", true, Ask::Activate),
        ("##", false, Ask::Erase),
        ("*#", false, Ask::Query),
        ("*", true, Ask::Activate),
        ("#", false, Ask::Deactivate),
    ]
    .into_iter()
    .find_map(|(begin, registers, ask)| Some((registers, rest.strip_prefix(begin)?, ask)))
    .ok_or(none)?;
    let mut parts = rest.split('*');
    let conditions = parts.next().and_then(conditions).ok_or(none)?;
    let number = parts.next().filter(|number| !number.is_empty());
    // The second is the kind of call, voice or any (11, or nothing); the third is the time.
    let (kind, seconds) = (parts.next(), parts.next());
    if parts.next().is_some() || kind.is_some_and(|kind| !["", "11"].contains(&kind)) {
        return Err(none);
    }
    let ask = match (number, seconds) {
        (Some(number), seconds) if registers => {
            Ask::Register(number.to_owned(), seconds.map(after).transpose()?)
        }
        (Some(_), _) | (None, Some(_)) => return Err(none),
        (None, None) => ask,
    };
    Ok(Code::Forward(conditions, ask))
}

/// How long devices ring before no answer.
fn after(seconds: &str) -> Result<Duration, CodeError> {
    let seconds = seconds.parse().ok().filter(|seconds| AFTER_S.contains(seconds));
    seconds.map(Duration::from_secs).ok_or(CodeError::NoSuchTime)
}

/// Who dials.
#[derive(Clone, Copy, Debug)]
pub struct Dialler<'a> {
    /// Their tenant.
    pub tenant: &'a Tenant,
    /// The user.
    pub user: &'a UserId,
    /// Their device.
    pub device: &'a Extension,
    /// When.
    pub at: Timestamp,
}

/// What a device's code comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialled {
    /// Whose device it is.
    pub user: UserId,
    /// What they wish from now on; none where the code only asks.
    pub wishes: Option<Wishes>,
    /// What it did, in words.
    pub said: String,
}

/// What a code makes of what the user of a device wishes now.
///
/// What is dialled holds at once, and so ends a profile that might say otherwise.
///
/// # Errors
/// [`CodeError`]: nothing is changed. Whoever is believed by address alone speaks for nobody.
pub fn dialled(
    view: &View,
    tenant: &Tenant,
    device: &Extension,
    code: &Code,
    at: Timestamp,
) -> Result<Dialled, CodeError> {
    let proved = tenant.devices.get(device).filter(|device| device.secret.is_some());
    let user = proved.map(|device| device.user.clone()).ok_or(CodeError::NotAllowed)?;
    let wishes = if code.asks() {
        forwarding::of_user(view, tenant, &user).as_deref().cloned()
    } else {
        let saved = forwarding::saved(view, tenant, &user);
        saved.map(|saved| Wishes { profile: None, term: None, ..Wishes::clone(saved) })
    };
    let takes_calls = |colleague: &UserId| forwarding::takes_for(view, tenant, colleague, &user);
    let dialler = Dialler { tenant, user: &user, device, at };
    let (wishes, mut said) = apply(code, &wishes.unwrap_or_default(), dialler, takes_calls)?;
    let routed = match code {
        Code::RouteHere | Code::RouteTo(_) => wishes.as_ref().and_then(|wishes| wishes.cold_route.as_ref()),
        Code::RouteAll | Code::Undisturbed(_) | Code::Forward(..) => None,
    };
    if routed.is_some_and(|to| !presence::reachable(view, &tenant.id, to)) {
        said.push_str(", and cannot be reached now");
    }
    Ok(Dialled { user, wishes, said })
}

/// What a code makes of wishes; nothing new where it only asks. Told in words.
///
/// # Errors
/// [`CodeError`]: nothing is changed.
pub fn apply(
    code: &Code,
    wishes: &Wishes,
    dialler: Dialler<'_>,
    takes_calls: impl Fn(&UserId) -> bool,
) -> Result<(Option<Wishes>, String), CodeError> {
    let mut next = wishes.clone();
    let said = match code {
        Code::RouteHere => {
            let to = DestinationRef::Device(dialler.device.clone());
            let said = alone(&to);
            next.cold_route = Some(to);
            said
        }
        Code::RouteTo(extension) => {
            let to = route_to(extension, dialler, takes_calls)?;
            let said = alone(&to);
            next.cold_route = Some(to);
            said
        }
        Code::RouteAll => {
            next.cold_route = None;
            "all devices ring from now on".to_owned()
        }
        Code::Undisturbed(is_on) => {
            next.do_not_disturb = *is_on;
            format!("do not disturb is {}", if *is_on { "on" } else { "off" })
        }
        Code::Forward(conditions, Ask::Query) => {
            let now = effects(wishes, conditions, dialler);
            let first = now.first().map(|(effect, _)| *effect).ok_or(CodeError::NotActive)?;
            let is_active = now.iter().any(|(effect, _)| matches!(effect, Effect::Active(_)));
            return if is_active { Ok((None, told_now(&now))) } else { Err(CodeError::NotNow(first)) };
        }
        Code::Forward(conditions, ask) => forward(&mut next, conditions, ask, dialler)?,
    };
    Ok((Some(next), said))
}

/// `only 1002 rings from now on`, or a colleague's phones do.
fn alone(to: &DestinationRef) -> String {
    match to {
        DestinationRef::Device(device) => format!("only {device} rings from now on"),
        DestinationRef::User(user) | DestinationRef::Person(user) => {
            format!("only the phones of {user} ring from now on")
        }
        DestinationRef::Group(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => {
            format!("only {to} rings from now on")
        }
    }
}

/// `busy is`, and `busy and unreachable are`.
fn words_are(conditions: &[Condition]) -> String {
    format!("{} {}", words(conditions), if conditions.len() == 1 { "is" } else { "are" })
}

fn words(conditions: &[Condition]) -> String {
    let words: Vec<_> = conditions.iter().map(|condition| condition.word()).collect();
    list(&words)
}

/// What conditions that are set come to now, those of the same effect together.
fn effects(wishes: &Wishes, conditions: &[Condition], dialler: Dialler<'_>) -> Vec<(Effect, Vec<Condition>)> {
    let Dialler { tenant, user, at, .. } = dialler;
    let zone = forwarding::zone_of(tenant, user);
    let mut now: Vec<(Effect, Vec<Condition>)> = Vec::new();
    for condition in conditions {
        let effect = wishes.effect_under(*condition, tenant, zone, at);
        if effect == Effect::Inactive(WhyNot::ModeOff) {
            continue;
        }
        match now.iter_mut().find(|(known, _)| *known == effect) {
            Some((_, same)) => same.push(*condition),
            None => now.push((effect, vec![*condition])),
        }
    }
    now
}

/// `forwarding busy is active; no-answer is not active now: outside-schedule`.
fn told_now(now: &[(Effect, Vec<Condition>)]) -> String {
    let parts = now.iter().map(|(effect, conditions)| match effect {
        Effect::Active(_) => format!("{} active", words_are(conditions)),
        Effect::Blocked(_) | Effect::Inactive(_) => {
            format!("{} not active now: {}", words_are(conditions), effect.told())
        }
    });
    format!("forwarding {}", parts.collect::<Vec<_>>().join("; "))
}

fn forward(
    next: &mut Wishes,
    conditions: &[Condition],
    ask: &Ask,
    dialler: Dialler<'_>,
) -> Result<String, CodeError> {
    let to = match ask {
        Ask::Register(number, _) => Some(destination(number, dialler)?),
        Ask::Activate | Ask::Deactivate | Ask::Erase | Ask::Query => None,
    };
    for condition in conditions {
        match ask {
            Ask::Register(_, after) => {
                let after = after.filter(|_| *condition == Condition::NoAnswer);
                let wish = Wish { active: true, to: to.iter().cloned().collect(), after };
                next.conditions.insert(*condition, wish);
            }
            Ask::Activate if next.conditions.contains_key(condition) || !next.numbers.is_empty() => {
                next.conditions.entry(*condition).or_default().active = true;
            }
            Ask::Activate => return Err(CodeError::NothingRegistered),
            Ask::Deactivate => {
                if let Some(wish) = next.conditions.get_mut(condition) {
                    wish.active = false;
                }
            }
            Ask::Erase => {
                next.conditions.remove(condition);
            }
            Ask::Query => {}
        }
    }
    Ok(match (ask, to) {
        (Ask::Register(..), Some(to)) => {
            next.enabled = true;
            // It is the same destination for each of them.
            match effects(next, conditions, dialler).first() {
                Some((effect @ (Effect::Blocked(_) | Effect::Inactive(_)), _)) => {
                    let is = words_are(conditions);
                    format!("forwarding {is} set to {to}, and not active now: {}", effect.told())
                }
                Some((Effect::Active(_), _)) | None => {
                    let goes = if conditions.len() == 1 { "goes" } else { "go" };
                    format!("forwarding {} {goes} to {to}", words(conditions))
                }
            }
        }
        (Ask::Activate, _) => {
            next.enabled = true;
            told_now(&effects(next, conditions, dialler))
        }
        (Ask::Erase, _) => format!("forwarding {} erased", words_are(conditions)),
        (Ask::Register(..) | Ask::Deactivate | Ask::Query, _) => {
            format!("forwarding {} not active", words_are(conditions))
        }
    })
}

/// A number as it is dialled: somebody of the tenant, or E.164 with `+` or 00.
fn destination(number: &str, dialler: Dialler<'_>) -> Result<DestinationRef, CodeError> {
    let to = match dialler.tenant.plan.find(number) {
        // A person is who is meant: a device is nothing to forward to.
        Some(DestinationRef::Device(device)) => {
            let owner = dialler.tenant.devices.get(device).map(|device| device.user.clone());
            owner.map(DestinationRef::User).ok_or(CodeError::NoSuchNumber)
        }
        Some(to) => Ok(to.clone()),
        None => {
            let number =
                number.strip_prefix("00").map_or_else(|| number.to_owned(), |rest| format!("+{rest}"));
            if is_e164(&number) { Ok(DestinationRef::Number(number)) } else { Err(CodeError::NoSuchNumber) }
        }
    };
    to.and_then(|to| {
        let is_oneself = to == DestinationRef::User(dialler.user.clone());
        if is_oneself { Err(CodeError::Oneself) } else { Ok(to) }
    })
}

/// A device of the user's own, or a colleague who takes their calls.
fn route_to(
    extension: &str,
    dialler: Dialler<'_>,
    takes_calls: impl Fn(&UserId) -> bool,
) -> Result<DestinationRef, CodeError> {
    match dialler.tenant.plan.find(extension) {
        Some(DestinationRef::Device(device)) => {
            let owner = dialler.tenant.devices.get(device).map(|device| &device.user);
            match owner {
                Some(owner) if owner == dialler.user => Ok(DestinationRef::Device(device.clone())),
                Some(_) | None => Err(CodeError::NotTheirDevice),
            }
        }
        Some(DestinationRef::User(user)) if user == dialler.user => Err(CodeError::Oneself),
        Some(DestinationRef::User(user)) if takes_calls(user) => Ok(DestinationRef::User(user.clone())),
        Some(DestinationRef::User(_)) => Err(CodeError::NotTaken),
        Some(
            DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_),
        )
        | None => Err(CodeError::NoSuchNumber),
    }
}

#[cfg(test)]
mod tests;
