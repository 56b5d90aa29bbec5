//! Distributions as drawings that need nothing else: no script, no font of their own, dark where the reader is.

use std::fmt::Write;

use crate::stats::{Counts, Sample};

/// Width and height of the drawing, and of what is drawn in, in its own units.
const SIZE: (f64, f64) = (720.0, 360.0);
const FIELD: (f64, f64, f64, f64) = (64.0, 40.0, 696.0, 300.0);

/// Height of a row of names below it.
const ROW: f64 = 20.0;

/// Points of a curve, at most.
const POINTS: usize = 800;

/// Told apart by those who see no colours, too: by their dashes. The colours are Okabe's and Ito's; for yellow and black, of which either scheme shows
/// one only, there are red and violet.
const LINES: [(&str, &str); 8] = [
    ("#0072b2", "none"),
    ("#d55e00", "7 4"),
    ("#009e73", "2 3"),
    ("#cc79a7", "12 3 2 3"),
    ("#e69f00", "14 5"),
    ("#56b4e9", "5 2 2 2 2 2"),
    ("#e4003a", "18 4 5 4"),
    ("#8b3dff", "3 1"),
];

/// Curves of which the names are in one row below the drawing; of more, two in each.
const IN_ONE_ROW: usize = 3;

const STYLE: &str = "svg{background:#fff;color:#222;font:13px system-ui,sans-serif}@media(prefers-color-scheme:dark){svg{background:#181818;\
                     color:#ddd}}text{fill:currentColor}.g{stroke:currentColor;stroke-opacity:.18}.c{fill:none;stroke-width:2}";

/// What lies between two characters that mean something in XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The horizontal axis: delays in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Even,
    /// Each decade as wide as another.
    Log,
    /// So on both sides of 0, and evenly up to about this.
    Around(f64),
}

/// How much greater than the usual delay one must be so that an even axis shows nothing of the usual one.
const FAR: f64 = 30.0;

/// The part of the axis that a label takes.
const LABEL: f64 = 0.1;

impl Axis {
    fn of(samples: &[(&str, &Sample)]) -> Option<Self> {
        let low = samples.iter().filter_map(|(_, sample)| sample.min()).min_by(f64::total_cmp)?;
        let high = samples.iter().filter_map(|(_, sample)| sample.max()).max_by(f64::total_cmp)?;
        let size =
            |sample: &Sample| sample.sorted().iter().map(|value| value.abs()).collect::<Sample>().percentile(0.5);
        let usual = samples.iter().filter_map(|(_, sample)| size(sample)).filter(|size| *size > 0.0);
        Some(Self::between(low, high, usual.min_by(f64::total_cmp).unwrap_or(f64::INFINITY)))
    }

    /// Of values counted: those of 0, as the least is where delays are counted from it, are put with the next.
    fn of_counts(counts: &Counts) -> Option<Self> {
        let (low, high) = (counts.min()?, counts.max()?);
        let least = counts.iter().map(|(value, _)| value).find(|value| *value > 0.0);
        let low = if low == 0.0 { least.unwrap_or(low).max(1.0) } else { low };
        let usual = counts.percentile(0.5).map(f64::abs).filter(|usual| *usual > 0.0);
        Some(Self::between(low, high, usual.unwrap_or(f64::INFINITY)))
    }

    /// From the least value to the greatest; most are about as great as `usual`.
    fn between(low: f64, high: f64, usual: f64) -> Self {
        if low > 0.0 && high > 3.0 * low {
            Self { low: round(low, false), high: round(high, true), scale: Scale::Log }
        } else if low <= 0.0 && low.abs().max(high) > FAR * usual {
            Self { low, high, scale: Scale::Around(10f64.powf(usual.log10().floor())) }
        } else {
            // What lies far from 0 and close together is better seen evenly.
            let margin = if high > low { 0.0 } else { 1.0 };
            Self { low: low - margin, high: high + margin, scale: Scale::Even }
        }
    }

    /// From 0 at the left end to 1 at the right.
    fn place(&self, value: f64) -> f64 {
        let at = |value: f64| match self.scale {
            Scale::Even => value,
            Scale::Log => value.log10(),
            Scale::Around(evenly) => (value / evenly).asinh(),
        };
        (at(value) - at(self.low)) / (at(self.high) - at(self.low))
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Even => even_ticks(self.low, self.high),
            Scale::Log => {
                let fine = STEPS.into_iter().flat_map(|step| decades(self.low, self.high).map(move |one| step * one));
                let inside = |tick: &f64| (self.low * 0.999..=self.high * 1.001).contains(tick);
                let mut fine: Vec<f64> = fine.filter(inside).collect();
                fine.sort_by(f64::total_cmp);
                // Decades alone, where there are enough of them.
                let whole: Vec<f64> = decades(self.low, self.high).filter(inside).collect();
                if fine.len() > 8 { self.apart(&whole) } else { self.apart(&fine) }
            }
            Scale::Around(evenly) => {
                let far = self.low.abs().max(self.high);
                let sides = decades(evenly, far).filter(|one| *one >= evenly).flat_map(|one| [-one, one]);
                let mut all: Vec<f64> = sides.filter(|tick| (self.low..=self.high).contains(tick)).collect();
                // 0 comes first, as the others have to leave room for it.
                all.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
                let mut ticks: Vec<f64> = vec![0.0];
                for tick in all {
                    let free = |other: &f64| (self.place(tick) - self.place(*other)).abs() >= LABEL;
                    if ticks.iter().all(free) {
                        ticks.push(tick);
                    }
                }
                ticks
            }
        }
    }

    /// As many of `ticks` as have room for their labels.
    fn apart(&self, ticks: &[f64]) -> Vec<f64> {
        let mut kept: Vec<f64> = Vec::new();
        for tick in ticks {
            if kept.last().is_none_or(|last| self.place(*tick) - self.place(*last) >= LABEL) {
                kept.push(*tick);
            }
        }
        kept
    }
}

/// What is easily read, of each decade.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// The powers of ten from the one below `low` to the one above `high`.
fn decades(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (low.log10().floor() as i32..=high.log10().ceil() as i32).map(|power| 10f64.powi(power))
}

/// The nearest 1, 2 or 5 of a decade that is not below `value`, or not above.
fn round(value: f64, up: bool) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    // What a logarithm is off by is no step.
    let part = value / decade;
    let step = match up {
        true => STEPS.into_iter().find(|step| *step >= part * 0.999_999).unwrap_or(10.0),
        false => STEPS.into_iter().rev().find(|step| *step <= part * 1.000_001).unwrap_or(1.0),
    };
    step * decade
}

/// A step of 1, 2 or 5 of a decade, so that there are five of them or some more.
fn even_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let decade = 10f64.powf(rough.log10().floor());
    let step = STEPS.into_iter().rev().map(|step| step * decade).find(|step| *step <= rough).unwrap_or(decade);
    let first = (low / step).ceil();
    (0..=10).map(|at| (first + f64::from(at)) * step).take_while(|tick| *tick <= high).collect()
}

/// A delay with the unit of its size, without digits that say nothing.
pub(crate) fn label(ns: f64) -> String {
    let (value, unit) = match ns.abs() {
        small if small < 1e3 => (ns, "ns"),
        micros if micros < 1e6 => (ns / 1e3, "\u{b5}s"),
        millis if millis < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    // Four digits are more than any of it is known to.
    let text = match value.abs() {
        ones if ones < 10.0 => format!("{value:.3}"),
        tens if tens < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    };
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A drawing begun: its title, its axes, and where a delay and a height lie in it.
struct Drawing {
    svg: String,
    axis: Option<Axis>,
    curves: usize,
    /// Names of curves in a row below it.
    in_row: usize,
    height: f64,
}

impl Drawing {
    /// For so many curves, with lines at these heights, of which 1 is the top.
    fn new(title: &str, axis: Option<Axis>, curves: usize, heights: &[(f64, String)]) -> Self {
        let (left, top, right, bottom) = FIELD;
        let svg = format!("<text x=\"{left}\" y=\"22\" font-weight=\"600\">{}</text>", escaped(title));
        let in_row = if curves > IN_ONE_ROW { 2 } else { IN_ONE_ROW };
        let rows = curves.div_ceil(in_row).max(1);
        let mut drawing = Self { svg, axis, curves: 0, in_row, height: SIZE.1 + ROW * (rows - 1) as f64 };
        let Some(axis) = drawing.axis else {
            drawing.svg += "<text x=\"64\" y=\"170\">no values</text>";
            return drawing;
        };
        // Writing into a string does not fail.
        for (part, label) in heights {
            let (at, x) = (Self::y(*part), left - 8.0);
            let _ = write!(drawing.svg, "<path class=\"g\" d=\"M{left} {at:.1}H{right}\"/>");
            let _ = write!(drawing.svg, "<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", at + 4.0);
        }
        for tick in axis.ticks() {
            let (at, y) = (drawing.x(tick), bottom + 18.0);
            let _ = write!(drawing.svg, "<path class=\"g\" d=\"M{at:.1} {top}V{bottom}\"/>");
            let _ = write!(drawing.svg, "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", label(tick));
        }
        drawing
    }

    fn x(&self, value: f64) -> f64 {
        FIELD.0 + self.axis.map_or(0.0, |axis| axis.place(value)).clamp(0.0, 1.0) * (FIELD.2 - FIELD.0)
    }

    fn y(part: f64) -> f64 {
        FIELD.3 - part * (FIELD.3 - FIELD.1)
    }

    /// Which part of the values is not above each of them.
    fn distribution(&mut self, name: &str, counts: &Counts) {
        let n = counts.len();
        let mut path = format!("M{:.1} {:.1}", self.x(counts.min().unwrap_or_default()), Self::y(0.0));
        let (mut upto, mut drawn) = (0, None);
        for (value, count) in counts.iter() {
            upto += count;
            let point = upto * POINTS as u64 / n;
            // Of several that are not told apart one, and the last.
            if drawn.replace(point) != Some(point) || upto == n {
                let _ = write!(path, "H{:.1}V{:.1}", self.x(value), Self::y(upto as f64 / n as f64));
            }
        }
        let _ = write!(path, "H{}", FIELD.2);
        self.curve(name, n, &path);
    }

    /// Heights of classes, each as wide as another, of which 1 is the top.
    fn classes(&mut self, name: &str, n: u64, heights: &[f64; CLASSES]) {
        let width = (FIELD.2 - FIELD.0) / CLASSES as f64;
        let mut path = format!("M{:.1} {:.1}", FIELD.0, Self::y(0.0));
        for (class, height) in heights.iter().enumerate() {
            let _ = write!(path, "V{:.1}H{:.1}", Self::y(*height), FIELD.0 + width * (class + 1) as f64);
        }
        self.curve(name, n, &(path + &format!("V{:.1}", Self::y(0.0))));
    }

    fn curve(&mut self, name: &str, n: u64, path: &str) {
        let (colour, dash) = LINES[self.curves % LINES.len()];
        let width = if self.in_row == IN_ONE_ROW { 210.0 } else { (FIELD.2 - FIELD.0) / 2.0 };
        let mark = FIELD.0 + 4.0 + width * (self.curves % self.in_row) as f64;
        let below = 342.0 + ROW * (self.curves / self.in_row) as f64;
        let line = format!("<path class=\"c\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\" d=");
        let (text, name) = (mark + 32.0, escaped(name));
        let _ = write!(self.svg, "{line}\"{path}\"/>{line}\"M{mark} {below}h26\"/>");
        let _ = write!(self.svg, "<text x=\"{text}\" y=\"{}\">{name} (n = {n})</text>", below + 4.0);
        self.curves += 1;
    }

    fn end(self, title: &str) -> String {
        page(title, &[self])
    }
}

/// Drawings below each other, as a file.
fn page(title: &str, drawings: &[Drawing]) -> String {
    let (title, width) = (escaped(title), SIZE.0);
    let all: f64 = drawings.iter().map(|drawing| drawing.height).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {all}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>"
    );
    let mut down = 0.0;
    for drawing in drawings {
        // Writing into a string does not fail.
        let _ = write!(svg, "<g transform=\"translate(0 {down})\">{}</g>", drawing.svg);
        down += drawing.height;
    }
    svg + "</svg>\n"
}

/// Which part of each sample of delays, in nanoseconds, is not above a delay: one curve a sample, up to eight. A sample without values has none.
pub fn cdf(title: &str, samples: &[(&str, &Sample)]) -> String {
    let mut drawing = Drawing::new(title, Axis::of(samples), some(samples), &quarters());
    for (name, sample) in samples.iter().filter(|(_, one)| !one.is_empty()) {
        drawing.distribution(name, &Counts::from(*sample));
    }
    drawing.end(title)
}

/// A histogram of delays, in nanoseconds: how many lie in each of 48 classes, which are as wide as another on the axis. Below it, on the same
/// axis, which part is not above a delay.
pub fn histogram(title: &str, name: &str, counts: &Counts) -> String {
    let Some(axis) = Axis::of_counts(counts) else { return Drawing::new(title, None, 0, &[]).end(title) };
    let mut classes = [0u64; CLASSES];
    for (value, count) in counts.iter() {
        let class = (axis.place(value) * CLASSES as f64) as usize;
        classes[class.min(CLASSES - 1)] += count;
    }
    let fullest = classes.iter().copied().max().unwrap_or(1) as f64;
    let heights = Axis { low: 0.0, high: fullest, scale: Scale::Even }.ticks();
    // Of packets there are no parts.
    let whole = heights.into_iter().filter(|count| count.fract() == 0.0);
    let heights: Vec<(f64, String)> = whole.map(|count| (count / fullest, count.to_string())).collect();
    let mut upper = Drawing::new(title, Some(axis), 1, &heights);
    upper.classes(name, counts.len(), &classes.map(|count| count as f64 / fullest));
    let mut lower = Drawing::new("part that is not above", Some(axis), 1, &quarters());
    lower.distribution(name, counts);
    page(title, &[upper, lower])
}

/// How many samples have values.
fn some(samples: &[(&str, &Sample)]) -> usize {
    samples.iter().filter(|(_, sample)| !sample.is_empty()).count()
}

fn quarters() -> [(f64, String); 5] {
    [0.0, 0.25, 0.5, 0.75, 1.0].map(|part: f64| (part, format!("{} %", part * 100.0)))
}

/// Classes of a density, each as wide as another on the drawing.
const CLASSES: usize = 48;

/// Which part of each sample lies in each of 48 classes of delay, in nanoseconds, against the fullest class.
pub fn density(title: &str, samples: &[(&str, &Sample)]) -> String {
    let Some(axis) = Axis::of(samples) else { return Drawing::new(title, None, 0, &[]).end(title) };
    let parts: Vec<(&str, u64, [f64; CLASSES])> = samples
        .iter()
        .filter(|(_, sample)| !sample.is_empty())
        .map(|(name, sample)| {
            let mut parts = [0.0; CLASSES];
            for value in sample.sorted() {
                let class = (axis.place(*value) * CLASSES as f64) as usize;
                parts[class.min(CLASSES - 1)] += 1.0 / sample.len() as f64;
            }
            (*name, sample.len() as u64, parts)
        })
        .collect();
    let fullest = parts.iter().flat_map(|(.., parts)| parts).copied().fold(f64::MIN_POSITIVE, f64::max);
    let heights = [0.0, 0.5, 1.0].map(|height| (height, format!("{:.1} %", height * fullest * 100.0)));
    let mut drawing = Drawing::new(title, Some(axis), parts.len(), &heights);
    for (name, n, parts) in parts {
        drawing.classes(name, n, &parts.map(|part| part / fullest));
    }
    drawing.end(title)
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
    fn eight_curves_are_told_apart() {
        let samples: Vec<Sample> = (1..=8).map(|at| sample(&[f64::from(at) * 1e3, 1e6])).collect();
        let named: Vec<(&str, &Sample)> = samples.iter().map(|one| ("one", one)).collect();
        let svg = cdf("delay", &named);
        // Two in a row: three rows more than of three curves.
        assert!(svg.contains("viewBox=\"0 0 720 420\""), "{svg}");
        for (mark, below) in [(68, 342), (384, 342), (68, 402), (384, 402)] {
            assert_eq!(svg.matches(&format!("d=\"M{mark} {below}h26\"")).count(), 1, "{svg}");
        }
        let mut dashes = LINES.map(|(_, dash)| dash).to_vec();
        dashes.sort_unstable();
        dashes.dedup();
        assert_eq!(dashes.len(), 8, "by those who see no colours");
        assert!(cdf("delay", &named[..3]).contains("viewBox=\"0 0 720 360\""));
    }

    #[test]
    fn a_density_has_its_parts_in_their_classes() {
        let values = sample(&[1e3, 1e3, 1e3, 1e6]);
        let svg = density("delay", &[("a", &values)]);
        // Three quarters in the first class, a quarter in the last, of 632 units in 48.
        assert!(svg.contains("M64.0 300.0V40.0H77.2V300.0H90.3") && svg.contains("V213.3H696.0V300.0\""), "{svg}");
        assert!(svg.contains(">75.0 %<"), "{svg}");
        assert!(density("x", &[("a", &sample(&[]))]).contains("no values"));
    }

    #[test]
    fn a_histogram_counts_its_values_on_the_axis_of_the_distribution() {
        // Of three decades, with one that is counted from, and one of a thousand far above.
        let counts: Counts = [(0.0, 1), (1e3, 299), (1e4, 600), (1e6, 100)].into_iter().collect();
        let svg = histogram("delay", "a", &counts);
        // 48 classes of 632 units: the first, one of the second decade, the last.
        assert!(svg.contains("M64.0 300.0V170.0H77.2V300.0") && svg.contains("V40.0H287.8V300.0"), "{svg}");
        assert!(svg.contains("V256.7H696.0V300.0\""), "{svg}");
        for count in [0, 200, 400, 600] {
            assert!(svg.contains(&format!(">{count}</text>")), "{count}: {svg}");
        }
        // The distribution on the same axis, below.
        assert!(svg.contains("viewBox=\"0 0 720 720\"") && svg.contains("translate(0 360)"), "{svg}");
        assert!(svg.contains("H64.0V222.0H274.7V66.0H696.0V40.0"), "{svg}");
        assert_eq!(svg.matches("a (n = 1000)").count(), 2);
        // Few values have no lines between them, and those below 0 an even axis.
        let few = histogram("delay", "a", &[(-5.0, 1), (5.0, 1)].into_iter().collect());
        assert!(few.contains(">-4 ns<") && few.contains(">1</text>") && !few.contains(">0.2</text>"), "{few}");
        assert!(histogram("x", "a", &Counts::default()).contains("no values"));
        assert!(histogram("x", "a", &[(0.0, 9)].into_iter().collect()).contains("(n = 9)"));
    }

    #[test]
    fn values_below_nothing_have_an_even_axis() {
        let axis = Axis::of(&[("a", &sample(&[-3.0, 7.0]))]).unwrap();
        assert_eq!((axis.scale, axis.ticks()), (Scale::Even, vec![-2.0, 0.0, 2.0, 4.0, 6.0]));
        assert_eq!(axis.place(2.0), 0.5);
        let one = Axis::of(&[("a", &sample(&[5.0]))]).unwrap();
        assert_eq!((one.low, one.high), (4.0, 6.0));
    }

    #[test]
    fn an_axis_is_no_wider_than_what_it_shows() {
        let ends = |values: &[f64]| {
            let axis = Axis::of(&[("a", &sample(values))]).unwrap();
            (axis.low, axis.high, axis.ticks())
        };
        assert_eq!(ends(&[1.2e4, 1.1e6]), (1e4, 2e6, vec![1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6]));
        assert_eq!(ends(&[21.0, 4.9e5]), (20.0, 5e5, vec![1e2, 1e3, 1e4, 1e5]));
        assert_eq!(ends(&[1e3, 1e6]), (1e3, 1e6, vec![1e3, 1e4, 1e5, 1e6]));
    }

    #[test]
    fn a_few_far_away_do_not_hide_the_usual_around_nothing() {
        let axis = Axis::of(&[("a", &sample(&[-40.0, 2e3, 3e3, 4e3, 1e8]))]).unwrap();
        assert_eq!((axis.scale, axis.ticks()), (Scale::Around(1e3), vec![0.0, 1e4, 1e5, 1e6, 1e7, 1e8]));
        assert_eq!((axis.place(-40.0), axis.place(1e8)), (0.0, 1.0));
        let usual = axis.place(4e3) - axis.place(2e3);
        assert!((0.04..0.06).contains(&usual), "{usual}");
        let both = Axis::of(&[("a", &sample(&[-1e8, -2e3, 3e3, 1e8]))]).unwrap().ticks();
        assert!(both.contains(&-1e8) && both.contains(&1e8) && both.contains(&0.0), "{both:?}");
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
        for (ns, text) in [
            (0.0, "0 ns"),
            (-20.0, "-20 ns"),
            (1500.0, "1.5 \u{b5}s"),
            (2e6, "2 ms"),
            (3e9, "3 s"),
            (196_930.0, "196.9 \u{b5}s"),
        ] {
            assert_eq!(label(ns), text);
        }
    }
}
