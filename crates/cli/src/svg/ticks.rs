//! Axes: which range they cover, where their ticks stand and how the ticks read.

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences take equal room.
    #[default]
    Linear,
    /// Equal ratios take equal room; values that are not positive cannot be drawn.
    Log,
}

/// One axis of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// How values are spread.
    pub scale: Scale,
    /// Whether a linear axis starts at zero even when no value comes near it.
    pub from_zero: bool,
    /// Whether values are whole numbers, so that nothing between them is worth a tick on a linear axis.
    pub whole: bool,
}

impl Axis {
    /// A linear axis over the range of the data.
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// A linear axis of counted things, such as steps, from zero.
    pub fn count(label: &str) -> Self {
        Self { from_zero: true, whole: true, ..Self::linear(label) }
    }

    /// A logarithmic axis over the range of the data.
    pub fn log(label: &str) -> Self {
        Self { scale: Scale::Log, ..Self::linear(label) }
    }

    /// The same axis, starting at zero if it is linear.
    pub fn from_zero(self) -> Self {
        Self { from_zero: true, ..self }
    }

    /// Whether a value has a place on the axis. Magnitudes beyond 1e150 have none: differences must not overflow.
    pub(super) fn can_draw(&self, value: f64) -> bool {
        value.abs() <= 1e150 && (self.scale == Scale::Linear || value >= 1e-150)
    }
}

/// A tick: its value and how it reads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

/// An axis that knows its range and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
    pub ticks: Vec<Tick>,
}

/// Whether the range grows to the next ticks outside the data.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fit {
    Data,
    Ticks,
}

impl Ruler {
    /// An axis over `values`, all of which it [can draw](Axis::can_draw), with about `wanted` ticks.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize, fit: Fit) -> Self {
        let (mut low, mut high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = if axis.scale == Scale::Log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        match axis.scale {
            Scale::Linear => {
                if axis.from_zero {
                    (low, high) = (low.min(0.0), high.max(0.0));
                }
                Self::linear(low, high, if axis.whole { 1.0 } else { 0.0 }, wanted, fit)
            }
            Scale::Log => Self::log(low, high, wanted, fit),
        }
    }

    fn linear(mut low: f64, mut high: f64, least_step: f64, wanted: usize, fit: Fit) -> Self {
        let magnitude = low.abs().max(high.abs());
        if high - low <= 1e-9 * magnitude || high - low < 1e-150 {
            // One value only, or so little between them that labels could not tell them apart.
            let margin = if magnitude < 1e-100 { 1.0 } else { 0.1 * magnitude };
            (low, high) = (low - margin, high + margin);
        }
        let step = nice_step((high - low) / wanted as f64).max(least_step);
        // A hair's breadth of slack: a limit that is a multiple of the step up to rounding counts as one.
        let slack = 1e-9;
        let (first, last) = match fit {
            Fit::Ticks => ((low / step + slack).floor(), (high / step - slack).ceil()),
            Fit::Data => ((low / step - slack).ceil(), (high / step + slack).floor()),
        };
        let count = (last - first) as usize + 1;
        let values: Vec<f64> = (0..count).map(|i| (first + i as f64) * step).collect();
        if fit == Fit::Ticks {
            (low, high) = (first * step, last * step);
        }
        let ticks = label_all(&values, step);
        Self { scale: Scale::Linear, low, high, ticks }
    }

    fn log(low: f64, high: f64, wanted: usize, fit: Fit) -> Self {
        let (mut low, mut high) = (low.log10(), high.log10());
        if high - low < 1e-6 {
            (low, high) = (low - 0.5, high + 0.5);
        }
        // Few decades leave room for ticks between the powers of ten.
        let mantissas: &[f64] = match high - low {
            span if span < 1.5 => &[1.0, 2.0, 3.0, 5.0, 7.0],
            span if span < 3.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let (first, last) = (low.floor() as i32, high.ceil() as i32);
        let stride = if mantissas.len() > 1 { 1 } else { ((last - first) as usize).div_ceil(wanted.max(1)).max(1) };
        let mut values = Vec::new();
        for decade in (first..=last).step_by(stride) {
            values.extend(mantissas.iter().map(|m| m * power_of_ten(decade)));
        }
        let places: Vec<f64> = values.iter().map(|v| v.log10()).collect();
        let slack = 1e-9;
        if fit == Fit::Ticks {
            low = places.iter().copied().filter(|&p| p <= low + slack).fold(low, |_, p| p);
            high = places.iter().copied().find(|&p| p >= high - slack).unwrap_or(high);
        }
        let inside = values.iter().zip(&places).filter(|&(_, &p)| p >= low - slack && p <= high + slack);
        let mut values: Vec<f64> = inside.map(|(&value, _)| value).collect();
        if values.len() < 2 {
            values = vec![10f64.powf(low), 10f64.powf(high)];
        }
        let ticks = values.into_iter().map(|value| Tick { value, label: readable(value, 4) }).collect();
        Self { scale: Scale::Log, low, high, ticks }
    }

    /// The place of a value along the axis: 0 at its low end, 1 at its high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.scale == Scale::Log { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// The value at a place along the axis: the inverse of [`place`](Self::place).
    pub(super) fn value(&self, place: f64) -> f64 {
        let value = self.low + place * (self.high - self.low);
        if self.scale == Scale::Log { 10f64.powf(value) } else { value }
    }
}

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let exponent = rough.log10().floor() as i32;
    let power = power_of_ten(exponent);
    let times = [1.0, 2.0, 2.5, 5.0].into_iter().find(|times| times * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    times * power
}

/// `10^exponent`, the closest f64: parsed, since a product of tenths drifts.
fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().expect("a power of ten is a number")
}

/// Labels for ticks `step` apart, all with as many decimals; small or large ones share an exponent.
fn label_all(values: &[f64], step: f64) -> Vec<Tick> {
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let exponent = if largest == 0.0 { 0 } else { largest.log10().floor() as i32 };
    let shared = if (-3..9).contains(&exponent) { 0 } else { exponent };
    let unit = power_of_ten(shared);
    let decimals = (0..15).find(|&d| {
        let scaled = step / unit * power_of_ten(d);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    });
    let decimals = decimals.unwrap_or(15) as usize;
    let read = |v: f64| {
        if v == 0.0 {
            return "0".to_owned();
        }
        let number = group(&format!("{:.decimals$}", v / unit));
        if shared == 0 { number } else { format!("{number}e{shared}") }
    };
    values.iter().map(|&value| Tick { value, label: read(value) }).collect()
}

/// A number for people: `digits` significant digits at most, thousands grouped, an exponent only where it is shorter.
///
/// ```
/// use noam::svg::readable;
/// assert_eq!(readable(100_000.0, 3), "100,000");
/// assert_eq!(readable(6.987_712_429_686_843e-4, 3), "6.99e-4");
/// assert_eq!(readable(0.25, 3), "0.25");
/// assert_eq!(readable(f64::NAN, 3), "NaN");
/// ```
pub fn readable(value: f64, digits: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let short = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-3..9).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        return group(trim_zeros(&format!("{value:.decimals$}")));
    }
    format!("{}e{exponent}", trim_zeros(mantissa))
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Puts a comma between thousands, from 10,000 on: four digits read well without.
fn group(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, decimals) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::from(sign);
    for (i, digit) in whole.char_indices() {
        if i > 0 && whole.len() > 4 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(decimals) = decimals {
        grouped.push('.');
        grouped.push_str(decimals);
    }
    grouped
}
