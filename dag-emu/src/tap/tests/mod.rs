//! Taps on real interfaces, in namespaces that each test makes for itself.

mod delivery;
mod faithful;
mod lab;
mod refusals;
