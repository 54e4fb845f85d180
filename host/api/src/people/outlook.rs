//! What a user's wishes come to now, in the words that people are told.

use std::borrow::Cow;

use callwright_config::{forwarding_document, wishes};
use callwright_core::config::Tenant;
use callwright_core::forwarding::{self, Effect, Wishes};
use callwright_core::names::UserId;
use callwright_core::{Kind, View};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Shown;
use super::warned::decided_by;

/// What wishes come to now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Outlook {
    /// Whether calls are forwarded.
    active: bool,
    /// `active`, or why not: `suspended`, `no-numbers`, `queue-sign-in`, `mode-off`, `outside-schedule`, `blocked(no-trunk)`.
    reason: &'static str,
    /// What was chosen, in effect or not.
    mode: &'static str,
    /// What the mode does; none where conditions were set one by one.
    text: Option<&'static str>,
    /// What rings in place of their devices, as `user:bob`.
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<String>,
    /// Whether nothing of theirs rings.
    do_not_disturb: bool,
    /// The profile that is chosen; all of this is as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The profiles that can be chosen.
    profiles: Vec<String>,
    /// What the user should know.
    warnings: Vec<String>,
}

/// Whose wishes are looked at, in which picture, and when.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) view: &'a View,
    pub(crate) tenant: &'a Tenant,
    pub(crate) now: Timestamp,
}

impl Judge<'_> {
    /// What holds of wishes where a profile is chosen: what it says in their place.
    fn effective<'w>(&self, wishes: &'w Wishes) -> Cow<'w, Wishes> {
        wishes.in_profile(self.tenant).map_or(Cow::Borrowed(wishes), Cow::Owned)
    }

    fn judge(&self, effective: &Wishes, user: &UserId) -> forwarding::Outlook {
        forwarding::Outlook::of(effective, self.view, self.tenant, user, self.now)
    }

    fn outlook(&self, wishes: &Wishes, user: &str) -> Outlook {
        let effective = self.effective(wishes);
        let outlook = self.judge(&effective, &user.into());
        let mut warnings = outlook.warnings;
        warnings.extend(decided_by(self.view, self.tenant, user));
        Outlook {
            only: effective.cold_route.as_ref().map(ToString::to_string),
            do_not_disturb: effective.do_not_disturb,
            profile: wishes.profile.as_ref().map(ToString::to_string),
            profiles: wishes.choices(self.tenant).iter().map(ToString::to_string).collect(),
            active: matches!(outlook.effect, Effect::Active(_)),
            reason: outlook.effect.word(),
            mode: outlook.mode.word(),
            text: outlook.mode.text(),
            warnings,
        }
    }

    /// Of a document; none where it is not right any more.
    fn of_document(&self, document: &Value, user: &str) -> Option<Outlook> {
        let wishes = wishes(self.tenant, user, document).ok()?;
        Some(self.outlook(&wishes, user))
    }

    /// What somebody should know of what they wish now. Whoever has never asked for forwarding need not be warned that it does
    /// nothing.
    pub(crate) fn warnings(&self, user: &UserId) -> Vec<String> {
        let saved = forwarding::saved(self.view, self.tenant, user);
        saved.map(|wishes| self.judge(&self.effective(wishes), user).warnings).unwrap_or_default()
    }
}

impl Shown {
    /// Says of wishes what they come to, and of a draft what it would.
    pub(super) fn judged(mut self, by: Judge<'_>) -> Self {
        if self.kind != Kind::Forwarding {
            return self;
        }
        self.effect = match &self.live {
            Some(live) => by.of_document(live, &self.name),
            None => configured(by.tenant, &self.name).map(|wishes| by.outlook(wishes, &self.name)),
        };
        if let Some(draft) = &mut self.draft {
            draft.effect = by.of_document(&draft.value, &self.name);
        }
        self
    }

    /// The wishes of a user who has never saved any: those of their own section, else none at all.
    pub(super) fn unsaved(by: Judge<'_>, user: &str, managed: &'static str) -> Option<Self> {
        let known = by.tenant.users.get(user)?;
        let live = known.forwarding.as_deref().map(forwarding_document);
        let unset = Wishes::default();
        let wishes = known.forwarding.as_deref().unwrap_or(&unset);
        let mut effect = by.outlook(wishes, user);
        if live.is_none() {
            effect.warnings.clear();
        }
        Some(Self {
            kind: Kind::Forwarding,
            name: user.to_owned(),
            live,
            effect: Some(effect),
            warnings: Vec::new(),
            draft: None,
            until: None,
            then: None,
            revision: 0,
            managed,
            password: None,
        })
    }
}

fn configured<'a>(tenant: &'a Tenant, user: &str) -> Option<&'a Wishes> {
    tenant.users.get(user)?.forwarding.as_deref()
}
