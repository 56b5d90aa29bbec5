//! `tping --reflect`: answers the datagrams of another tping.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wire_truth::message::reflect;

use super::Failure;

/// A stop is seen after so long at the latest.
const LOOK: Duration = Duration::from_millis(100);

/// Answers until `stop`, or `count` datagrams; how many there were. What is no probe is not answered.
pub(super) fn serve(port: u16, v4: bool, count: Option<u32>, stop: &AtomicBool) -> Result<u32, Failure> {
    let failed = |cause| Failure::Reflect { port, cause };
    // One for both versions, where there is IPv6.
    let v6 = if v4 { None } else { UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).ok() };
    let socket = v6.map_or_else(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)), Ok).map_err(failed)?;
    socket.set_read_timeout(Some(LOOK)).map_err(failed)?;
    let mut buffer = vec![0; 65_536];
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) && count.is_none_or(|count| answered < count) {
        // A timeout, a signal, or an answer of before that nobody wanted.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
        if reflect(&mut buffer[..len]) && socket.send_to(&buffer[..len], from).is_ok() {
            answered += 1;
        }
    }
    Ok(answered)
}
