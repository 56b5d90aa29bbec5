//! `wiretruth analyse`.

use std::io::Write;
use std::path::PathBuf;

use wire_truth::delay::Places;
use wire_truth::report::{Context, html};
use wire_truth::{Analysis, Options, UserLog, Vantage, analyse};

use super::{Failure, output, print, whole_file};
use crate::exit::Exit;

/// The options of `wiretruth analyse`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture of the wire: ERF of a card, or pcap, pcapng; compressed or not.
    #[arg(short, long, value_name = "FILE")]
    wire: PathBuf,

    /// The capture at a place: "kernel" is that of the system that probes (of a guest, where there is one), "dom0" the physical interface of
    /// a guest's host; any other name is a place of yours. As often as there are places.
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

    /// The identifier of the echoes, if there are several runs in the captures.
    #[arg(long, value_name = "N")]
    ident: Option<u16>,

    /// So many probes at the begin were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rest_lead: usize,

    /// So many probes at the end were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rest_trail: usize,

    /// Write every probe's stamps and delays into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    per_probe: Option<PathBuf>,

    /// Write a page with tables, figures and the data behind them into this file; it needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// The environment of the paper that this is compared with in the report.
    #[arg(long, value_name = "NAME", value_parser = ["vanilla", "vserver", "xen"], requires = "stress")]
    environment: Option<String>,

    /// The stress of the paper that this is compared with.
    #[arg(long, value_name = "NAME", value_parser = ["at_rest", "cpu", "io", "hd", "memory", "network"], requires = "environment")]
    stress: Option<String>,

    /// One object.
    #[arg(long)]
    json: bool,
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

/// What the report says of where its figures are from.
fn context(args: &Args, analysis: &Analysis) -> Context {
    let path = |path: &PathBuf| path.display().to_string();
    let mut setup = vec![("wire".to_owned(), path(&args.wire))];
    let files = [("kernel", &args.kernel), ("dom0", &args.dom0), ("program", &args.user)];
    setup.extend(files.into_iter().filter_map(|(name, file)| Some((name.to_owned(), path(file.as_ref()?)))));
    setup.extend(args.at.iter().map(|(name, file)| (name.clone(), path(file))));
    setup.push(("identifier".to_owned(), analysis.ident.to_string()));
    let rest = format!("{} before, {} after", args.rest_lead, args.rest_trail);
    setup.push(("probes at rest".to_owned(), rest));
    Context {
        title: format!("Wire truth: {}", args.wire.display()),
        setup,
        cell: args.environment.clone().zip(args.stress.clone()),
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let wire = Vantage::read("the wire", &args.wire)?;
    let (kernel, dom0, others) = captures(args)?;
    let user = args.user.as_ref().map(|path| UserLog::read(path)).transpose()?;
    let places =
        Places { wire: &wire, kernel: kernel.as_ref(), dom0: dom0.as_ref(), user: user.as_ref(), others: &others };
    let mut options = Options::default();
    (options.ident, options.rest_lead, options.rest_trail) = (args.ident, args.rest_lead, args.rest_trail);
    let analysis = analyse(&places, options)?;
    if let Some(path) = &args.per_probe {
        let table = output::per_probe(&analysis);
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| file.write_all(table.as_bytes()).map_err(failed))?;
    }
    if let Some(path) = &args.report {
        let page = html(&analysis, &context(args, &analysis));
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| file.write_all(page.as_bytes()).map_err(failed))?;
    }
    print(&match args.json {
        true => format!("{}\n", output::json(&analysis)),
        false => output::text(&analysis),
    })?;
    Ok(Exit::Done)
}
