//! Pictures as SVG: line charts and heat maps, drawn for people and made for files.
//!
//! A picture is one self-contained text: no script, no style sheet, no font file. It opens alone in a browser, and the
//! same input gives the same bytes, so pictures can be compared and kept under version control.
//!
//! - No coordinate is ever NaN or infinite. Values that cannot be drawn become gaps, are marked with a cross, and are
//!   counted in a note under the chart.
//! - Long series are thinned to what a pixel can show, keeping the smallest and largest value of every pixel column, so
//!   a single spike among a million points stays visible.
//! - Text is laid out from estimated widths: an East Asian glyph counts 1 em, a Latin letter about 0.55 em. The fonts
//!   named cover Latin, Greek, Cyrillic and Chinese on the usual systems.
//! - Colours are those of Okabe and Ito (2008) for lines and a single hue from light to dark for weights; both can be
//!   told apart by colour-blind readers and in grey print.
//!
//! ```
//! use noam::svg::{Axis, LineChart, Mark, Series};
//! let chart = LineChart {
//!     title: "Loss".into(),
//!     x: Axis::count("step"),
//!     y: Axis::linear("nats per token"),
//!     series: vec![Series::new("train", Mark::Line, 0, vec![(1.0, 8.1), (2.0, 7.4), (3.0, f64::NAN)])],
//!     ..LineChart::default()
//! };
//! let svg = chart.render();
//! assert!(svg.starts_with("<svg ") && svg.contains("1 value is not finite"));
//! ```

mod canvas;
mod chart;
mod colour;
mod heat;
mod label;
#[cfg(test)]
mod tests;
mod thin;
mod ticks;

pub use chart::{Callout, LineChart, Mark, Series};
pub use heat::{HeatMaps, Panel, Section};
pub use label::{em_width, escape};
pub use ticks::{Axis, Scale, readable};
