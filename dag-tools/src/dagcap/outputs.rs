//! Where a recording goes: one file or several, for one stream or each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dag::Device;
use dag::file::Timestamp;
use dag::file::writer::{Output, OutputOptions};

use super::Args;
use super::compress;
use super::failure::Failure;
use super::files::{Kept, Made, NamedFiles};
use super::hook::Hook;
use super::sources::Sources;
use crate::shell;
use crate::template::Template;

/// Which files there are.
#[derive(Debug)]
pub(super) enum Way {
    /// All streams go to one.
    One(PathBuf),
    /// Each stream has one, in their order.
    Apart(Vec<PathBuf>),
}

impl Way {
    /// What `--out` says for these streams.
    pub(super) fn of(args: &Args, sources: &Sources) -> Result<Self, Failure> {
        let fields = args.out.to_str().filter(|text| text.contains("{stream}") || text.contains("{device}"));
        let Some(text) = fields else {
            return match sources.cards.len() {
                0 | 1 => Ok(Self::One(args.out.clone())),
                _ if args.merge.is_none() => Err(Failure::SeveralCards),
                _ => Ok(Self::One(args.out.clone())),
            };
        };
        let path = |stream: u16, device: &str| {
            PathBuf::from(text.replace("{stream}", &stream.to_string()).replace("{device}", device))
        };
        let paths: Vec<PathBuf> = sources.each().map(|(source, opened)| path(source.stream, &opened.label)).collect();
        let inputs: Vec<Device> =
            sources.cards.iter().filter_map(|opened| opened.card.name().parse::<Device>().ok()).collect();
        for path in &paths {
            if inputs.iter().filter_map(Device::replays).any(|input| same_file(input, path)) {
                return Err(Failure::OwnInput(path.display().to_string()));
            }
        }
        if let [one] = paths.as_slice() {
            return Ok(Self::One(one.clone()));
        }
        if args.merge.is_some() {
            return Err(Failure::MergeApart(args.out.display().to_string()));
        }
        let each: Vec<_> = sources.each().collect();
        for (n, path) in paths.iter().enumerate() {
            let Some(before) = paths.iter().take(n).position(|other| other == path) else { continue };
            if let (Some((a, card)), Some((b, other))) = (each.get(before), each.get(n)) {
                let (device, other_device) = (card.label.clone(), other.label.clone());
                let path = path.display().to_string();
                return Err(Failure::SameFile { device, stream: a.stream, other_device, other: b.stream, path });
            }
        }
        Ok(Self::Apart(paths))
    }
}

/// Opens `path`, which must not be there, or be written over as `args` say.
pub(super) fn open(args: &Args, path: &Path) -> Result<Output, Failure> {
    Output::create(path, OutputOptions::new().force(args.force)).map_err(|error| {
        if error.is_already_exists() {
            let args_given: Vec<OsString> = std::env::args_os().collect();
            let line = shell::line(args_given, ["--force"]);
            Failure::Exists { path: path.display().to_string(), line }
        } else {
            Failure::Output(error)
        }
    })
}

/// What the files of several rotated streams have in common.
#[derive(Debug)]
pub(super) struct Rotating {
    hook: Option<Arc<Hook>>,
    kept: Kept,
}

impl Rotating {
    pub(super) fn new(program: &'static str, args: &Args) -> Result<Self, Failure> {
        let hook = args.exec.clone().map(|command| Hook::new(program, command).map(Arc::new)).transpose();
        let hook = hook.map_err(|cause| Failure::Folder { path: folder(&args.out).display().to_string(), cause })?;
        Ok(Self { hook, kept: Kept::default() })
    }

    /// The files that are named after `out`, and their names.
    pub(super) fn files(&self, program: &'static str, args: &Args, out: &Path) -> Result<(NamedFiles, Made), Failure> {
        let folder = folder(out);
        let template = template(args, out)?;
        // Names depend on packets, which are not there yet; but whether there can be files at all can be told now.
        let failed = |cause| Failure::Folder { path: folder.display().to_string(), cause };
        tempfile::tempfile_in(folder).map_err(failed)?;
        template.name(Timestamp::now(), &[]).map_err(Failure::Template)?;
        let options = OutputOptions::new().force(args.force);
        let made = Made::default();
        let mut files = NamedFiles::new(program, folder.to_owned(), template, options, made.clone(), self.kept.clone());
        files.keep = args.keep;
        files.hook.clone_from(&self.hook);
        Ok((files, made))
    }
}

fn folder(out: &Path) -> &Path {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The names of files: the file name of `out`, with something that differs in it.
fn template(args: &Args, out: &Path) -> Result<Template, Failure> {
    let name = out.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| out.as_os_str() != "-") else {
        return Err(Failure::NoName(out.display().to_string()));
    };
    let template = Template::new(name);
    if template.varies() {
        return Ok(template);
    }
    let (name, packed) = compress::split_ending(name);
    let (stem, extension) =
        name.rsplit_once('.').map_or((name, String::new()), |(stem, end)| (stem, format!(".{end}")));
    let time = match args.rotate_every {
        None => "",
        Some(every) if every.subsec_nanos() == 0 => "-%Y%m%dT%H%M%SZ",
        Some(_) => "-%Y%m%dT%H%M%S.%9fZ",
    };
    // Where only the clock ends a file, there is one for each of its boundaries; SIGHUP is another reason.
    Ok(Template::new(format!("{stem}{time}-{{number}}{extension}{packed}")))
}

/// Whether two paths lead to the same file.
pub(super) fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path| std::fs::metadata(path).map(|m: std::fs::Metadata| (m.dev(), m.ino())).ok();
    identity(a).is_some_and(|a| identity(b) == Some(a))
}
