//! Who has a card open.

use std::fs;

/// The other processes that have `path` open, as far as this one may see: `tcpdump (1234)`.
pub(super) fn of(path: &str) -> Vec<String> {
    let mut holders = Vec::new();
    let Ok(processes) = fs::read_dir("/proc") else { return holders };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let holds = |entry: fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == path);
        if pid != std::process::id() && open.into_iter().any(holds) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push(format!("{} ({pid})", name.trim()));
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn another_process_is_found_and_this_one_is_not_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(of(path), Vec::<String>::new());
        let open = fs::File::open(path).unwrap();
        let mut other = Command::new("sleep").arg("60").stdin(Stdio::from(open)).spawn().unwrap();
        let found = of(path);
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(found, [format!("sleep ({})", other.id())]);
    }
}
