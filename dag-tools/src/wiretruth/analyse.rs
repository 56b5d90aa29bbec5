//! `wiretruth analyse`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use wire_truth::delay::Places;
use wire_truth::experiment::Stress;
use wire_truth::report::{Context, html};
use wire_truth::{Analysis, Stamping, UserLog, Vantage, analyse, hdr, json};

use super::probes::Probes;
use super::{Failure, apart, output, print, stamps, whole_file};
use crate::exit::Exit;

/// The options of `wiretruth analyse`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture of the wire: ERF of a card, or pcap, pcapng; compressed or not.
    #[arg(short, long, value_name = "FILE")]
    wire: PathBuf,

    /// The capture at a place: "kernel" is that of the system that probes (of a guest, where there is one), "dom0" the physical interface of
    /// a guest's host; any other name is a place of yours. As often as there are places; those of yours in the order from
    /// the program to the wire.
    #[arg(long, value_name = "NAME=FILE", value_parser = place)]
    at: Vec<(String, PathBuf)>,

    /// Short for --at kernel=FILE.
    #[arg(short, long, value_name = "FILE")]
    kernel: Option<PathBuf>,

    /// Short for --at dom0=FILE.
    #[arg(long, value_name = "FILE")]
    dom0: Option<PathBuf>,

    /// What the probing program has written: a log of tping, or the output of ping -D.
    #[arg(short, long, value_name = "FILE")]
    user: Option<PathBuf>,

    /// What is known of the stamps of a place (wire, kernel, dom0, user, or a NAME of --at): the moment of a frame that they are of, as start, end,
    /// or request:start,reply:end; the rate of its link, as 100mbit; how far they may be off, as error:2us. With commas between. Where the first
    /// two are known of every capture, all stamps are counted from the end of the frame.
    #[arg(long, value_name = "NAME=WHAT", value_parser = stamps::parse)]
    stamps: Vec<(String, Stamping)>,

    #[command(flatten)]
    probes: Probes,

    /// Write every probe's stamps and delays into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    per_probe: Option<PathBuf>,

    /// Write every sample of delays into this file, as a log of HDR histograms in nanoseconds.
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,

    /// Write a page with tables, figures and the data behind them into this file; it needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// The environment that this is compared with in the report, by the lab's name for it (host, container, bridge, vm) or the paper's (vanilla,
    /// vserver, xen).
    #[arg(long, value_name = "NAME", value_parser = environment, requires_all = ["stress", "report"])]
    environment: Option<&'static str>,

    /// The stress that this is compared with, by the lab's name for it (rest, cpu, io, hd, memory, network) or the paper's (at_rest).
    #[arg(long, value_name = "NAME", value_parser = stress, requires = "environment")]
    stress: Option<&'static str>,

    /// One object.
    #[arg(long)]
    json: bool,
}

/// The paper's word for an environment.
fn environment(text: &str) -> Result<&'static str, String> {
    match text {
        "host" | "vanilla" => Ok("vanilla"),
        "container" | "vserver" => Ok("vserver"),
        "vm" | "xen" => Ok("xen"),
        "bridge" => Err("the paper's table has no column of OpenVZ, which that would be compared with".to_owned()),
        _ => Err("it is host, container or vm, or the paper's vanilla, vserver or xen".to_owned()),
    }
}

/// The paper's word for a stress.
fn stress(text: &str) -> Result<&'static str, String> {
    match (text, Stress::named(text)) {
        (_, Some(stress)) => Ok(stress.of_paper()),
        ("at_rest", None) => Ok(Stress::Rest.of_paper()),
        _ => Err("it is rest, cpu, io, hd, memory or network".to_owned()),
    }
}

fn place(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), PathBuf::from(file))),
        _ => Err("a place is NAME=FILE".to_owned()),
    }
}

/// All captures but that of the wire: kernel, dom0, and the others in the order given.
type Captures = (Option<Vantage>, Option<Vantage>, Vec<Vantage>);

fn captures(args: &Args) -> Result<Captures, Failure> {
    let short = |name: &str, path: &Option<PathBuf>| path.clone().map(|path| (name.to_owned(), path));
    let named = [short("kernel", &args.kernel), short("dom0", &args.dom0)].into_iter().flatten();
    let (mut kernel, mut dom0, mut others) = (None, None, Vec::<Vantage>::new());
    for (name, path) in named.chain(args.at.iter().cloned()) {
        let twice = || Failure::Usage(format!("there are two captures at {name:?}; give each place a name of its own"));
        let own = match name.as_str() {
            "kernel" => &mut kernel,
            "dom0" => &mut dom0,
            "wire" | "user" => {
                return Err(Failure::Usage(format!("{name:?} is no place for --at; use --{name}")));
            }
            _ if others.iter().any(|other| other.name() == name) => return Err(twice()),
            _ => {
                others.push(Vantage::read(name, &path)?);
                continue;
            }
        };
        if own.is_some() {
            return Err(twice());
        }
        *own = Some(Vantage::read(format!("the {name}"), &path)?);
    }
    Ok((kernel, dom0, others))
}

/// Says of each place what is known of its stamps; of the program, how far they may be off.
fn told(args: &Args, wire: &mut Vantage, captures: &mut Captures) -> Result<Option<u32>, Failure> {
    let (kernel, dom0, others) = captures;
    let mut user = None;
    let mut names = BTreeSet::new();
    for (name, stamping) in &args.stamps {
        let usage = |what: &str| Err(Failure::Usage(format!("--stamps {name}: {what}")));
        if !names.insert(name) {
            return usage("it is told twice");
        }
        let place = match name.as_str() {
            "wire" => Some(&mut *wire),
            "kernel" => kernel.as_mut(),
            "dom0" => dom0.as_mut(),
            "user" if args.user.is_some() => {
                if (Stamping { error_ns: stamping.error_ns, ..Stamping::default() }) != *stamping {
                    return usage("the stamps of a program are of no frame; only error:TIME can be told of them");
                }
                user = stamping.error_ns;
                continue;
            }
            _ => others.iter_mut().find(|other| other.name() == name),
        };
        let Some(place) = place else { return usage("there is no such place") };
        *place = std::mem::take(place).with_stamping(*stamping);
    }
    Ok(user)
}

/// What the report says of where its figures are from.
fn context(args: &Args, analysis: &Analysis) -> Context {
    let path = |path: &PathBuf| path.display().to_string();
    let mut setup = vec![("wire".to_owned(), path(&args.wire))];
    let files = [("kernel", &args.kernel), ("dom0", &args.dom0), ("program", &args.user)];
    setup.extend(files.into_iter().filter_map(|(name, file)| Some((name.to_owned(), path(file.as_ref()?)))));
    setup.extend(args.at.iter().map(|(name, file)| (name.clone(), path(file))));
    setup.extend(args.stamps.iter().map(|(name, stamping)| (format!("stamps of {name}"), stamping.to_string())));
    let counted = if analysis.is_at_end { "the end of each frame" } else { "the moment of the stamp" };
    setup.push(("counted from".to_owned(), counted.to_owned()));
    setup.push(("identifier".to_owned(), analysis.ident.to_string()));
    let rest = format!("{} before, {} after", args.probes.rest_lead, args.probes.rest_trail);
    setup.push(("probes at rest".to_owned(), rest));
    Context {
        title: format!("Wire truth: {}", args.wire.display()),
        setup,
        cell: args.environment.zip(args.stress).map(|(one, other)| (one.to_owned(), other.to_owned())),
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let read = [Some(&args.wire), args.kernel.as_ref(), args.dom0.as_ref(), args.user.as_ref()];
    let read = read.into_iter().flatten().chain(args.at.iter().map(|(_, file)| file)).map(PathBuf::as_path);
    let written = [&args.per_probe, &args.report, &args.hdr].into_iter().flatten().map(PathBuf::as_path);
    apart(&read.collect::<Vec<_>>(), &written.collect::<Vec<_>>())?;
    let mut wire = Vantage::read("the wire", &args.wire)?;
    let mut captures = captures(args)?;
    let user_error_ns = told(args, &mut wire, &mut captures)?;
    let (kernel, dom0, others) = captures;
    let user = args.user.as_ref().map(|path| UserLog::read(path)).transpose()?;
    let places =
        Places { wire: &wire, kernel: kernel.as_ref(), dom0: dom0.as_ref(), user: user.as_ref(), others: &others };
    let mut options = args.probes.options();
    options.user_error_ns = user_error_ns;
    let analysis = analyse(&places, options)?;
    if let Some(path) = &args.per_probe {
        let table = output::per_probe(&analysis);
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| file.write_all(table.as_bytes()).map_err(failed))?;
    }
    if let Some(path) = &args.hdr {
        let (samples, span) = output::samples(&analysis);
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| hdr::write_log(file, span, &samples).map_err(failed))?;
    }
    if let Some(path) = &args.report {
        let page = html(&analysis, &context(args, &analysis));
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| file.write_all(page.as_bytes()).map_err(failed))?;
    }
    print(&match args.json {
        true => format!("{}\n", json::analysis(&analysis)),
        false => output::text(&analysis),
    })?;
    Ok(Exit::Done)
}
