//! Which congestion control there is, asked before anything is measured with it.

use std::fs;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Repr};

/// What the kernel has, one word each.
const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";

/// What the kernel of a guest has: others are modules, and guests have those of their devices only.
const OF_GUESTS: [&str; 2] = ["cubic", "reno"];

/// That connections can be controlled in this way, in namespaces of this machine and, if there are any, in guests.
///
/// # Errors
///
/// When they cannot, with the names of what can be had.
pub fn check_congestion_control(name: &str, has_guests: bool) -> Result<(), Error> {
    // The kernel may bring one when it is asked for, so it is asked for; all namespaces have the same.
    let asked = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
        .and_then(|socket| socket.set_tcp_congestion(name.as_bytes()));
    let available = fs::read_to_string(AVAILABLE).unwrap_or_default();
    let available: Vec<&str> = available.split_whitespace().collect();
    // Who is root in a namespace only may have what is restricted here.
    if asked.is_err() && !available.contains(&name) {
        let what = format!("there is no congestion control {name:?} here: the kernel has {}", available.join(", "));
        return Err(Repr::Lab { what }.into());
    }
    if has_guests && !OF_GUESTS.contains(&name) {
        let what = format!(
            "the kernel of guests has no congestion control {name:?}: name {}, or leave vm out",
            OF_GUESTS.join(" or ")
        );
        return Err(Repr::Lab { what }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let error = |name: &str, guests| check_congestion_control(name, guests).unwrap_err().to_string();
        // Built into every kernel.
        check_congestion_control("reno", true).unwrap();
        let available = fs::read_to_string(AVAILABLE).unwrap();
        let said = error("no-such", false);
        assert!(said.starts_with("there is no congestion control \"no-such\" here: the kernel has "), "{said}");
        for name in available.split_whitespace() {
            assert!(said.contains(name), "{said}");
            check_congestion_control(name, false).unwrap();
            assert_eq!(check_congestion_control(name, true).is_ok(), OF_GUESTS.contains(&name), "{name}");
        }
    }
}
