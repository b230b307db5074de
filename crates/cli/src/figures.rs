//! The pictures of a training run.

use anyhow::Result;

use crate::svg::{Axis, Callout, HeatMaps, LineChart, Mark, Section, Series, readable};

/// The loss over the steps: every logged training loss pale, their moving mean over it, and the validation losses
/// as dots.
///
/// Points are (step, loss in nats per token), in ascending order of steps. A NaN or infinite loss is a gap, marked and
/// counted.
#[must_use]
pub fn loss(title: &str, subtitle: &str, train: &[(f64, f64)], valid: &[(f64, f64)]) -> String {
    let mut series = vec![
        Series::new("training", Mark::Faint, 0, train.to_vec()),
        Series::new("training, moving mean", Mark::Line, 0, smooth(train)),
    ];
    if !valid.is_empty() {
        series.push(Series::new("validation", Mark::Dots, 1, valid.to_vec()));
    }
    let best = valid.iter().filter(|p| p.1.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
    let notes = best
        .map(|&(step, loss)| format!("Lowest validation loss: {} at step {}.", readable(loss, 4), readable(step, 12)));
    let chart = LineChart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        x: Axis::count("step"),
        y: Axis::linear("loss, nats per token"),
        series,
        notes: notes.into_iter().collect(),
        ..LineChart::default()
    };
    chart.render()
}

/// The learning rate over the steps, its highest value named.
///
/// Points are (step, rate), in ascending order of steps; where the highest rate is held, its first step is named.
#[must_use]
pub fn rate(title: &str, subtitle: &str, rates: &[(f64, f64)]) -> String {
    let finite = rates.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite());
    let peak = finite.reduce(|best, p| if p.1 > best.1 { p } else { best });
    let callouts =
        peak.map(|at| Callout { at, text: format!("peak {} at step {}", readable(at.1, 4), readable(at.0, 12)) });
    let chart = LineChart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        x: Axis::count("step"),
        y: Axis::linear("learning rate").from_zero(),
        series: vec![Series::new("learning rate", Mark::Line, 0, rates.to_vec())],
        callouts: callouts.into_iter().collect(),
        ..LineChart::default()
    };
    chart.render()
}

/// Attention weights: one panel for every head, one line of panels for every layer.
///
/// # Errors
/// If a panel does not hold rows × columns weights.
pub fn attention(title: &str, subtitle: &str, sections: Vec<Section>) -> Result<String> {
    let figure = HeatMaps {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        legend: "attention weight".to_owned(),
        range: (0.0, 1.0),
        sections,
    };
    figure.render()
}

/// The mean over a window of about a fiftieth of the points around each one. Towards the ends the window shrinks on both
/// sides, so that the line does not lag, down to an eighth, so that it does not follow the last few values either.
///
/// Values that are not finite stay in their place and do not enter a mean.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = points.len() / 100;
    // Prefix sums; a mean is a difference of two, exact enough for a picture.
    let mut sums = vec![(0.0, 0.0)];
    for &(_, y) in points {
        let (sum, count) = sums[sums.len() - 1];
        sums.push(if y.is_finite() { (sum + y, count + 1.0) } else { (sum, count) });
    }
    let mean = |i: usize| {
        let (x, y) = points[i];
        let reach = reach.min(i).min(points.len() - 1 - i).max(reach / 8);
        let (from, to) = (sums[i.saturating_sub(reach)], sums[(i + reach + 1).min(points.len())]);
        if y.is_finite() { (x, (to.0 - from.0) / (to.1 - from.1)) } else { (x, y) }
    };
    (0..points.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_constants_and_gaps_and_follows_steps() {
        let mut points: Vec<(f64, f64)> = (1..=1000).map(|i| (f64::from(i), 3.0)).collect();
        points[100].1 = f64::NAN;
        points[900..].iter_mut().for_each(|p| p.1 = 1.0);
        let smoothed = smooth(&points);
        assert!(smoothed[100].1.is_nan());
        assert!(smoothed[..100].iter().chain(&smoothed[101..890]).all(|p| (p.1 - 3.0).abs() < 1e-12));
        assert!((smoothed[900].1 - 2.0).abs() < 0.1, "half-way at the edge: {}", smoothed[900].1);
        assert_eq!((smoothed[889].1, smoothed[999].1), (3.0, 1.0));
    }

    #[test]
    fn the_peak_is_named() {
        let rates: Vec<(f64, f64)> = (1..=100).map(|i| (f64::from(i), f64::from(i.min(200 - 2 * i)) * 1e-5)).collect();
        assert!(rate("Rate", "", &rates).contains("peak 6.6e-4 at step 66"));
    }

    #[test]
    fn a_spoilt_validation_loss_is_never_the_lowest() {
        let svg = loss("Loss", "", &[(1.0, 5.0), (2.0, 4.0)], &[(1.0, f64::NAN), (2.0, 4.25)]);
        assert!(svg.contains("Lowest validation loss: 4.25 at step 2."));
        assert!(svg.contains("validation: 1 value is not finite, at step 1"));
    }
}
