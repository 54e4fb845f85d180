//! Who there is in the demo: written as a configuration file like anybody's, with passwords of this run alone.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::{ToSpan, Zoned};

use crate::data;
use crate::error::UserError;

/// The demo's tenant.
pub(super) const NAME: &str = "demo";
/// Its domain.
pub(super) const DOMAIN: &str = "demo.example";

/// A device's extension and what people call it.
type Device = (&'static str, &'static str);

/// Users with their extensions and devices.
const PEOPLE: [(&str, &str, &[Device]); 4] = [
    ("ana", "100", &[("1001", "desk"), ("1002", "soft"), ("1003", "mobile")]),
    ("bob", "101", &[("1011", "desk")]),
    ("nadia", "103", &[("1031", "night desk")]),
    ("you", "110", &[(YOURS, "your phone")]),
];
/// The device that waits for a phone of the reader's own.
const YOURS: &str = "1101";

/// The tenant of one run of the demo.
pub(super) struct DemoTenant {
    sip: SocketAddr,
    http: SocketAddr,
    phones: Vec<(&'static str, String)>,
}

impl DemoTenant {
    /// People with fresh passwords.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(super) fn new(sip: SocketAddr, http: SocketAddr) -> Result<Self, UserError> {
        let mut phones = Vec::new();
        for (extension, _) in PEOPLE.iter().flat_map(|(_, _, devices)| devices.iter()) {
            let bytes = data::random::<6>()?;
            phones.push((*extension, bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        Ok(Self { sip, http, phones })
    }

    /// The built-in phones with their passwords.
    pub(super) fn phones(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.phones
            .iter()
            .filter(|(extension, _)| *extension != YOURS)
            .map(|(extension, word)| (*extension, word.as_str()))
    }

    /// The device for the reader's own phone.
    pub(super) fn yours(&self) -> (&'static str, &str) {
        (YOURS, self.password(YOURS))
    }

    fn password(&self, extension: &str) -> &str {
        self.phones.iter().find(|(of, _)| *of == extension).map_or("", |(_, word)| word)
    }

    /// Writes the configuration, for its owner alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), UserError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(self.text().as_bytes()));
        written.map_err(|error| {
            UserError::outside(format!("cannot write the demo's configuration `{}`", path.display()))
                .because(error)
        })
    }

    fn text(&self) -> String {
        let (sip, http) = (self.sip, self.http);
        let mut text = format!(
            "listen = \"{sip}\"\nhttp = \"{http}\"\ndata = \"data\"\nlog = \"warn\"\ndefault-tenant = \"{NAME}\"\n\n\
             [tenants.{NAME}]\ndomains = [\"{DOMAIN}\"]\nzone = \"UTC\"\nplaces = {{ night-desk = \"user:nadia\" }}\n"
        );
        for (user, extension, devices) in PEOPLE {
            // Writing to a String cannot fail, here and below.
            let _infallible = write!(text, "\n[tenants.{NAME}.users.{user}]\nextension = \"{extension}\"\n");
            for (device, label) in devices {
                let password = self.password(device);
                let _infallible =
                    writeln!(text, "devices.{device} = {{ label = \"{label}\", password = \"{password}\" }}");
            }
        }
        let _infallible = write!(
            text,
            "\n[tenants.{NAME}.hours.office]\nweekly = [\"mon-fri 08:00-18:00\"]\n\n[tenants.{NAME}.hours.office.exceptions]\n"
        );
        // Closed whenever the demo is run, midnight in between included.
        let today = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
        for day in [today.checked_sub(1.day()), Ok(today), today.checked_add(1.day())].into_iter().flatten() {
            let _infallible = writeln!(text, "\"{day}\" = {{ name = \"demo day\", open = [] }}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_configuration_is_one_that_the_switch_takes() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let demo = DemoTenant::new(any, any).unwrap();
        let settings = callwright_config::parse(&demo.text(), Path::new(".")).unwrap();
        let tenant = settings.switch.tenant_of_domain(DOMAIN).unwrap();
        assert_eq!((tenant.users.len(), tenant.devices.len()), (4, 6));
        assert_eq!(tenant.hours.values().next().unwrap().exceptions.len(), 3);
    }
}
