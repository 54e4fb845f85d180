//! What people call whom a call may go to, wherever they read of it.

use crate::config::Tenant;
use crate::explain::labelled;
use crate::rule::DestinationRef;

/// The label of a device, the name of anybody else, a number as far as it is shown; the bare name where the tenant has it no
/// more.
#[must_use]
pub fn label(tenant: Option<&Tenant>, to: &DestinationRef) -> String {
    match to {
        DestinationRef::Device(device) => {
            let device_of = tenant.and_then(|tenant| tenant.devices.get(device));
            device_of.map_or_else(|| device.to_string(), |device| device.label.clone())
        }
        DestinationRef::User(user) | DestinationRef::Person(user) => {
            let user_of = tenant.and_then(|tenant| tenant.users.get(user));
            user_of.map_or_else(|| user.to_string(), |user| user.name.clone())
        }
        DestinationRef::Group(group) => group.to_string(),
        DestinationRef::Place(place) => place.to_string(),
        DestinationRef::Number(number) => redacted(number),
    }
}

/// A label, that of a phone with its extension: `1002 (soft)`.
#[must_use]
pub fn with_extension(to: &DestinationRef, label: String) -> String {
    match to {
        DestinationRef::Device(device) => labelled(device, &label),
        DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Group(_)
        | DestinationRef::Place(_)
        | DestinationRef::Number(_) => label,
    }
}

/// A number that may be private, as far as it is shown: enough to tell two apart (RULES §4).
#[must_use]
pub fn redacted(number: &str) -> String {
    let digits = number.chars().count();
    number
        .chars()
        .enumerate()
        .map(|(at, digit)| if at < 3 || at + 2 >= digits { digit } else { '*' })
        .collect()
}
