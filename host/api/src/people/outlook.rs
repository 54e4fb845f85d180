//! What a user's wishes come to now, in the words that people are told.

use callwright_config::{forwarding_document, wishes};
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::forwarding::{self, Reason, Wishes};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Shown;

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
    /// The profile that is chosen; all of this is as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The profiles that can be chosen.
    profiles: Vec<String>,
    /// What the user should know.
    warnings: Vec<&'static str>,
}

impl Outlook {
    fn of(wishes: &Wishes, tenant: &Tenant, user: &str, now: Timestamp) -> Self {
        let chosen = wishes.in_profile(tenant);
        let outlook = forwarding::Outlook::of(chosen.as_ref().unwrap_or(wishes), tenant, &user.into(), now);
        Self {
            profile: wishes.profile.as_ref().map(ToString::to_string),
            profiles: wishes.choices(tenant).iter().map(ToString::to_string).collect(),
            active: outlook.reason == Reason::Active,
            reason: outlook.reason.word(),
            mode: outlook.mode.word(),
            text: outlook.mode.text(),
            warnings: outlook.warnings,
        }
    }

    /// Of a document; none where it is not right any more.
    fn of_document(document: &Value, tenant: &Tenant, user: &str, now: Timestamp) -> Option<Self> {
        let wishes = wishes(tenant, user, document).ok()?;
        Some(Self::of(&wishes, tenant, user, now))
    }
}

impl Shown {
    /// Says of wishes what they come to, and of a draft what it would.
    pub(super) fn judged(mut self, tenant: &Tenant, now: Timestamp) -> Self {
        if self.kind != Kind::Forwarding {
            return self;
        }
        self.effect = match &self.live {
            Some(live) => Outlook::of_document(live, tenant, &self.name, now),
            None => configured(tenant, &self.name).map(|wishes| Outlook::of(wishes, tenant, &self.name, now)),
        };
        if let Some(draft) = &mut self.draft {
            draft.effect = Outlook::of_document(&draft.value, tenant, &self.name, now);
        }
        self
    }

    /// The wishes of a user who has never saved any: those of their own section, else none at all.
    pub(super) fn unsaved(
        tenant: &Tenant,
        user: &str,
        managed: &'static str,
        now: Timestamp,
    ) -> Option<Self> {
        let known = tenant.users.get(user)?;
        let live = known.forwarding.as_deref().map(forwarding_document);
        let unset = Wishes::default();
        let wishes = known.forwarding.as_deref().unwrap_or(&unset);
        let mut effect = Outlook::of(wishes, tenant, user, now);
        if live.is_none() {
            // Whoever has never asked for forwarding need not be warned that it does nothing.
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
