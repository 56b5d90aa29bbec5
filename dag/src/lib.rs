//! Capture from Endace DAG cards, real or emulated: records lent where the card put them, without a copy and with the borrow
//! checker watching.
//!
//! Everything on this page runs without a card, on the emulated one.
//!
//! # Six programs
//!
//! **A card.** An advance lends a batch; the next one gives it back.
//!
//! ```
//! let card = dag::Card::open("emu:synthetic=imix,rate=max,count=10000")?;
//! let mut stream = card.attach(0)?;
//! stream.start()?;
//! let (mut packets, mut bytes, mut lost) = (0u64, 0u64, 0u64);
//! loop {
//!     let batch = stream.advance()?;
//!     for record in &batch {
//!         let record = record?;
//!         packets += 1;
//!         bytes += u64::from(record.wire_len());
//!         lost += u64::from(record.loss().unwrap_or(0));
//!     }
//!     if batch.is_end() {
//!         break;
//!     }
//! }
//! println!("{packets} packets, {bytes} bytes on the wire, {lost} lost");
//! # assert_eq!(packets + lost, 10000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A file.** Plain or compressed ERF, pcap and pcapng; damage is a value with an offset.
//!
//! ```
//! use dag::file::Reader;
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("wire.erf");
//! # std::fs::write(&path, dag::file::RecordBuilder::new(dag::file::RecordType::ETH)
//! #     .timestamp(dag::file::Timestamp::from_parts(1_700_000_000, 0)).payload(&[7; 60]).to_vec()?)?;
//!
//! let mut reader = Reader::open_path(&path)?;
//! while let Some(batch) = reader.next_batch()? {
//!     for item in &batch {
//!         match item {
//!             Ok(record) => println!("{} port {} {} bytes", record.timestamp(), record.interface(), record.wire_len()),
//!             Err(defect) => eprintln!("{}: {defect}", path.display()),
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Writing.** A stream into a file, with an account of where every packet went; [`record`] is what `dagcap` runs on.
//!
//! ```
//! use dag::file::writer::{Output, OutputOptions};
//! use dag::record::{Format, Limits, Recorder, Selection};
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("wire.erf");
//!
//! let card = dag::Card::open("emu:synthetic,rate=max")?;
//! let output = Output::create(&path, OutputOptions::new())?;
//! let recording = Recorder::new(card.attach(0)?, output, Format::Erf)
//!     .selection(Selection::of_ports(&[0]))
//!     .limits(Limits { count: Some(1000), ..Limits::default() })
//!     .run();
//! println!("{:?}", recording.account);
//! # assert!(recording.error.is_none() && recording.account.adds_up());
//! # assert_eq!(recording.account.delivered, 1000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Converting.** Records into a pcapng file that any tool reads.
//!
//! ```
//! use dag::file::pcapng;
//!
//! let card = dag::Card::open("emu:synthetic,rate=max,count=100")?;
//! let stream = card.attach(0)?;
//! let mut writer = pcapng::Writer::new(Vec::new(), pcapng::WriterOptions::default());
//! for item in dag::Channel::spawn(stream, 64)?.iter() {
//!     writer.write_record(&item?.record()?)?;
//! }
//! println!("{} packets, {} bytes of pcapng", writer.written(), writer.finish()?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A round-trip time.** Of pings, by the stamps of an in-line card: requests at port 0, replies at port 1.
//!
//! ```
//! let card = dag::Card::open("emu:synthetic,rate=100kpps,count=1000")?;
//! let mut stream = card.attach(0)?;
//! stream.start()?;
//! let mut requests = std::collections::HashMap::new();
//! # let mut times = Vec::new();
//! loop {
//!     let batch = stream.advance()?;
//!     for record in batch.iter().flatten() {
//!         let [.., 8, 0, 0x45, _, _, _, _, _, _, _, _, 1] = record.payload()[..24] else { continue };
//!         let Some([kind, _, _, _, key @ ..]) = record.payload()[34..].first_chunk::<8>() else { continue };
//!         match (*kind, requests.remove(key)) {
//!             (0, Some(sent)) => println!("{} ns", (record.timestamp() - sent).to_nanos()),
//!             _ => drop(requests.insert(*key, record.timestamp())),
//!         }
//! #       times.push(*kind);
//!     }
//!     if batch.is_end() {
//!         break;
//!     }
//! }
//! # assert_eq!(times.len(), 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A unit test.** Of your own code, with a card that receives what the test says: no threads, no sleeping.
//!
//! ```
//! use dag::{Card, RxStream, emu::Script, file::{RecordBuilder, RecordType}};
//!
//! fn lost_until_now(stream: &mut RxStream) -> Result<u32, dag::Error> {
//!     Ok(stream.advance()?.iter().flatten().filter_map(|record| record.loss()).map(u32::from).sum())
//! }
//!
//! let packet = RecordBuilder::new(RecordType::ETH).payload(&[0x55; 60]).append_fcs().to_vec()?;
//! let script = Script::new().record(&packet)?.lose(5).record(&packet)?;
//! let mut stream = Card::emulated(script.card()?, "test").attach(0)?;
//! stream.start()?;
//! assert_eq!(lost_until_now(&mut stream)?, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! | | |
//! |---|---|
//! | [`Card`], [`Device`], [`CardInfo`], [`cards`] | opening a card by name, and what can be told of it |
//! | [`RxStream`], [`Batch`] | receiving; [`PollRules`] say how long an advance waits |
//! | [`FanoutReader`] | one stream lent to several readers |
//! | [`TxStream`] | sending |
//! | [`Channel`] | owned packets by crossbeam channel |
//! | [`record`] | recording to disk |
//! | [`doctor`] | what keeps a card from capturing |
//! | [`file`](mod@file) | files: the crate [`erf`] |
//! | [`emu`] | the emulated card: the crate [`dag_emu`] |
//!
//! # What holds
//!
//! * A record cannot be kept past the next [`RxStream::advance`]: it does not compile. [`Batch::keep_from`] lends it again.
//! * Records are `Copy + Send + Sync`, many alive at once. A stream is `Send` and not `Sync`: it has one reader.
//! * A bad length is a value, a [`Defect`](file::Defect), neither a panic nor the end of the capture.
//! * Loss is part of the data: in each record's loss counter, in the stream's [drop counter](RxStream::drops), in the
//!   [`Account`](file::session::Account) of a recording.
//! * All this rests on the device not writing where it has lent: the driver of a real card, or the process that emulates
//!   one, is the trust boundary.

mod backend;
mod batch;
mod card;
mod channel;
mod device;
pub mod doctor;
mod error;
mod fanout;
mod info;
mod list;
mod probe;
pub mod record;
mod stream;
mod tx;

pub use backend::Drops;
pub use batch::Batch;
pub use card::Card;
pub use channel::{Channel, ChannelError, OwnedRecord};
pub use dag_emu::ring::PollRules;
pub use device::Device;
pub use error::{Error, ErrorKind};
pub use fanout::FanoutReader;
pub use info::{CardInfo, Counters, PortCount, PortInfo, Setting, StampSource, StreamInfo};
pub use list::{Found, cards};
pub use stream::{Interrupter, RxStream};
pub use tx::TxStream;

pub use dag_emu as emu;
pub use dag_sys as sys;
pub use erf as file;
