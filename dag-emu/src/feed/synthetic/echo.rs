//! [`Echo`]: the ICMP echo conversation in the traffic.

use super::flows;
use super::head::{Addresses, Head, Progress, Transport};
use super::size::MIN;

/// Every how many packets there is a request.
pub(super) const EVERY: u64 = 100;
/// How many packets behind its request a reply is.
pub(super) const REPLY_AFTER: u64 = 50;

/// One host pinging another: packet `k` is a request if `k % 100 == 0`, with sequence number `k / 100` (its low 16 bits), and
/// the reply to it if `k % 100 == 50`. A reply is as long as its request and brings its data back, the packet number with it.
#[derive(Debug)]
pub(super) struct Echo {
    request: Head,
    reply: Head,
    /// Length of the last request.
    size: u16,
}

/// The packet of the conversation that a number stands for.
pub(super) struct EchoPacket<'a> {
    /// 0 for requests, 1 for replies.
    pub(super) direction: u8,
    pub(super) size: u16,
    /// The number that the packet carries.
    pub(super) number: u64,
    pub(super) sequence: Progress,
    pub(super) head: &'a mut Head,
}

impl Echo {
    pub(super) fn new(identifier: u16) -> Self {
        let (near, far) = ([192, 0, 2, 1], [198, 51, 100, 1]);
        let head = |direction: u8, source, destination, transport| {
            Head::new(flows::macs(0, direction), Addresses::V4 { source, destination }, transport)
        };
        Self {
            request: head(0, near, far, Transport::EchoRequest { identifier }),
            reply: head(1, far, near, Transport::EchoReply { identifier }),
            size: MIN,
        }
    }

    /// The packet for `number`, if that is one of the conversation; `size` is the length that was drawn for it.
    #[inline]
    pub(super) fn packet(&mut self, number: u64, size: u16) -> Option<EchoPacket<'_>> {
        // Only the low 16 bits go into the packet.
        let sequence = Progress { sequence: (number / EVERY) as u32, acknowledgment: 0 };
        match number % EVERY {
            0 => {
                self.size = size;
                Some(EchoPacket { direction: 0, size, number, sequence, head: &mut self.request })
            }
            REPLY_AFTER => {
                let (size, number) = (self.size, number - REPLY_AFTER);
                Some(EchoPacket { direction: 1, size, number, sequence, head: &mut self.reply })
            }
            _ => None,
        }
    }
}
