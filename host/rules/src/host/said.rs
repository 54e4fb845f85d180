//! The WIT's own types as WAVE text.

use crate::bindings::callwright::rules::call::{CallError, Entry, Refusal};
use crate::bindings::callwright::rules::directory::{DirectoryError, Member, Order};
use crate::bindings::callwright::rules::forwarding::{
    Condition, Effect, ForwardingError, Mode, Route, Selection, Selector, Way, WhyNot, Wishes,
};
use crate::bindings::callwright::rules::log::Level;
use crate::bindings::callwright::rules::presence::{Activity, PresenceError, State};
use crate::bindings::callwright::rules::ring::{Outcome, RingError};
use crate::bindings::callwright::rules::schedule::{LocalTime, ScheduleError, Weekday};
use crate::bindings::callwright::rules::stats::StatsError;
use crate::bindings::callwright::rules::store::StoreError;
use crate::bindings::callwright::rules::types::Place;
use crate::state::RunState;
use crate::wave::{Wave, case};

/// Writes a variant: cases with a payload first, then the bare ones.
macro_rules! variants {
    ($($type:ident { $($full:ident $full_name:literal),* ; $($bare:ident $bare_name:literal),* })*) => { $(
        impl Wave for $type {
            fn wave(&self, run: &RunState, out: &mut String) {
                let _ = run;
                match self {
                    $(Self::$full(payload) => case(run, $full_name, payload, out),)*
                    $(Self::$bare => out.push_str($bare_name),)*
                }
            }
        }
    )* };
}

variants! {
    Place {
        Other "other";
        Device "device", User "user", Group "group", Role "role", Site "site", Outside "outside", Mailbox "mailbox",
        Queue "queue", Conference "conference", Announcement "announcement"
    }
    RingError {
        NotPermitted "not-permitted", LimitExceeded "limit-exceeded", Other "other";
        NotRingable "not-ringable", Unavailable "unavailable"
    }
    Outcome {
        Answered "answered", Refused "refused", Blocked "blocked", Other "other";
        Declined "declined", NotConfirmed "not-confirmed", NoAnswer "no-answer", Busy "busy", Unreachable "unreachable"
    }
    CallError {
        NotPermitted "not-permitted", LimitExceeded "limit-exceeded", Other "other";
        CallerGone "caller-gone", AlreadyEnded "already-ended", Unavailable "unavailable"
    }
    Entry {
        Trunk "trunk", Device "device", Nested "nested", Other "other";
        Transferred "transferred", Callback "callback"
    }
    DirectoryError {
        LimitExceeded "limit-exceeded", Other "other";
        NoSuchEntry "no-such-entry", NotPermitted "not-permitted", Unavailable "unavailable"
    }
    PresenceError {
        LimitExceeded "limit-exceeded", Other "other";
        NotPermitted "not-permitted", Unavailable "unavailable"
    }
    Activity {
        Other "other";
        None "none", Ringing "ringing", OnCall "on-call", Meeting "meeting", Presenting "presenting",
        OutOfOffice "out-of-office", DoNotDisturb "do-not-disturb", WrapUp "wrap-up"
    }
    ScheduleError {
        LimitExceeded "limit-exceeded", Other "other";
        NoSuchEntry "no-such-entry", NoSuchZone "no-such-zone", Unavailable "unavailable"
    }
    ForwardingError {
        LimitExceeded "limit-exceeded", Other "other";
        NotPermitted "not-permitted", Unavailable "unavailable"
    }
    Mode {
        Other "other";
        RingAll "ring-all", NoAnswer "no-answer", Failover "failover", ForwardOnly "forward-only",
        ByCondition "by-condition"
    }
    WhyNot {
        Other "other";
        Suspended "suspended", NoNumbers "no-numbers", QueueSignIn "queue-sign-in", ModeOff "mode-off",
        OutsideSchedule "outside-schedule"
    }
    Member { Person "person", Group "group", Place "place"; }
    Effect { Active "active", Inactive "inactive"; }
    Condition {
        Other "other";
        Always "always", Together "together", Busy "busy", NoAnswer "no-answer", Unreachable "unreachable"
    }
    Selector { Other "other"; CallerList "caller-list", TimeTarget "time-target" }
    StatsError {
        LimitExceeded "limit-exceeded", Other "other";
        NotPermitted "not-permitted", Unavailable "unavailable"
    }
    StoreError {
        LimitExceeded "limit-exceeded", Other "other";
        TooLarge "too-large", Unavailable "unavailable"
    }
    State { ; Available "available", Busy "busy", Away "away", Offline "offline" }
    Level { ; Debug "debug", Info "info", Warn "warn" }
    Weekday {
        ;
        Monday "monday", Tuesday "tuesday", Wednesday "wednesday", Thursday "thursday", Friday "friday",
        Saturday "saturday", Sunday "sunday"
    }
}

impl Wave for Refusal {
    fn wave(&self, run: &RunState, out: &mut String) {
        match self {
            Self::Busy => out.push_str("busy"),
            Self::Declined => out.push_str("declined"),
            Self::NotFound => out.push_str("not-found"),
            Self::TemporarilyUnavailable => out.push_str("temporarily-unavailable"),
            Self::AnonymousRefused => out.push_str("anonymous-refused"),
            Self::Unwanted => out.push_str("unwanted"),
            Self::Other(text) => case(run, "other", text, out),
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Other(text) => text.len(),
            Self::Busy
            | Self::Declined
            | Self::NotFound
            | Self::TemporarilyUnavailable
            | Self::AnonymousRefused
            | Self::Unwanted => 0,
        }
    }
}

/// Writes a record.
macro_rules! records {
    ($($type:ident { $($field:ident $name:literal),* })*) => { $(
        impl Wave for $type {
            fn wave(&self, run: &RunState, out: &mut String) {
                let mut before = '{';
                $(
                    out.push(std::mem::replace(&mut before, ','));
                    out.push_str($name);
                    self.$field.wave(run, out);
                )*
                out.push('}');
            }
        }
    )* };
}

records! {
    Way { when "when: ", to " to: " }
    Route { to "to: ", offline " offline: " }
    Wishes {
        profile "profile: ", effect " effect: ", devices " devices: ", route " route: ", ways " ways: ",
        nowhere " nowhere: ", in_order " in-order: ", ring_ms " ring-ms: ", unanswered " unanswered: ",
        selective " selective: ", lasting " lasting: "
    }
    Selection { by "by: ", name " name: ", to " to: " }
}

impl Wave for Order {
    fn wave(&self, run: &RunState, out: &mut String) {
        match self {
            Self::Listed => out.push_str("listed"),
            Self::Circular => out.push_str("circular"),
            Self::LongestIdle => out.push_str("longest-idle"),
            Self::FewestCalls => out.push_str("fewest-calls"),
            Self::BestSkill => out.push_str("best-skill"),
            Self::Random => out.push_str("random"),
            Self::Other(text) => case(run, "other", text, out),
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Other(text) => text.len(),
            Self::Listed
            | Self::Circular
            | Self::LongestIdle
            | Self::FewestCalls
            | Self::BestSkill
            | Self::Random => 0,
        }
    }
}

impl Wave for LocalTime {
    fn wave(&self, run: &RunState, out: &mut String) {
        out.push_str(&format!(
            "{{year: {}, month: {}, day: {}, hour: {}, minute: {}, second: {}, weekday: ",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        ));
        self.weekday.wave(run, out);
        out.push_str(&format!(", offset-min: {}}}", self.offset_min));
    }
}
