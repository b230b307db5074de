//! How long to warm up.

use core::fmt;

use crate::error::{self, Error};

/// The numbers that training computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with 5 of exponent.
    F16,
    /// 16 bits with 8 of exponent.
    Bf16,
}

/// What is known about a training run. `None` where something is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Training samples (sentence pairs).
    pub samples: Option<u64>,
    /// Layers of the encoder (the decoder has as many; of the deeper one if not).
    pub layers: Option<u64>,
    /// The numbers that training computes with.
    pub precision: Precision,
    /// Updates of the whole run.
    pub total: Option<u64>,
    /// A warm-up that someone has in mind, to be judged.
    pub planned: Option<u64>,
}

/// Why a warm-up is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Fewer than a million samples: 2000 to 4000.
    SmallData {
        /// Training samples.
        samples: u64,
    },
    /// 6 to 12 layers: 4000.
    UsualDepth {
        /// Layers.
        layers: u64,
    },
    /// More than 12 layers: 8000 or more.
    Deep {
        /// Layers.
        layers: u64,
    },
    /// 16-bit floats: 8000 or more.
    SixteenBits,
    /// Nothing asks for anything else: 4000, as in the paper.
    Usual,
    /// About 3% of the run.
    RunLength {
        /// Updates of the run.
        total: u64,
        /// 3% of them.
        share: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmallData { samples } => {
                write!(f, "small data ({samples} samples, fewer than 1000000): 2000 to 4000 updates")
            }
            Self::UsualDepth { layers } => write!(f, "{layers} layers (6 to 12): 4000 updates"),
            Self::Deep { layers } => write!(f, "{layers} layers (more than 12): 8000 updates or more"),
            Self::SixteenBits => f.write_str("16-bit floats: 8000 updates or more"),
            Self::Usual => f.write_str("nothing asks for anything else: 4000 updates, as in the paper"),
            Self::RunLength { total, share } => write!(f, "a run of {total} updates: about 3% of it, {share}"),
        }
    }
}

/// What is wrong with a warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The warm-up that the model and the data ask for would not end within the run: the run is too short for them.
    UsualWouldNotEnd {
        /// That warm-up.
        warmup: u64,
        /// Updates of the run.
        total: u64,
    },
    /// The planned warm-up would not end within the run: its peak would never be reached or never be left.
    PlannedWouldNotEnd {
        /// That warm-up.
        warmup: u64,
        /// Updates of the run.
        total: u64,
    },
    /// The recommended warm-up takes more than a tenth of the run.
    LargeShare {
        /// That warm-up.
        warmup: u64,
        /// Updates of the run.
        total: u64,
    },
    /// The planned warm-up is less than half of what is recommended.
    PlannedShort {
        /// The planned warm-up.
        planned: u64,
        /// The recommended one.
        warmup: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsualWouldNotEnd { warmup, total } => write!(
                f,
                "the usual warm-up of {warmup} updates would not end within a run of {total}; train for longer if you can"
            ),
            Self::PlannedWouldNotEnd { warmup, total } => {
                write!(f, "the planned warm-up of {warmup} updates would not end within a run of {total}; shorten it")
            }
            Self::LargeShare { warmup, total } => {
                write!(
                    f,
                    "a warm-up of {warmup} updates is more than a tenth of a run of {total}; train for longer if you can"
                )
            }
            Self::PlannedShort { planned, warmup } => {
                write!(f, "the planned warm-up of {planned} updates is short against {warmup}; watch the first losses")
            }
        }
    }
}

/// A recommended warm-up, with its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Updates of warm-up, at least 1.
    pub warmup: u64,
    reasons: Few<Reason>,
    warnings: Few<Warning>,
}

impl Advice {
    /// Why: all the rules that apply.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.reasons.0.into_iter().flatten()
    }

    /// What to beware of.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.warnings.0.into_iter().flatten()
    }
}

/// Room for one entry of each sort: there are at most four at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Few<T>([Option<T>; 4]);

impl<T: Copy> Few<T> {
    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    fn push(&mut self, entry: T) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(entry);
        }
    }
}

/// The least that deep models and 16-bit floats need.
const CAREFUL: u64 = 8000;
const USUAL: u64 = 4000;
const SMALL: u64 = 2000;
const SMALL_DATA: u64 = 1_000_000;

/// Recommends a warm-up.
///
/// From the model and the data: 8000 with more than 12 layers or 16-bit floats; else 4000 with 6 to 12 layers; else 2000 with
/// fewer than a million samples; else 4000, the paper's. If the length of the run is known: 3% of it, but not less than the
/// 8000 that deep models and 16-bit floats need, as long as those end within the run.
///
/// # Errors
/// [`Error::Zero`] for a fact that is 0.
///
/// # Example
/// ```
/// use noam_schedule::{Facts, Precision, advise};
/// let facts = Facts { samples: Some(29_000), layers: Some(6), ..Facts::default() };
/// assert_eq!(advise(&facts)?.warmup, 4000);
/// let facts = Facts { total: Some(50_000), ..facts };
/// assert_eq!(advise(&facts)?.warmup, 1500);
/// let facts = Facts { precision: Precision::F16, total: Some(100_000), ..facts };
/// let advice = advise(&facts)?;
/// assert_eq!(advice.warmup, 8000);
/// let reasons: Vec<String> = advice.reasons().map(|reason| reason.to_string()).collect();
/// assert_eq!(reasons[2], "16-bit floats: 8000 updates or more");
/// # Ok::<(), noam_schedule::Error>(())
/// ```
pub fn advise(facts: &Facts) -> Result<Advice, Error> {
    for (name, value) in
        [("samples", facts.samples), ("layers", facts.layers), ("total", facts.total), ("planned", facts.planned)]
    {
        error::count("advise", name, value.unwrap_or(1), "leave it out if it is not known")?;
    }
    let mut reasons = Few([None; 4]);
    if let Some(samples) = facts.samples.filter(|&samples| samples < SMALL_DATA) {
        reasons.push(Reason::SmallData { samples });
    }
    match facts.layers {
        Some(layers @ 6..=12) => reasons.push(Reason::UsualDepth { layers }),
        Some(layers @ 13..) => reasons.push(Reason::Deep { layers }),
        _ => {}
    }
    if facts.precision != Precision::F32 {
        reasons.push(Reason::SixteenBits);
    }
    if reasons.is_empty() {
        reasons.push(Reason::Usual);
    }
    let usual = usual_warmup(facts);

    let mut warnings = Few([None; 4]);
    let mut warmup = usual;
    if let Some(total) = facts.total {
        let share = three_percent(total);
        reasons.push(Reason::RunLength { total, share });
        // What stability needs is a lower bound, unless the run is too short for it anyway.
        warmup = if usual == CAREFUL && usual < total { share.max(CAREFUL) } else { share };
        if usual >= total {
            warnings.push(Warning::UsualWouldNotEnd { warmup: usual, total });
        } else if warmup > share && warmup > total / 10 {
            warnings.push(Warning::LargeShare { warmup, total });
        }
    }
    if let Some(planned) = facts.planned {
        match facts.total {
            Some(total) if planned >= total => warnings.push(Warning::PlannedWouldNotEnd { warmup: planned, total }),
            _ if planned < warmup / 2 => warnings.push(Warning::PlannedShort { planned, warmup }),
            _ => {}
        }
    }
    Ok(Advice { warmup, reasons, warnings })
}

/// What the model and the data ask for, whatever the length of the run.
fn usual_warmup(facts: &Facts) -> u64 {
    let layers = facts.layers.unwrap_or(0);
    if layers > 12 || facts.precision != Precision::F32 {
        CAREFUL
    } else if layers < 6 && facts.samples.is_some_and(|samples| samples < SMALL_DATA) {
        SMALL
    } else {
        USUAL
    }
}

/// 3% to the nearest, at least 1.
fn three_percent(total: u64) -> u64 {
    ((u128::from(total) * 3 + 50) / 100).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn warmup(facts: Facts) -> u64 {
        advise(&facts).unwrap().warmup
    }

    fn facts(samples: u64, layers: u64) -> Facts {
        Facts { samples: Some(samples), layers: Some(layers), ..Facts::default() }
    }

    #[test]
    fn model_and_data_decide_while_the_run_is_unknown() {
        assert_eq!(warmup(Facts::default()), 4000);
        assert_eq!(warmup(facts(29_000, 2)), 2000);
        assert_eq!(warmup(facts(999_999, 5)), 2000);
        assert_eq!(warmup(facts(1_000_000, 5)), 4000);
        assert_eq!(warmup(facts(29_000, 6)), 4000);
        assert_eq!(warmup(facts(4_500_000, 12)), 4000);
        assert_eq!(warmup(facts(4_500_000, 13)), 8000);
        assert_eq!(warmup(facts(29_000, 24)), 8000);
        for precision in [Precision::F16, Precision::Bf16] {
            assert_eq!(warmup(Facts { precision, ..facts(29_000, 2) }), 8000);
        }
    }

    #[test]
    fn a_known_run_gives_three_percent_but_no_less_than_stability_needs() {
        let run = |total, layers| Facts { total: Some(total), ..facts(29_000, layers) };
        assert_eq!(warmup(run(100_000, 6)), 3000);
        assert_eq!(warmup(run(100_000, 24)), 8000);
        assert_eq!(warmup(run(1_000_000, 24)), 30_000);
        assert_eq!(warmup(run(2000, 24)), 60);
        assert_eq!(warmup(run(1, 6)), 1);
        assert_eq!(warmup(run(u64::MAX, 6)), 553_402_322_211_286_548);
    }

    #[test]
    fn reasons_name_all_that_applies() {
        let all = Facts { precision: Precision::Bf16, total: Some(100_000), ..facts(29_000, 24) };
        let reasons: Vec<Reason> = advise(&all).unwrap().reasons().collect();
        let want = [
            Reason::SmallData { samples: 29_000 },
            Reason::Deep { layers: 24 },
            Reason::SixteenBits,
            Reason::RunLength { total: 100_000, share: 3000 },
        ];
        assert_eq!(reasons, want);
        assert!(advise(&Facts::default()).unwrap().reasons().eq([Reason::Usual]));
    }

    #[test]
    fn warns_of_a_warmup_that_does_not_end_within_the_run() {
        let warnings = |facts| advise(&facts).unwrap().warnings().collect::<Vec<_>>();
        let run = |total, planned| Facts { total: Some(total), planned, ..facts(4_500_000, 6) };
        assert_eq!(warnings(run(100_000, None)), []);
        assert_eq!(warnings(run(4001, None)), []);
        assert_eq!(warnings(run(4000, None)), [Warning::UsualWouldNotEnd { warmup: 4000, total: 4000 }]);
        assert_eq!(warnings(run(9000, Some(9000))), [Warning::PlannedWouldNotEnd { warmup: 9000, total: 9000 }]);
        assert_eq!(warnings(run(100_000, Some(1000))), [Warning::PlannedShort { planned: 1000, warmup: 3000 }]);
        let deep = Facts { total: Some(50_000), ..facts(4_500_000, 18) };
        assert_eq!(warnings(deep), [Warning::LargeShare { warmup: 8000, total: 50_000 }]);
    }

    #[test]
    fn a_fact_of_zero_is_an_error() {
        for zero in [
            Facts { samples: Some(0), ..Facts::default() },
            Facts { layers: Some(0), ..Facts::default() },
            Facts { total: Some(0), ..Facts::default() },
            Facts { planned: Some(0), ..Facts::default() },
        ] {
            assert!(matches!(advise(&zero), Err(Error::Zero { of: "advise", .. })), "{zero:?}");
        }
    }
}
