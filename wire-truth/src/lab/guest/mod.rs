//! Guests: whole machines with a kernel and virtual interfaces of their own, run by QEMU.
//!
//! ```text
//! fetch ---> GuestFiles ---> Initramfs::write ---> Guest::boot ---> run, spawn, get_file ---> stop
//!            kernel, modules,  + programs of        QEMU, a tap,     through a port of
//!            busybox           this machine         a port           virtio-console
//! ```
//!
//! A guest is told what to do through its port and never over the network, which is what is measured. Its first process is
//! [`agent`], of this library.

mod accel;
mod agent;
mod check;
mod control;
mod cpio;
mod elf;
mod error;
mod fetch;
mod files;
mod frame;
#[expect(clippy::module_inception, reason = "it is what the folder is about")]
mod guest;
mod init;
mod initramfs;
mod jobs;
mod machine;
mod programs;
mod protocol;
mod qemu;

pub use accel::{Accel, Kvm};
pub use agent::agent;
pub use check::{Finding, check};
pub(crate) use error::Trouble;
pub use fetch::fetch;
pub use files::{GuestFiles, default_folder};
pub use guest::{Guest, Job, Output, Up};
pub use initramfs::Initramfs;
pub use qemu::GuestConfig;
