//! How long a run has still to go: probes take what they take, and what is around them is learned from the cells that are done.

use std::time::Duration;

use super::plan::{Cell, Plan};
use crate::experiment::Environment;

/// Around the probes of a cell, before one was measured: guests boot.
const AROUND: Duration = Duration::from_secs(3);
const AROUND_GUESTS: Duration = Duration::from_secs(30);

/// What cells have taken beside their probes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    cells: Around,
    guests: Around,
}

#[derive(Debug, Default)]
struct Around {
    sum: Duration,
    count: u32,
}

impl Around {
    fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count)
    }
}

impl Pace {
    /// A cell is done, and has taken so long.
    pub(super) fn done(&mut self, plan: &Plan, cell: Cell, took: Duration) {
        let around = if cell.environment == Environment::Vm { &mut self.guests } else { &mut self.cells };
        around.sum += took.saturating_sub(plan.time_of_cell(cell));
        around.count += 1;
    }

    /// How long these will take, about.
    pub(super) fn left(&self, plan: &Plan, cells: &[Cell]) -> Duration {
        let about = |cell: &Cell| {
            let around = match cell.environment {
                Environment::Vm => self.guests.mean().unwrap_or(AROUND_GUESTS),
                _ => self.cells.mean().unwrap_or(AROUND),
            };
            plan.time_of_cell(*cell).saturating_add(around)
        };
        cells.iter().fold(Duration::ZERO, |left, cell| left.saturating_add(about(cell)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Stress;
    use crate::lab::Variant;
    use crate::lab::plan::made_up;

    #[test]
    fn what_is_left_goes_by_what_the_others_have_taken() {
        let (plan, seconds) = (made_up(), Duration::from_secs);
        let of = |environment| Cell { environment, stress: Stress::Cpu, variant: Variant::Plain };
        let (host, bridge, guest) = (of(Environment::Host), of(Environment::Bridge), of(Environment::Vm));
        let mut pace = Pace::default();
        let probes = plan.time_of_cell(host);
        assert_eq!(pace.left(&plan, &[host, bridge]), 2 * (probes + AROUND));
        pace.done(&plan, host, probes + seconds(1));
        pace.done(&plan, bridge, probes + seconds(2));
        assert_eq!(pace.left(&plan, &[host, host]), 2 * probes + seconds(3));
        // Guests are another matter.
        assert_eq!(pace.left(&plan, &[guest]), plan.time_of_cell(guest) + AROUND_GUESTS);
        pace.done(&plan, guest, seconds(1));
        assert_eq!(pace.left(&plan, &[guest]), plan.time_of_cell(guest));
        assert_eq!(pace.left(&plan, &[]), Duration::ZERO);
    }
}
