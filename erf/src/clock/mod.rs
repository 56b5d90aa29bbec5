//! What stamps say about the clock that made them.
//!
//! [`Grid`] looks at the fractions alone: a counter in hardware leaves low bits zero, software that counts microseconds or
//! nanoseconds lands on multiples of these. [`Matcher`] finds the same packet in two places, and [`Comparison`] says how the
//! two clocks run against one another.

mod compare;
mod grid;
#[cfg(test)]
mod tests;

pub use compare::{Allan, Comparison, Matcher, Offset};
pub use grid::{Grid, Likeness, Maker};
