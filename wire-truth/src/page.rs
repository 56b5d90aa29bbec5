//! What reports have in common: pages that open anywhere, with no network and no script, on a phone, in print, dark and light.

use std::fmt::Write;

use crate::stats::Sample;
use crate::svg::escaped;

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8886;--paper:#fff;--ink:#222}
@media(prefers-color-scheme:dark){:root{--paper:#181818;--ink:#ddd}}
body{font:16px/1.5 system-ui,sans-serif;max-width:66rem;margin:0 auto;padding:1rem;background:var(--paper);color:var(--ink);overflow-wrap:anywhere}
p,ul,figure{max-width:46rem}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line)}
.lead{font-size:1.15rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.875rem}
td,th{padding:.2rem .5rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
td:first-child,th:first-child{text-align:left;padding-left:0;position:sticky;left:0;background:var(--paper)}
.names td,.names th{text-align:left}.names td+td{white-space:normal}
.own{font-weight:700}td small{display:block;opacity:.8}.claims td:nth-child(2){min-width:17rem}
.last td:last-child{min-width:13rem}.proofs td:nth-child(2){white-space:nowrap}.claims td:nth-child(3),.claims td:nth-child(4){white-space:nowrap}h3{font-size:1rem}
svg{width:100%;min-width:34rem;height:auto;display:block}figure{margin:1rem 0;overflow-x:auto}pre{overflow-x:auto;font-size:.75rem;max-height:20rem}
@media print{body{max-width:none;padding:0;font-size:10pt}table{font-size:7pt}td,th{padding:.1rem .25rem}svg{min-width:0}details{display:none}
h2{break-after:avoid}figure,tr{break-inside:avoid}.names{font-size:9pt}.claims{font-size:8pt}.claims td:nth-child(2){min-width:0}.last td:last-child{min-width:7rem}}
";

/// The limits that hold for any such measurement (lab document section 3.4), whatever its figures.
pub(crate) const LIMITS: [&str; 6] = [
    "Percentiles of layers do not add up to that of the total: differences are taken of each packet first.",
    "The offset of two clocks cannot be told from round trips: sending and receiving are excess over what is said to be the least, not delays from 0.",
    "A receive stamp of a virtual Ethernet pair is taken in the sender's context by default: delay of the kernel when receiving is then near 0 by \
     construction, and only what is between kernel and program is a finding.",
    "A capture at the sender's own interface lies behind its queue: what waits there counts as delay of the program.",
    "A queue at the sending side makes sending slower than receiving by the layout alone; the target's own queue is part of the time on the wire.",
    "A software tap stamps within microseconds, not within a tick; all on one machine is still one machine.",
];

/// A page begun, with its title and what it says first.
pub(crate) fn begin(title: &str, lead: &str) -> String {
    let (title, lead) = (escaped(title), escaped(lead));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n"
    )
}

/// What was measured how.
pub(crate) fn setup(lines: &[(String, String)]) -> String {
    let mut text = "<h2>Set-up</h2>\n<div class=\"wide\"><table class=\"names\">\n".to_owned();
    for (name, value) in lines {
        let _ = writeln!(text, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(value));
    }
    text + "</table></div>\n"
}

/// What a page cannot tell.
pub(crate) fn limits<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = "<h2>What this cannot tell</h2>\n<ul>\n".to_owned();
    for line in lines {
        let _ = writeln!(text, "<li>{}</li>", escaped(line));
    }
    text + "</ul>\n"
}

/// A page, whole.
pub(crate) fn end(page: String) -> String {
    page + "</body></html>\n"
}

/// A drawing with the data behind it.
pub(crate) fn figure(page: &mut String, drawing: &str, samples: &[(&str, &Sample)]) {
    if samples.iter().all(|(_, sample)| sample.is_empty()) {
        return;
    }
    let _ = writeln!(page, "<figure>{drawing}<details><summary>the data</summary><pre>what,ns");
    for (name, sample) in samples {
        for value in sample.series() {
            let _ = writeln!(page, "{},{value:.0}", escaped(name));
        }
    }
    *page += "</pre></details></figure>\n";
}
