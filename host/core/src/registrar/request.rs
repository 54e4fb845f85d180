//! What a REGISTER asks for, checked against what the tenant allows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{Contacts, Flow, Host, Message, Name, NameAddr, Transport, Uri};

use super::{BINDINGS_MAX, ahead};
use crate::config::Tenant;
use crate::names::Extension;
use crate::switchboard::Switchboard;
use crate::view::{Binding, BindingKey};

/// Behind NAT on UDP a binding is refreshed at least this often, in seconds (TELEPHONY T6).
const NAT_EXPIRES_S: u32 = 120;
/// Contacts that one REGISTER may name: those that a device can have, and as many to give back.
const CONTACTS_MAX: usize = 4 * BINDINGS_MAX;

/// Why a REGISTER changed nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum RegisterError {
    /// RFC 3261 §10.3 step 6.
    #[error("`Contact: *` needs `Expires: 0` and no other contact")]
    WildcardWithExpiry,
    /// RFC 3261 §10.3 step 7.
    #[error("expiry {asked_s} s is below the tenant minimum of {min_s} s")]
    IntervalTooBrief {
        /// What the phone asked for.
        asked_s: u32,
        /// What the tenant allows.
        min_s: u32,
    },
    /// A device registers its own extension alone.
    #[error("device {device} may not register {aor}")]
    NotItsOwn {
        /// Who proved itself.
        device: Extension,
        /// What it wanted to register.
        aor: String,
    },
    /// RFC 3261 §10.3 step 7: an older request came later.
    #[error("CSeq {cseq} is not above {last} of the same Call-ID")]
    OutOfOrder {
        /// Of this request.
        cseq: u32,
        /// Of the one before.
        last: u32,
    },
    /// More phones than a device may have.
    #[error("more than {BINDINGS_MAX} bindings for one device")]
    TooMany,
    /// A header that cannot be read.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
}

impl RegisterError {
    /// The response that says so.
    pub(crate) fn response(&self, request: &Message) -> Message {
        match self {
            Self::WildcardWithExpiry | Self::Malformed(_) => Message::reply(request, 400),
            Self::IntervalTooBrief { min_s, .. } => {
                Message::reply(request, 423).with(Name::MinExpires, min_s.to_string())
            }
            Self::NotItsOwn { .. } | Self::TooMany => Message::reply(request, 403),
            Self::OutOfOrder { .. } => Message::reply(request, 500),
        }
    }
}

/// What a REGISTER comes down to.
pub(super) struct Wanted {
    /// Made or refreshed, with the end in the node's time.
    pub(super) bound: Vec<(Arc<Binding>, Duration)>,
    /// Ended.
    pub(super) unbound: Vec<BindingKey>,
    /// What each contact that is not new was known by.
    pub(super) renewed: Vec<BindingKey>,
}

/// Reads a REGISTER of an authenticated device.
pub(super) fn read(
    board: &Switchboard,
    tenant: &Tenant,
    device: &Extension,
    flow: Flow,
    request: &Message,
) -> Result<Wanted, RegisterError> {
    let to = request.to().map_err(|_| RegisterError::Malformed("To"))?;
    let aor = to.uri.user.clone().unwrap_or_default();
    if aor != device.as_str() {
        return Err(RegisterError::NotItsOwn { device: device.clone(), aor });
    }
    let expires = request.expires().map_err(|_| RegisterError::Malformed("Expires"))?;
    let contacts = request.contacts().map_err(|_| RegisterError::Malformed("Contact"))?;
    let existing = board.bindings_of(&(tenant.id.clone(), device.clone()));
    let asked = Asked { board, tenant, device, flow, request, expires, existing: &existing };
    match contacts {
        Contacts::Star if expires == Some(0) => {
            asked.in_order_of_all()?;
            Ok(Wanted {
                bound: Vec::new(),
                unbound: existing.iter().map(|b| b.key.clone()).collect(),
                renewed: Vec::new(),
            })
        }
        Contacts::Star => Err(RegisterError::WildcardWithExpiry),
        Contacts::List(list) => asked.list(&list),
    }
}

struct Asked<'a> {
    board: &'a Switchboard,
    tenant: &'a Tenant,
    device: &'a Extension,
    flow: Flow,
    request: &'a Message,
    expires: Option<u32>,
    existing: &'a [Arc<Binding>],
}

impl Asked<'_> {
    fn list(&self, contacts: &[NameAddr]) -> Result<Wanted, RegisterError> {
        if contacts.len() > CONTACTS_MAX {
            return Err(RegisterError::TooMany);
        }
        let mut wanted = Wanted { bound: Vec::new(), unbound: Vec::new(), renewed: Vec::new() };
        // RFC 3261 §10.3 step 7: one after the other, so that of one contact what is said last holds.
        let is_last = |at: usize, contact: &NameAddr| {
            !contacts.iter().skip(at + 1).any(|later| is_same_phone(contact, later))
        };
        let last = contacts.iter().enumerate().filter(|(at, contact)| is_last(*at, contact));
        for (nth, (at, contact)) in last.enumerate() {
            self.contact(nth, at, contact, &mut wanted)?;
        }
        let stays = self.existing.iter().filter(|b| !wanted.unbound.contains(&b.key)).map(|b| &b.key);
        let mut after: Vec<&BindingKey> =
            stays.chain(wanted.bound.iter().map(|(binding, _)| &binding.key)).collect();
        after.sort();
        after.dedup();
        if after.len() > BINDINGS_MAX {
            return Err(RegisterError::TooMany);
        }
        Ok(wanted)
    }

    fn contact(
        &self,
        nth: usize,
        at: usize,
        contact: &NameAddr,
        wanted: &mut Wanted,
    ) -> Result<(), RegisterError> {
        let written = contact.param("expires").and_then(|value| value.parse().ok());
        let asked_s = written.or(self.expires).unwrap_or(self.tenant.expiry.default_s);
        let mut key = self.key(nth, contact);
        let known = self.existing.iter().find(|b| same_contact(b, &contact.uri));
        let holder = self.existing.iter().find(|b| b.key == key);
        if let (Some(known), Some(holder)) = (known, holder)
            && known.key != holder.key
            && instance(contact).is_none()
        {
            // Of several contacts of one registration it is another: the URI tells, not its place in the list.
            key = known.key.clone();
        }
        let same = known.or(holder);
        if let Some(same) = same {
            self.in_order(same)?;
        }
        if asked_s == 0 {
            wanted.unbound.extend(same.map(|b| b.key.clone()));
            return Ok(());
        }
        let min_s = self.tenant.expiry.min_s;
        if asked_s < min_s {
            return Err(RegisterError::IntervalTooBrief { asked_s, min_s });
        }
        if let Some(old) = same.filter(|b| b.key != key) {
            wanted.unbound.push(old.key.clone());
        }
        wanted.renewed.extend(same.map(|b| b.key.clone()));
        let behind_nat = is_behind_nat(&contact.uri, self.flow);
        let granted_s = self.granted(asked_s, behind_nat);
        let binding = Binding {
            key,
            contact: self.written(at).unwrap_or_else(|| contact.uri.to_string()),
            flow: self.flow,
            call_id: self.call_id()?,
            cseq: self.cseq()?,
            registered: self.board.now.wall,
            expires: ahead(self.board, granted_s),
            user_agent: self
                .request
                .headers
                .get(&Name::UserAgent)
                .map(|v| v.lossy().into_owned())
                .unwrap_or_default(),
            behind_nat,
            suspect_since: None,
        };
        wanted
            .bound
            .push((Arc::new(binding), self.board.now.mono + Duration::from_secs(u64::from(granted_s))));
        Ok(())
    }

    /// The URI by the letter: some phones only know themselves as they wrote it.
    fn written(&self, at: usize) -> Option<String> {
        let contact = self.request.headers.items(&Name::Contact).nth(at)?;
        NameAddr::written_uri(contact).ok()?.as_str().map(str::to_owned)
    }

    fn granted(&self, asked_s: u32, behind_nat: bool) -> u32 {
        let max_s = match self.flow.transport {
            Transport::Udp if behind_nat => {
                self.tenant.expiry.max_s.min(NAT_EXPIRES_S.max(self.tenant.expiry.min_s))
            }
            Transport::Udp | Transport::Tcp => self.tenant.expiry.max_s,
        };
        asked_s.min(max_s)
    }

    /// `+sip.instance` tells phones apart (RFC 5626 §4.1), else the Call-ID of their registration; further contacts
    /// of one request are further phones.
    fn key(&self, nth: usize, contact: &NameAddr) -> BindingKey {
        let phone = instance(contact).unwrap_or_else(|| {
            let call_id = self.request.call_id().map(|id| id.lossy().into_owned()).unwrap_or_default();
            if nth == 0 { call_id } else { format!("{call_id}#{nth}") }
        });
        BindingKey { tenant: self.tenant.id.clone(), device: self.device.clone(), phone }
    }

    fn in_order_of_all(&self) -> Result<(), RegisterError> {
        self.existing.iter().try_for_each(|binding| self.in_order(binding))
    }

    fn in_order(&self, before: &Binding) -> Result<(), RegisterError> {
        let cseq = self.cseq()?;
        if before.call_id == self.call_id()? && cseq <= before.cseq {
            return Err(RegisterError::OutOfOrder { cseq, last: before.cseq });
        }
        Ok(())
    }

    fn call_id(&self) -> Result<String, RegisterError> {
        let id = self.request.call_id().map_err(|_| RegisterError::Malformed("Call-ID"))?;
        Ok(id.lossy().into_owned())
    }

    fn cseq(&self) -> Result<u32, RegisterError> {
        Ok(self.request.cseq().map_err(|_| RegisterError::Malformed("CSeq"))?.seq)
    }
}

fn instance(contact: &NameAddr) -> Option<String> {
    contact.param("+sip.instance").map(|value| value.trim_matches('"').to_owned())
}

/// Whether two contacts of one REGISTER are the same phone (RFC 3261 §10.3, RFC 5626 §4.1).
fn is_same_phone(one: &NameAddr, other: &NameAddr) -> bool {
    let is_same_instance = instance(one).is_some_and(|name| instance(other) == Some(name));
    is_same_instance || one.uri.same_as(&other.uri)
}

fn same_contact(binding: &Binding, uri: &Uri) -> bool {
    binding.contact.parse::<Uri>().is_ok_and(|contact| contact.same_as(uri))
}

/// Whether the contact is not the address that the REGISTER came from.
fn is_behind_nat(contact: &Uri, flow: Flow) -> bool {
    let address: IpAddr = match &contact.host {
        Host::V4(address) => (*address).into(),
        Host::V6(address) => (*address).into(),
        Host::Name(_) | Host::Absent => return true,
    };
    address != flow.peer.ip()
        || (flow.transport == Transport::Udp
            && contact.port.unwrap_or(callwright_sip::SIP_PORT) != flow.peer.port())
}
