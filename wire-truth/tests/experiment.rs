//! Runs made up with the margins of the paper's Table 1: what was put in comes out, and what cannot be believed does not.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire_truth::UserLog;
use wire_truth::experiment::{
    Claim, Environment, Experiment, Learned, Meeting, Outcome, State, Stress, Verdict, claims, claims_csv, contrast,
    contrast_json, report, results_json, table_1, table_1_csv,
};
use wire_truth::paper;
use wire_truth::simulate::{HostClock, Margin, Scenario, Stack, simulate};
use wire_truth::verdict::Thresholds;
use wire_truth::verdict::signals::{Queue, SIGNALS_HEADER};

const REST: u32 = 20;

fn run_json(environments: &[&str], stresses: &[&str]) -> Value {
    json!({
        "schema": 1, "host": "a <lab> & more", "kernel": "6.18", "environments": environments, "stresses": stresses, "versions": { "qemu": "7.2" },
    })
}

fn write_run(folder: &Path, environments: &[&str], stresses: &[&str]) {
    fs::write(folder.join("run.json"), run_json(environments, stresses).to_string()).unwrap();
}

/// The paper's environment of the same kind; OpenVZ, of which there are no numbers, is as Xen.
fn of_paper(environment: &str) -> &'static str {
    match environment {
        "host" => "vanilla",
        "container" => "vserver",
        _ => "xen",
    }
}

fn margin(environment: &str, layer: &str, stress: &str) -> Margin {
    let stress = if stress == "rest" { "at_rest" } else { stress };
    let (median, p99) = paper::cell(of_paper(environment), layer, stress).unwrap();
    Margin::new(median * 1e6, p99 * 1e6).unwrap()
}

fn stack(environment: &str, stress: &str) -> Stack {
    let of = |layer: &str| margin(environment, layer, stress);
    let (kern, guest) = match environment {
        "host" | "container" => (of("kern"), None),
        _ => (of("dom0"), Some(of("domU"))),
    };
    Stack { kern, guest, user: of("user") }
}

/// A cell with the paper's margins, as changed by `change`.
fn write_cell(
    run: &Path,
    environment: &str,
    stress: &str,
    measured: u32,
    change: impl FnOnce(&mut Scenario, &mut Value),
) {
    let mut scenario =
        Scenario { probes: measured + 2 * REST, rest_lead: REST, rest_trail: REST, ..Scenario::default() };
    (scenario.rest, scenario.stress) = (stack(environment, "rest"), stack(environment, stress));
    scenario.seed = 7 + environment.len() as u64 * 100 + stress.bytes().map(u64::from).sum::<u64>();
    let mut places =
        vec![json!({"name": "wire", "file": "wire.erf"}), json!({"name": "kernel", "file": "kernel.pcap"})];
    if scenario.stress.guest.is_some() {
        places.push(json!({"name": "dom0", "file": "dom0.pcap"}));
    }
    let mut cell = json!({
        "schema": 1, "environment": environment, "stress": stress, "probes": scenario.probes, "rest_lead": REST, "rest_trail": REST,
        "interval_ns": scenario.interval_ns, "ident": scenario.ident, "valid": true, "why": [], "places": places, "user": "user.csv",
        "proof": [{"what": "thread <run> time", "value": 0.97, "unit": "of a core", "at_least": 0.5, "ok": true}], "emulated": false,
    });
    change(&mut scenario, &mut cell);
    let folder = run.join(format!("{environment}-{stress}"));
    simulate(&scenario).unwrap().write(&folder).unwrap();
    fs::write(folder.join("cell.json"), cell.to_string()).unwrap();
    let sums = ["wire.erf", "kernel.pcap", "user.csv", "cell.json"].map(|name| {
        let hash = Sha256::digest(fs::read(folder.join(name)).unwrap());
        format!("{}  {name}\n", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    fs::write(folder.join("sums.txt"), sums.concat()).unwrap();
}

fn as_in_paper(_: &mut Scenario, _: &mut Value) {}

fn outcome<'a>(outcomes: &'a [Outcome], id: &str) -> &'a Outcome {
    outcomes.iter().find(|outcome| outcome.claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

#[test]
fn what_was_put_in_comes_out_of_the_table_and_of_the_claims() {
    let dir = tempfile::tempdir().unwrap();
    let (environments, stresses) = (["host", "container", "bridge", "vm"], ["rest", "network"]);
    write_run(dir.path(), &environments, &stresses);
    for environment in environments {
        for stress in stresses {
            write_cell(dir.path(), environment, stress, 600, as_in_paper);
        }
    }
    let experiment = Experiment::read(dir.path()).unwrap();
    let rows = table_1(&experiment);
    for environment in environments {
        for stress in stresses {
            for layer in ["kern", "dom0", "domU", "user"] {
                let found = |row: &&wire_truth::experiment::Row| {
                    (row.group.name, row.layer, row.stress.name()) == (environment, layer, stress) && row.n > 0
                };
                let Some(row) = rows.iter().find(found) else { continue };
                let put = margin(environment, layer, stress);
                let (median, p99) = (row.median.unwrap(), row.p99.unwrap());
                // An interval of 95 %, and some beyond it: there are many cells.
                let wide = |low: f64, high: f64| (low * 0.9)..(high * 1.1);
                let held = wide(median.low.unwrap(), median.high.unwrap()).contains(&put.median_ns());
                assert!(held, "{environment} {stress} {layer}: {median:?}, {}", put.median_ns());
                let held = wide(p99.low.unwrap(), p99.high.unwrap()).contains(&put.p99_ns());
                assert!(held, "{environment} {stress} {layer}: {p99:?}, {}", put.p99_ns());
                assert_eq!(row.n, 600);
            }
        }
    }
    // 10 columns of 6 rows in the paper, and of OpenVZ two rows of four layers.
    assert_eq!(rows.len(), 68);
    let table = table_1_csv(&rows).unwrap();
    assert_eq!(table.lines().count(), 69);
    assert!(table.lines().any(|line| line == "host,kern,cpu,0,,,,,,,0.049,0.067"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("bridge,domU,rest,600,0.") && line.ends_with(",,")), "{table}");

    let outcomes = claims(&experiment).unwrap();
    for id in [
        "vanilla-kernel-network",
        "vanilla-user-p99",
        "vserver-kernel-network",
        "xen-rest-vanilla-median",
        "xen-rest-vserver-median",
        "xen-domu-rest",
        "xen-user-rest",
        "xen-network",
        "openvz-network",
        "sending-vanilla",
        "sending-xen",
        "kernel-ping-poor",
        "guide-load",
        "guide-mad",
        "peers-oscillate",
        "peers-quiet",
        "train-spacing",
    ] {
        let one = outcome(&outcomes, id);
        assert_eq!(one.verdict, Verdict::Reproduced, "{id}: {one:?}");
        assert!(one.ours.is_some());
    }
    // Guests as the paper's Xen, and containers as its VServer, are alike in nothing.
    for (id, reason) in
        [("xen-cpu", "there is no cell vm-cpu"), ("tcp-estimate", "the cell host-network has no tcp_excess")]
    {
        let one = outcome(&outcomes, id);
        assert_eq!((one.verdict, one.ours, one.note.as_str()), (Verdict::NotTestable, None, reason));
    }
    assert_eq!(outcome(&outcomes, "openvz-not-vserver").verdict, Verdict::Differs);

    // One clock, as that of namespaces is; the guest's is one, too, but is not expected to be.
    for (cell, measured) in experiment.measured() {
        assert!(measured.one_clock().unwrap().offset, "{}", cell.name());
        assert!(measured.tap.is_ok(), "{}: {:?}", cell.name(), measured.tap);
    }
    let results = results_json(&experiment, &outcomes);
    let network = &results["cells"]["host-network"];
    assert_eq!((&results["schema"], &network["state"]), (&json!(1), &json!("measured")));
    assert_eq!(network["analysis"]["delay"]["total"]["n"], 600);
    assert_eq!(network["tap"]["out_rest"]["n"], 2 * REST);
    assert_eq!(network["one_clock"]["is_check"], true);
    assert_eq!(results["cells"]["vm-network"]["one_clock"]["is_check"], false);
    assert_eq!(results["claims"].as_array().unwrap().len(), Claim::all().unwrap().len());
    assert_eq!(
        claims_csv(&outcomes).unwrap().lines().next().unwrap(),
        "id,claim,paper,unit,environment,stress,statistic,rule,ours,verdict,note"
    );

    let page = report(&experiment, &outcomes);
    for words in [
        "<h3>Host (the paper's vanilla Linux)</h3>",
        "Figure 3: program and kernel less wire, network stress",
        "Figure 4: program less wire, guest",
        "Figure 5: sending and receiving, network stress",
        "host-network: 9",
        "% of what sending takes is queue sojourn",
        "behind its own interface, in the host",
        "of 6 cells (one in twenty may miss it by chance)",
        "an offset of 0 is allowed in 6 of 6",
        "by a software tap on the same host",
        "a &lt;lab&gt; &amp; more",
        "thread &lt;run&gt; time: 0.97 of a core (at least 0.5)",
        "<td>versions: qemu</td><td>7.2</td>",
        "paper 92.331",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<svg ").count(), 4);
    // Eight curves, each with its line in the legend, all told apart.
    let figure = page.split("<svg ").nth(1).unwrap().split("</svg>").next().unwrap();
    assert_eq!(figure.matches("class=\"c\"").count(), 16);
    let styles: std::collections::BTreeSet<&str> =
        figure.split("class=\"c\" ").skip(1).map(|path| path.split(" d=").next().unwrap()).collect();
    assert_eq!(styles.len(), 8, "{styles:?}");
    is_well_formed(&page);
}

/// What is opened is closed, and nothing is asked of a network.
fn is_well_formed(page: &str) {
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("<script") && !page.contains("url("));
    for tag in [
        "table", "tr", "td", "th", "svg", "figure", "details", "ul", "li", "div", "p", "text", "small", "span", "h3",
        "pre",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

/// A log of signals beside the probes of a cell, one sample each: with bytes in the queue when they came back late, by the log.
fn write_signals(cell: &Path, queue: &str) {
    let log = UserLog::read(&cell.join("user.csv")).unwrap();
    let mut text = format!("# queue: {queue}\n{SIGNALS_HEADER}\n");
    let mut before = None;
    for (_, probe) in log.probes() {
        let (Some(sent), Some(received)) = (probe.user_send, probe.user_recv) else { continue };
        let from = before.unwrap_or(sent - 1_000_000);
        let backlog = if received - sent > 2_000_000 { 30_000 } else { 0 };
        // What was in it is gone before the next is sent.
        for (at, backlog) in [(received + 1_000_000, backlog), (received + 2_000_000, 0)] {
            let interval = at - before.unwrap_or(from);
            text += &format!("{at},{interval},0,0,0,0,0,0,0,{backlog},{}\n", backlog / 1_500);
            before = Some(at);
        }
    }
    fs::write(cell.join("signals.csv"), text).unwrap();
}

#[test]
fn verdicts_of_a_cell_are_held_against_the_wire_and_decide_a_claim() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), &["host", "bridge"], &["rest", "network"]);
    let sampled = |scenario: &mut Scenario, cell: &mut Value| {
        (scenario.rest_lead, scenario.rest_trail) = (60, 60);
        (cell["rest_lead"], cell["rest_trail"], cell["signals"]) = (60.into(), 60.into(), "signals.csv".into());
    };
    for (environment, stress, queue) in
        [("host", "rest", "own"), ("host", "network", "own"), ("bridge", "network", "not own: eth0 is a veth")]
    {
        write_cell(dir.path(), environment, stress, 600, sampled);
        write_signals(&dir.path().join(format!("{environment}-{stress}")), queue);
    }
    let experiment = Experiment::read(dir.path()).unwrap();
    let feedback = |experiment: &Experiment, environment, stress| {
        experiment.cell(environment, stress).unwrap().measured().unwrap().feedback.clone().unwrap()
    };
    let host = feedback(&experiment, Environment::Host, Stress::Network);
    assert_eq!((host.learned, &host.queue), (Learned::Own, &Queue::Own));
    let [all, signals] = &host.scores;
    // Those before the stress were learned from, and are not judged.
    let probes = experiment.cell(Environment::Host, Stress::Network).unwrap().measured().unwrap().analysis.each.len();
    assert_eq!((all.samples, all.at_rest, signals.samples), (probes - 60, 60, probes - 60));
    for score in &host.scores {
        assert!(score.bad() > 200 && score.good_kept().unwrap() > 0.9, "{score:?}");
        assert!(score.false_alarms().unwrap() < 0.1 && score.bounds.is_empty(), "{score:?}");
    }
    assert!(signals.recall().unwrap() > 0.9 && signals.precision().unwrap() > 0.9 && signals.gain().unwrap() > 10.0);
    assert!(all.recall().unwrap() > 0.95 && all.corrected.percentile(0.99) < all.unfiltered.percentile(0.99));
    // All of a cell at rest is at rest.
    let rest = feedback(&experiment, Environment::Host, Stress::Rest);
    assert_eq!(rest.scores[0].at_rest, rest.scores[0].samples);
    // A tenant is not told by anything that it is to be believed.
    let bridge = feedback(&experiment, Environment::Bridge, Stress::Network);
    assert!(bridge.scores.iter().all(|score| score.valid == 0 && score.unknown > 0 && score.corrected.is_empty()));
    assert_eq!((bridge.scores[1].unknown, bridge.scores[1].suspect), (bridge.scores[1].samples, 0));

    let outcomes = claims(&experiment).unwrap();
    for id in ["guide-host-state", "guide-host-state-kept"] {
        let one = outcome(&outcomes, id);
        assert_eq!(one.verdict, Verdict::Reproduced, "{one:?}");
    }
    let results = results_json(&experiment, &outcomes);
    let told = &results["cells"]["host-network"]["feedback"];
    assert_eq!(
        (&told["learned_from"], &told["score"]["samples"]),
        (&json!("own probes at rest before the stress"), &json!(probes - 60))
    );
    let page = report(&experiment, &outcomes);
    let tenant = format!("<td>0, 0, {}</td>", bridge.scores[1].samples);
    for words in
        ["<h2>Verdicts without the wire</h2>", "signals alone", &tenant, "by no more than 99 of 100 of the cell's own"]
    {
        assert!(page.contains(words), "{words}");
    }
    is_well_formed(&page);

    // By thresholds from elsewhere all are judged, and theirs are the limits.
    let strict = Thresholds { good_ns: 1, ..Thresholds::default() };
    let experiment = Experiment::read_with(dir.path(), Some(&strict)).unwrap();
    let host = feedback(&experiment, Environment::Host, Stress::Network);
    assert_eq!((host.learned, host.scores[0].samples, host.scores[0].good_ns), (Learned::Elsewhere, probes, 1));

    // Signals that tell nothing: what is bad is believed.
    let calm = dir.path().join("host-network/signals.csv");
    let text = fs::read_to_string(&calm).unwrap();
    fs::write(&calm, text.replace(",30000,20\n", ",0,0\n")).unwrap();
    let outcomes = claims(&Experiment::read(dir.path()).unwrap()).unwrap();
    assert_eq!(outcome(&outcomes, "guide-host-state").verdict, Verdict::Differs);
    assert_eq!(outcome(&outcomes, "guide-host-state-kept").verdict, Verdict::Reproduced);
    // A log that is none is told, and the delays are there all the same.
    fs::write(&calm, "no log\n").unwrap();
    let experiment = Experiment::read(dir.path()).unwrap();
    let error = experiment.cell(Environment::Host, Stress::Network).unwrap().measured().unwrap().feedback.clone();
    assert!(error.unwrap_err().contains("it is not the header of a log of signals"));
    let one = claims(&experiment).unwrap();
    assert_eq!(outcome(&one, "guide-host-state").note, "the cell host-network has no believed");
}

#[test]
fn what_tcp_estimates_is_held_against_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), &["host"], &["network"]);
    write_cell(dir.path(), "host", "network", 600, |_, cell| cell["tcp"] = "tcp.csv".into());
    let cell = dir.path().join("host-network");
    let log = UserLog::read(&cell.join("user.csv")).unwrap();
    let probes: Vec<_> = log.probes().filter_map(|(_, probe)| Some((probe.snd?, probe.rtt()?))).collect();
    let estimates = |part: i64| {
        // In the midst of the stress, at what a probe then has of all.
        let rows = probes[100..500].iter().map(|(at, rtt)| format!("{at},10.77.0.2:7000,{},1,1\n", rtt / 1_000 / part));
        let text = format!("at_ns,peer,srtt_us,rttvar_us,minrtt_us\n{}", rows.collect::<String>());
        fs::write(cell.join("tcp.csv"), text).unwrap();
        let experiment = Experiment::read(dir.path()).unwrap();
        let outcomes = claims(&experiment).unwrap();
        let page = report(&experiment, &outcomes);
        is_well_formed(&page);
        (outcome(&outcomes, "tcp-estimate").clone(), results_json(&experiment, &outcomes), page)
    };
    let (same, results, page) = estimates(1);
    assert_eq!(same.verdict, Verdict::Reproduced, "{same:?}");
    assert!((same.ours.unwrap() - 1.0).abs() < 0.2, "{same:?}");
    assert_eq!(results["cells"]["host-network"]["tcp"]["srtt"]["n"], 400);
    assert!(page.contains("<td>host-network</td><td>400</td>"), "{page}");
    let (less, ..) = estimates(10);
    assert_eq!(less.verdict, Verdict::Differs, "{less:?}");
    fs::write(cell.join("tcp.csv"), "nothing\n").unwrap();
    let failed = Experiment::read(dir.path()).unwrap();
    assert!(failed.cells[0].reason().unwrap().contains("tcp.csv: it has no column at_ns"));
}

#[test]
fn what_cannot_be_believed_has_no_delays() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path();
    write_run(run, &["host", "vm"], &["rest", "cpu", "io", "hd", "memory", "network"]);
    write_cell(run, "host", "rest", 40, as_in_paper);
    write_cell(run, "host", "cpu", 40, |_, cell| {
        cell["valid"] = false.into();
        cell["why"] = json!(["stress ran at 3 % of a core"]);
    });
    // It says that it is valid, and its proof does not.
    write_cell(run, "host", "io", 40, |_, cell| cell["proof"][0]["value"] = json!(0.1));
    write_cell(run, "host", "hd", 40, as_in_paper);
    let log = run.join("host-hd/user.csv");
    fs::write(&log, fs::read_to_string(&log).unwrap().replacen(",100,", ",101,", 1)).unwrap();
    write_cell(run, "host", "memory", 40, as_in_paper);
    fs::remove_file(run.join("host-memory/cell.json")).unwrap();
    write_cell(run, "host", "network", 40, |_, cell| cell["rest_lead"] = json!(4_000_000_000u32));
    write_cell(run, "vm", "rest", 40, |_, cell| cell["emulated"] = true.into());
    write_cell(run, "vm", "network", 40, |_, cell| cell["stress"] = "cpu".into());
    // Measured, though nobody has asked for it.
    write_cell(run, "container", "rest", 40, as_in_paper);

    let experiment = Experiment::read(run).unwrap();
    let said = |environment, stress| {
        let cell = experiment.cell(environment, stress).unwrap();
        assert_eq!(cell.measured().is_some(), cell.reason().is_none());
        (cell.state_name(), cell.reason().unwrap_or_default())
    };
    let told = |of: (&str, String), state: &str, words: &str| assert!(of.0 == state && of.1.contains(words), "{of:?}");
    told(said(Environment::Host, Stress::Rest), "measured", "");
    told(said(Environment::Host, Stress::Cpu), "invalid", "stress ran at 3 % of a core");
    told(
        said(Environment::Host, Stress::Io),
        "invalid",
        "thread <run> time was 0.1 of a core, and at least 0.5 of a core are needed",
    );
    told(said(Environment::Host, Stress::Hd), "damaged", "user.csv is not the file that was written");
    told(said(Environment::Host, Stress::Memory), "unfinished", "there is no cell.json");
    told(
        said(Environment::Host, Stress::Network),
        "failed",
        "4000000020 probes are said to be at rest, and there are 80",
    );
    told(said(Environment::Vm, Stress::Cpu), "missing", "there is no folder of it");
    told(
        said(Environment::Vm, Stress::Network),
        "failed",
        "the folder is named vm-network, and its cell.json is of vm-cpu",
    );
    told(said(Environment::Container, Stress::Rest), "measured", "");
    assert!(experiment.cell(Environment::Bridge, Stress::Rest).is_none());
    assert!(matches!(experiment.cell(Environment::Vm, Stress::Hd).unwrap().state, State::Missing));

    let outcomes = claims(&experiment).unwrap();
    for (id, reason) in [
        ("xen-domu-rest", "the guest is emulated, which is not comparable with Xen"),
        ("vanilla-kernel-network", "the cell host-network is failed"),
        ("guide-load", "the cell host-network is failed"),
    ] {
        let one = outcome(&outcomes, id);
        assert_eq!((one.verdict, one.note.as_str()), (Verdict::NotTestable, reason), "{id}");
    }
    let rows = table_1(&experiment);
    let measured: Vec<&str> = rows.iter().filter(|row| row.n > 0).map(|row| row.group.name).collect();
    assert_eq!(measured.len(), 3 + 3 + 4, "{measured:?}");
    assert!(rows.iter().all(|row| row.group.name != "vm-emulated" || (row.paper.is_none() && row.n == 40)));
    let page = report(&experiment, &outcomes);
    for words in [
        "Guest, emulated, not comparable with Xen",
        "<span class=\"own\">&#8805; 0.",
        "<td>host-hd</td><td>damaged</td>",
        "thread &lt;run&gt; time: 0.1 of a core (at least 0.5)",
        "Guests were emulated",
    ] {
        assert!(page.contains(words), "{words}");
    }
    is_well_formed(&page);
    let results = results_json(&experiment, &outcomes);
    assert!(
        results["cells"]["host-hd"].get("analysis").is_none()
            && results["cells"]["host-rest"].get("analysis").is_some()
    );
}

#[test]
fn clocks_that_are_two_are_told() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), &["host"], &["network"]);
    write_cell(dir.path(), "host", "network", 60, |scenario, _| {
        scenario.clock = HostClock { offset_ns: 5_000_000, drift_ppb: 40_000.0, step: None };
    });
    let experiment = Experiment::read(dir.path()).unwrap();
    let measured = experiment.cell(Environment::Host, Stress::Network).unwrap().measured().unwrap();
    let one = measured.one_clock().unwrap();
    assert_eq!((one.drift, one.offset, one.holds()), (false, false, false));
    assert!(measured.tap.as_ref().unwrap_err().contains("clocks of host and wire are not one"));
    let page = report(&experiment, &[]);
    assert!(page.contains("does not hold") && page.contains("an offset of 0 is allowed in 0 of 1"), "{page}");
    assert!(!page.contains("of what sending takes is queue sojourn"), "parts do not add up by two clocks");
}

#[test]
fn a_page_shows_what_was_measured_and_what_was_not_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), &["host"], &["rest", "network"]);
    let page = || {
        let experiment = Experiment::read(dir.path()).unwrap();
        report(&experiment, &claims(&experiment).unwrap())
    };
    let sections = |page: &str| -> Vec<(String, String)> {
        let parts = page.split("<h2>").skip(1).filter_map(|part| part.split_once("</h2>"));
        parts.map(|(title, body)| (title.to_owned(), body.to_owned())).collect()
    };
    let nothing = page();
    for words in ["Table 1", "Figures</h2>", "Clocks</h2>", "one by one"] {
        assert!(!nothing.contains(words), "{words}");
    }
    assert!(nothing.contains("Of 2 cells 0 were measured"), "{nothing}");
    write_cell(dir.path(), "host", "network", 40, |_, cell| {
        cell["proof"] = json!([
            {"what": "sent on the link", "value": 94_612_345.1, "unit": "bit/s", "at_least": 5e7, "ok": true},
            {"what": "written", "value": 2_500_000, "unit": "bytes in a second", "at_least": 1e6, "ok": true},
        ]);
    });
    let page = page();
    for (title, body) in sections(&nothing).iter().chain(&sections(&page)) {
        assert!(!body.trim().is_empty(), "{title} is empty");
    }
    let found = sections(&page);
    let at = |title: &str| found.iter().position(|(own, _)| own == title).unwrap_or_else(|| panic!("{title}: {page}"));
    let table = &found[at("Table 1, ours beside the paper's")].1;
    // The paper's numbers stand beside ours, and nowhere else.
    assert_eq!((table.matches("<h3>").count(), table.matches("<tr><td>").count()), (1, 1), "{table}");
    assert!(
        table.contains("<tr><td>network</td><td>40</td>") && table.contains("In n are the probes under stress"),
        "{table}"
    );
    let (tested, untested) =
        (at("What the paper says, one by one"), at("What the paper says, and cannot be tested here"));
    assert!(tested < at("Cells, and what they proved") && at("Cells, and what they proved") < untested);
    assert!(
        !found[tested].1.contains("<td>not testable here</td>")
            && found[untested].1.contains("<td>not testable here</td>")
    );
    for verdict in ["reproduced", "differs"] {
        assert!(!found[untested].1.contains(&format!("<tr><td>{verdict}</td>")), "{verdict}");
    }
    let proofs = &found[at("Cells, and what they proved")].1;
    assert!(proofs.contains("sent on the link: 94.612 Mbit/s (at least 50)"), "{proofs}");
    assert!(proofs.contains("written: 2.5 MB/s (at least 1)"), "{proofs}");
    assert!(page.contains("<p class=\"lead\">Under network stress the host itself adds to a ping: "), "{page}");
    assert!(page.contains(" ms on the host (medians)."), "{page}");
    is_well_formed(&page);
}

/// Nothing but the reason is needed of a cell that could not be run.
#[test]
fn a_cell_that_could_not_be_run_says_why() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), &["host"], &["rest"]);
    fs::create_dir(dir.path().join("host-rest")).unwrap();
    let told = json!({"schema": 1, "environment": "host", "stress": "rest", "rest_lead": 5, "rest_trail": 5, "valid": false, "why": ["no room"], "places": []});
    fs::write(dir.path().join("host-rest/cell.json"), told.to_string()).unwrap();
    let experiment = Experiment::read(dir.path()).unwrap();
    assert_eq!(experiment.cells[0].state, State::Invalid(vec!["no room".to_owned()]));
}

/// A percentile that is "at least" so much decides on a claim only where more would not change that.
#[test]
fn too_few_probes_decide_only_what_more_of_it_would_not_change() {
    for (median, p99, limit, absolute) in
        [(9e6, 60e6, Verdict::NotTestable, true), (900e6, 950e6, Verdict::Differs, false)]
    {
        let dir = tempfile::tempdir().unwrap();
        write_run(dir.path(), &["host"], &["rest", "network"]);
        write_cell(dir.path(), "host", "rest", 40, as_in_paper);
        write_cell(dir.path(), "host", "network", 40, |scenario, _| {
            scenario.stress.user = Margin::new(median, p99).unwrap()
        });
        let outcomes = claims(&Experiment::read(dir.path()).unwrap()).unwrap();
        let one = outcome(&outcomes, "vanilla-user-p99");
        assert_eq!(one.verdict, limit, "{one:?}");
        assert_eq!(
            one.note.starts_with("too few probes: host-network: at least that, of 40 probes"),
            absolute,
            "{one:?}"
        );
        assert!(one.ours.is_some());
        // Of two such numbers the ratio may be anything.
        let ratio = outcome(&outcomes, "train-spacing");
        assert!(ratio.verdict == Verdict::NotTestable && ratio.note.starts_with("too few probes: "), "{ratio:?}");
    }
}

#[test]
fn two_runs_differ_where_their_intervals_do() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (at, dir) in dirs.iter().enumerate() {
        write_run(dir.path(), &["host", "vm"], &["rest", "network"]);
        write_cell(dir.path(), "host", "network", 400, |scenario, _| {
            if at == 1 {
                scenario.seed = 99;
                scenario.stress.user = Margin::new(30e6, 90e6).unwrap();
            }
        });
        write_cell(dir.path(), "vm", "rest", 60, |_, cell| cell["emulated"] = (at == 1).into());
    }
    write_cell(dirs[0].path(), "host", "rest", 60, as_in_paper);
    let [a, b] = dirs.each_ref().map(|dir| Experiment::read(dir.path()).unwrap());
    let found = contrast(&a, &b);
    let of = |stress, layer| found.iter().find(|one| (one.stress, one.layer) == (stress, layer)).unwrap();
    assert_eq!(
        (of(Stress::Network, "kern").medians, of(Stress::Network, "user").medians),
        (Meeting::Overlap, Meeting::Differs)
    );
    assert_eq!(of(Stress::Network, "user").n, [400, 400]);
    let rest = of(Stress::Rest, "total");
    assert_eq!((rest.n, rest.medians, rest.p99s), ([60, 0], Meeting::Untold, Meeting::Untold));
    // The guest of one is emulated, that of the other is not.
    assert!(found.iter().all(|one| one.environment == Environment::Host) && found.len() == 6);
    let json = contrast_json(&found);
    assert_eq!((&json["schema"], &json["layers"][4]["layer"]), (&json!(1), &json!("user")));
    assert_eq!(json["layers"][4]["medians"], "differs");
}

#[test]
fn what_describes_no_run_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let read = || Experiment::read(dir.path()).unwrap_err().to_string();
    assert!(read().contains("run.json: No such file"), "{}", read());
    for (text, words) in [
        ("{", "run.json: EOF while parsing"),
        ("{}", "run.json: missing field"),
        (r#"{"schema":2,"environments":[],"stresses":[]}"#, "it is of schema 2, and this program reads schema 1"),
        (r#"{"schema":1,"environments":["xen"],"stresses":[]}"#, "unknown variant `xen`, expected one of `host`"),
    ] {
        fs::write(dir.path().join("run.json"), text).unwrap();
        assert!(read().contains(words), "{}", read());
    }
    assert!(Experiment::read(&dir.path().join("nowhere")).unwrap_err().to_string().contains("nowhere: No such file"));
    write_run(dir.path(), &["host"], &["rest"]);
    let cell = dir.path().join("host-rest");
    fs::create_dir(&cell).unwrap();
    let good = r#"{"schema":1,"environment":"host","stress":"rest","rest_lead":0,"rest_trail":0,"valid":true,"places":[{"name":"wire","file":"wire.erf"}]}"#;
    for (from, to, words) in [
        ("\"wire.erf\"", "\"../wire.erf\"", "\"../wire.erf\" is no name of a file in the folder of the cell"),
        ("\"wire.erf\"", "\"/etc/passwd\"", "is no name of a file in the folder of the cell"),
        ("\"wire\"", "\"kernel\"", "there is no place \"wire\""),
        ("\"valid\":true,", "", "missing field `valid`"),
        ("}]}", "},{\"name\":\"wire\",\"file\":\"b\"}]}", "there are two places \"wire\""),
        ("", "", "wire.erf: "),
    ] {
        fs::write(cell.join("cell.json"), good.replacen(from, to, 1)).unwrap();
        let experiment = Experiment::read(dir.path()).unwrap();
        let State::Failed(why) = &experiment.cells[0].state else { panic!("{:?}", experiment.cells[0].state) };
        assert!(why.contains(words), "{why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes changed anywhere in what describes a run and its cell: read, or refused, and drawn whatever it is.
    #[test]
    fn garbage_is_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), which in 0..3usize) {
        let dir = GARBAGE.with(|made| made.path().to_owned());
        let name = ["run.json", "host-rest/cell.json", "host-rest/sums.txt"][which];
        let path = dir.join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        fs::write(&path, &bytes).unwrap();
        let read = Experiment::read(&dir);
        fs::write(&path, &whole).unwrap();
        if let Ok(experiment) = read {
            let outcomes = claims(&experiment).unwrap();
            is_well_formed(&report(&experiment, &outcomes));
        }
    }
}

thread_local! {
    static GARBAGE: tempfile::TempDir = {
        let dir = tempfile::tempdir().unwrap();
        write_run(dir.path(), &["host"], &["rest"]);
        write_cell(dir.path(), "host", "rest", 20, as_in_paper);
        // So that what is changed is read, and not only found to be.
        let sums = fs::read_to_string(dir.path().join("host-rest/sums.txt")).unwrap();
        let sums: String = sums.lines().filter(|line| !line.contains("cell.json")).map(|line| format!("{line}\n")).collect();
        fs::write(dir.path().join("host-rest/sums.txt"), sums).unwrap();
        dir
    };
}
