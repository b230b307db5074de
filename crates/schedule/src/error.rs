//! What can be wrong with the numbers a schedule is built from.

use core::fmt;

use crate::Kind;

/// A value that no schedule, feedback rule or advice can be made from.
///
/// Every message names the value, its limit and a way out. Nothing is allocated: text fields are static.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A [`Step`](crate::Step) of 0.
    StepZero,
    /// A number outside of what it may be, or not a number.
    Value {
        /// The schedule or rule that refused it, as in [`Kind::name`].
        of: &'static str,
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        want: &'static str,
        /// A way out.
        hint: &'static str,
    },
    /// A count of 0 where at least 1 is needed.
    Zero {
        /// The schedule or rule that refused it, as in [`Kind::name`].
        of: &'static str,
        /// The parameter's name.
        name: &'static str,
        /// A way out.
        hint: &'static str,
    },
    /// A number outside of bounds that are themselves parameters.
    Bounds {
        /// The rule that refused it.
        of: &'static str,
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The lower bound given.
        min: f64,
        /// The upper bound given.
        max: f64,
    },
    /// Piecewise rates and boundaries whose numbers don't fit: one rate more than boundaries is needed.
    Pieces {
        /// How many rates were given.
        rates: usize,
        /// How many boundaries were given.
        boundaries: usize,
    },
    /// More entries than a list of fixed capacity holds.
    Capacity {
        /// How many were given.
        got: usize,
        /// How many there is room for.
        limit: usize,
    },
    /// A piecewise boundary that does not come after the one before it (or after step 1).
    Order {
        /// Which boundary, from 0.
        index: usize,
        /// The boundary.
        boundary: u64,
        /// The step it has to be greater than.
        previous: u64,
    },
    /// A parameter that the kind of schedule needs and that is not there.
    Missing {
        /// The kind.
        kind: Kind,
        /// The parameter's name.
        name: &'static str,
    },
    /// A parameter that the kind of schedule does not have.
    Unexpected {
        /// The kind.
        kind: Kind,
        /// The parameter's name.
        name: &'static str,
    },
    /// A warm-up in front of a schedule that has its own.
    SecondWarmup {
        /// The kind.
        kind: Kind,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::StepZero => {
                f.write_str("step is 0, must be at least 1: steps count parameter updates, the first is 1")
            }
            Self::Value { of, name, value, want, hint } => {
                write!(f, "{of}: `{name}` is {value:?}, must be {want}; {hint}")
            }
            Self::Zero { of, name, hint } => write!(f, "{of}: `{name}` is 0, must be at least 1; {hint}"),
            Self::Bounds { of, name, value, min, max } => {
                write!(f, "{of}: `{name}` is {value:?}, must lie between {min:?} and {max:?}; change it or the bounds")
            }
            Self::Pieces { rates, boundaries } => write!(
                f,
                "piecewise: {rates} rates and {boundaries} boundaries, there must be one rate more than boundaries; \
                 give the rate before the first boundary too"
            ),
            Self::Capacity { got, limit } => write!(
                f,
                "a list holds {got} entries, must be at most {limit}; join several schedules with `Then` for more"
            ),
            Self::Order { index, boundary, previous } => write!(
                f,
                "piecewise: boundary {index} is {boundary}, must be greater than {previous}; \
                 list the first step of each new rate, ascending, from 2"
            ),
            Self::Missing { kind, name } => {
                write!(f, "{kind}: `{name}` is missing; {kind} takes ")?;
                kind.write_parameters(f)
            }
            Self::Unexpected { kind, name } => {
                write!(f, "{kind}: `{name}` is not a parameter of it; {kind} takes ")?;
                kind.write_parameters(f)
            }
            Self::SecondWarmup { kind } => {
                write!(f, "{kind}: it has a warm-up of its own and takes no second one; set that when building it")
            }
        }
    }
}

impl core::error::Error for Error {}

/// `value` if it is a rate: finite and not negative (-0 becomes 0).
pub(crate) fn rate(of: &'static str, name: &'static str, value: f64) -> Result<f64, Error> {
    let hint = "learning rates are small numbers such as 5e-4";
    if value.is_finite() && value >= 0.0 {
        Ok(value + 0.0)
    } else {
        Err(Error::Value { of, name, value, want: "finite and at least 0", hint })
    }
}

/// `value` if it is finite and greater than 0.
pub(crate) fn positive(of: &'static str, name: &'static str, value: f64, hint: &'static str) -> Result<f64, Error> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(Error::Value { of, name, value, want: "finite and greater than 0", hint })
    }
}

/// `value` if it is greater than 0 and at most 1.
pub(crate) fn fraction(of: &'static str, name: &'static str, value: f64, hint: &'static str) -> Result<f64, Error> {
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(Error::Value { of, name, value, want: "greater than 0 and at most 1", hint })
    }
}

/// `value` if it is not 0.
pub(crate) fn count(of: &'static str, name: &'static str, value: u64, hint: &'static str) -> Result<u64, Error> {
    if value > 0 { Ok(value) } else { Err(Error::Zero { of, name, hint }) }
}

/// What to do about a decay of no length.
pub(crate) const DECAY_HINT: &str = "a decay takes at least one update; for a rate that stays the same use constant";
/// What to do about a warm-up of no length.
pub(crate) const WARMUP_HINT: &str = "4000 is the usual choice, 1 starts at the full rate";
