//! The enumerations and sets of bits that tags hold (`erf-format.md` section 7.6), open to values
//! that nobody has named yet.

use core::fmt;

use super::TagType;

macro_rules! enumerations {
    ($(
        $(#[$meta:meta])*
        $type:ident [$($tag:ident),*] { $($number:literal $constant:ident $name:literal;)* }
    )*) => {
        $(
            $(#[$meta])*
            ///
            /// Every 32-bit value is representable; unknown ones are carried.
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[repr(transparent)]
            pub struct $type(u32);

            impl $type {
                $(
                    #[doc = concat!("Value ", $number, ": ", $name, ".")]
                    pub const $constant: Self = Self($number);
                )*

                /// From the value of the tag.
                pub const fn new(number: u32) -> Self {
                    Self(number)
                }

                /// The value of the tag.
                pub const fn number(self) -> u32 {
                    self.0
                }

                /// The name; `None` for values without one.
                pub const fn name(self) -> Option<&'static str> {
                    match self.0 {
                        $($number => Some($name),)*
                        _ => None,
                    }
                }
            }

            /// The name, or the number.
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    match self.name() {
                        Some(name) => f.write_str(name),
                        None => self.0.fmt(f),
                    }
                }
            }

            impl fmt::Debug for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!(stringify!($type), "({} {})"), self.0, self)
                }
            }
        )*

        impl TagType {
            /// The name of `value` where this tag is an enumeration and the value has one.
            pub const fn value_name(self, value: u32) -> Option<&'static str> {
                match self {
                    $($(TagType::$tag)|* => $type(value).name(),)*
                    _ => None,
                }
            }
        }
    };
}

enumerations! {
    /// What disciplines a clock: `clk_source`, `clk_out_source`.
    ClockSource [CLK_SOURCE, CLK_OUT_SOURCE] {
        0 INVALID "invalid";
        1 NONE "none";
        2 EXTERNAL "external";
        3 HOST "host";
        4 LINK_CABLE "link cable";
        5 PTP "PTP";
        6 INTERNAL "internal";
    }
    /// Whether a clock follows its source: `clk_state`.
    ClockState [CLK_STATE] {
        0 INVALID "invalid";
        1 UNSYNCHRONISED "unsynchronised";
        2 SYNCHRONISED "synchronised";
    }
    /// The part of a clock on the link cable: `clk_link_mode`.
    ClockLinkMode [CLK_LINK_MODE] {
        0 INVALID "invalid";
        1 NOT_CONNECTED "not connected";
        2 MASTER "master";
        3 DISABLED_MASTER "disabled master";
        4 SLAVE "slave";
    }
    /// What a clock port speaks: `clk_port_proto`.
    ClockPortProtocol [CLK_PORT_PROTO] {
        0 INVALID "invalid";
        1 NONE "none";
        2 ONE_PPS "1PPS";
        3 IRIG_B "IRIG-B";
        4 ETHERNET "Ethernet";
    }
    /// What a port is for: `if_port_type`. A timing port captures nothing.
    PortType [IF_PORT_TYPE] {
        0 RESERVED "reserved";
        1 CAPTURE "capture";
        2 TIMING "timing";
    }
    /// What a tap does: `tap_mode`.
    TapMode [TAP_MODE] {
        0 INVALID "invalid";
        1 OFF "off";
        2 ACTIVE "active";
        3 MONITOR "monitor";
        4 BYPASS "bypass";
        5 BLOCKING "blocking";
    }
    /// What a tap does without power: `tap_fail_mode`.
    TapFailMode [TAP_FAIL_MODE] {
        0 INVALID "invalid";
        1 OFF "off";
        2 OPEN "open";
        3 CLOSED "closed";
    }
    /// How far packet inspection of a flow has come: `dpi_state`.
    DpiState [DPI_STATE] {
        0 TERMINATED "terminated";
        1 INSPECTING "inspecting";
        2 MONITORING "monitoring";
        3 CLASSIFIED "classified";
    }
    /// The life of a flow: `flow_state`.
    FlowState [FLOW_STATE] {
        0 ACTIVE "active";
        1 TERMINATED "terminated";
        2 EXPIRED "expired";
    }
    /// What a flow hash covers: `flow_hash_mode`.
    FlowHashMode [FLOW_HASH_MODE] {
        2 TUPLE_2 "2-tuple";
        3 TUPLE_3 "3-tuple";
        4 TUPLE_4_INTERFACE "4-tuple+interface";
        5 TUPLE_5 "5-tuple";
        6 TUPLE_6_INTERFACE "6-tuple+interface";
        7 INNER_TUPLE_2 "inner 2-tuple";
        8 INNER_OUTER_ADDRESSES "inner+outer addresses";
        9 INNER_ADDRESSES_PORTS "inner addresses and ports";
        10 INNER_ADDRESSES_PORTS_OUTER_ADDRESSES
            "inner addresses and ports plus outer addresses";
    }
}

macro_rules! bit_sets {
    ($(
        $(#[$meta:meta])*
        $type:ident { $($bit:literal $constant:ident $name:literal;)* }
    )*) => {$(
        $(#[$meta])*
        ///
        /// Bits without a name are carried.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(transparent)]
        pub struct $type(u32);

        impl $type {
            $(
                #[doc = concat!("Bit ", $bit, ": ", $name, ".")]
                pub const $constant: Self = Self(1 << $bit);
            )*

            /// From the value of the tag.
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The value of the tag.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Every bit of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl core::ops::BitOr for $type {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        /// The names of the set bits with ` | ` between; bits without a name in hexadecimal.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_bits(f, self.0, &[$((1 << $bit, $name)),*])
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:#x} {})"), self.0, self)
            }
        }
    )*};
}

bit_sets! {
    /// The bits of `ptp_time_properties`.
    PtpTimeProperties {
        0 LEAP_61 "leap61";
        1 LEAP_59 "leap59";
        2 UTC_OFFSET_VALID "UTC offset valid";
        3 PTP_TIMESCALE "PTP timescale";
        4 TIME_TRACEABLE "time traceable";
        5 FREQUENCY_TRACEABLE "frequency traceable";
    }
    /// The bits of `tunneling_mode`: the tunnels that are looked into.
    TunnelingMode {
        0 IP_IN_IP "IP-in-IP";
        2 VXLAN "VXLAN";
        3 GRE "GRE";
        4 GTP "GTP";
        5 MPLS_OVER_VLAN "MPLS over VLAN";
    }
    /// The bits of `stream_flags`.
    StreamFlags {
        0 RELATIVE_SNAP "relative snap";
        1 ENTROPY_SNAP "entropy snap";
    }
    /// The bits of `if_link_status`.
    LinkStatus {
        0 UP "up";
    }
}

fn write_bits(f: &mut fmt::Formatter<'_>, bits: u32, names: &[(u32, &str)]) -> fmt::Result {
    let mut rest = bits;
    let mut before = "";
    for (bit, name) in names.iter().filter(|(bit, _)| bits & bit != 0) {
        write!(f, "{before}{name}")?;
        before = " | ";
        rest &= !bit;
    }
    match (rest, before) {
        (0, "") => f.write_str("none"),
        (0, _) => Ok(()),
        _ => write!(f, "{before}{rest:#x}"),
    }
}

/// The three parts of `ptp_gm_clock_quality`, as PTP has them: class, accuracy and variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClockQuality {
    /// PTP clock class.
    pub class: u8,
    /// PTP clock accuracy code.
    pub accuracy: u8,
    /// PTP offset scaled log variance.
    pub variance: u16,
}

impl ClockQuality {
    /// From the value of the tag: class in the high byte, then accuracy, then variance.
    pub const fn from_bits(bits: u32) -> Self {
        let [class, accuracy, high, low] = bits.to_be_bytes();
        Self { class, accuracy, variance: u16::from_be_bytes([high, low]) }
    }

    /// The value of the tag.
    pub const fn bits(self) -> u32 {
        let [high, low] = self.variance.to_be_bytes();
        u32::from_be_bytes([self.class, self.accuracy, high, low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn enumerated_tags_name_their_values() {
        // One row of each enumeration in section 7.6.
        for (tag, value, name) in [
            (TagType::CLK_SOURCE, 3, "host"),
            (TagType::CLK_OUT_SOURCE, 5, "PTP"),
            (TagType::CLK_STATE, 2, "synchronised"),
            (TagType::CLK_LINK_MODE, 3, "disabled master"),
            (TagType::CLK_PORT_PROTO, 2, "1PPS"),
            (TagType::IF_PORT_TYPE, 2, "timing"),
            (TagType::TAP_MODE, 4, "bypass"),
            (TagType::TAP_FAIL_MODE, 3, "closed"),
            (TagType::DPI_STATE, 0, "terminated"),
            (TagType::FLOW_STATE, 0, "active"),
            (TagType::FLOW_HASH_MODE, 7, "inner 2-tuple"),
        ] {
            assert_eq!(tag.value_name(value), Some(name), "{tag}");
            assert_eq!(tag.value_name(99), None, "{tag}");
        }
        assert_eq!(TagType::SNAPLEN.value_name(1), None);
        assert_eq!(format!("{}", ClockState::new(7)), "7");
        assert_eq!(format!("{:?}", ClockState::SYNCHRONISED), "ClockState(2 synchronised)");
    }

    #[test]
    fn bits_stand_where_the_format_has_them() {
        // Section 7.6 gives the PTP bits, table 7.7 the tunnelling ones, as decimal weights.
        assert_eq!(PtpTimeProperties::UTC_OFFSET_VALID.bits(), 4);
        assert_eq!(PtpTimeProperties::FREQUENCY_TRACEABLE.bits(), 32);
        assert_eq!(TunnelingMode::VXLAN.bits(), 4);
        assert_eq!(TunnelingMode::MPLS_OVER_VLAN.bits(), 32);
        let tunnels = TunnelingMode::GRE | TunnelingMode::GTP;
        assert!(tunnels.contains(TunnelingMode::GTP) && !tunnels.contains(TunnelingMode::VXLAN));
        assert_eq!(format!("{tunnels}"), "GRE | GTP");
        assert_eq!(format!("{}", TunnelingMode::from_bits(3)), "IP-in-IP | 0x2");
        assert_eq!(format!("{}", LinkStatus::default()), "none");
    }

    #[test]
    fn clock_quality_has_three_parts() {
        let quality = ClockQuality::from_bits(0x0621_4E5D);
        assert_eq!(quality, ClockQuality { class: 6, accuracy: 0x21, variance: 0x4E5D });
        assert_eq!(quality.bits(), 0x0621_4E5D);
    }
}
