//! The names of devices and the options of emulated cards, as a person types them.

use dag::Device;
use dag::emu::CardSpec;
use dag::emu::faults::FaultSpec;
use dag::emu::units::{parse_delta, parse_duration, parse_size};

/// Any text is understood or refused in words; what is understood and can be shown is understood again.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Device>() {
        Ok(device @ (Device::Real { .. } | Device::Served(_))) => {
            assert_eq!(device.to_string().parse::<Device>().ok(), Some(device));
        }
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = text.parse::<CardSpec>() {
        assert!(!error.to_string().is_empty());
    }
    match text.parse::<FaultSpec>() {
        Ok(faults) => assert_eq!(faults.to_string().parse(), Ok(faults)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = (parse_size(text), parse_delta(text), parse_duration(text));
}
