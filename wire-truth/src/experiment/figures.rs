//! Figures 3, 4 and 5 of the paper, with the data behind each.

use super::measured::Measured;
use super::table::Group;
use super::{Environment, Experiment, Stress};
use crate::page::figure;
use crate::stats::Sample;
use crate::svg;

/// A curve: its name, and what it is of.
type Curve<'a> = (String, &'a Sample);

/// All that can be drawn of a run; nothing, where no cell has what the paper's figures are of.
pub(super) fn figures(experiment: &Experiment) -> String {
    let mut page = String::new();
    let title = "Figure 3: program and kernel less wire, network stress";
    draw(&mut page, title, svg::cdf, &figure_3(experiment));
    let title = "Figure 4: program less wire, guest";
    let curves = figure_4(experiment);
    draw(&mut page, title, svg::cdf, &curves);
    for (title, environments) in [
        ("Figure 5: sending and receiving, network stress", [Environment::Container, Environment::Vm]),
        (
            "Figure 5, of the other environments: sending and receiving, network stress",
            [Environment::Host, Environment::Bridge],
        ),
    ] {
        draw(&mut page, title, svg::density, &figure_5(experiment, environments));
    }
    // A heading over nothing is none.
    if page.is_empty() || !curves.is_empty() {
        return page;
    }
    page + "<p>Figure 4 of the paper is of a guest, and no guest was measured here.</p>\n"
}

fn draw(page: &mut String, title: &str, drawing: fn(&str, &[(&str, &Sample)]) -> String, curves: &[Curve<'_>]) {
    let samples: Vec<(&str, &Sample)> = curves.iter().map(|(name, sample)| (name.as_str(), *sample)).collect();
    figure(page, &drawing(title, &samples), &samples);
}

/// What was measured of an environment under a stress, and what it is called in a figure.
fn of(experiment: &Experiment, environment: Environment, stress: Stress) -> Option<(&'static str, &Measured)> {
    let cell = experiment.cell(environment, stress)?;
    let name = Group::of(cell).map_or(environment.name(), |group| group.name);
    Some((name, cell.measured()?))
}

fn figure_3(experiment: &Experiment) -> Vec<Curve<'_>> {
    let mut curves = Vec::new();
    for environment in Environment::ALL {
        let Some((name, measured)) = of(experiment, environment, Stress::Network) else { continue };
        curves.push((format!("{name}, program"), &measured.analysis.layers.total));
        curves.push((format!("{name}, kernel"), &measured.derived.kernel_total));
    }
    curves
}

fn figure_4(experiment: &Experiment) -> Vec<Curve<'_>> {
    let cells = Stress::ALL.into_iter().filter_map(|stress| {
        let (name, measured) = of(experiment, Environment::Vm, stress)?;
        Some((format!("{name}, {}", stress.name()), &measured.analysis.layers.total))
    });
    cells.collect()
}

fn figure_5(experiment: &Experiment, environments: [Environment; 2]) -> Vec<Curve<'_>> {
    let mut curves = Vec::new();
    for environment in environments {
        let Some((name, measured)) = of(experiment, environment, Stress::Network) else { continue };
        curves.push((format!("{name}, sending"), &measured.analysis.layers.send));
        curves.push((format!("{name}, receiving"), &measured.analysis.layers.receive));
    }
    curves
}
