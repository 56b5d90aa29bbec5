//! The driver of real cards: libdag, opened at run time. Also of the emulated card as a library, which is told apart by a function
//! that only it has.

mod card;
mod errno;
mod holders;
mod stream;
mod tx;

pub(crate) use card::open;
