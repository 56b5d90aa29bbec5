//! Capture from Endace DAG cards, real or emulated.

mod backend;
mod batch;
mod card;
mod channel;
mod device;
mod error;
mod info;
mod probe;
pub mod record;
mod stream;

pub use backend::Drops;
pub use batch::Batch;
pub use card::Card;
pub use channel::{Channel, ChannelError, OwnedRecord};
pub use dag_emu::ring::PollRules;
pub use device::Device;
pub use error::{Error, ErrorKind};
pub use info::{CardInfo, PortInfo, StampSource};
pub use stream::{Interrupter, RxStream};

pub use dag_emu as emu;
pub use erf as file;
