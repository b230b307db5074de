//! Writes SVG elements; everything that reaches the file goes through here.

use std::fmt::{self, Display, Write};

use super::colour;
use super::label::escape;

/// Latin first, then the Chinese fonts of the usual systems, then whatever the reader has.
const FONTS: &str = "'Helvetica Neue', Helvetica, Arial, 'Noto Sans', 'Liberation Sans', 'Noto Sans CJK SC', \
                     'PingFang SC', 'Microsoft YaHei', sans-serif";

/// A coordinate or length in pixels: two decimals at most, no trailing zeros, never NaN.
#[derive(Clone, Copy)]
pub(super) struct Px(pub f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_assert!(self.0.is_finite(), "a coordinate must be finite, got {}", self.0);
        let hundredths = (self.0 * 100.0).round();
        // Anything that far outside is not visible; the bound keeps the integer conversion exact.
        let hundredths = if hundredths.is_finite() { hundredths.clamp(-1e12, 1e12) as i64 } else { 0 };
        let (sign, magnitude) = if hundredths < 0 { ("-", -hundredths) } else { ("", hundredths) };
        let (whole, part) = (magnitude / 100, magnitude % 100);
        match part {
            0 => write!(f, "{sign}{whole}"),
            _ if part % 10 == 0 => write!(f, "{sign}{whole}.{}", part / 10),
            _ => write!(f, "{sign}{whole}.{part:02}"),
        }
    }
}

/// Which part of a text stands at its coordinate.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Font {
    pub size: f64,
    pub colour: &'static str,
    pub bold: bool,
}

impl Font {
    pub(super) const fn new(size: f64, colour: &'static str) -> Self {
        Self { size, colour, bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// The body of a picture as it grows.
#[derive(Default)]
pub(super) struct Canvas {
    body: String,
}

impl Canvas {
    /// Appends an element or part of one. The arguments must already be escaped.
    pub(super) fn raw(&mut self, part: fmt::Arguments<'_>) {
        self.body.write_fmt(part).expect("writing to a String cannot fail");
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let (x, y, width, height) = (Px(x), Px(y), Px(width), Px(height));
        self.raw(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>\n"));
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, extra: &str) {
        let (x1, y1, x2, y2) = (Px(x1), Px(y1), Px(x2), Px(y2));
        self.raw(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{stroke}\"{extra}/>\n"));
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, font: Font, text: &str) {
        self.open_text(x, y, anchor, font);
        self.raw(format_args!(">{}</text>\n", escape(text)));
    }

    /// Text turned anticlockwise by `degrees` around its own coordinate.
    pub(super) fn turned_text(&mut self, (x, y): (f64, f64), anchor: Anchor, degrees: u32, font: Font, text: &str) {
        self.open_text(x, y, anchor, font);
        self.raw(format_args!(" transform=\"rotate(-{degrees} {} {})\">{}</text>\n", Px(x), Px(y), escape(text)));
    }

    fn open_text(&mut self, x: f64, y: f64, anchor: Anchor, font: Font) {
        let (x, y, size) = (Px(x), Px(y), Px(font.size));
        self.raw(format_args!("<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{}\"", font.colour));
        match anchor {
            Anchor::Start => {}
            Anchor::Middle => self.raw(format_args!(" text-anchor=\"middle\"")),
            Anchor::End => self.raw(format_args!(" text-anchor=\"end\"")),
        }
        if font.bold {
            self.raw(format_args!(" font-weight=\"600\""));
        }
    }

    /// The whole file: a white page of this size with everything drawn so far on it.
    pub(super) fn finish(self, width: f64, height: f64, title: &str) -> String {
        let (w, h, title) = (Px(width.ceil()), Px(height.ceil()), escape(title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"{FONTS}\" fill=\"{}\" role=\"img\">\n<title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            colour::INK,
            self.body
        )
    }
}
