//! Colours that everyone can tell apart.

/// Ink for titles and marks.
pub(super) const INK: &str = "#1f2328";
/// Ink for axis labels, tick labels and notes.
pub(super) const MUTED: &str = "#57606a";
/// Grid lines.
pub(super) const GRID: &str = "#e6e9ed";
/// Axis lines and frames.
pub(super) const FRAME: &str = "#8c959f";
/// Crosses for values that cannot be drawn.
pub(super) const WARNING: &str = "#d55e00";

/// Line colours: the palette of Okabe and Ito, those with enough contrast on white first.
const LINES: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1f2328"];

/// Line colour `hue`; after the last one they start again.
pub(super) fn line(hue: usize) -> &'static str {
    LINES[hue % LINES.len()]
}

/// Number of distinct colours of a heat map.
pub(super) const LEVELS: usize = 33;

/// Anchors from light to dark blue, evenly spaced; their lightness falls steadily.
const BLUES: [[u8; 3]; 6] = [
    [0xf3, 0xf6, 0xfa],
    [0xcf, 0xe1, 0xf2],
    [0x93, 0xc4, 0xe2],
    [0x4a, 0x98, 0xc9],
    [0x1a, 0x63, 0xa8],
    [0x08, 0x2a, 0x5e],
];

/// The colour of a heat map's level, `0` (light) to [`LEVELS`]` - 1` (dark).
pub(super) fn heat(level: usize) -> String {
    let place = level.min(LEVELS - 1) * (BLUES.len() - 1);
    let (below, rest) = (place / (LEVELS - 1), place % (LEVELS - 1));
    let above = (below + 1).min(BLUES.len() - 1);
    let mix = |i: usize| {
        let (a, b) = (usize::from(BLUES[below][i]), usize::from(BLUES[above][i]));
        (a * (LEVELS - 1 - rest) + b * rest + (LEVELS - 1) / 2) / (LEVELS - 1)
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}
