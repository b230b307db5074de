//! Fewer points, same picture.

/// Keeps the first, lowest, highest and last point of every run of points that falls into one pixel column.
///
/// The points are in pixels. Drawn one pixel wide, the line through what is left covers the same pixels as the line
/// through all of them, give or take one; spikes keep their height.
pub(super) fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| p.0.floor();
    let mut kept = Vec::new();
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        let extreme = |better: fn(f64, f64) -> bool| {
            (0..run.len()).reduce(|best, i| if better(run[i].1, run[best].1) { i } else { best }).unwrap_or(0)
        };
        let mut picks = [0, extreme(|a, b| a < b), extreme(|a, b| a > b), run.len() - 1];
        picks.sort_unstable();
        let mut previous = None;
        for pick in picks {
            if previous != Some(pick) {
                kept.push(run[pick]);
            }
            previous = Some(pick);
        }
    }
    kept
}
