//! The words for who is meant at which time: rotas, holidays, time routes, roles; for sites, and for tables.

use clap::Args;

/// What a duty is that goes round.
#[derive(Args)]
pub(crate) struct RotaKeys {
    /// A user, in turn; several where it is given several times.
    #[arg(long = "member", value_name = "USER")]
    pub(crate) members: Vec<String>,
    /// The first member's turn begins on that date, as 2026-11-16.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Local time of the handover, as 09:00.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How many days a turn has.
    #[arg(long, value_name = "DAYS")]
    pub(crate) every_days: Option<u32>,
    /// Where it is not the tenant's.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// A day that somebody else has, or nobody: `2026-12-24=bob`; several where it is given several times.
    #[arg(long = "swap", value_name = "DATE=USER")]
    pub(crate) swaps: Vec<String>,
}

/// What days off are.
#[derive(Args)]
pub(crate) struct HolidaysKeys {
    /// A day off: `2026-12-25=Christmas`; several where it is given several times.
    #[arg(long = "day", value_name = "DATE=NAME")]
    pub(crate) days: Vec<String>,
}

/// What a name is that means somebody else at another time.
#[derive(Args)]
pub(crate) struct TimeRouteKeys {
    /// Who is meant while which hours are open, first come first: `office=group:sales`, `night=rota:platform`.
    #[arg(long = "route", value_name = "HOURS=TO")]
    pub(crate) routes: Vec<String>,
    /// Who is meant when none of them is.
    #[arg(long, value_name = "TO")]
    pub(crate) otherwise: Option<String>,
}

/// What a name is that somebody holds.
#[derive(Args)]
pub(crate) struct RoleKeys {
    /// Dialling it rings whoever holds it.
    #[arg(long)]
    pub(crate) extension: Option<String>,
    /// Who does: user:NAME (their phones), person:NAME (as they wish), device:EXTENSION, group:NAME, rota:NAME, place:NAME of a
    /// place, a site or a time route, or a number, +4930123456.
    #[arg(long, value_name = "WHO")]
    pub(crate) held_by: Option<String>,
    /// Whether a person who holds it is rung as they wish to be, and not by their phones alone.
    #[arg(long, value_name = "true|false")]
    pub(crate) follow_forwarding: Option<bool>,
}

/// What a location is.
#[derive(Args)]
pub(crate) struct SiteKeys {
    /// device:EXTENSION, user:NAME or group:NAME that is there; all of them, where it is given several times.
    #[arg(long = "part", value_name = "DESTINATION")]
    pub(crate) parts: Vec<String>,
}

/// What a table is.
#[derive(Args)]
pub(crate) struct TableKeys {
    /// A text beside a number or a user: `+4930123456=ana`, `user:bob=board`; several where it is given several times.
    #[arg(long = "row", value_name = "WHO=TEXT")]
    pub(crate) rows: Vec<String>,
}
