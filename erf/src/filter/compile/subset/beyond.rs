//! What of the language is left to libpcap, and how it is said.

/// Words of pcap-filter(7) that are beyond the common part.
#[rustfmt::skip]
const WORDS: [&str; 94] = [
    "aarp", "action", "addr1", "addr2", "addr3", "addr4", "address1", "address2", "address3", "address4", "atalk",
    "atm", "bcc", "broadcast", "clnp", "connectmsg", "csnp", "decnet", "dir", "direction", "dpc", "es-is",
    "esis", "fddi", "fisu", "gateway", "geneve", "hdpc", "hfisu", "hlssu", "hmsu", "hopc", "hsio", "hsls", "ifindex",
    "ifname", "iih", "ilmic", "inbound", "ipx", "is-is", "isis", "iso", "l1", "l2", "lane", "lat", "llc", "lsp",
    "lssu", "lsu", "metac", "metaconnect", "mopdl", "moprc", "mpls", "msu", "multicast", "netbeui", "oam", "oamf4",
    "oamf4ec", "oamf4sc", "on", "opc", "outbound", "ppp", "pppoed", "pppoes", "protochain", "psnp", "ra", "radio",
    "reason", "rnr", "rset", "rulenum", "ruleset", "sc", "sio", "slip", "sls", "snp", "srnr", "stp", "subrulenum",
    "subtype", "ta", "tr", "type", "vci", "vpi", "vxlan", "wlan",
];

/// Whether a word is one of these.
pub(super) fn is_beyond(word: &str) -> bool {
    WORDS.contains(&word)
}

/// What is said of such a word.
pub(super) fn beyond(word: &str) -> String {
    format!("\"{word}\" needs libpcap, which cannot be opened here")
}

/// What is said of sums, and of comparisons other than that of "len" with a number.
pub(super) fn arithmetic() -> String {
    "arithmetic, and comparing anything but \"len\" with a number, need libpcap, which cannot be opened here".to_owned()
}
