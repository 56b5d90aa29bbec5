//! An analysis as one page that opens anywhere: no network, no script; on a phone, in print, dark and light.

use std::borrow::Cow;
use std::fmt::Write;

use crate::analysis::{Analysis, Reference};
use crate::page::{self, LIMITS, figure};
use crate::paper;
use crate::stats::{Estimate, Sample};
use crate::svg::{self, escaped, label};

/// What a report says beside the figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Its title.
    pub title: String,
    /// What was measured how: names and values, as lines of a table.
    pub setup: Vec<(String, String)>,
    /// The environment and the stress of the paper's Table 1 that this is compared with: `vanilla`, `vserver` or `xen`, and `at_rest`, `cpu`,
    /// `io`, `hd`, `memory` or `network`.
    pub cell: Option<(String, String)>,
}

/// The page.
pub fn html(analysis: &Analysis, context: &Context) -> String {
    let mut page = page::begin(&context.title, &headline(analysis));
    if !analysis.simulated.is_empty() {
        let what = escaped(&analysis.simulated.join(", "));
        let _ = writeln!(page, "<p><strong>Simulated: no measurement. Made up were {what}.</strong></p>");
    }
    page += "<h2>Delays</h2>\n";
    page += &table(analysis);
    page += &figures(analysis);
    page += "<h2>Clocks</h2>\n";
    page += &clocks(analysis);
    // The paper's numbers alone are in the paper.
    if let Some(cell) = &context.cell {
        page += "<h2>Beside the paper</h2>\n";
        page += &table_1(analysis, cell);
    }
    page += &page::setup(&context.setup);
    page += &page::limits(LIMITS.iter().copied().chain(analysis.notes.iter().map(String::as_str)));
    page::end(page)
}

fn headline(analysis: &Analysis) -> String {
    let Analysis { probes, matched, lost, duplicates, layers, left_out, .. } = analysis;
    let median = |sample: &Sample| sample.percentile(0.5);
    let resting = match left_out {
        0 => String::new(),
        some => format!(" {some} at rest are in these counts, and in no delay."),
    };
    let counts = format!(
        "{probes} probes, {matched} seen on the wire and in the host, {lost} lost, {duplicates} duplicates.{resting}"
    );
    let (host, name) = if layers.user_rtt.is_empty() {
        (&layers.kernel, "A capture of the kernel")
    } else {
        (&layers.user_rtt, "ping")
    };
    let (Some(said), Some(took)) = (median(host), median(&layers.wire)) else { return counts };
    let added = median(if layers.total.is_empty() { &layers.kern } else { &layers.total }).unwrap_or(said - took);
    let mut text = format!(
        "{name} would say {}; the network took {}. The host has added {}",
        label(said),
        label(took),
        label(added)
    );
    text += " (medians).";
    if let (Some(send), Some(receive)) = (layers.send.mean(), layers.receive.mean()) {
        let part = send / (send + receive) * 100.0;
        if part.is_finite() && (0.0..=100.0).contains(&part) && added > 0.0 {
            let than = match analysis.reference {
                Reference::Rest => "more than at rest",
                Reference::Fastest => "more than to the fastest probe",
            };
            let _ = write!(
                text,
                " Of what it has added {than}, {part:.0} % was added when sending and {:.0} % when receiving (means).",
                100.0 - part
            );
        }
    }
    let stepped = analysis.clock.as_ref().is_ok_and(|clock| clock.step.is_some());
    let warning = if stepped { " A clock was stepped on the way: none of this is to be trusted." } else { "" };
    text + " " + &counts + warning
}

/// The samples of an analysis that have values, by name.
fn rows(analysis: &Analysis) -> Vec<(String, Cow<'_, Sample>)> {
    let layers = &analysis.layers;
    let named = [
        ("round trip, wire", &layers.wire),
        ("round trip, kernel", &layers.kernel),
        ("round trip, dom0", &layers.dom0_rtt),
        ("round trip, program", &layers.user_rtt),
        ("dKern", &layers.kern),
        ("dDom0", &layers.dom0),
        ("dDomU", &layers.domu),
        ("dUser", &layers.user),
        ("total", &layers.total),
        ("sending", &layers.send),
        ("receiving", &layers.receive),
        ("system call", &layers.syscall),
        ("queueing discipline", &layers.qdisc),
        ("driver to wire", &layers.driver),
        ("kernel to program", &layers.wakeup),
    ];
    let others = analysis.others.iter().flat_map(|other| {
        let next = other.over_next.as_ref().map(|(next, sample)| (format!("{} less {next}", other.name), sample));
        let own = [
            (format!("round trip, {}", other.name), &other.rtt),
            (format!("{} less wire", other.name), &other.over_wire),
        ];
        own.into_iter().chain(next)
    });
    // From one probe to the next (RFC 3393).
    let variations = [("wire", &layers.wire), ("sending", &layers.send), ("receiving", &layers.receive)]
        .map(|(name, sample)| (format!("variation, {name}"), Cow::Owned(sample.variation())));
    let all = named.into_iter().map(|(name, sample)| (name.to_owned(), sample)).chain(others);
    let all = all.map(|(name, sample)| (name, Cow::Borrowed(sample))).chain(variations);
    all.filter(|(_, sample)| !sample.is_empty()).collect()
}

fn table(analysis: &Analysis) -> String {
    let mut text = "<div class=\"wide\"><table>\n<tr><th></th><th>n</th><th>median</th><th>its 95 %</th><th>by blocks</th><th>p99</th><th>its 95 \
                    %</th><th>max</th></tr>\n"
        .to_owned();
    for (name, sample) in rows(analysis) {
        let (Some(median), Some(p99), Some(max)) = (sample.estimate(0.5), sample.estimate(0.99), sample.max()) else {
            continue;
        };
        let interval = |of: Estimate| match (of.low, of.high) {
            (Some(low), Some(high)) => format!("{} to {}", label(low), label(high)),
            (Some(low), None) => format!("from {}", label(low)),
            (None, Some(high)) => format!("to {}", label(high)),
            (None, None) => "-".to_owned(),
        };
        let blocks = sample.block_interval(0.5);
        let blocks = blocks.map_or_else(|| "-".to_owned(), |(low, high)| format!("{} to {}", label(low), label(high)));
        // Too few for an upper limit.
        let least = if p99.high.is_none() { "at least " } else { "" };
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{blocks}</td><td>{least}{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&name),
            sample.len(),
            label(median.value),
            interval(median),
            label(p99.value),
            interval(p99),
            label(max)
        );
    }
    let from = match analysis.reference {
        Reference::Rest => "the mean of the probes at rest",
        Reference::Fastest => "the fastest probe",
    };
    text + &format!(
        "</table></div>\n<p>In n are the probes under test that were seen at all places of a row: those at rest before and after, and those that were lost, are \
         not. Behind median and p99 stand their 95 % intervals; that by blocks allows for delays that resemble the one \
         before. Sending, receiving and driver to wire are excess over {from}.</p>\n"
    )
}

fn figures(analysis: &Analysis) -> String {
    let layers = &analysis.layers;
    let mut page = String::new();
    let host = [("program", &layers.total), ("kernel", &layers.kern), ("dom0", &layers.dom0)];
    figure(&mut page, &svg::cdf("Round trip less that on the wire (as Figures 3 and 4 of the paper)", &host), &host);
    let ways = [("sending", &layers.send), ("receiving", &layers.receive)];
    figure(&mut page, &svg::density("Sending and receiving (as Figure 5 of the paper)", &ways), &ways);
    let parts = [("system call", &layers.syscall), ("queue", &layers.qdisc), ("wake-up", &layers.wakeup)];
    figure(&mut page, &svg::cdf("Where in the host", &parts), &parts);
    if page.is_empty() { page } else { "<h2>Distributions</h2>\n".to_owned() + &page }
}

fn clocks(analysis: &Analysis) -> String {
    let relation = match &analysis.clock {
        Ok(relation) => relation,
        Err(reason) => return format!("<p>The clocks were not related: {}.</p>\n", escaped(reason)),
    };
    let mut text = String::from(
        "<div class=\"wide\"><table>\n<tr><th>method</th><th>drift</th><th>interval</th><th>spread</th></tr>\n",
    );
    for fit in std::iter::once(relation).chain(analysis.fits.iter().filter(|fit| fit.method != relation.method)) {
        let (low, high) = fit.drift_ci_ppb;
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{:+.3} ppm</td><td>{:+.3} to {:+.3}</td><td>{}</td></tr>",
            fit.method.name(),
            fit.drift_ppb / 1e3,
            low / 1e3,
            high / 1e3,
            label(fit.residual_ns)
        );
    }
    text += "</table></div>\n";
    if let (Some(low), Some(high)) = (relation.offset_low_ns, relation.offset_high_ns) {
        let _ = writeln!(
            text,
            "<p>By causality the host's clock is ahead by {low} to {high} ns at the first probe: an interval of {}.</p>",
            // A float for reading only.
            label((high - low) as f64)
        );
    }
    text
}

/// The paper's table, and what this analysis has of the cell that it is compared with.
fn table_1(analysis: &Analysis, cell: &(String, String)) -> String {
    let layers = &analysis.layers;
    let own = |environment: &str, layer: &str, stress: &str| {
        (cell.0 == environment && cell.1 == stress).then_some(())?;
        let sample = match layer {
            "kern" => &layers.kern,
            "dom0" => &layers.dom0,
            "domU" => &layers.domu,
            "user" => &layers.user,
            _ => &layers.total,
        };
        Some((sample.percentile(0.5)?, sample.percentile(0.99)?))
    };
    let mut text = String::from("<div class=\"wide\"><table>\n<tr><th>median / p99, ms</th>");
    // Turned: ten columns are wider than a sheet of paper.
    for (stress, _) in paper::TABLE_1 {
        let _ = write!(text, "<th>{stress}</th>");
    }
    text += "</tr>\n";
    for (column, (environment, layer)) in paper::COLUMNS.into_iter().enumerate() {
        let _ = write!(text, "<tr><td>{environment}, {layer}</td>");
        for (stress, values) in paper::TABLE_1 {
            let (median, p99) = values[column];
            let _ = write!(text, "<td>{median:.3} / {p99:.3}");
            if let Some((median, p99)) = own(environment, layer, stress) {
                let _ = write!(text, "<br/><span class=\"own\">{:.3} / {:.3}</span>", median / 1e6, p99 / 1e6);
            }
            text += "</td>";
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n<p>Table 1 of the paper, and in bold what was measured here.</p>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyse};
    use crate::delay::Places;
    use crate::simulate::{Scenario, simulate};
    use crate::{UserLog, Vantage};

    fn page(cell: Option<(&str, &str)>) -> String {
        let dir = tempfile::tempdir().unwrap();
        simulate(&Scenario::default()).unwrap().write(dir.path()).unwrap();
        let read = |name: &str| Vantage::read(name, &dir.path().join(name)).unwrap();
        let (wire, kernel) = (read("wire.erf"), read("kernel.pcap"));
        let user = UserLog::read(&dir.path().join("user.csv")).unwrap();
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: Some(&user), others: &[] };
        let mut options = Options::default();
        (options.rest_lead, options.rest_trail) = (20, 20);
        let context = Context {
            title: "a <b> & c".to_owned(),
            setup: vec![("wire".to_owned(), "<x>.erf".to_owned())],
            cell: cell.map(|(of, under)| (of.to_owned(), under.to_owned())),
        };
        html(&analyse(&places, options).unwrap(), &context)
    }

    #[test]
    fn a_page_has_all_of_it_and_asks_for_nothing() {
        let page = page(Some(("vanilla", "network")));
        for words in [
            "ping would say ",
            " (medians). Of what it has added more than at rest, ",
            " % when receiving (means). 240 probes, ",
            "those at rest before and after, and those that were lost, are not. Behind median",
            "<h2>Distributions</h2>\n<figure>",
            "<td>dKern</td><td>200</td>",
            "<td>variation, wire</td><td>199</td>",
            // Two hundred are too few for an upper limit.
            "<td>at least ",
            "</td><td>from ",
            "lower-envelope",
            "By causality the host's clock is ahead by",
            "a &lt;b&gt; &amp; c",
            "&lt;x&gt;.erf",
            "excess over the mean of the probes at rest",
        ] {
            assert!(page.contains(words), "{words}\n{page}");
        }
        assert_eq!(page.matches("<svg ").count(), 3);
        assert_eq!(page.matches("class=\"own\"").count(), 3, "kern, user and total of that cell");
        // The only address in it is the name of the language of the drawings.
        assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
        assert!(!page.contains("<script") && !page.contains("url("));
        // What is opened is closed.
        for tag in ["table", "tr", "td", "svg", "figure", "details", "ul", "li", "div", "p", "text"] {
            let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn without_a_cell_there_is_nothing_of_the_paper_nor_an_empty_section() {
        let page = page(None);
        assert!(!page.contains("Beside the paper") && !page.contains("Table 1"), "{page}");
        let nothing = html(
            &analyse(
                &Places { wire: &probes(), kernel: Some(&probes()), dom0: None, user: None, others: &[] },
                Options::default(),
            )
            .unwrap(),
            &Context::default(),
        );
        for section in nothing.split("<h2>").skip(1) {
            let (title, body) = section.split_once("</h2>").unwrap();
            assert!(!body.trim().is_empty(), "{title} is empty");
        }
    }

    /// A place with probes that wait for nothing.
    fn probes() -> Vantage {
        let mut place = Vantage::new("x");
        for seq in 0..50u16 {
            for leg in [crate::Leg::Request, crate::Leg::Reply] {
                let at = i64::from(seq) * 1_000_000 + i64::from(leg == crate::Leg::Reply) * 1_000;
                place.stamp(crate::ProbeKey { ident: 1, turn: 0, seq }, leg, at);
            }
        }
        place
    }
}
