//! From an upload to compiled code. The expensive and hostile part: the binary runs it in a child process.

use std::borrow::Cow;
use wit_component::ComponentEncoder;

/// Why something is not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A core module that carries no component type, or one that does not fit.
    #[error("the core module cannot be made a component: {0}")]
    Encode(String),
}

/// The component of an upload: itself, or a core module with a component-type section made one.
pub(crate) fn component_of(uploaded: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    if wasmparser::Parser::is_component(uploaded) {
        return Ok(Cow::Borrowed(uploaded));
    }
    let encoded =
        ComponentEncoder::default().validate(true).module(uploaded).and_then(|encoder| encoder.encode());
    encoded.map(Cow::Owned).map_err(|error| CompileError::Encode(format!("{error:#}")))
}
