//! The switch as one value: calls, rings, registrar, explanations.
