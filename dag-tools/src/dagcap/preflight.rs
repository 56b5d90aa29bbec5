//! `dagcap --preflight`: what the place of a recording holds, told before it begins.

use std::path::Path;
use std::time::Duration;

use dag::record::{Preflight, preflight};
use serde::Serialize;

use super::Args;

/// How long is written.
const TIME: Duration = Duration::from_secs(2);

/// Frames with their FCS, and how many of each come in one round: `erf-format.md` has what a record takes beside them.
const MIXES: [(&str, &[(u64, u64)]); 3] =
    [("64 bytes", &[(64, 1)]), ("IMIX", &[(64, 7), (594, 4), (1518, 1)]), ("1518 bytes", &[(1518, 1)])];

/// What is told.
#[derive(Debug, Serialize)]
pub(super) struct PreflightJson {
    /// Version of this form.
    preflight: u32,
    /// The folder that was measured.
    folder: String,
    /// Whether files in it are written past the page cache.
    direct: bool,
    /// Bytes of records a second that it takes.
    bytes_per_second: f64,
    /// The longest that the writer had to wait for the disk.
    longest_wait_ms: f64,
    /// Packets that it holds.
    holds: Vec<MixJson>,
    /// Bytes of the stream's memory.
    memory: u64,
    /// How long that takes to fill at the rate that the disk holds, while the disk takes nothing.
    bridges_ms: f64,
}

/// Packets of a mix of sizes.
#[derive(Debug, Serialize)]
struct MixJson {
    mix: &'static str,
    packets_per_second: f64,
    /// With preamble and gaps, as Ethernet counts.
    wire_bits_per_second: f64,
}

/// Measures the folder of `--out`, for a stream with so much `memory`.
pub(super) fn measure(args: &Args, memory: u64) -> Result<PreflightJson, dag::Error> {
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = folder.join(format!(".dagcap-preflight-{}", std::process::id()));
    let seen = preflight(&path, args.io.into(), TIME)?;
    Ok(PreflightJson::new(folder, &seen, memory))
}

impl PreflightJson {
    fn new(folder: &Path, seen: &Preflight, memory: u64) -> Self {
        let rate = seen.rate();
        let holds = MIXES.map(|(mix, sizes)| {
            let sum = |of: fn(u64) -> u64| sizes.iter().map(|(len, count)| of(*len) * count).sum::<u64>() as f64;
            // A header, two bytes of padding, and a multiple of 8; on the wire a preamble and a gap, 20 bytes together.
            let (packets, records, wire) =
                (sum(|_| 1), sum(|len| (18 + len).next_multiple_of(8)), sum(|len| (len + 20) * 8));
            let packets_per_second = rate / records * packets;
            MixJson { mix, packets_per_second, wire_bits_per_second: packets_per_second / packets * wire }
        });
        Self {
            preflight: 1,
            folder: folder.display().to_string(),
            direct: seen.direct,
            bytes_per_second: rate,
            longest_wait_ms: seen.longest_wait.as_secs_f64() * 1e3,
            holds: holds.into(),
            memory,
            bridges_ms: memory as f64 / rate.max(1.0) * 1e3,
        }
    }

    /// For a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let way = if self.direct { "past the page cache" } else { "through the page cache, to the device" };
        let mut lines = vec![format!(
            "{}: {:.0} MB/s {way}; the longest wait was {:.0} ms",
            self.folder,
            self.bytes_per_second / 1e6,
            self.longest_wait_ms,
        )];
        for MixJson { mix, packets_per_second, wire_bits_per_second } in &self.holds {
            let (packets, bits) = (packets_per_second / 1e6, wire_bits_per_second / 1e9);
            lines.push(format!("holds {packets:.2} million packets/s of {mix}, {bits:.1} Gbit/s on the wire"));
        }
        let memory = self.memory as f64 / f64::from(1 << 20);
        lines.push(format!(
            "at that rate the stream's memory of {memory:.0} MiB bridges {:.0} ms in which the disk takes nothing",
            self.bridges_ms
        ));
        lines
    }
}
