//! The repository checks of itself.
