//! What the endpoint, its messages, dialogs and digests promise, seen from outside.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod client_invite;
#[cfg(test)]
mod client_request;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod dialog;
#[cfg(test)]
mod digest;
#[cfg(test)]
mod message;
#[cfg(test)]
mod peek;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod second_opinion;
#[cfg(test)]
mod server_invite;
#[cfg(test)]
mod server_request;
#[cfg(test)]
mod stateless;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod uri;
