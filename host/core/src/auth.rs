//! Who sent a request: digest authentication of the tenant's devices (RFC 3261 §22, RFC 7616, RFC 8760).

use std::net::IpAddr;

use callwright_sip::digest::{Credentials, DigestError};
use callwright_sip::{Flow, Message, Name};

use crate::config::{Device, Tenant};
use crate::guard::{Claim, source_of};
use crate::names::Extension;
use crate::seam::Effect;
use crate::switchboard::{Switchboard, bindings_of};

/// Finds the device that sent a request, or makes the response that asks it to prove itself.
///
/// A wrong password and an unknown name get the same challenge, so that names cannot be enumerated.
pub(crate) fn authenticate(
    board: &mut Switchboard,
    tenant: &Tenant,
    flow: Flow,
    request: &Message,
) -> Result<Extension, Box<Message>> {
    if let Some(device) = believed(tenant, flow, request) {
        return Ok(proven(board, flow, device));
    }
    let source = source_of(flow);
    let credentials = request
        .headers
        .all(&Name::Authorization)
        .filter_map(|value| Credentials::parse(value).ok())
        .find(|credentials| credentials.realm == tenant.realm());
    let Some(credentials) = credentials else {
        return Err(challenge(board, tenant, source, request, false));
    };
    let extension = Extension::from(credentials.username.as_str());
    let claim = Claim {
        is_at_home: is_registered_from(board, tenant, &extension, source),
        tenant: tenant.id.clone(),
        name: extension.clone(),
        source,
    };
    if !board.guard.looks_at(board.now.mono, &claim) {
        return Err(challenge(board, tenant, source, request, false));
    }
    let nobody = board.authority.nobody();
    let known = tenant.devices.get(&extension);
    let secret = known.and_then(|device| device.secret.as_ref()).unwrap_or(&nobody);
    let Some(method) = request.method() else { return Err(challenge(board, tenant, source, request, false)) };
    let verdict = board.authority.verify(board.now.mono, source, method, &credentials, secret);
    match (verdict, known) {
        (Ok(()), Some(device)) => Ok(proven(board, flow, device)),
        (Ok(()), None) => Err(challenge(board, tenant, source, request, false)),
        (Err(error), _) => {
            tracing::debug!(%error, "credentials were not accepted");
            if matches!(error, DigestError::WrongPassword) {
                board.guard.was_wrong(board.now.mono, &claim);
            }
            let stale = matches!(error, DigestError::Stale | DigestError::Replayed);
            Err(challenge(board, tenant, source, request, stale))
        }
    }
}

/// The device that a request from a trusted address is from: the one that From names, unless it has a password.
fn believed<'a>(tenant: &'a Tenant, flow: Flow, request: &Message) -> Option<&'a Device> {
    let source = flow.peer.ip().to_canonical();
    if !tenant.trusted.iter().any(|network| network.contains(&source)) {
        return None;
    }
    let from = request.from().ok()?;
    let device = tenant.devices.get(from.uri.user.as_deref()?)?;
    device.secret.is_none().then_some(device)
}

/// A connection on which somebody proved to be a device may stay open.
fn proven(board: &mut Switchboard, flow: Flow, device: &Device) -> Extension {
    if flow.transport.reliable() {
        board.emit(Effect::Believe { flow });
    }
    device.extension.clone()
}

/// Whether a phone of that device is registered, and from there.
fn is_registered_from(board: &Switchboard, tenant: &Tenant, device: &Extension, source: IpAddr) -> bool {
    let device = (tenant.id.clone(), device.clone());
    bindings_of(&board.picture, &device).any(|binding| source_of(binding.flow) == source)
}

fn challenge(
    board: &mut Switchboard,
    tenant: &Tenant,
    source: IpAddr,
    request: &Message,
    stale: bool,
) -> Box<Message> {
    let value = board.authority.challenge(board.now.mono, source, tenant.realm(), tenant.digest, stale);
    Box::new(Message::reply(request, 401).with(Name::WwwAuthenticate, value))
}
