//! The people of a tenant and their phones, from a table or from sections of their own.

use std::collections::BTreeMap;

use callwright_core::config::{Device, EarlyDialogs, User};
use callwright_core::names::{Extension, UserId, is_e164};
use callwright_sip::digest::{Algorithm, Secret};
use toml::de::DeTable;

use super::document::{Table, Value};
use super::numbers::{Numbers, Owner, is_extension};
use super::report::Origin;
use super::sections::Section;
use super::tenant::{is_name, zone};
use super::{address, forwarding};

/// Everybody and everything they ring on.
pub(super) struct People {
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) devices: BTreeMap<Extension, Device>,
}

/// Reads all people of a tenant.
pub(super) fn read(
    tenant: &str,
    table: &Table<'_>,
    sections: &[Section<'_>],
    realm: &Realm,
    numbers: &mut Numbers,
) -> People {
    let mut crowd = Crowd { users: Vec::new(), devices: Vec::new(), realm, numbers };
    let users = table.get("users");
    if users.is_some() && !sections.is_empty() {
        table.report().is_divided();
    }
    for (name, value) in users.map(|users| users.entries()).unwrap_or_default() {
        crowd.add(name, &value);
    }
    for section in sections {
        let origin = Origin::new(table.report(), vec![(0, section.start)]);
        let (document, errors) = DeTable::parse_recoverable(section.text);
        for error in errors {
            origin.add("", error.span().unwrap_or_default(), error.message());
        }
        if let Some(value) =
            Table::root(&document, &origin).below(&["tenants", tenant, "users", section.user])
        {
            crowd.add(section.user, &value);
        }
    }
    // From a sorted list a tree has full leaves: two thirds of the memory of one that grew.
    let count = crowd.users.len();
    let people =
        People { users: crowd.users.into_iter().collect(), devices: crowd.devices.into_iter().collect() };
    if people.users.len() < count {
        table.report().is_divided();
    }
    people
}

struct Crowd<'n> {
    users: Vec<(UserId, User)>,
    devices: Vec<(Extension, Device)>,
    realm: &'n Realm,
    numbers: &'n mut Numbers,
}

impl Crowd<'_> {
    fn add(&mut self, name: &str, value: &Value<'_>) {
        let Some(table) = value.table() else { return };
        is_name(name, value);
        let id = UserId::from(name);
        let owner = Owner::User(id.clone());
        let mut user = User {
            id: id.clone(),
            name: table.get("name").and_then(|value| value.text()).unwrap_or(name).to_owned(),
            extension: self.numbers.extension(&table, &owner),
            numbers: Vec::new(),
            zone: table.get("zone").and_then(|value| zone(&value)),
            devices: Vec::new(),
            call_waiting: table.get("call-waiting").and_then(|value| value.flag()),
            forwarding: table.get("forwarding").and_then(|value| forwarding::read(&value)),
        };
        for value in table.get("numbers").map(|value| value.list()).unwrap_or_default() {
            let Some(number) = value.text() else { continue };
            if is_e164(number) {
                self.numbers.take(number, owner.clone(), &value);
            } else {
                value.wrong(format!("`{number}` is no number in E.164: write +4930123456"));
            }
            user.numbers.push(number.to_owned());
        }
        for (extension, value) in table.names("devices") {
            if is_extension(extension, &value) {
                self.numbers.take(extension, Owner::DeviceOf(id.clone()), &value);
            }
            let Some(device) = device(extension, &id, self.realm, &value) else { continue };
            user.devices.push(device.extension.clone());
            self.devices.push((device.extension.clone(), device));
        }
        table.done();
        user.numbers.shrink_to_fit();
        user.devices.shrink_to_fit();
        self.users.push((id, user));
    }
}

/// What a device proves itself with, as the file has it.
fn password(table: &Table<'_>, registers: bool) -> Option<Secret> {
    // Whoever registers proves itself; a device that never does may be known by its address alone.
    let password = if registers { table.require("password") } else { table.get("password") }?;
    let text = password.text()?;
    if text.is_empty() {
        password.wrong("must not be empty");
    }
    Some(Secret::new(text))
}

/// What a device proves itself with, as the switch keeps it: good for one realm and one algorithm.
fn kept(table: &Table<'_>, realm: &Realm) -> Option<Secret> {
    // Known, and never there: the switch has made a secret of it.
    table.get("password");
    let value = table.kept("secret")?;
    let secret = Kept::read(&value)?;
    if (secret.realm, secret.algorithm) != (realm.name.as_str(), realm.digest.as_str()) {
        value.wrong(format!(
            "was made of a password for realm `{0}` and {1}, and is good for no other: say realm = \"{0}\" and keep \
             the digest, or remove the tenant's devices and make them again",
            secret.realm, secret.algorithm
        ));
    }
    Some(Secret::of_ha1(secret.ha1))
}

/// A secret as the switch keeps it.
struct Kept<'a> {
    realm: &'a str,
    algorithm: &'a str,
    ha1: &'a str,
}

impl<'a> Kept<'a> {
    fn read(value: &Value<'a>) -> Option<Self> {
        let table = value.table()?;
        let text = |key| table.require(key).and_then(|value| value.text());
        let (realm, algorithm, ha1) = (text("realm")?, text("algorithm")?, text("ha1")?);
        Some(Self { realm, algorithm, ha1 })
    }
}

/// What the devices of a tenant prove themselves for.
pub(super) struct Realm {
    pub(super) name: String,
    pub(super) digest: Algorithm,
}

fn device(extension: &str, user: &UserId, realm: &Realm, value: &Value<'_>) -> Option<Device> {
    let table = value.table()?;
    let label = table.require("label").and_then(|value| value.text()).unwrap_or_default();
    let contact = table.get("contact");
    let secret = if table.is_kept() { kept(&table, realm) } else { password(&table, contact.is_none()) };
    let contact = contact.and_then(|value| address::fixed_contact(&value));
    let early_dialogs = match table.get("early-dialogs").and_then(|value| Some((value.text()?, value))) {
        None | Some(("per-leg", _)) => EarlyDialogs::PerLeg,
        Some(("one", _)) => EarlyDialogs::One,
        Some((other, value)) => {
            value.wrong(format!("`{other}` is neither \"per-leg\" nor \"one\""));
            EarlyDialogs::PerLeg
        }
    };
    table.done();
    let (extension, label, user) = (extension.into(), label.to_owned(), user.clone());
    Some(Device { extension, label, user, secret, contact, early_dialogs })
}
