//! Which probes of a capture are meant, and which of them were sent at rest: of all that hold a log against the wire.

use wire_truth::Options;

/// The options that say so.
#[derive(Debug, Clone, PartialEq, Eq, Default, clap::Args)]
pub(super) struct Probes {
    /// The identifier of the probes, if there are several runs in the captures.
    #[arg(long, value_name = "N")]
    pub(super) ident: Option<u16>,

    /// So many probes at the begin were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) rest_lead: usize,

    /// So many probes at the end were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) rest_trail: usize,
}

impl Probes {
    pub(super) fn options(&self) -> Options {
        let mut options = Options::default();
        (options.ident, options.rest_lead, options.rest_trail) = (self.ident, self.rest_lead, self.rest_trail);
        options
    }
}
