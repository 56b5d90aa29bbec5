//! `dagcap` as a user meets it: exit codes, messages, the account, and what is in the file.

mod account;
mod compress;
mod disk;
mod failing;
mod faults;
mod filter;
mod formats;
mod limits;
mod output;
mod refusals;
mod rotation;
mod several;
mod sources;
mod stop;
mod watched;
