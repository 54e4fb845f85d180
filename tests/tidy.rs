//! The repository's checks of itself. Each check is a function of paths and text that returns what offends; here it is
//! given the tree, and in its own file an offence that it has to find.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be read fails them")]

#[path = "tidy/comments.rs"]
mod comments;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/lints.rs"]
mod lints;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/wit.rs"]
mod wit;
