//! Stock programs on libpcap.
