//! [`BatchFilter`]: many records at a time.

use erf_core::Record;

use super::Filter;
use super::lanes::{LANES, Packets, Scratch};
use crate::convert::{FcsPolicy, PacketOptions, to_packet};
use crate::error::Error;

/// A [`Filter`] that looks at many records together, which is several times as fast as looking at each.
///
/// ```
/// use erf::filter::{BatchFilter, Filter, FilterOptions};
/// use erf::{Record, RecordBuilder, RecordType, Records};
///
/// let filter = Filter::new("greater 100", FilterOptions::default())?;
/// let mut file = Vec::new();
/// for length in [60, 600, 60] {
///     file.extend(RecordBuilder::new(RecordType::ETH).payload(&vec![7; length]).append_fcs().to_vec()?);
/// }
/// let records: Vec<Record> = Records::new(&file).flatten().collect();
/// assert_eq!(BatchFilter::new(filter).matches(&records)?, [false, true, false]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BatchFilter {
    filter: Filter,
    packets: PacketOptions,
    scratch: Scratch,
    matches: Vec<bool>,
}

impl BatchFilter {
    /// Puts `filter` to work.
    pub fn new(filter: Filter) -> BatchFilter {
        let packets = filter.0.options.packets;
        BatchFilter { filter, packets, scratch: Scratch::default(), matches: Vec::new() }
    }

    /// From now on Ethernet frames end in what `fcs` says, whatever the [options](super::FilterOptions::packets) of the filter say: what a look at
    /// the first records of a file [has found](crate::convert::Survey::fcs).
    pub fn set_fcs(&mut self, fcs: FcsPolicy) {
        self.packets.fcs = fcs;
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether each of `records` matches: what [`Filter::matches`] says of it. Any number may be given; the records of a block of
    /// a file, a few thousand, keep everything in the cache.
    ///
    /// # Errors
    ///
    /// As [`Filter::matches`], for any of them.
    pub fn matches(&mut self, records: &[Record<'_>]) -> Result<&[bool], Error> {
        self.matches.clear();
        self.matches.resize(records.len(), false);
        for (records, matches) in records.chunks(LANES).zip(self.matches.chunks_mut(LANES)) {
            chunk(&self.filter, &self.packets, &mut self.scratch, records, matches)?;
        }
        Ok(&self.matches)
    }
}

/// At most [`LANES`] records.
fn chunk(
    filter: &Filter,
    options: &PacketOptions,
    scratch: &mut Scratch,
    records: &[Record<'_>],
    matches: &mut [bool],
) -> Result<(), Error> {
    let mut packets = Packets::new();
    // The record of each lane.
    let mut places = [0u8; LANES];
    let mut together = None;
    for (place, record) in records.iter().enumerate() {
        let Ok(packet) = to_packet(record, options) else { continue };
        // Native packets lie in one piece.
        let captured = packet.body();
        if *together.get_or_insert(packet.link_type) != packet.link_type {
            let found = filter.matches_packet(packet.link_type, captured, packet.original_len)?;
            set(matches, place, found);
        } else if let Some(lane) = packets.push(captured, packet.original_len) {
            places[lane] = place as u8;
        }
    }
    let Some(link_type) = together else { return Ok(()) };
    let program = match filter.0.program(link_type) {
        Ok(program) => program,
        Err(refused) => return filter.refused(link_type, refused, packets.len()).map(|_| ()),
    };
    let mut found = [false; LANES];
    program.run_all(scratch, &packets, &mut found);
    for ((found, place), _) in found.iter().zip(places).zip(packets.iter()) {
        set(matches, usize::from(place), *found);
    }
    Ok(())
}

fn set(matches: &mut [bool], place: usize, found: bool) {
    if let Some(matches) = matches.get_mut(place) {
        *matches = found;
    }
}

impl std::fmt::Debug for BatchFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchFilter").field("filter", &self.filter).finish_non_exhaustive()
    }
}
