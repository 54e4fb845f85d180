//! What a device proves itself with: never kept as it was said, never shown again.

use callwright_core::config::Tenant;
use callwright_store::Document;
use serde_json::{Value, json};

use crate::Handle;
use crate::error::ApiError;

/// A device's document with a secret in place of the password: of the one that was sent, the one it has, or one that is made
/// now and is shown this once.
pub(super) fn with_secret(
    switch: &Handle,
    tenant: &Tenant,
    extension: &str,
    mut value: Value,
    known: Option<&Document>,
) -> Result<(Value, Option<String>), ApiError> {
    // What is no table is told so with everything else that is wrong.
    let Some(device) = value.as_object_mut() else { return Ok((value, None)) };
    if device.contains_key("secret") {
        return Err(ApiError::bad_request("`secret` is the switch's own to write: send `password`"));
    }
    let secret = |password: &str| {
        json!({
            "realm": tenant.realm(),
            "algorithm": tenant.digest.as_str(),
            "ha1": tenant.digest.ha1(extension, tenant.realm(), password),
            "set": switch.now(),
        })
    };
    match device.remove("password") {
        Some(Value::String(password)) if !password.is_empty() => {
            device.insert("secret".to_owned(), secret(&password));
            Ok((value, None))
        }
        Some(_) => Err(ApiError::bad_request("`password` must be text, and not empty")),
        None => {
            let held = known.and_then(secret_of);
            if let Some(held) = held {
                device.insert("secret".to_owned(), held.clone());
                return Ok((value, None));
            }
            // Whoever registers proves itself; a device that never does may be known by its address alone.
            if known.is_some() || device.contains_key("contact") {
                return Ok((value, None));
            }
            let password = switch.new_password()?;
            device.insert("secret".to_owned(), secret(&password));
            Ok((value, Some(password)))
        }
    }
}

/// The secret that a device has, or will have.
fn secret_of(known: &Document) -> Option<&Value> {
    let draft = known.draft.as_ref().map(|draft| &draft.value);
    known.live.as_ref().or(draft)?.get("secret")
}
