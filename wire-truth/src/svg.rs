//! Distributions as drawings that need nothing else: no script, no font of their own, dark where the reader is.

use std::fmt::Write;

use crate::stats::Sample;

/// Width and height of the drawing, and of what is drawn in, in its own units.
const SIZE: (f64, f64) = (720.0, 360.0);
const FIELD: (f64, f64, f64, f64) = (64.0, 40.0, 696.0, 300.0);

/// Points of a curve, at most.
const POINTS: usize = 800;

/// Told apart by those who see no colours, too: by their dashes.
const LINES: [(&str, &str); 4] = [("#0072b2", "none"), ("#d55e00", "7 4"), ("#009e73", "2 3"), ("#cc79a7", "10 3 2 3")];

const STYLE: &str = "svg{background:#fff;color:#222;font:13px system-ui,sans-serif}@media(prefers-color-scheme:dark){svg{background:#181818;\
                     color:#ddd}}text{fill:currentColor}.g{stroke:currentColor;stroke-opacity:.18}.c{fill:none;stroke-width:2}";

/// What lies between two characters that mean something in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The horizontal axis: delays in nanoseconds, each decade as wide as another, unless some are not above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Axis {
    fn of(samples: &[(&str, &Sample)]) -> Option<Self> {
        let low = samples.iter().filter_map(|(_, sample)| sample.min()).min_by(f64::total_cmp)?;
        let high = samples.iter().filter_map(|(_, sample)| sample.max()).max_by(f64::total_cmp)?;
        // What lies far from 0 and close together is better seen evenly.
        let is_log = low > 0.0 && high > 3.0 * low;
        let margin = if high > low { 0.0 } else { 1.0 };
        Some(if is_log {
            Self { low: 10f64.powf(low.log10().floor()), high: 10f64.powf(high.log10().ceil()), is_log }
        } else {
            Self { low: low - margin, high: high + margin, is_log }
        })
    }

    /// From 0 at the left end to 1 at the right.
    fn place(&self, value: f64) -> f64 {
        match self.is_log {
            true => (value / self.low).log10() / (self.high / self.low).log10(),
            false => (value - self.low) / (self.high - self.low),
        }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let (first, last) = (self.low.log10().round() as i32, self.high.log10().round() as i32);
            return (first..=last).map(|power| 10f64.powi(power)).collect();
        }
        // A step of 1, 2 or 5 of a decade, so that there are five of them or some more.
        let rough = (self.high - self.low) / 5.0;
        let decade = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0].into_iter().rev().map(|step| step * decade).find(|step| *step <= rough).unwrap_or(decade);
        let first = (self.low / step).ceil();
        (0..=10).map(|at| (first + f64::from(at)) * step).take_while(|tick| *tick <= self.high).collect()
    }
}

/// A delay with the unit of its size, without digits that say nothing.
fn label(ns: f64) -> String {
    let (value, unit) = match ns.abs() {
        small if small < 1e3 => (ns, "ns"),
        micros if micros < 1e6 => (ns / 1e3, "\u{b5}s"),
        millis if millis < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let text = format!("{value:.6}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Which part of each sample of delays, in nanoseconds, is not above a delay: one curve a sample, up to four. A sample without values has none.
pub fn cdf(title: &str, samples: &[(&str, &Sample)]) -> String {
    let (left, top, right, bottom) = FIELD;
    let (title, (width, height)) = (escaped(title), SIZE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\
         <text x=\"{left}\" y=\"22\" font-weight=\"600\">{title}</text>"
    );
    let Some(axis) = Axis::of(samples) else {
        svg += "<text x=\"64\" y=\"170\">no values</text></svg>\n";
        return svg;
    };
    let x = |value: f64| left + axis.place(value).clamp(0.0, 1.0) * (right - left);
    let y = |part: f64| bottom - part * (bottom - top);
    // Writing into a string does not fail.
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = y(part);
        let _ = write!(
            svg,
            "<path class=\"g\" d=\"M{left} {at:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{part}</text>",
            left - 8.0,
            at + 4.0
        );
    }
    for tick in axis.ticks() {
        let at = x(tick);
        let _ = write!(
            svg,
            "<path class=\"g\" d=\"M{at:.1} {top}V{bottom}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            label(tick)
        );
    }
    for (at, ((name, sample), (colour, dash))) in
        samples.iter().filter(|(_, one)| !one.is_empty()).zip(LINES).enumerate()
    {
        let mut path = format!("M{:.1} {:.1}", x(sample.sorted()[0]), y(0.0));
        let n = sample.len();
        let step = n.div_ceil(POINTS);
        for rank in (0..n).step_by(step).chain([n - 1]) {
            let _ = write!(path, "H{:.1}V{:.1}", x(sample.sorted()[rank]), y((rank + 1) as f64 / n as f64));
        }
        let _ = write!(path, "H{right}");
        let mark = left + 4.0 + 160.0 * at as f64;
        let _ = write!(
            svg,
            "<path class=\"c\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\" d=\"{path}\"/><path class=\"c\" stroke=\"{colour}\" \
             stroke-dasharray=\"{dash}\" d=\"M{mark} 342h26\"/><text x=\"{}\" y=\"346\">{} (n = {n})</text>",
            mark + 32.0,
            escaped(name)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        values.iter().copied().collect()
    }

    #[test]
    fn curves_go_where_the_values_are() {
        let values = sample(&[1e3, 1e4, 1e5, 1e6]);
        let svg = cdf("delay", &[("a", &values)]);
        // Three decades over 632 units; quarters of 260 upwards.
        assert!(svg.contains("M64.0 300.0H64.0V235.0H274.7V170.0H485.3V105.0H696.0V40.0"), "{svg}");
        for tick in [">1 \u{b5}s<", ">10 \u{b5}s<", ">100 \u{b5}s<", ">1 ms<"] {
            assert!(svg.contains(tick), "{tick}");
        }
        assert!(svg.contains("a (n = 4)"));
    }

    #[test]
    fn values_below_nothing_have_an_even_axis() {
        let axis = Axis::of(&[("a", &sample(&[-3.0, 7.0]))]).unwrap();
        assert_eq!((axis.is_log, axis.ticks()), (false, vec![-2.0, 0.0, 2.0, 4.0, 6.0]));
        assert_eq!(axis.place(2.0), 0.5);
        let one = Axis::of(&[("a", &sample(&[5.0]))]).unwrap();
        assert_eq!((one.low, one.high), (4.0, 6.0));
    }

    #[test]
    fn what_is_put_in_is_text_and_nothing_is_asked_of_a_network() {
        let svg = cdf("<script>&\"", &[("<b>", &sample(&[1.0]))]);
        assert!(
            svg.contains("&lt;script&gt;&amp;&quot;") && svg.contains("&lt;b&gt;") && !svg.contains("<script"),
            "{svg}"
        );
        assert_eq!(svg.matches("http").count(), 1, "the name of the language");
        assert!(cdf("x", &[("a", &sample(&[]))]).contains("no values"));
    }

    #[test]
    fn labels_have_the_unit_of_their_size() {
        for (ns, text) in [(0.0, "0 ns"), (-20.0, "-20 ns"), (1500.0, "1.5 \u{b5}s"), (2e6, "2 ms"), (3e9, "3 s")] {
            assert_eq!(label(ns), text);
        }
    }
}
