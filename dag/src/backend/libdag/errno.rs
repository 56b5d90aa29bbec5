//! What libdag says, in words that name device, stream and remedy (`libdag-contract.md` section 8).

use dag_sys::CallError;

use super::holders;
use crate::error::{Error, Repr};

/// A card that could not be opened.
pub(super) fn opening(device: &str, path: &str, error: CallError) -> Error {
    match error.errno() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            Repr::NoSuchCard { device: device.to_owned(), path: path.to_owned() }.into()
        }
        Some(libc::EACCES | libc::EPERM) => {
            Repr::CardPermission { device: device.to_owned(), path: path.to_owned() }.into()
        }
        _ => call(device, error),
    }
}

/// A stream that could not be attached. `with_memory`: the streams that have some.
pub(super) fn attaching(device: &str, path: &str, stream: u16, with_memory: &[u16], error: CallError) -> Error {
    let device = device.to_owned();
    let list = |streams: &[u16]| match streams {
        [] => "no stream of it has".to_owned(),
        some => format!("these have: {}", some.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
    };
    match error.errno() {
        Some(libc::EINVAL) => Repr::CardStream { device, stream, has: list(with_memory) }.into(),
        Some(libc::ENOMEM) => Repr::StreamMemory { device, stream, has: list(with_memory) }.into(),
        Some(libc::EBUSY) => {
            let by = match holders::of(path).as_slice() {
                [] => String::new(),
                some => format!(" by another program ({} is open in: {})", path, some.join(", ")),
            };
            Repr::StreamBusy { device, stream, by }.into()
        }
        _ => self::stream(&device, stream, error),
    }
}

/// A call on a stream that failed.
pub(super) fn stream(device: &str, stream: u16, error: CallError) -> Error {
    Repr::StreamCall { device: device.to_owned(), stream, error }.into()
}

/// A call on a card that failed.
pub(super) fn call(device: &str, error: CallError) -> Error {
    Repr::CardCall { device: device.to_owned(), error }.into()
}
