//! [`TagType`] and the one table of tags: constant, number, name and kind of value.

use core::fmt;

use super::{SectionType, ValueKind};

/// The type of a META tag (`erf-format.md` section 7.7), or of a section (0xFF00 and above).
///
/// Every 16-bit number is representable; unknown ones are carried, never refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TagType(u16);

impl TagType {
    /// From the number, any of the 65 536.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The tag opens a section: 0xFF00 and above, named or not.
    #[inline]
    pub const fn is_section(self) -> bool {
        self.0 >= SectionType::FIRST
    }

    /// The type of the section that this tag opens, if it opens one.
    pub const fn section_type(self) -> Option<SectionType> {
        SectionType::new(self.0)
    }

    /// The tag of this name, as [`TagType::name`] gives it. Linear in the size of the table.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tag| tag.name() == Some(name))
    }
}

impl From<SectionType> for TagType {
    fn from(section: SectionType) -> Self {
        Self(section.number())
    }
}

/// The name, `section NAME`, or `tag N`.
impl fmt::Display for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.section_type(), self.name()) {
            (Some(section), _) => write!(f, "section {section}"),
            (None, Some(name)) => f.write_str(name),
            (None, None) => write!(f, "tag {}", self.0),
        }
    }
}

impl fmt::Debug for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagType({} {self})", self.0)
    }
}

macro_rules! tags {
    ($($number:literal $constant:ident $name:literal $kind:ident $($note:literal)?;)*) => {
        impl TagType {
            $(
                #[doc = concat!("Tag ", $number, ", `", $name, "`. ", $($note)?)]
                pub const $constant: Self = Self($number);
            )*

            /// Every tag of section 7.7, in numeric order. Section tags are not among them.
            pub const ALL: &[Self] = &[$(Self::$constant),*];

            /// The name in section 7.7, such as `gen_time`; `None` for unknown tags and for
            /// sections, whose name [`TagType::section_type`] gives.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }

            /// What the value of this tag holds.
            pub const fn kind(self) -> ValueKind {
                match self.0 {
                    $($number => ValueKind::$kind,)*
                    SectionType::FIRST.. => ValueKind::Section,
                    _ => ValueKind::Unknown,
                }
            }
        }
    };
}

tags! {
    0 PADDING "padding" Marker "Filler between tags; carries nothing.";
    1 COMMENT "comment" Text "A comment; an empty one clears an earlier comment.";
    2 GEN_TIME "gen_time" Time "When the content was generated; repeated unchanged while nothing changes (section 7.3).";
    3 PARENT_SECTION "parent_section" Parent "Section type and id of the parent; only as the first tag of a section.";
    4 RESET "reset" Marker "Event marker: earlier metadata of this source no longer holds.";
    5 EVENT_TIME "event_time" Time;
    6 HOST_ID "host_id" U64 "The 48-bit Host ID in the low bits.";
    7 ATTRIBUTE "attribute" Text;
    8 FCS_LEN "fcs_len" U32 "Bits.";
    9 MASK_IPV4 "mask_ipv4" Ipv4;
    10 MASK_CIDR "mask_cidr" U32;
    11 ORG_NAME "org_name" Text;
    12 NAME "name" Text;
    13 DESCR "descr" Text;
    14 CONFIG "config" Text;
    15 DATAPIPE "datapipe" Text;
    16 APP_NAME "app_name" Text;
    17 OS "os" Text;
    18 HOSTNAME "hostname" Text;
    19 USER "user" Text;
    20 MODEL "model" Text;
    21 FW_VERSION "fw_version" Text;
    22 SERIAL_NO "serial_no" Text;
    23 TS_OFFSET "ts_offset" Delta;
    24 TS_CLOCK_FREQ "ts_clock_freq" U32 "Steps per second of the timestamp clock.";
    25 TZONE "tzone" I32;
    26 TZONE_NAME "tzone_name" Text;
    27 LOC_LAT "loc_lat" I32 "Probably degrees times 10^6; the scale is not certain.";
    28 LOC_LONG "loc_long" I32 "Probably degrees times 10^6; the scale is not certain.";
    29 SNAPLEN "snaplen" U32;
    30 CARD_NUM "card_num" U32;
    31 MODULE_NUM "module_num" U32;
    32 ACCESS_NUM "access_num" U32;
    33 STREAM_NUM "stream_num" U32;
    34 LOC_NAME "loc_name" Text;
    35 PARENT_FILE "parent_file" Text;
    36 FILTER "filter" Text;
    37 FLOW_HASH_MODE "flow_hash_mode" U32 "See [`FlowHashMode`](super::FlowHashMode).";
    38 TUNNELING_MODE "tunneling_mode" U32 "Bits: see [`TunnelingMode`](super::TunnelingMode).";
    39 NPB_FORMAT "npb_format" Bytes;
    40 MEM "mem" U64 "Bytes.";
    41 DATAMINE_ID "datamine_id" Text;
    42 ROTFILE_ID "rotfile_id" Text;
    43 ROTFILE_NAME "rotfile_name" Text;
    44 DEV_NAME "dev_name" Text;
    45 DEV_PATH "dev_path" Text;
    46 LOC_DESCR "loc_descr" Text;
    47 APP_VERSION "app_version" Text;
    48 CPU_AFFINITY "cpu_affinity" Bytes;
    49 CPU "cpu" Text;
    50 CPU_PHYS_CORES "cpu_phys_cores" U32;
    51 CPU_NUMA_NODES "cpu_numa_nodes" U32;
    52 DAG_ATTRIBUTE "dag_attribute" Text;
    53 DAG_VERSION "dag_version" Text;
    54 STREAM_FLAGS "stream_flags" U32 "Bits: see [`StreamFlags`](super::StreamFlags).";
    55 ENTROPY_THRESHOLD "entropy_threshold" U32 "Entropy code in the low 8 bits.";
    56 SMART_TRUNC_DEFAULT "smart_trunc_default" U32 "Bit 0: truncation candidate.";
    57 EXT_HDRS_ADDED "ext_hdrs_added" ExtHeaders "See [`ExtHeaderSet`](super::ExtHeaderSet).";
    58 EXT_HDRS_REMOVED "ext_hdrs_removed" ExtHeaders "See [`ExtHeaderSet`](super::ExtHeaderSet).";
    59 RELATIVE_SNAPLEN "relative_snaplen" U32;
    60 TEMPERATURE "temperature" I32 "Thousandths of a degree Celsius.";
    61 POWER "power" I32 "Milliwatts.";
    62 VENDOR "vendor" Text;
    63 CPU_THREADS "cpu_threads" U32;
    64 IF_NUM "if_num" U32;
    65 IF_VC "if_vc" U32;
    66 IF_SPEED "if_speed" U64 "Bits per second.";
    67 IF_IPV4 "if_ipv4" Ipv4;
    68 IF_IPV6 "if_ipv6" Ipv6;
    69 IF_MAC "if_mac" Mac;
    70 IF_EUI "if_eui" Eui64;
    71 IF_IB_GID "if_ib_gid" Id128;
    72 IF_IB_LID "if_ib_lid" U16;
    73 IF_WWN "if_wwn" Id128;
    74 IF_FC_ID "if_fc_id" Bytes;
    75 IF_TX_SPEED "if_tx_speed" U64 "Bits per second.";
    76 IF_ERF_TYPE "if_erf_type" U32;
    77 IF_LINK_TYPE "if_link_type" U32;
    78 IF_SFP_TYPE "if_sfp_type" Text;
    79 IF_RX_POWER "if_rx_power" I32 "Hundredths of a dBm.";
    80 IF_TX_POWER "if_tx_power" I32 "Hundredths of a dBm.";
    81 IF_LINK_STATUS "if_link_status" U32 "Bits: see [`LinkStatus`](super::LinkStatus).";
    82 IF_PHY_MODE "if_phy_mode" Text;
    83 IF_PORT_TYPE "if_port_type" U32 "See [`PortType`](super::PortType).";
    84 IF_RX_LATENCY "if_rx_latency" Delta;
    85 TAP_MODE "tap_mode" U32 "See [`TapMode`](super::TapMode).";
    86 TAP_FAIL_MODE "tap_fail_mode" U32 "See [`TapFailMode`](super::TapFailMode).";
    87 WATCHDOG_EXPIRED "watchdog_expired" U32;
    88 WATCHDOG_INTERVAL "watchdog_interval" U32;
    128 SRC_IPV4 "src_ipv4" Ipv4;
    129 DEST_IPV4 "dest_ipv4" Ipv4;
    130 SRC_IPV6 "src_ipv6" Ipv6;
    131 DEST_IPV6 "dest_ipv6" Ipv6;
    132 SRC_MAC "src_mac" Mac;
    133 DEST_MAC "dest_mac" Mac;
    134 SRC_EUI "src_eui" Eui64;
    135 DEST_EUI "dest_eui" Eui64;
    136 SRC_IB_GID "src_ib_gid" Id128;
    137 DEST_IB_GID "dest_ib_gid" Id128;
    138 SRC_IB_LID "src_ib_lid" U16;
    139 DEST_IB_LID "dest_ib_lid" U16;
    140 SRC_WWN "src_wwn" Id128;
    141 DEST_WWN "dest_wwn" Id128;
    142 SRC_FC_ID "src_fc_id" Bytes;
    143 DEST_FC_ID "dest_fc_id" Bytes;
    144 SRC_PORT "src_port" U32;
    145 DEST_PORT "dest_port" U32;
    146 IP_PROTO "ip_proto" U32;
    147 FLOW_HASH "flow_hash" U32;
    148 FILTER_MATCH "filter_match" Text;
    149 FILTER_MATCH_NAME "filter_match_name" Text;
    150 ERROR_FLAGS "error_flags" Bytes;
    151 INITIATOR_PKTS "initiator_pkts" U64;
    152 RESPONDER_PKTS "responder_pkts" U64;
    153 INITIATOR_BYTES "initiator_bytes" U64;
    154 RESPONDER_BYTES "responder_bytes" U64;
    155 INITIATOR_MIN_ENTROPY "initiator_min_entropy" U32 "Entropy code.";
    156 RESPONDER_MIN_ENTROPY "responder_min_entropy" U32 "Entropy code.";
    157 INITIATOR_AVG_ENTROPY "initiator_avg_entropy" U32 "Entropy code.";
    158 RESPONDER_AVG_ENTROPY "responder_avg_entropy" U32 "Entropy code.";
    159 INITIATOR_MAX_ENTROPY "initiator_max_entropy" U32 "Entropy code.";
    160 RESPONDER_MAX_ENTROPY "responder_max_entropy" U32 "Entropy code.";
    161 DPI_APPLICATION "dpi_application" Text;
    162 DPI_CONFIDENCE "dpi_confidence" Text;
    163 DPI_STATE "dpi_state" U32 "See [`DpiState`](super::DpiState).";
    164 DPI_PROTOCOL_STACK "dpi_protocol_stack" Text;
    165 FLOW_STATE "flow_state" U32 "See [`FlowState`](super::FlowState).";
    166 VLAN_ID "vlan_id" I32;
    167 MPLS_LABEL "mpls_label" I32;
    168 VLAN_PCP "vlan_pcp" U32;
    169 MPLS_TC "mpls_tc" U32;
    170 DSCP "dscp" U32;
    171 INITIATOR_MPLS_LABEL "initiator_mpls_label" I32;
    172 RESPONDER_MPLS_LABEL "responder_mpls_label" I32;
    173 INITIATOR_MPLS_TC "initiator_mpls_tc" U32;
    174 RESPONDER_MPLS_TC "responder_mpls_tc" U32;
    175 INITIATOR_IPV4 "initiator_ipv4" Ipv4;
    176 RESPONDER_IPV4 "responder_ipv4" Ipv4;
    177 INITIATOR_IPV6 "initiator_ipv6" Ipv6;
    178 RESPONDER_IPV6 "responder_ipv6" Ipv6;
    179 INITIATOR_MAC "initiator_mac" Mac;
    180 RESPONDER_MAC "responder_mac" Mac;
    181 INITIATOR_PORT "initiator_port" U32;
    182 RESPONDER_PORT "responder_port" U32;
    183 INITIATOR_RETX "initiator_retx" U64;
    184 RESPONDER_RETX "responder_retx" U64;
    185 INITIATOR_ZWIN "initiator_zwin" U64;
    186 RESPONDER_ZWIN "responder_zwin" U64;
    187 INITIATOR_TCP_FLAGS "initiator_tcp_flags" Bytes;
    188 RESPONDER_TCP_FLAGS "responder_tcp_flags" Bytes;
    189 TCP_IRTT "tcp_irtt" Delta;
    193 START_TIME "start_time" Time;
    194 END_TIME "end_time" Time;
    195 STAT_IF_DROP "stat_if_drop" U64 "Interface drop.";
    196 STAT_FRAMES "stat_frames" U64;
    197 STAT_BYTES "stat_bytes" U64;
    198 STAT_CAP "stat_cap" U64;
    199 STAT_CAP_BYTES "stat_cap_bytes" U64;
    200 STAT_OS_DROP "stat_os_drop" U64 "Drop in the operating system.";
    201 STAT_DS_LCTR "stat_ds_lctr" U64 "Drop by internal error.";
    202 STAT_FILTER_MATCH "stat_filter_match" U64;
    203 STAT_FILTER_DROP "stat_filter_drop" U64;
    204 STAT_TOO_SHORT "stat_too_short" U64;
    205 STAT_TOO_LONG "stat_too_long" U64;
    206 STAT_RX_ERROR "stat_rx_error" U64;
    207 STAT_FCS_ERROR "stat_fcs_error" U64;
    208 STAT_ABORTED "stat_aborted" U64;
    209 STAT_PROTO_ERROR "stat_proto_error" U64;
    210 STAT_B1_ERROR "stat_b1_error" U64;
    211 STAT_B2_ERROR "stat_b2_error" U64;
    212 STAT_B3_ERROR "stat_b3_error" U64;
    213 STAT_REI_ERROR "stat_rei_error" U64;
    214 STAT_DROP "stat_drop" U64;
    215 STAT_BUF_DROP "stat_buf_drop" U64;
    216 STREAM_DROP "stream_drop" U32;
    217 STREAM_BUF_DROP "stream_buf_drop" U32;
    218 PKT_DROP "pkt_drop" U64;
    219 RECORD_DROP "record_drop" U64;
    220 BANDWIDTH "bandwidth" U64;
    221 DURATION "duration" Delta;
    222 TOP_INDEX "top_index" U32;
    223 CONCURRENT_FLOWS "concurrent_flows" U32;
    224 ACTIVE_FLOWS "active_flows" U32;
    225 CREATED_FLOWS "created_flows" U32;
    226 DELETED_FLOWS "deleted_flows" U32;
    227 ACTIVE_ENDPOINTS "active_endpoints" U32;
    228 TX_PKTS "tx_pkts" U64;
    229 TX_BYTES "tx_bytes" U64;
    230 RX_BANDWIDTH "rx_bandwidth" U64;
    231 TX_BANDWIDTH "tx_bandwidth" U64;
    232 RECORDS "records" U64;
    233 RECORD_BYTES "record_bytes" U64;
    234 PKT_DROP_BYTES "pkt_drop_bytes" U64;
    235 RECORD_DROP_BYTES "record_drop_bytes" U64;
    236 DROP_BANDWIDTH "drop_bandwidth" U64;
    237 RETX_PKTS "retx_pkts" U64;
    238 ZWIN_PKTS "zwin_pkts" U64;
    256 NS_HOST_IPV4 "ns_host_ipv4" NameIpv4;
    257 NS_HOST_IPV6 "ns_host_ipv6" NameIpv6;
    258 NS_HOST_MAC "ns_host_mac" NameMac;
    259 NS_HOST_EUI "ns_host_eui" NameEui64;
    260 NS_HOST_IB_GID "ns_host_ib_gid" NameId128;
    261 NS_HOST_IB_LID "ns_host_ib_lid" NameU16;
    262 NS_HOST_WWN "ns_host_wwn" NameId128;
    263 NS_HOST_FC_ID "ns_host_fc_id" Bytes "Bytes and name in one; the length of the address is not public.";
    264 NS_DNS_IPV4 "ns_dns_ipv4" NameIpv4;
    265 NS_DNS_IPV6 "ns_dns_ipv6" NameIpv6;
    321 EXTHDR "exthdr" Bytes;
    322 PCAP_NG_BLOCK "pcap_ng_block" Bytes;
    323 ASN1 "asn1" Bytes;
    324 SECTION_REF "section_ref" Bytes;
    384 CLK_SOURCE "clk_source" U32 "See [`ClockSource`](super::ClockSource).";
    385 CLK_STATE "clk_state" U32 "See [`ClockState`](super::ClockState).";
    386 CLK_THRESHOLD "clk_threshold" Delta;
    387 CLK_CORRECTION "clk_correction" Delta;
    388 CLK_FAILURES "clk_failures" U32;
    389 CLK_RESYNCS "clk_resyncs" U32;
    390 CLK_PHASE_ERROR "clk_phase_error" Delta;
    391 CLK_INPUT_PULSES "clk_input_pulses" U32;
    392 CLK_REJECTED_PULSES "clk_rejected_pulses" U32;
    393 CLK_PHC_INDEX "clk_phc_index" U32;
    394 CLK_PHC_OFFSET "clk_phc_offset" Delta;
    395 CLK_TIMEBASE "clk_timebase" Text;
    396 CLK_DESCR "clk_descr" Text;
    397 CLK_OUT_SOURCE "clk_out_source" U32 "See [`ClockSource`](super::ClockSource).";
    398 CLK_LINK_MODE "clk_link_mode" U32 "See [`ClockLinkMode`](super::ClockLinkMode).";
    399 PTP_DOMAIN_NUM "ptp_domain_num" U32;
    400 PTP_STEPS_REMOVED "ptp_steps_removed" U32;
    401 PTP_OFFSET_FROM_MASTER "ptp_offset_from_master" I64 "Nanoseconds times 2^16.";
    402 PTP_MEAN_PATH_DELAY "ptp_mean_path_delay" I64 "Nanoseconds times 2^16.";
    403 PTP_PARENT_IDENTITY "ptp_parent_identity" Eui64;
    404 PTP_PARENT_PORT_NUM "ptp_parent_port_num" U32;
    405 PTP_GM_IDENTITY "ptp_gm_identity" Eui64;
    406 PTP_GM_CLOCK_QUALITY "ptp_gm_clock_quality" U32 "See [`ClockQuality`](super::ClockQuality).";
    407 PTP_CURRENT_UTC_OFFSET "ptp_current_utc_offset" I32 "Seconds.";
    408 PTP_TIME_PROPERTIES "ptp_time_properties" U32 "Bits: see [`PtpTimeProperties`](super::PtpTimeProperties).";
    409 PTP_TIME_SOURCE "ptp_time_source" U32;
    410 PTP_CLOCK_IDENTITY "ptp_clock_identity" Eui64;
    411 PTP_PORT_NUM "ptp_port_num" U32;
    412 PTP_PORT_STATE "ptp_port_state" U32;
    413 PTP_DELAY_MECHANISM "ptp_delay_mechanism" U32;
    414 CLK_PORT_PROTO "clk_port_proto" U32 "See [`ClockPortProtocol`](super::ClockPortProtocol).";
    415 NTP_STATUS "ntp_status" U32;
    416 NTP_STRATUM "ntp_stratum" U32;
    417 NTP_ROOTDELAY "ntp_rootdelay" I32;
    418 NTP_ROOTDISP "ntp_rootdisp" U32;
    419 NTP_OFFSET "ntp_offset" I32;
    420 NTP_FREQUENCY "ntp_frequency" I32;
    421 NTP_SYS_JITTER "ntp_sys_jitter" U32;
    422 NTP_PEER_REMOTE "ntp_peer_remote" Text;
    423 NTP_PEER_REFID "ntp_peer_refid" Text;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_are_unique() {
        assert_eq!(TagType::ALL.len(), 251);
        assert!(TagType::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        // Miri is a thousand times slower, and finds nothing in one name that is not in another.
        for &tag in TagType::ALL.iter().step_by(if cfg!(miri) { 29 } else { 1 }) {
            let name = tag.name().unwrap();
            assert_eq!(TagType::from_name(name), Some(tag), "{name} names two tags");
            assert_ne!(tag.kind(), ValueKind::Unknown, "{name}");
            assert!(!tag.is_section(), "{name}");
        }
    }

    #[test]
    fn numbers_of_the_ends_of_each_block() {
        // The first and last row of each run of numbers in section 7.7.
        for (tag, number) in [
            (TagType::PADDING, 0),
            (TagType::WATCHDOG_INTERVAL, 88),
            (TagType::SRC_IPV4, 128),
            (TagType::TCP_IRTT, 189),
            (TagType::START_TIME, 193),
            (TagType::ZWIN_PKTS, 238),
            (TagType::NS_HOST_IPV4, 256),
            (TagType::NS_DNS_IPV6, 265),
            (TagType::EXTHDR, 321),
            (TagType::SECTION_REF, 324),
            (TagType::CLK_SOURCE, 384),
            (TagType::NTP_PEER_REFID, 423),
        ] {
            assert_eq!(tag.number(), number, "{tag}");
        }
    }

    #[test]
    fn unknown_numbers_and_sections_have_no_name_but_a_kind() {
        for number in [89, 127, 190, 192, 239, 266, 320, 325, 383, 424, 0xFEFF] {
            let tag = TagType::new(number);
            assert_eq!((tag.name(), tag.kind()), (None, ValueKind::Unknown), "{number}");
        }
        for number in 0xFF00..=0xFFFF {
            let tag = TagType::new(number);
            assert_eq!((tag.name(), tag.kind()), (None, ValueKind::Section), "{number}");
            assert_eq!(tag.section_type().map(SectionType::number), Some(number));
        }
    }
}
