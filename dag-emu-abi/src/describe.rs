//! `dag_emu_describe`: what the card is, for whoever wants to say it in a file.

use dag_emu::StampSource;
use libc::{c_char, c_int};
use serde_json::json;

use crate::guard::guard;
use crate::handles::process;

/// # Safety
///
/// Room for `size` bytes, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_emu_describe(dagfd: c_int, buffer: *mut c_char, size: usize) -> i64 {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        let (card, number) = (&handle.board.card, handle.board.number);
        // One that has gone is described as it was.
        let _ = card.refresh();
        let feed = card.feed();
        let source = match feed.stamp_source {
            StampSource::Kernel => "kernel",
            StampSource::Replay => "replay",
            StampSource::Script => "script",
            _ => "synthetic",
        };
        let text = json!({
            "card": number,
            "model": dag_emu::MODEL,
            "feed": feed.description,
            "stamp_source": source,
            "stamp_error_ns": feed.stamp_error_ns,
            "tick_bits": card.clock().tick().bits(),
            "ports": card.ports().count(),
            "port_counts": (0..card.ports().count())
                .map(|port| card.ports().counted(port))
                .map(|count| json!({ "packets": count.packets, "bytes": count.bytes }))
                .collect::<Vec<_>>(),
            "snaplen": card.ports().snaplen(),
            "source_defects": feed.counts().defects,
            "notes": feed.counts().notes(),
            "failure": card.failure().map(|error| error.to_string()),
        });
        let text = format!("{text}\0");
        if !buffer.is_null() && size > 0 {
            let len = text.len().min(size);
            // SAFETY: no more than there is room for.
            unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), len) };
            // SAFETY: the last of these bytes.
            let last = unsafe { buffer.add(len - 1) };
            // SAFETY: as above.
            unsafe { last.write(0) };
        }
        // The end is not counted.
        Ok(text.len() as i64 - 1)
    })
}
