//! Line charts.

use super::canvas::{Anchor, Canvas, Font, Px};
use super::colour::{self, FRAME, GRID, INK, MUTED, WARNING};
use super::label::{em_width, wrap};
use super::thin::thin;
use super::ticks::{Axis, Fit, Ruler, Scale, readable};

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line.
    Line,
    /// A thin pale line: the raw values behind a smoothed line of the same hue.
    Faint,
    /// A dot for every point, joined by a thin line.
    Dots,
}

/// Values of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Which colour of the palette; series that belong together share one.
    pub hue: usize,
    /// The points (x, y), in ascending order of x.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A series; the arguments are its fields in order.
    pub fn new(name: &str, mark: Mark, hue: usize, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), mark, hue, points }
    }
}

/// A point with a remark, and thin lines from it to both axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Callout {
    /// The point, in the units of the axes.
    pub at: (f64, f64),
    /// The remark.
    pub text: String,
}

/// A chart of one or more series over a common x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// What the chart shows.
    pub title: String,
    /// A second line in smaller type, if not empty.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn; later series lie over earlier ones.
    pub series: Vec<Series>,
    /// Points worth a remark.
    pub callouts: Vec<Callout>,
    /// Remarks under the chart. What cannot be drawn is added to them.
    pub notes: Vec<String>,
}

const WIDTH: f64 = 880.0;
const PLOT_HEIGHT: f64 = 360.0;
const MARGIN: f64 = 24.0;
const TITLE: Font = Font::new(19.0, INK).bold();
const SUBTITLE: Font = Font::new(13.0, MUTED);
const LABEL: Font = Font::new(12.5, MUTED);
const TICK: Font = Font::new(12.0, MUTED);
const NOTE: Font = Font::new(12.0, MUTED);
/// The part of the plot's height that the text of a callout takes.
const CALLOUT_ROOM: f64 = 0.06;
const CALLOUT: Font = Font::new(13.0, INK).bold();

/// Where the plot lies on the page, and its axes.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Ruler,
    y: Ruler,
}

impl Plot {
    fn x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }
}

/// The points of a series that can be drawn, in unbroken pieces, and those that cannot.
struct Split {
    pieces: Vec<Vec<(f64, f64)>>,
    missing: Vec<(f64, f64)>,
}

impl LineChart {
    /// The chart as an SVG file.
    pub fn render(&self) -> String {
        let splits: Vec<Split> = self.series.iter().map(|series| self.split(series)).collect();
        let drawn = || splits.iter().flat_map(|split| split.pieces.iter().flatten());
        let missing = splits.iter().flat_map(|split| split.missing.iter().map(|p| p.0)).filter(|&x| self.x.can_draw(x));
        let callouts = || self.callouts.iter().map(|c| c.at).filter(|&at| self.can_draw(at));
        let x = Ruler::new(&self.x, drawn().map(|p| p.0).chain(missing).chain(callouts().map(|at| at.0)), 8, Fit::Data);
        let y = self.y_axis(drawn().map(|p| p.1).chain(callouts().map(|at| at.1)));

        let mut canvas = Canvas::default();
        let head = self.draw_head(&mut canvas);
        let widest = y.ticks.iter().map(|tick| em_width(&tick.label)).fold(0.0, f64::max);
        let plot = Plot {
            left: MARGIN + widest * TICK.size + 8.0,
            right: WIDTH - MARGIN - 8.0,
            top: head,
            bottom: head + PLOT_HEIGHT,
            x,
            y,
        };
        draw_axes(&mut canvas, &plot);
        self.draw_axis_labels(&mut canvas, &plot);
        for (series, split) in self.series.iter().zip(&splits) {
            draw_series(&mut canvas, &plot, series, split);
        }
        for split in &splits {
            draw_missing(&mut canvas, &plot, self, split);
        }
        for callout in self.callouts.iter().filter(|callout| self.can_draw(callout.at)) {
            draw_callout(&mut canvas, &plot, callout);
        }
        let bottom = self.draw_notes(&mut canvas, plot.bottom + 52.0, &splits);
        canvas.finish(WIDTH, bottom + 16.0, &self.title)
    }

    /// The vertical axis over these values, with room above the callouts for their text.
    fn y_axis(&self, values: impl Iterator<Item = f64> + Clone) -> Ruler {
        let ruler = Ruler::new(&self.y, values.clone(), 6, Fit::Ticks);
        let places = self.callouts.iter().filter(|c| self.can_draw(c.at)).map(|c| ruler.place(c.at.1));
        if places.fold(0.0, f64::max) <= 1.0 - CALLOUT_ROOM {
            return ruler;
        }
        Ruler::new(&self.y, values.chain([ruler.value(1.0 + CALLOUT_ROOM)]), 6, Fit::Ticks)
    }

    fn can_draw(&self, (x, y): (f64, f64)) -> bool {
        self.x.can_draw(x) && self.y.can_draw(y)
    }

    fn split(&self, series: &Series) -> Split {
        let (drawn, missing): (Vec<&[_]>, Vec<&[_]>) = series
            .points
            .chunk_by(|&a, &b| self.can_draw(a) == self.can_draw(b))
            .partition(|run| self.can_draw(run[0]));
        Split { pieces: drawn.into_iter().map(<[_]>::to_vec).collect(), missing: missing.concat() }
    }

    /// Title, subtitle and legend; returns where the plot may begin.
    fn draw_head(&self, canvas: &mut Canvas) -> f64 {
        let mut y = MARGIN + 14.0;
        canvas.text((MARGIN, y), Anchor::Start, TITLE, &self.title);
        let most = (WIDTH - 2.0 * MARGIN) / SUBTITLE.size;
        for line in wrap(&self.subtitle, most) {
            y += 20.0;
            canvas.text((MARGIN, y), Anchor::Start, SUBTITLE, &line);
        }
        if self.series.len() > 1 {
            y += 28.0;
            let mut x = MARGIN;
            for series in &self.series {
                let width = 30.0 + em_width(&series.name) * SUBTITLE.size + 24.0;
                if x > MARGIN && x + width > WIDTH - MARGIN {
                    (x, y) = (MARGIN, y + 20.0);
                }
                draw_key(canvas, (x, y - 4.5), series);
                canvas.text((x + 30.0, y), Anchor::Start, Font { colour: INK, ..SUBTITLE }, &series.name);
                x += width;
            }
        }
        // Room for the label of the y axis above the plot.
        y + 46.0
    }

    fn draw_axis_labels(&self, canvas: &mut Canvas, plot: &Plot) {
        let name = |axis: &Axis| match axis.scale {
            Scale::Linear => axis.label.clone(),
            Scale::Log => format!("{} (log scale)", axis.label),
        };
        canvas.text((MARGIN, plot.top - 16.0), Anchor::Start, LABEL, &name(&self.y));
        canvas.text(((plot.left + plot.right) / 2.0, plot.bottom + 42.0), Anchor::Middle, LABEL, &name(&self.x));
    }

    /// The notes from `y` down; returns where they end.
    fn draw_notes(&self, canvas: &mut Canvas, mut y: f64, splits: &[Split]) -> f64 {
        // A smoothed line has the gaps of the raw one behind it: one note for all series of a hue.
        let first_of_hue = |i: usize| !self.series[..i].iter().any(|earlier| earlier.hue == self.series[i].hue);
        let noted = self.series.iter().zip(splits).enumerate().filter(|&(i, _)| first_of_hue(i));
        let missing = noted.filter_map(|(_, (series, split))| self.missing_note(series, split));
        for note in self.notes.iter().cloned().chain(missing) {
            for line in wrap(&note, (WIDTH - 2.0 * MARGIN) / NOTE.size) {
                y += 18.0;
                canvas.text((MARGIN, y), Anchor::Start, NOTE, &line);
            }
        }
        y
    }

    fn missing_note(&self, series: &Series, split: &Split) -> Option<String> {
        let first = split.missing.first()?;
        let count = split.missing.len();
        let all_non_finite = split.missing.iter().all(|(x, y)| !x.is_finite() || !y.is_finite());
        let cause = match (all_non_finite, count) {
            (true, 1) => "value is not finite",
            (true, _) => "values are not finite",
            (false, 1) => "value has no place on this scale",
            (false, _) => "values have no place on this scale",
        };
        let from = if first.0.is_finite() && count > 1 {
            format!(", the first at {} {}", self.x.label, readable(first.0, 9))
        } else if first.0.is_finite() {
            format!(", at {} {}", self.x.label, readable(first.0, 9))
        } else {
            String::new()
        };
        Some(format!("{}: {} {cause}{from}; marked × and left out.", series.name, readable(count as f64, 9)))
    }
}

fn draw_axes(canvas: &mut Canvas, plot: &Plot) {
    for tick in &plot.y.ticks {
        let y = plot.y(tick.value);
        canvas.line((plot.left, y), (plot.right, y), GRID, "");
        canvas.text((plot.left - 8.0, y + 4.2), Anchor::End, TICK, &tick.label);
    }
    let mut free_from = f64::NEG_INFINITY;
    for tick in &plot.x.ticks {
        let x = plot.x(tick.value);
        canvas.line((x, plot.bottom), (x, plot.bottom + 5.0), FRAME, "");
        let half = em_width(&tick.label) * TICK.size / 2.0;
        if x - half >= free_from {
            canvas.text((x, plot.bottom + 20.0), Anchor::Middle, TICK, &tick.label);
            free_from = x + half + 6.0;
        }
    }
    canvas.line((plot.left, plot.bottom), (plot.right, plot.bottom), FRAME, "");
}

/// Stroke attributes of a mark.
fn stroke(mark: Mark, hue: usize) -> String {
    let (width, opacity) = match mark {
        Mark::Line => (2.0, ""),
        Mark::Faint => (1.0, " stroke-opacity=\"0.35\""),
        Mark::Dots => (1.25, ""),
    };
    format!(" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"{opacity}", colour::line(hue))
}

fn draw_key(canvas: &mut Canvas, (x, y): (f64, f64), series: &Series) {
    let stroke = stroke(series.mark, series.hue);
    canvas.raw(format_args!("<path d=\"M{} {}h22\"{stroke}/>\n", Px(x), Px(y)));
    if series.mark == Mark::Dots {
        draw_dot(canvas, (x + 11.0, y), series.hue);
    }
}

fn draw_dot(canvas: &mut Canvas, (x, y): (f64, f64), hue: usize) {
    let (x, y, fill) = (Px(x), Px(y), colour::line(hue));
    canvas.raw(format_args!(
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\" fill=\"{fill}\" stroke=\"#fff\" stroke-width=\"1\"/>\n"
    ));
}

fn draw_series(canvas: &mut Canvas, plot: &Plot, series: &Series, split: &Split) {
    let stroke = stroke(series.mark, series.hue);
    for piece in &split.pieces {
        let pixels: Vec<(f64, f64)> = piece.iter().map(|&(x, y)| (plot.x(x), plot.y(y))).collect();
        let pixels = thin(&pixels);
        canvas.raw(format_args!("<path d=\"M"));
        for (i, &(x, y)) in pixels.iter().enumerate() {
            canvas.raw(format_args!("{}{} {}", if i == 0 { "" } else { "L" }, Px(x), Px(y)));
        }
        if pixels.len() == 1 {
            // A line of no length: the round cap makes it a dot.
            canvas.raw(format_args!("h0"));
        }
        canvas.raw(format_args!("\"{stroke} stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"));
        if series.mark == Mark::Dots {
            for &pixel in &pixels {
                draw_dot(canvas, pixel, series.hue);
            }
        }
    }
}

/// Crosses along the top of the plot where a series has a value that cannot be drawn; never one over another.
fn draw_missing(canvas: &mut Canvas, plot: &Plot, chart: &LineChart, split: &Split) {
    let mut free_from = f64::NEG_INFINITY;
    for x in split.missing.iter().filter(|p| chart.x.can_draw(p.0)).map(|p| plot.x(p.0)) {
        if x < free_from {
            continue;
        }
        free_from = x + 10.0;
        let (x, y) = (Px(x - 4.0), Px(plot.top + 2.0));
        canvas.raw(format_args!(
            "<path d=\"M{x} {y}l8 8m0 -8l-8 8\" fill=\"none\" stroke=\"{WARNING}\" stroke-width=\"1.75\"/>\n"
        ));
    }
}

fn draw_callout(canvas: &mut Canvas, plot: &Plot, callout: &Callout) {
    let (x, y) = (plot.x(callout.at.0), plot.y(callout.at.1));
    canvas.line((x, y), (x, plot.bottom), FRAME, " stroke-dasharray=\"3 3\"");
    let (x_px, y_px) = (Px(x), Px(y));
    canvas.raw(format_args!(
        "<circle cx=\"{x_px}\" cy=\"{y_px}\" r=\"4\" fill=\"#fff\" stroke=\"{INK}\" stroke-width=\"2\"/>\n"
    ));
    let width = em_width(&callout.text) * CALLOUT.size;
    let (anchor, text_x) = if x + 14.0 + width <= plot.right {
        (Anchor::Start, x + 12.0)
    } else if x - 14.0 - width >= plot.left {
        (Anchor::End, x - 12.0)
    } else {
        (Anchor::Middle, (plot.left + plot.right) / 2.0)
    };
    canvas.text((text_x, (y - 8.0).max(plot.top - 2.0)), anchor, CALLOUT, &callout.text);
}
