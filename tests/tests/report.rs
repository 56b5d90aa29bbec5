//! The page that `wiretruth analyse --report` writes, opened in a browser: drawn whole, on a telephone, dark and in print, and offline.

use std::fs;
use std::path::{Path, PathBuf};

use house_tests::browser::{Browser, Seen};
use house_tests::page::{BLUE, DESKTOP, GREEN, ORANGE, PHONE, SHEET, boxes, figures_are_drawn, too_wide};
use house_tests::run::{run, wiretruth};
use serde_json::json;

/// The report of an experiment made up. Its name is one long word, as those of files are.
fn report(folder: &Path, simulate: &str, analyse: &str) -> PathBuf {
    let tell = |words: String| run(wiretruth().current_dir(folder).args(words.split_whitespace())).exits(0);
    let name = "a_capture_of_the_wire_between_the_host_and_the_switch_in_the_second_rack_on_the_left.erf";
    tell(format!("simulate --out x {simulate}"));
    fs::rename(folder.join("x/wire.erf"), folder.join(name)).unwrap();
    let files = format!("--wire {name} --kernel x/kernel.pcap --user x/user.csv --report r.html");
    tell(format!("analyse {files} --rest-lead 20 --rest-trail 20 {analyse}"));
    folder.join("r.html")
}

fn reads_well(report: &Path, figures: &[&[&str]]) {
    let Some(mut browser) = Browser::new() else { return };
    browser.width(DESKTOP, false);
    assert_eq!(browser.open(report), Seen::default(), "no messages, and nothing asked for");
    let none = json!([]);
    // At a desk all tables are whole.
    assert_eq!(too_wide(&mut browser, DESKTOP, ".wide,figure"), none);
    figures_are_drawn(&mut browser, figures);

    browser.width(PHONE, true);
    assert_eq!(too_wide(&mut browser, PHONE, "none"), none);
    figures_are_drawn(&mut browser, figures);

    // Paper and ink in the corner of the page and in its title.
    let title = boxes(&mut browser, "h1")[0];
    for (scheme, paper, ink) in [("light", "#ffffff", "#222222"), ("dark", "#181818", "#dddddd")] {
        browser.reader("", scheme);
        assert_eq!(browser.columns([0.0, 0.0, 8.0, 8.0], &[paper]), [8], "{scheme}");
        assert!(browser.columns(title, &[ink])[0] > 20, "{scheme}");
        figures_are_drawn(&mut browser, figures);
    }

    browser.reader("print", "light");
    browser.width(SHEET, false);
    // Paper does not scroll.
    assert_eq!(too_wide(&mut browser, SHEET, ".wide,figure"), none);
    figures_are_drawn(&mut browser, figures);
    let printed = browser.call("Page.printToPDF", json!({"printBackground": true}));
    // "%PDF-1."
    assert!(printed["data"].as_str().is_some_and(|data| data.starts_with("JVBERi0xL")), "a PDF");
    assert_eq!(browser.close(), [""; 0], "nothing was sent later");
}

#[test]
fn a_report_reads_well() {
    let dir = tempfile::tempdir().unwrap();
    let page = report(dir.path(), "--probes 240 --drift 30 --loss 0.02", "--environment vanilla --stress network");
    reads_well(&page, &[&[BLUE, ORANGE], &[BLUE, ORANGE], &[BLUE, ORANGE, GREEN]]);
}

#[test]
fn a_report_of_a_guest_reads_well() {
    let dir = tempfile::tempdir().unwrap();
    let page = report(dir.path(), "--guest 1,20", "--dom0 x/dom0.pcap --environment xen --stress network");
    reads_well(&page, &[&[BLUE, ORANGE], &[BLUE, ORANGE], &[BLUE, ORANGE, GREEN]]);
}

/// A page that does all that a report must not.
#[test]
fn the_browser_tells() {
    let Some(mut browser) = Browser::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("broken.html");
    let body = "<script>console.warn('a warning'); nothing.at.all</script><script src=\"http://127.0.0.1:4711/x.js\"></script>\
                <img src=\"http://reports.example/y.png\">\
                <figure><svg viewBox=\"0 0 100 100\"><path fill=\"#009e73\" d=\"M0 0h100v100h-100z\"/></svg></figure>\
                <div style=\"width:200px;overflow-x:auto\"><p style=\"width:900px\">cut</p></div><p style=\"width:900px\">wide</p>";
    fs::write(&page, format!("<!DOCTYPE html><title>broken</title><body>{body}")).unwrap();
    browser.width(PHONE, true);
    let seen = browser.open(&page);
    let said = seen.console.join("\n");
    for words in ["a warning", "ReferenceError: nothing is not defined", "net::ERR_"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(seen.requests, ["http://127.0.0.1:4711/x.js", "http://reports.example/y.png"]);
    for line in ["GET http://127.0.0.1:4711/x.js HTTP/1.1", "GET http://reports.example/y.png HTTP/1.1"] {
        assert!(seen.sent.iter().any(|sent| sent == line), "{line}: {seen:?}");
    }
    let wide = too_wide(&mut browser, PHONE, "div").to_string();
    assert!(wide.contains("HTML 980") && wide.contains("DIV 900"), "{wide}");
    assert_eq!(browser.columns([0.0, 0.0, 300.0, 300.0], &[BLUE, "#ffffff"])[0], 0);
    browser.close();
}
