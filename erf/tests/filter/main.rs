//! Filters against libpcap and tcpdump.

mod compilers;
mod expressions;
mod packets;
mod tcpdump;
