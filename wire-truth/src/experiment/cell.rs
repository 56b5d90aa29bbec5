//! [`Cell`]: one environment under one stress, as far as it can be believed.

use std::path::Path;

use super::describe::{CellInfo, Environment, Stress};
use super::measured::Measured;
use super::sums;
use crate::error::Error;
use crate::regular;
use crate::verdict::Thresholds;

/// A cell of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// The environment.
    pub environment: Environment,
    /// The stress.
    pub stress: Stress,
    /// What it says of itself, where that can be read.
    pub info: Option<CellInfo>,
    /// What became of it.
    pub state: State,
}

/// What became of a cell. Only what is measured has delays.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// It was measured.
    Measured(Box<Measured>),
    /// It was asked for, and there is no folder of it.
    Missing,
    /// It has no `cell.json`.
    Unfinished,
    /// It was not what it was meant to be; why.
    Invalid(Vec<String>),
    /// Its files are not those that were written; which.
    Damaged(Vec<String>),
    /// It cannot be analysed; why.
    Failed(String),
}

impl Cell {
    /// The name of its folder in that of the run.
    pub fn name(&self) -> String {
        folder_name(self.environment, self.stress)
    }

    /// Its delays, where it has some that can be believed.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.state {
            State::Measured(measured) => Some(measured),
            _ => None,
        }
    }

    /// It was measured in an emulated guest.
    pub fn is_emulated(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.emulated)
    }

    /// The word for its state that is used in JSON.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            State::Measured(_) => "measured",
            State::Missing => "missing",
            State::Unfinished => "unfinished",
            State::Invalid(_) => "invalid",
            State::Damaged(_) => "damaged",
            State::Failed(_) => "failed",
        }
    }

    /// Why it has no delays; `None` if it has some.
    pub fn reason(&self) -> Option<String> {
        match &self.state {
            State::Measured(_) => None,
            State::Missing => Some("it was asked for, and there is no folder of it".to_owned()),
            State::Unfinished => Some("it was not finished: there is no cell.json".to_owned()),
            State::Invalid(why) | State::Damaged(why) => Some(why.join("; ")),
            State::Failed(why) => Some(why.clone()),
        }
    }

    /// Reads the cell of a run in `run`; `None` where it has no folder.
    pub(super) fn read(
        run: &Path,
        environment: Environment,
        stress: Stress,
        thresholds: Option<&Thresholds>,
    ) -> Option<Self> {
        let folder = run.join(folder_name(environment, stress));
        if !folder.is_dir() {
            return None;
        }
        let (info, state) = read(&folder, environment, stress, thresholds);
        Some(Self { environment, stress, info, state })
    }
}

fn folder_name(environment: Environment, stress: Stress) -> String {
    format!("{}-{}", environment.name(), stress.name())
}

fn read(
    folder: &Path,
    environment: Environment,
    stress: Stress,
    thresholds: Option<&Thresholds>,
) -> (Option<CellInfo>, State) {
    let file = folder.join("cell.json");
    if !file.exists() {
        return (None, State::Unfinished);
    }
    let info = CellInfo::read(&file);
    // Before any of them is opened.
    let others = regular::others(folder);
    if !others.is_empty() {
        return (info.ok(), State::Damaged(others));
    }
    // First, as it may be why the others cannot be read.
    let damage = sums::damage(folder);
    if !damage.is_empty() {
        return (info.ok(), State::Damaged(damage));
    }
    let failed = |error: Error| State::Failed(error.to_string());
    let info = match info {
        Ok(info) => info,
        Err(error) => return (None, failed(error)),
    };
    if (info.environment, info.stress) != (environment, stress) {
        let said = folder_name(info.environment, info.stress);
        let here = folder_name(environment, stress);
        return (Some(info), State::Failed(format!("the folder is named {here}, and its cell.json is of {said}")));
    }
    let state = match info.invalid() {
        Some(why) => State::Invalid(why),
        None => Measured::read(folder, &info, thresholds)
            .map_or_else(failed, |measured| State::Measured(Box::new(measured))),
    };
    (Some(info), state)
}
