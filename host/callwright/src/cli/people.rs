//! The words for tenants and what they consist of: the same verbs for each kind of document.

use clap::{Args, Subcommand};

use crate::client::segment;

/// What can be done with documents of one kind, where one is shown as it is looked at.
#[derive(Subcommand)]
pub(crate) enum DocumentCommand<K: Args, L: Args = AsItIs> {
    /// Makes one; there must be none of that name.
    #[command(visible_alias = "add")]
    Create {
        /// Its name; of a device its extension.
        name: String,
        #[command(flatten)]
        keys: K,
        #[command(flatten)]
        more: More,
        #[command(flatten)]
        how: How,
    },
    /// Lists all, by name.
    List,
    /// Prints one with its draft.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        look: L,
    },
    /// Changes what is named and leaves the rest as it is; there must be one of that name.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        keys: K,
        #[command(flatten)]
        more: More,
        /// Takes a key away, as `extension`; several where it is given several times.
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Makes a draft live.
    Save {
        /// Its name.
        name: String,
        /// Until when: 2026-12-24T18:00:00Z, `2h` or `3 days`; then what was before is live again.
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Forgets a draft.
    Discard {
        /// Its name.
        name: String,
    },
    /// Removes one.
    Remove {
        /// Its name.
        name: String,
        /// A user's devices too.
        #[arg(long)]
        with_devices: bool,
    },
}

/// What can be done with how people wish to be reached.
#[derive(Subcommand)]
pub(crate) enum ForwardingCommand {
    #[command(flatten)]
    Document(Box<DocumentCommand<ForwardingKeys>>),
    /// Switches a user to a profile; `none` leaves it.
    Profile {
        /// The user.
        name: String,
        /// office, travel, do-not-disturb, or one of the tenant's or the user's own.
        profile: String,
        #[command(flatten)]
        how: How,
    },
}

/// What can be done with tenants.
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Makes a tenant; the operator's token is needed.
    Create {
        /// Its name.
        name: String,
        #[command(flatten)]
        keys: TenantKeys,
        #[command(flatten)]
        more: More,
    },
    /// Lists the tenants that the token opens.
    List,
    /// Prints one.
    Show {
        /// Its name.
        name: String,
    },
    /// Changes what is named and leaves the rest as it is.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        keys: TenantKeys,
        #[command(flatten)]
        more: More,
    },
    /// Removes a tenant.
    Remove {
        /// Its name.
        name: String,
        /// With its people, phones, groups, rules and tokens; without this it must have no people.
        #[arg(long)]
        with_everything: bool,
    },
}

/// Nothing can be said of how a document is looked at.
#[derive(Args)]
pub(crate) struct AsItIs {}

/// When a call would come.
#[derive(Args)]
pub(crate) struct Moment {
    /// When the call would come, in the tenant's zone: `Sun 03:00`, `03:00` or `2026-12-24 18:00`; now without this.
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
}

impl Moment {
    /// What a path of the API ends with.
    pub(crate) fn query(&self) -> String {
        self.at.as_ref().map(|at| format!("?at={}", segment(at))).unwrap_or_default()
    }
}

/// Whatever has no option of its own.
#[derive(Args, Default)]
pub(crate) struct More {
    /// Any key of the document, as docs/people.md lists them: `unanswered=group:sales`, `rings=3`, `queues=["support"]`. What is
    /// no JSON is a text.
    #[arg(long = "key", value_name = "KEY=VALUE")]
    pub(crate) keys: Vec<String>,
}

/// How a change is meant.
#[derive(Args)]
pub(crate) struct How {
    /// Prepares it only: `save` makes it live, `discard` forgets it.
    #[arg(long)]
    pub(crate) draft: bool,
    /// Until when: 2026-12-24T18:00:00Z, `2h` or `3 days`; then what was before is live again.
    #[arg(long, value_name = "WHEN", conflicts_with = "draft")]
    pub(crate) until: Option<String>,
}

/// What a tenant is.
#[derive(Args)]
pub(crate) struct TenantKeys {
    /// A SIP domain; the first stands in URIs, and is the digest realm where there is no other.
    #[arg(long = "domain", value_name = "NAME")]
    pub(crate) domains: Vec<String>,
    /// The digest realm that passwords are kept for: the old one keeps them good when the first domain changes.
    #[arg(long, value_name = "NAME")]
    pub(crate) realm: Option<String>,
    /// A zone of the IANA database, as Europe/Berlin.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// `md5` or `sha-256`.
    #[arg(long)]
    pub(crate) digest: Option<String>,
}

/// What a person is.
#[derive(Args)]
pub(crate) struct UserKeys {
    /// Shown to people.
    #[arg(long = "display-name", value_name = "TEXT")]
    pub(crate) display_name: Option<String>,
    /// Dialling it calls the person.
    #[arg(long)]
    pub(crate) extension: Option<String>,
    /// A number in E.164; several where it is given several times.
    #[arg(long = "number", value_name = "NUMBER")]
    pub(crate) numbers: Vec<String>,
    /// Where it is not the tenant's.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// Whether their devices ring while they are on a call.
    #[arg(long, value_name = "true|false")]
    pub(crate) call_waiting: Option<bool>,
}

/// What a phone is.
#[derive(Args)]
pub(crate) struct DeviceKeys {
    /// Whose it is.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// What people call it: desk, soft, mobile.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Its password; without this the switch makes one for a new device, and shows it once.
    #[arg(long, env = "CALLWRIGHT_DEVICE_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Where it is always reached, without registering: sip:192.0.2.7:5080.
    #[arg(long, value_name = "URI")]
    pub(crate) contact: Option<String>,
    /// `per-leg`, or `one` for a phone that follows one early dialog only.
    #[arg(long, value_name = "HOW")]
    pub(crate) early_dialogs: Option<String>,
}

/// What a group is.
#[derive(Args)]
pub(crate) struct GroupKeys {
    /// Dialling it rings the group.
    #[arg(long)]
    pub(crate) extension: Option<String>,
    /// A user, group:NAME or place:NAME, in order; all of them, where it is given several times.
    #[arg(long = "member", value_name = "WHO")]
    pub(crate) members: Vec<String>,
    /// How they are rung: together, or one by one: linear, circular, longest-idle, fewest-calls.
    #[arg(long, value_name = "ORDER")]
    pub(crate) hunt: Option<String>,
    /// Of a group that rings together: how many seconds after the one before it each begins.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stagger_s: Option<u32>,
    /// How many seconds they ring, each or all together.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ring_time_s: Option<u32>,
    /// Whether the forwarding of its people holds for calls to the group.
    #[arg(long, value_name = "true|false")]
    pub(crate) follow_forwarding: Option<bool>,
}

/// What a place is.
#[derive(Args)]
pub(crate) struct PlaceKeys {
    /// user:NAME (their phones), person:NAME (as they wish), device:EXTENSION, group:NAME or a number, +4930123456.
    pub(crate) target: String,
}

/// What opening hours are.
#[derive(Args)]
pub(crate) struct HoursKeys {
    /// `mon-fri 08:00-18:00`; several where it is given several times.
    #[arg(long, value_name = "SPAN")]
    pub(crate) weekly: Vec<String>,
    /// Where it is not the tenant's.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// A day without hours: `2026-12-25=Christmas`.
    #[arg(long, value_name = "DATE=NAME")]
    pub(crate) closed: Vec<String>,
    /// A day with hours of its own: `2026-12-24=Christmas Eve=08:00-12:00`.
    #[arg(long, value_name = "DATE=NAME=SPAN")]
    pub(crate) open: Vec<String>,
    /// A list of days off that closes it too; several where it is given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) holidays: Vec<String>,
}

/// How a user wishes to be reached.
#[derive(Args, Default)]
pub(crate) struct ForwardingKeys {
    /// Whether any of it holds.
    #[arg(long, value_name = "true|false")]
    pub(crate) enabled: Option<bool>,
    /// off, ring-all, no-answer, failover or forward-only.
    #[arg(long)]
    pub(crate) mode: Option<String>,
    /// Where calls go: user:NAME (their phones), person:NAME (as they wish), group:NAME, place:NAME or a number, +4930123456; several where it is given several times.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) to: Vec<String>,
    /// One after the other, and not together.
    #[arg(long, value_name = "true|false")]
    pub(crate) in_order: Option<bool>,
    /// How often devices ring before a call moves on.
    #[arg(long)]
    pub(crate) rings: Option<u32>,
    /// When it holds, as `mon-fri 08:00-18:00`; `always` for all the time. Several where it is given several times. Hours of the
    /// tenant have no name here: a time route goes by those, and `--to place:NAME` leads to it.
    #[arg(long, value_name = "SPAN")]
    pub(crate) when: Vec<String>,
    /// Nobody is to be disturbed.
    #[arg(long, value_name = "true|false")]
    pub(crate) do_not_disturb: Option<bool>,
    /// Who rings in place of all the user's devices: device:EXTENSION or user:NAME.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) cold_route: Option<String>,
    /// Where calls go while the user is engaged, in whatever mode; several where it is given several times.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) busy_to: Vec<String>,
    /// Callers whose calls go elsewhere: `vip=user:bob,number:+4930*=user:cleo`; several lists where it is given several times.
    #[arg(long, value_name = "NAME=FROM=TO")]
    pub(crate) callers: Vec<String>,
    /// A time at which calls go elsewhere: `lunch=mon-fri 12:00-13:00=user:bob`; several where it is given several times.
    #[arg(long, value_name = "NAME=SPAN=TO")]
    pub(crate) times: Vec<String>,
    /// Where a call goes that nobody took.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) unanswered: Option<String>,
    /// One of the numbers that rings the user themselves; several where it is given several times.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) own: Vec<String>,
    /// A device that does not ring; several where it is given several times.
    #[arg(long, value_name = "EXTENSION")]
    pub(crate) silent: Vec<String>,
    /// A colleague whose calls may be let ring here; several where it is given several times.
    #[arg(long, value_name = "USER")]
    pub(crate) takes_for: Vec<String>,
    /// A queue that the user is signed in to, which pauses forwarding; `--unset queues` signs out of all.
    #[arg(long = "queue", value_name = "NAME")]
    pub(crate) queues: Vec<String>,
    /// The profile that holds: office, travel, do-not-disturb, or one of the tenant's or the user's own.
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

/// Which events are wanted.
#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Goes on and tells each event as it happens.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Those about this user alone; a user's token may read no others.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// How many to begin with.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

/// Which entries of the audit log are wanted.
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Of this kind alone: tenant, user, device, group, place, site, holidays, hours, rota, time-route, role, table or forwarding.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Of this name alone.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}
