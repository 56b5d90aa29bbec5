//! An experiment of many cells, one environment under one stress each, from the folder that `wiretruth lab run` leaves.
//!
//! | part | what |
//! |---|---|
//! | [`Experiment`] | all cells of a run, analysed; those that cannot be believed with the reason |
//! | [`Measured`] | the delays of a cell, and what they say of the instrument |
//! | [`Feedback`] | what the host could tell of its probes without the wire, held against it |
//! | [`TcpEstimate`] | what TCP thought of the round trip meanwhile |
//! | [`table_1`] | the paper's Table 1, and ours beside it |
//! | [`Claim`], [`claims`] | what the paper says, put to the test by rules that were fixed beforehand |
//! | [`report`] | all of it as a page |
//! | [`results_json`], [`table_1_csv`], [`claims_csv`] | all of it for other programs |
//! | [`contrast`] | two runs side by side |

mod cell;
mod claims;
mod contrast;
mod describe;
mod feedback;
mod figures;
mod files;
mod html;
mod instrument;
mod measured;
mod statistic;
mod sums;
mod table;
mod tcp;

use std::fs;
use std::path::Path;

pub use cell::{Cell, State};
pub use claims::{Claim, Outcome, Verdict, claims};
pub use contrast::{Contrast, Meeting, contrast, contrast_json};
pub use describe::{CellInfo, Environment, PlaceInfo, Proof, RunInfo, Stress};
pub use feedback::{Feedback, Known, Learned};
pub use files::{claims_csv, results_json, table_1_csv};
pub use html::report;
pub use measured::{Derived, Measured, OneClock, Tap, known};
pub use table::{Group, Row, table_1};
pub use tcp::TcpEstimate;

use crate::error::{Error, Repr};
use crate::verdict::Thresholds;

/// A run: what was to be measured, and what was.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Experiment {
    /// What it says of itself.
    pub info: RunInfo,
    /// Its cells, environment by environment: those that were asked for, and those that are there.
    pub cells: Vec<Cell>,
}

impl Experiment {
    /// Reads the folder of a run, one cell after another, and analyses it. A cell that is not finished, not valid, damaged or not to be analysed is
    /// kept with the reason.
    ///
    /// # Errors
    ///
    /// When there is no such folder, or its `run.json` cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Self::read_with(folder, None)
    }

    /// The same, with the probes judged by these thresholds, and not by what each cell's own probes at rest teach.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_with(folder: &Path, thresholds: Option<&Thresholds>) -> Result<Self, Error> {
        let failed = |cause| Repr::Io { path: folder.display().to_string(), cause };
        // Said of the folder, and not of what is missing in it.
        fs::read_dir(folder).map_err(failed)?;
        let info = RunInfo::read(&folder.join("run.json"))?;
        let mut cells = Vec::new();
        for environment in Environment::ALL {
            for stress in Stress::ALL {
                let asked = info.environments.contains(&environment) && info.stresses.contains(&stress);
                let missing = || Cell { environment, stress, info: None, state: State::Missing };
                cells.extend(Cell::read(folder, environment, stress, thresholds).or_else(|| asked.then(missing)));
            }
        }
        Ok(Self { info, cells })
    }

    /// The cell of an environment under a stress.
    pub fn cell(&self, environment: Environment, stress: Stress) -> Option<&Cell> {
        self.cells.iter().find(|cell| (cell.environment, cell.stress) == (environment, stress))
    }

    /// The cells that were measured.
    pub fn measured(&self) -> impl Iterator<Item = (&Cell, &Measured)> {
        self.cells.iter().filter_map(|cell| Some((cell, cell.measured()?)))
    }
}
