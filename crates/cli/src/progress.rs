//! How a long run shows where it is: a bar on a terminal, a line now and then anywhere else.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::readable_lines;
use crate::svg::readable;

/// What a run shows of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// The parameter update just made, from 1.
    pub step: u64,
    /// Its loss, in nats per token.
    pub loss: f64,
    /// The rate it used.
    pub rate: f64,
    /// Target tokens a second.
    pub tokens_per_s: f64,
}

/// When a run ends, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Goal {
    /// After this step.
    pub steps: Option<u64>,
    /// This long after the reporter was made.
    pub time: Option<Duration>,
}

/// Estimates the time left from the steps made since the start of this process, so that a resumed run does not take
/// the steps of earlier processes for its own speed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    first_done: u64,
    goal: Goal,
}

impl Estimate {
    fn left(&self, step: u64, elapsed: Duration) -> Option<Duration> {
        let by_time = self.goal.time.map(|time| time.saturating_sub(elapsed));
        let made = step.saturating_sub(self.first_done);
        let by_steps = self.goal.steps.filter(|_| made > 0).and_then(|steps| {
            let seconds = elapsed.as_secs_f64() / made as f64 * steps.saturating_sub(step) as f64;
            Duration::try_from_secs_f64(seconds).ok()
        });
        match (by_steps, by_time) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

enum View {
    Bar(ProgressBar),
    /// Log lines, no closer together than the interval.
    Lines {
        every: Duration,
        last: Option<Instant>,
    },
}

/// Shows the steps of a run on standard error.
pub struct Progress {
    view: View,
    estimate: Estimate,
    started: Instant,
}

impl Progress {
    /// A reporter for a run that has made `done` steps already.
    ///
    /// On a terminal it is a bar, coloured unless `NO_COLOR` is set; elsewhere a line each `every`.
    pub fn new(goal: Goal, done: u64, every: Duration) -> Self {
        let view = if io::stderr().is_terminal() {
            let bar = match goal.steps {
                Some(steps) => ProgressBar::new(steps),
                None => ProgressBar::no_length(),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(style(goal.steps.is_some(), coloured()));
            // The bar's own clock starts here too, not at step 0.
            let bar = bar.with_position(done);
            bar.reset_eta();
            View::Bar(bar)
        } else {
            View::Lines { every, last: None }
        };
        Self { view, estimate: Estimate { first_done: done, goal }, started: Instant::now() }
    }

    /// Shows a step: the bar moves, or a line is due.
    pub fn update(&mut self, status: &Status) {
        let now = Instant::now();
        let left = self.estimate.left(status.step, now - self.started);
        match &mut self.view {
            View::Bar(bar) => {
                // The step is part of the message: each of the two calls draws, and what they show must agree.
                bar.set_position(status.step);
                bar.set_message(line(status, self.estimate.goal.steps, left));
            }
            View::Lines { every, last } => {
                if last.is_none_or(|last| now - last >= *every) {
                    *last = Some(now);
                    say(&line(status, self.estimate.goal.steps, left));
                }
            }
        }
    }

    /// A message of its own line, above the bar if there is one.
    pub fn message(&self, text: &str) {
        match &self.view {
            View::Bar(bar) => bar.suspend(|| say(text)),
            View::Lines { .. } => say(text),
        }
    }

    /// Removes the bar, so that what follows starts on a line of its own.
    pub fn finish(self) {
        if let View::Bar(bar) = self.view {
            bar.finish_and_clear();
        }
    }
}

/// A line on standard error. A run goes on when nobody reads it any more.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", readable_lines(text));
}

/// Whether colours are wanted; see <https://no-color.org>.
fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn style(has_end: bool, coloured: bool) -> ProgressStyle {
    let template = match (has_end, coloured) {
        (true, true) => "{bar:24.cyan/dim} {msg}",
        (true, false) => "{bar:24} {msg}",
        (false, true) => "{spinner:.cyan} {msg}",
        (false, false) => "{spinner} {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are valid");
    style.progress_chars("━╸─")
}

/// A step in a line.
fn line(status: &Status, steps: Option<u64>, left: Option<Duration>) -> String {
    let of = steps.map(|steps| format!("/{steps}")).unwrap_or_default();
    format!("step {}{of}  {}", status.step, describe(status, left))
}

fn describe(status: &Status, left: Option<Duration>) -> String {
    let Status { loss, rate, tokens_per_s, .. } = *status;
    let mut text = format!("loss {loss:.4}  rate {rate:.3e}  {} tokens/s", readable(tokens_per_s.round(), 12));
    if let Some(left) = left {
        text.push_str(&format!("  {} left", duration(left)));
    }
    text
}

/// A duration in its two largest units, such as `3 min 20 s`.
///
/// ```
/// use noam::progress::duration;
/// use std::time::Duration;
/// assert_eq!(duration(Duration::from_millis(59_600)), "1 min 0 s");
/// assert_eq!(duration(Duration::from_secs(100_000)), "1 d 3 h");
/// ```
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: Status = Status { step: 1200, loss: 3.214_159, rate: 6.987_712e-4, tokens_per_s: 12_345.6 };

    #[test]
    fn a_log_line_has_all_there_is_to_know() {
        let left = Some(Duration::from_secs(250));
        let want = "step 1200/20000  loss 3.2142  rate 6.988e-4  12,346 tokens/s  4 min 10 s left";
        assert_eq!(line(&STATUS, Some(20_000), left), want);
        let spoilt = Status { loss: f64::NAN, ..STATUS };
        assert_eq!(line(&spoilt, None, None), "step 1200  loss NaN  rate 6.988e-4  12,346 tokens/s");
    }

    #[test]
    fn a_resumed_run_is_as_fast_as_this_process_not_as_all_of_them() {
        let estimate = Estimate { first_done: 9000, goal: Goal { steps: Some(10_000), time: None } };
        assert_eq!(estimate.left(9100, Duration::from_secs(50)), Some(Duration::from_secs(450)));
        assert_eq!(estimate.left(9000, Duration::from_secs(50)), None, "no step made, nothing to go by");
        assert_eq!(estimate.left(10_000, Duration::from_secs(500)), Some(Duration::ZERO));
    }

    #[test]
    fn the_nearer_of_two_ends_counts() {
        let goal = Goal { steps: Some(1000), time: Some(Duration::from_secs(300)) };
        let estimate = Estimate { first_done: 0, goal };
        assert_eq!(estimate.left(100, Duration::from_secs(100)), Some(Duration::from_secs(200)));
        assert_eq!(estimate.left(500, Duration::from_secs(100)), Some(Duration::from_secs(100)));
        let timed = Estimate { goal: Goal { steps: None, time: goal.time }, ..estimate };
        assert_eq!(timed.left(0, Duration::from_secs(400)), Some(Duration::ZERO));
        assert_eq!(Estimate { goal: Goal::default(), ..estimate }.left(5, Duration::from_secs(4)), None);
    }

    #[test]
    fn every_style_is_valid() {
        for (has_end, coloured) in [(true, true), (true, false), (false, true), (false, false)] {
            let bar = ProgressBar::hidden();
            bar.set_style(style(has_end, coloured));
            bar.set_message("x");
            bar.tick();
        }
    }
}
