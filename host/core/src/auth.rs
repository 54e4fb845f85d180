//! Who sent a request: digest authentication of the tenant's devices (RFC 3261 §22, RFC 7616, RFC 8760).

use callwright_sip::digest::{Credentials, DigestError};
use callwright_sip::{Flow, Message, Name};

use crate::config::{Device, Tenant};
use crate::names::Extension;
use crate::switchboard::Switchboard;

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
        return Ok(device.extension.clone());
    }
    let credentials = request
        .headers
        .all(&Name::Authorization)
        .filter_map(|value| Credentials::parse(value).ok())
        .find(|credentials| credentials.realm == tenant.domain());
    let Some(credentials) = credentials else {
        return Err(challenge(board, tenant, request, false));
    };
    let extension = Extension::from(credentials.username.as_str());
    let nobody = board.authority.nobody();
    let known = tenant.devices.get(&extension);
    let secret = known.and_then(|device| device.secret.as_ref()).unwrap_or(&nobody);
    let Some(method) = request.method() else { return Err(challenge(board, tenant, request, false)) };
    let verdict = board.authority.verify(board.now.mono, method, &credentials, secret);
    match (verdict, known) {
        (Ok(()), Some(device)) => Ok(device.extension.clone()),
        (Ok(()), None) => Err(challenge(board, tenant, request, false)),
        (Err(error), _) => {
            tracing::debug!(%error, "credentials were not accepted");
            let stale = matches!(error, DigestError::Stale | DigestError::Replayed);
            Err(challenge(board, tenant, request, stale))
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

fn challenge(board: &mut Switchboard, tenant: &Tenant, request: &Message, stale: bool) -> Box<Message> {
    let value = board.authority.challenge(board.now.mono, tenant.domain(), tenant.digest, stale);
    Box::new(Message::reply(request, 401).with(Name::WwwAuthenticate, value))
}
