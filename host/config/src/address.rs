//! Addresses in the file: of devices that do not register, and of sources that are believed.

use std::net::{IpAddr, SocketAddr};

use callwright_core::config::FixedContact;
use callwright_sip::{Flow, SIP_PORT, Scheme, Uri};
use ipnet::IpNet;

use super::document::{Table, Value};

/// `sip:gw@192.0.2.7:5060`: without names to look up, and over UDP, since nobody connects to it beforehand.
pub(super) fn fixed_contact(value: &Value<'_>) -> Option<FixedContact> {
    let text = value.text()?;
    let uri = match text.parse::<Uri>() {
        Ok(uri) if uri.scheme == Scheme::Sip => uri,
        Ok(_) | Err(_) => {
            value.wrong(format!("`{text}` is no SIP URI: write sip:192.0.2.7:5060"));
            return None;
        }
    };
    let Some(address) = uri.host.address() else {
        value.wrong(format!("`{text}` names a host: write its address"));
        return None;
    };
    if uri.param("transport").is_some_and(|transport| !transport.eq_ignore_ascii_case("udp")) {
        value.wrong(format!("`{text}` is not reached over UDP, the only transport to a fixed contact"));
        return None;
    }
    let flow = Flow::udp(SocketAddr::new(address, uri.port.unwrap_or(SIP_PORT)));
    Some(FixedContact { uri: text.to_owned(), flow })
}

/// Addresses and networks whose devices without a password are believed.
pub(super) fn trusted(table: &Table<'_>) -> Vec<IpNet> {
    let mut trusted = Vec::new();
    for value in table.get("trusted").map(|value| value.list()).unwrap_or_default() {
        let Some(text) = value.text() else { continue };
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => trusted.push(network),
            Err(_) => {
                value
                    .wrong(format!("`{text}` is no address and no network: write 192.0.2.7 or 192.0.2.0/24"));
            }
        }
    }
    trusted
}
