//! [`Queue`]: whether the queue that a host sees is the last before the wire. A tenant's is not, and it cannot tell what waits behind it.

use std::fmt;

/// The queue before the wire, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queue {
    /// The last queue before the wire is this host's own, and seen.
    Own,
    /// It may be another's; why that is thought.
    Hidden(String),
}

impl Queue {
    /// The words of [`Display`](fmt::Display), read. `None` for others.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(": ") {
            None if text == "own" => Some(Self::Own),
            Some(("not own", why)) if !why.trim().is_empty() => Some(Self::Hidden(why.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Hidden(why) => write!(f, "not own: {why}"),
        }
    }
}

/// The interface that probes leave by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number in its namespace.
    pub index: u32,
    /// What the kernel has made it of (`IFLA_INFO_KIND`), as `veth`; devices have none.
    pub kind: Option<String>,
    /// The bus that the device is on (`IFLA_PARENT_DEV_BUS_NAME`), as `pci` or `virtio`.
    pub bus: Option<String>,
    /// It leads back to this host.
    pub is_loopback: bool,
}

impl Interface {
    /// What its queue is; `is_guest` where the machine is known to be one of a hypervisor, whose devices may all be made up.
    ///
    /// A machine that hides its hypervisor is taken for a real one: nothing here can tell.
    pub fn queue(&self, is_guest: bool) -> Queue {
        let name = &self.name;
        let hidden =
            |what: &str| Queue::Hidden(format!("{name} is {what}, and the queues behind it are not seen from here"));
        match (self.kind.as_deref(), self.bus.as_deref()) {
            // There is no wire, and no other queue.
            _ if self.is_loopback => Queue::Own,
            (Some(kind), _) => hidden(&format!("an interface of kind {kind}")),
            (None, Some(bus @ ("virtio" | "vmbus" | "xen" | "xen-backend"))) => {
                hidden(&format!("a device of a hypervisor ({bus})"))
            }
            (None, _) if is_guest => hidden("in a guest of a hypervisor"),
            (None, Some(_)) => Queue::Own,
            (None, None) => hidden("of no kind and on no bus that the kernel tells"),
        }
    }

    /// The kind, the bus, or that there is neither, for a log.
    pub fn what(&self) -> String {
        match (&self.kind, &self.bus) {
            _ if self.is_loopback => "loopback".to_owned(),
            (Some(kind), _) => kind.clone(),
            (None, Some(bus)) => format!("device on {bus}"),
            (None, None) => "not told".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(kind: Option<&str>, bus: Option<&str>) -> Interface {
        let (kind, bus) = (kind.map(str::to_owned), bus.map(str::to_owned));
        Interface { name: "x0".to_owned(), index: 2, kind, bus, is_loopback: false }
    }

    #[test]
    fn only_a_device_of_a_real_machine_has_the_last_queue() {
        for (kind, bus, is_guest, own) in [
            (None, Some("pci"), false, true),
            (None, Some("usb"), false, true),
            (None, Some("pci"), true, false),
            (None, Some("virtio"), false, false),
            (None, Some("vmbus"), false, false),
            (Some("veth"), None, false, false),
            (Some("macvlan"), None, false, false),
            // A tunnel over a device has a queue of its own, and the device another.
            (Some("vlan"), Some("pci"), false, false),
            (None, None, false, false),
        ] {
            let queue = interface(kind, bus).queue(is_guest);
            assert_eq!(queue == Queue::Own, own, "{kind:?} {bus:?} {is_guest}: {queue}");
            assert_eq!(Queue::parse(&queue.to_string()), Some(queue));
        }
        let loopback = Interface { is_loopback: true, ..interface(None, None) };
        assert_eq!(loopback.queue(true), Queue::Own);
    }

    #[test]
    fn other_words_are_no_queue() {
        for words in ["", "Own", "not own", "not own: ", "own: yes"] {
            assert_eq!(Queue::parse(words), None, "{words}");
        }
    }
}
