//! A page as a browser shows it: figures with their curves, and nothing that is cut or wider than it may be.

use serde_json::Value;

use crate::browser::Browser;

/// The colour of the first curve of a figure.
pub const BLUE: &str = "#0072b2";
/// The colour of the second.
pub const ORANGE: &str = "#d55e00";
/// The colour of the third.
pub const GREEN: &str = "#009e73";
/// The colours of all curves that a figure can have, in their order.
pub const COLOURS: [&str; 8] = [BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#e4003a", "#8b3dff"];

/// A telephone is this wide, in pixels.
pub const PHONE: u32 = 400;
/// A desktop's window.
pub const DESKTOP: u32 = 1200;
/// A sheet of A4 between its margins.
pub const SHEET: u32 = 718;

/// Boxes of the page, in pixels from its upper left corner.
///
/// # Panics
///
/// When `selector` is none.
pub fn boxes(browser: &mut Browser, selector: &str) -> Vec<[f64; 4]> {
    let found = browser.evaluate(&format!(
        "[...document.querySelectorAll('{selector}')].map(one => {{
            const area = one.getBoundingClientRect();
            return [area.x + scrollX, area.y + scrollY, area.width, area.height];
        }})"
    ));
    serde_json::from_value(found).unwrap()
}

/// That each figure has its curves, and no others, where curves are: above the legend, which has their colours, too.
///
/// # Panics
///
/// When one has not.
pub fn figures_are_drawn(browser: &mut Browser, expected: &[&[&str]]) {
    let (drawings, frames) = (boxes(browser, "figure>svg"), boxes(browser, "figure"));
    assert_eq!((drawings.len(), frames.len()), (expected.len(), expected.len()));
    for (at, curves) in expected.iter().enumerate() {
        let [x, y, width, height] = drawings[at];
        // What lies outside of the frame is to be scrolled to.
        let shown = width.min(frames[at][2]);
        // A drawing is 720 units wide, and its legend begins below 306 of them.
        let area = [x, y, shown, height.min(width / 720.0 * 306.0)];
        for (colour, columns) in COLOURS.into_iter().zip(browser.columns(area, &COLOURS)) {
            // A curve goes from side to side, but one that is straight up.
            let there = columns >= 10;
            assert_eq!(there, curves.contains(&colour), "{colour} is in {columns} columns of figure {at}");
        }
    }
}

/// What is wider than it may be: the page, if that is wider than the window, and what is cut though it cannot be scrolled.
pub fn too_wide(browser: &mut Browser, width: u32, boxes: &str) -> Value {
    browser.evaluate(&format!(
        "[document.documentElement, ...document.querySelectorAll('{boxes}')].filter(one => one.scrollWidth > Math.min({width}, one.clientWidth))
            .map(one => `${{one.tagName}} ${{one.scrollWidth}}: ${{one.textContent.slice(0, 60)}}`)"
    ))
}
