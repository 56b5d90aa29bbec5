//! [`Flags`]: byte 9 of the record header.

use core::fmt;

const IFACE_LOW: u8 = 0x03;
const VARYING: u8 = 0x04;
const TRUNCATED: u8 = 0x08;
const RX_ERROR: u8 = 0x10;
const DS_ERROR: u8 = 0x20;
const IFACE_HIGH: u8 = 0x40;

/// The flags byte of a record: capture interface and error bits (`erf-format.md` section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Flags(u8);

impl Flags {
    /// From the byte as stored, all eight bits kept.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte as stored.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Capture interface 0..=7 (ports A..H): bits 1..0, with bit 6 as the third.
    pub const fn interface(self) -> u8 {
        (self.0 & IFACE_LOW) | ((self.0 & IFACE_HIGH) >> 4)
    }

    /// With capture interface `interface` (its low three bits).
    pub const fn with_interface(self, interface: u8) -> Self {
        let low = interface & IFACE_LOW;
        let high = (interface << 4) & IFACE_HIGH;
        Self((self.0 & !(IFACE_LOW | IFACE_HIGH)) | low | high)
    }

    /// `vlen`: record sizes follow the packet. Informational; many writers leave it clear.
    pub const fn varying_length(self) -> bool {
        self.0 & VARYING != 0
    }

    /// `trunc`, deprecated: a record cut in the card. A snapped record normally has it clear.
    pub const fn truncated(self) -> bool {
        self.0 & TRUNCATED != 0
    }

    /// The frame was bad on the wire (for example its FCS). The payload is still there.
    pub const fn rx_error(self) -> bool {
        self.0 & RX_ERROR != 0
    }

    /// Internal data-stream error in the card.
    pub const fn ds_error(self) -> bool {
        self.0 & DS_ERROR != 0
    }

    /// Bit 7, reserved and without a known meaning.
    pub const fn reserved(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// With `vlen` set or cleared.
    pub const fn with_varying_length(self, on: bool) -> Self {
        self.with(VARYING, on)
    }

    /// With the deprecated `trunc` bit set or cleared.
    pub const fn with_truncated(self, on: bool) -> Self {
        self.with(TRUNCATED, on)
    }

    /// With the RX error bit set or cleared.
    pub const fn with_rx_error(self, on: bool) -> Self {
        self.with(RX_ERROR, on)
    }

    /// With the DS error bit set or cleared.
    pub const fn with_ds_error(self, on: bool) -> Self {
        self.with(DS_ERROR, on)
    }

    const fn with(self, mask: u8, on: bool) -> Self {
        Self(if on { self.0 | mask } else { self.0 & !mask })
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#04x}: interface {}", self.0, self.interface())?;
        let named = [
            (self.varying_length(), "vlen"),
            (self.truncated(), "trunc"),
            (self.rx_error(), "rx-error"),
            (self.ds_error(), "ds-error"),
            (self.reserved(), "bit7"),
        ];
        for (_, name) in named.iter().filter(|(set, _)| *set) {
            write!(f, " {name}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_is_three_bits_in_two_places() {
        for n in 0..8 {
            let flags = Flags::from_bits(0xBC).with_interface(n);
            assert_eq!(flags.interface(), n);
            assert_eq!(flags.bits() & 0xBC, 0xBC, "other bits are kept");
        }
        // The vlen bit is not part of it: the trap of `erf-format.md` 2.1.
        assert_eq!(Flags::from_bits(0x04).interface(), 0);
        assert_eq!(Flags::from_bits(0x05).interface(), 1);
        assert_eq!(Flags::from_bits(0x43).interface(), 7);
    }

    #[test]
    fn each_bit_has_its_name() {
        assert!(Flags::from_bits(0x04).varying_length());
        assert!(Flags::from_bits(0x08).truncated());
        assert!(Flags::from_bits(0x10).rx_error());
        assert!(Flags::from_bits(0x20).ds_error());
        assert!(Flags::from_bits(0x80).reserved());
        assert_eq!(Flags::default().with_rx_error(true).bits(), 0x10);
        assert_eq!(Flags::from_bits(0xFF).with_ds_error(false).bits(), 0xDF);
    }
}
