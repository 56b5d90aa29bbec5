//! What a host can tell of its own probes without the wire: which of them to believe, and what to take off.
//!
//! ```text
//! probes with stamps ----\                     /--- valid | suspect (why) | unknown (why)
//! host signals ----------- evidence -- judge -<
//! thresholds, learned ---/                     \--- the round trip without the host's share, and its bound
//! with the wire
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`signals`] | pressure, run delay, steal, soft interrupts, the queue before the wire: sampled beside probes, as a log |
//! | [`Evidence`], [`HostShare`], [`Signal`] | what is known of one probe |
//! | [`Thresholds`], [`learn`], [`learn_at_rest`] | from when on it is too much, learned on a run with wire truth |
//! | [`judge`], [`Judgement`], [`Verdict`], [`Corrected`] | the verdict on one probe |
//! | [`cases`], [`score`], [`Score`] | verdicts held against the wire |
//! | [`Verdicts`] | those on all probes of a log, as JSON, text and CSV |
//!
//! A probe is good if the program's round trip is no more above that of the wire than it is at rest, at the 99th percentile; that limit is fixed
//! before anything is judged. A host that cannot see says "unknown", and never "valid".

mod bounds;
mod evidence;
mod judge;
mod learn;
mod order;
mod score;
pub mod signals;
mod tell;
mod thresholds;

pub use evidence::{Evidence, HostShare, Signal};
pub use judge::{Corrected, Judgement, Reason, Use, Verdict, judge};
pub use learn::{Case, cases, learn, learn_at_rest, learn_from};
pub use score::{Held, Judged, Score, judge_all, score};
pub use tell::{Verdicts, queue_of};
pub use thresholds::{Bound, Correction, Learning, Limit, Step, Thresholds};

#[cfg(test)]
mod made_up;
