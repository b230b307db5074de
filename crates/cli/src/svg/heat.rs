//! Heat maps over labelled rows and columns, many to a picture.

use anyhow::{Result, ensure};

use super::canvas::{Anchor, Canvas, Font, Px};
use super::colour::{self, FRAME, INK, LEVELS, MUTED, WARNING};
use super::label::{em_width, shorten, wrap};
use super::ticks::readable;

/// One matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it shows, such as `layer 2, head 5`.
    pub name: String,
    /// The values, row-major, (rows, columns) of the [`Section`].
    pub weights: Vec<f32>,
}

/// Matrices over the same rows and columns, in lines of `per_line`.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// What the matrices have in common.
    pub title: String,
    /// Labels of the rows, from the top.
    pub rows: Vec<String>,
    /// Labels of the columns, from the left.
    pub columns: Vec<String>,
    /// Panels side by side before a new line begins, such as the number of heads.
    pub per_line: usize,
    /// The matrices.
    pub panels: Vec<Panel>,
}

/// A picture of heat maps that share a colour scale.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMaps {
    /// What the picture shows.
    pub title: String,
    /// A second line in smaller type, if not empty.
    pub subtitle: String,
    /// What the colours stand for.
    pub legend: String,
    /// The values of the lightest and the darkest colour; values beyond take the nearer of the two.
    pub range: (f32, f32),
    /// The groups of panels, from the top.
    pub sections: Vec<Section>,
}

const MARGIN: f64 = 24.0;
const TITLE: Font = Font::new(19.0, INK).bold();
const SUBTITLE: Font = Font::new(13.0, MUTED);
const SECTION: Font = Font::new(15.0, INK).bold();
const PANEL: Font = Font::new(12.0, MUTED);
const SMALL: Font = Font::new(11.5, MUTED);
/// Longer labels are shortened to this many em.
const LABEL_EM: f64 = 12.0;
/// Column labels are turned by this many degrees.
const TURN: u32 = 60;
/// Cosine and sine of [`TURN`].
const TURNED: (f64, f64) = (0.5, 0.866);

impl HeatMaps {
    /// The picture as an SVG file.
    ///
    /// # Errors
    /// If a panel does not hold rows × columns values, a section has no rows, columns or `per_line`, or the range is
    /// empty or not finite.
    pub fn render(&self) -> Result<String> {
        self.check()?;
        let layouts: Vec<Layout> = self.sections.iter().map(Layout::new).collect();
        let right = layouts.iter().map(|layout| layout.width).fold(420.0, f64::max) + MARGIN;
        let width = right.max(MARGIN * 2.0 + em_width(&self.title) * TITLE.size);

        let mut canvas = Canvas::default();
        let mut y = MARGIN + 14.0;
        canvas.text((MARGIN, y), Anchor::Start, TITLE, &self.title);
        for line in wrap(&self.subtitle, (width - 2.0 * MARGIN) / SUBTITLE.size) {
            y += 20.0;
            canvas.text((MARGIN, y), Anchor::Start, SUBTITLE, &line);
        }
        y = self.draw_legend(&mut canvas, y + 20.0);
        for (section, layout) in self.sections.iter().zip(&layouts) {
            y = self.draw_section(&mut canvas, y, section, layout);
        }
        if let Some(note) = self.missing_note() {
            y += 14.0;
            canvas.text((MARGIN, y), Anchor::Start, SMALL, &note);
        }
        Ok(canvas.finish(width, y + MARGIN, &self.title))
    }

    fn check(&self) -> Result<()> {
        let (low, high) = self.range;
        ensure!(low.is_finite() && high.is_finite() && low < high, "heat map: the range {low} to {high} is empty");
        for section in &self.sections {
            let (rows, columns) = (section.rows.len(), section.columns.len());
            ensure!(
                rows > 0 && columns > 0 && section.per_line > 0,
                "heat map `{}`: {rows} rows, {columns} columns, {} panels a line; each must be at least 1",
                section.title,
                section.per_line
            );
            for panel in &section.panels {
                let count = panel.weights.len();
                ensure!(
                    count == rows * columns,
                    "heat map `{}`: panel `{}` holds {count} values, must be {rows} × {columns}",
                    section.title,
                    panel.name
                );
            }
        }
        Ok(())
    }

    fn level(&self, weight: f32) -> usize {
        let (low, high) = (f64::from(self.range.0), f64::from(self.range.1));
        let place = ((f64::from(weight) - low) / (high - low)).clamp(0.0, 1.0);
        (place * (LEVELS - 1) as f64).round() as usize
    }

    /// The colour scale; returns where it ends.
    fn draw_legend(&self, canvas: &mut Canvas, y: f64) -> f64 {
        const CELL: f64 = 6.0;
        let left = MARGIN + em_width(&self.legend) * SMALL.size + 12.0;
        canvas.text((MARGIN, y + 10.0), Anchor::Start, SMALL, &self.legend);
        canvas.raw(format_args!("<g shape-rendering=\"crispEdges\">\n"));
        for level in 0..LEVELS {
            canvas.rect((left + level as f64 * CELL, y), (CELL, 12.0), &colour::heat(level));
        }
        canvas.raw(format_args!("</g>\n"));
        let (low, high) = (f64::from(self.range.0), f64::from(self.range.1));
        for quarter in 0..=4 {
            let x = left + CELL / 2.0 + f64::from(quarter) / 4.0 * CELL * (LEVELS - 1) as f64;
            let value = low + (high - low) * f64::from(quarter) / 4.0;
            canvas.text((x, y + 26.0), Anchor::Middle, SMALL, &readable(value, 3));
        }
        y + 34.0
    }

    fn draw_section(&self, canvas: &mut Canvas, mut y: f64, section: &Section, layout: &Layout) -> f64 {
        y += 30.0;
        canvas.text((MARGIN, y), Anchor::Start, SECTION, &section.title);
        y += 10.0;
        for line in section.panels.chunks(section.per_line) {
            y += 16.0;
            for (i, panel) in line.iter().enumerate() {
                let left = layout.panel_left(i);
                canvas.text((left, y), Anchor::Start, PANEL, &shorten(&panel.name, (layout.pitch - 8.0) / PANEL.size));
            }
            y += layout.head;
            layout.draw_row_labels(canvas, y, section);
            for (i, panel) in line.iter().enumerate() {
                let corner = (layout.panel_left(i), y);
                layout.draw_column_labels(canvas, corner, section);
                self.draw_cells(canvas, corner, section, panel, layout.cell);
            }
            y += section.rows.len() as f64 * layout.cell + 10.0;
        }
        y
    }

    /// All cells of a panel, one path for each colour.
    fn draw_cells(&self, canvas: &mut Canvas, corner: (f64, f64), section: &Section, panel: &Panel, cell: f64) {
        let columns = section.columns.len();
        let at = |i: usize| (corner.0 + (i % columns) as f64 * cell, corner.1 + (i / columns) as f64 * cell);
        let side = Px(cell - 1.0);
        let levels: Vec<Option<usize>> = panel.weights.iter().map(|w| w.is_finite().then(|| self.level(*w))).collect();
        canvas.raw(format_args!("<g shape-rendering=\"crispEdges\">\n"));
        for level in 0..LEVELS {
            let mut cells = (0..levels.len()).filter(|&i| levels[i] == Some(level)).peekable();
            if cells.peek().is_none() {
                continue;
            }
            canvas.raw(format_args!("<path fill=\"{}\" d=\"", colour::heat(level)));
            for (x, y) in cells.map(at) {
                canvas.raw(format_args!("M{} {}h{side}v{side}h-{side}z", Px(x), Px(y)));
            }
            canvas.raw(format_args!("\"/>\n"));
        }
        canvas.raw(format_args!("</g>\n"));
        for (x, y) in (0..levels.len()).filter(|&i| levels[i].is_none()).map(at) {
            let (x, y, side) = (Px(x + 2.0), Px(y + 2.0), Px(cell - 5.0));
            canvas.raw(format_args!(
                "<path d=\"M{x} {y}l{side} {side}m0 -{side}l-{side} {side}\" stroke=\"{WARNING}\" fill=\"none\"/>\n"
            ));
        }
    }

    fn missing_note(&self) -> Option<String> {
        let weights = self.sections.iter().flat_map(|s| s.panels.iter().flat_map(|panel| &panel.weights));
        match weights.filter(|w| !w.is_finite()).count() {
            0 => None,
            1 => Some("1 value is not finite; its cell is marked ×.".to_owned()),
            n => Some(format!("{} values are not finite; their cells are marked ×.", readable(n as f64, 9))),
        }
    }
}

/// Sizes in pixels, the same for all panels of a section.
struct Layout {
    /// Side of a cell, with the gap to the next one.
    cell: f64,
    font: Font,
    /// Height of the turned column labels.
    head: f64,
    /// Where the first panel begins.
    left: f64,
    /// From one panel's left side to the next one's.
    pitch: f64,
    /// Where the section ends on the right.
    width: f64,
}

impl Layout {
    fn new(section: &Section) -> Self {
        // Short sentences get roomy cells; long ones the smallest at which labels are still legible.
        let cell = match section.rows.len().max(section.columns.len()) {
            0..=12 => 19.0,
            13..=20 => 16.0,
            21..=32 => 13.0,
            _ => 11.0,
        };
        let font = Font::new(f64::min(12.0, cell - 1.5), INK);
        let label = |text: &String| em_width(&shorten(text, LABEL_EM)) * font.size;
        let widest = |labels: &[String]| labels.iter().map(label).fold(0.0, f64::max);

        let columns = section.columns.len();
        // Turned labels lean to the right, the last ones out of their panel.
        let overhang = section
            .columns
            .iter()
            .enumerate()
            .map(|(i, text)| label(text) * TURNED.0 + 0.5 * cell - (columns - 1 - i) as f64 * cell - cell);
        let overhang = overhang.fold(0.0, f64::max);
        let name = section.panels.iter().map(|panel| em_width(&panel.name)).fold(0.0, f64::max).min(LABEL_EM);
        let pitch = f64::max(columns as f64 * cell + f64::max(14.0, overhang + 6.0), name * PANEL.size + 14.0);
        let left = MARGIN + widest(&section.rows) + 8.0;
        let lines = section.per_line.min(section.panels.len()).max(1);
        let width = left + (lines - 1) as f64 * pitch + columns as f64 * cell + overhang;
        Self { cell, font, head: widest(&section.columns) * TURNED.1 + 16.0, left, pitch, width }
    }

    fn panel_left(&self, i: usize) -> f64 {
        self.left + i as f64 * self.pitch
    }

    fn draw_row_labels(&self, canvas: &mut Canvas, top: f64, section: &Section) {
        for (i, text) in section.rows.iter().enumerate() {
            let y = top + (i as f64 + 0.5) * self.cell + 0.35 * self.font.size - 0.5;
            canvas.text((self.left - 7.0, y), Anchor::End, self.font, &shorten(text, LABEL_EM));
        }
    }

    fn draw_column_labels(&self, canvas: &mut Canvas, (left, top): (f64, f64), section: &Section) {
        for (i, text) in section.columns.iter().enumerate() {
            let x = left + (i as f64 + 0.5) * self.cell;
            canvas.line((x - 0.5, top - 4.0), (x - 0.5, top - 1.0), FRAME, "");
            let foot = (x + 0.3 * self.font.size, top - 6.0);
            canvas.turned_text(foot, Anchor::Start, TURN, self.font, &shorten(text, LABEL_EM));
        }
    }
}
