//! Numbers of our headers (`dag-sys/include`), which a C test compares with these.

pub(crate) const STREAM_MAX: u16 = 256;
pub(crate) const NORMAL_MODE: u32 = 0;
pub(crate) const REVERSE_MODE: u32 = 1;

/// `PCI_DEVICE_ID_EMULATED`.
pub(crate) const DEVICE_CODE: u32 = 0xE300;
/// `PCI_DEVICE_ID_VDAG`.
pub(crate) const VDAG_CODE: u32 = 0x00FD;

/// `kTerfStrip32`: the card takes the FCS off what it is given to send, and makes one of its own.
pub(crate) const TERF_STRIP_32: u64 = 2;

/// `dag_err_t`.
pub(crate) mod error {
    pub(crate) const NONE: u32 = 0;
    pub(crate) const INVALID_CARD: u32 = 2;
    pub(crate) const NO_SUCH_ATTRIBUTE: u32 = 4;
    pub(crate) const INVALID_PARAMETER: u32 = 5;
    /// In words, by number.
    pub(crate) const WORDS: [&std::ffi::CStr; 7] = [
        c"no error",
        c"failure",
        c"no such card reference",
        c"no such component",
        c"no such attribute",
        c"parameter out of range",
        c"not implemented",
    ];
}

/// `dag_component_code_t`.
pub(crate) mod component {
    pub(crate) const ROOT: u32 = 0x0101;
    pub(crate) const PORT: u32 = 0x0102;
    pub(crate) const DUCK: u32 = 0x0104;
    pub(crate) const STREAM: u32 = 0x0105;
    pub(crate) const STREAM_FEATURES: u32 = 0x0106;
    pub(crate) const TERF: u32 = 0x0107;
}

/// `dag_attribute_code_t`.
pub(crate) mod attribute {
    pub(crate) const ACTIVE: u32 = 0x0201;
    pub(crate) const VARLEN: u32 = 0x0207;
    pub(crate) const SYNCHRONIZED: u32 = 0x0208;
    pub(crate) const LINK: u32 = 0x0209;
    pub(crate) const SNAPLENGTH: u32 = 0x0301;
    pub(crate) const DROP_COUNT: u32 = 0x0302;
    pub(crate) const TERF_STRIP_CRC: u32 = 0x0303;
    pub(crate) const CRYSTAL_FREQUENCY: u32 = 0x0304;
    pub(crate) const MEM_NODE: u32 = 0x0401;
}
