//! What a recording says about itself at its start.

use erf::Timestamp;
use erf::session::{Application, CardInfo, ClockInfo, HostInfo, InterfaceInfo, Opening, StreamInfo};

use crate::info;

/// The opening META record, with the words for what is taken, of a recording of `streams` (device
/// and number) that begins at `start`, on the clock of the packets. Of several cards `card` is the first.
pub(super) fn opening(
    card: &info::CardInfo,
    clock: ClockInfo,
    streams: &[(String, u16)],
    application: &Application,
    filter: Option<String>,
    start: Timestamp,
) -> Result<Vec<u8>, erf::Error> {
    let mut opening = Opening::new(start);
    let mut host = HostInfo::default();
    host.name = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned());
    host.os = read("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}"));
    opening.host = host;

    let mut module = CardInfo::default();
    let mut devices: Vec<&str> = streams.iter().map(|(device, _)| device.as_str()).collect();
    devices.dedup();
    module.device = devices.join(" and ");
    module.model = Some(card.model.clone());
    module.tick = card.tick;
    module.clock = clock;
    module.stamp_source = card.stamp_source.name().parse().ok();
    module.stamp_error_ns = card.stamp_error_ns;
    module.emulated = card.emulated;
    module.memory = Some(card.stream_memory);
    opening.card = module;

    opening.application = application.clone();
    opening.snaplen = card.snaplen.map(u32::from);
    opening.filter = filter;
    opening.fcs_bits = Some(32);
    opening.comment = Some(card.description.clone());
    opening.interfaces = card
        .ports
        .iter()
        .map(|port| {
            let name = port.name.clone().unwrap_or_else(|| format!("port {}", port.number));
            let mut interface = InterfaceInfo::new(port.number, name);
            interface.descr.clone_from(&port.description);
            interface.mac = port.mac;
            interface.speed = port.speed;
            interface.link_up = Some(port.link_up);
            interface
        })
        .collect();
    let receive = streams.iter().map(|&(_, number)| {
        let mut receive = StreamInfo::new(number);
        receive.memory = Some(card.stream_memory);
        receive
    });
    opening.streams = receive.collect();
    opening.to_bytes()
}

/// A line of the kernel's.
fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
