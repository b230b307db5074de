//! The names of the schedules, and what each takes.

use core::fmt;

/// A kind of schedule, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// [`Noam`](crate::Noam).
    Noam,
    /// [`InverseSqrt`](crate::InverseSqrt).
    InverseSqrt,
    /// [`Constant`](crate::Constant).
    Constant,
    /// [`Linear`](crate::Linear).
    Linear,
    /// [`Polynomial`](crate::Polynomial).
    Polynomial,
    /// [`Exponential`](crate::Exponential).
    Exponential,
    /// [`InverseTime`](crate::InverseTime).
    InverseTime,
    /// [`Piecewise`](crate::Piecewise).
    Piecewise,
    /// [`Cosine`](crate::Cosine).
    Cosine,
    /// [`CosineRestarts`](crate::CosineRestarts).
    CosineRestarts,
    /// [`Wsd`](crate::Wsd).
    Wsd,
}

/// A parameter of a [`Kind`], for help texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in configurations, and in [`Fields`](crate::Fields).
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What it is when it is not given; `None` if it has to be.
    pub default: Option<&'static str>,
}

const fn needed(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, about, default: None }
}

const fn optional(name: &'static str, about: &'static str, default: &'static str) -> Parameter {
    Parameter { name, about, default: Some(default) }
}

const START: Parameter = needed("start", "rate of the first update (after the warm-up)");
const END: Parameter = optional("end", "rate at the end of the decay and after it", "0");
const STEPS: Parameter = needed("steps", "updates from start to end");
const DECAY_STEPS: Parameter = optional("steps", "updates in which decay_rate applies once", "1");
const STAIRCASE: Parameter = optional("staircase", "true: the rate changes only every `steps` updates", "false");
const PEAK: Parameter = needed("peak", "rate at the end of the warm-up");
const OWN_WARMUP: Parameter = needed("warmup", "updates until the peak");
const WARMUP: Parameter = optional("warmup", "updates of a linear rise in front, to the first rate", "1: none");
const INITIAL: Parameter = optional("warmup_initial", "rate that the warm-up rises from, that of update 0", "0");
const FLOOR: Parameter = optional("floor", "least rate, at any step", "0");

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Noam,
        Self::InverseSqrt,
        Self::Constant,
        Self::Linear,
        Self::Polynomial,
        Self::Exponential,
        Self::InverseTime,
        Self::Piecewise,
        Self::Cosine,
        Self::CosineRestarts,
        Self::Wsd,
    ];

    /// Its name in configurations, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noam => "noam",
            Self::InverseSqrt => "inverse_sqrt",
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Polynomial => "polynomial",
            Self::Exponential => "exponential",
            Self::InverseTime => "inverse_time",
            Self::Piecewise => "piecewise",
            Self::Cosine => "cosine",
            Self::CosineRestarts => "cosine_restarts",
            Self::Wsd => "wsd",
        }
    }

    /// The kind of that name; a dash counts as an underscore.
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |a: u8, b: u8| a == b || (a == b'_' && b == b'-');
        Self::ALL.into_iter().find(|kind| {
            let own = kind.name();
            own.len() == name.len() && own.bytes().zip(name.bytes()).all(|(a, b)| same(a, b))
        })
    }

    /// What it does, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Noam => "linear warm-up, then the inverse square root of the step, scaled by the model's width",
            Self::InverseSqrt => "linear warm-up to a peak, then the inverse square root of the step",
            Self::Constant => "one rate for ever",
            Self::Linear => "a straight line between two rates",
            Self::Polynomial => "a power of the way left between two rates",
            Self::Exponential => "the same factor every so many updates",
            Self::InverseTime => "divided by a number that grows in proportion to the updates",
            Self::Piecewise => "a rate for each stretch of steps",
            Self::Cosine => "half a wave of the cosine between two rates",
            Self::CosineRestarts => "half waves of the cosine, one after another",
            Self::Wsd => "linear warm-up, a plateau, and a decay at the end",
        }
    }

    /// Its formula: `n` is the step from 1, `e` the updates done, counted from the end of the warm-up.
    pub const fn formula(self) -> &'static str {
        match self {
            Self::Noam => "factor * d_model^-0.5 * min(n^-0.5, n * warmup^-1.5)",
            Self::InverseSqrt => "peak * n / warmup until n = warmup, then peak * sqrt(warmup / n)",
            Self::Constant => "rate",
            Self::Linear => "end + (start - end) * (steps - e) / steps",
            Self::Polynomial => "end + (start - end) * ((steps - e) / steps)^power",
            Self::Exponential => "start * decay_rate^(e / steps)",
            Self::InverseTime => "start / (1 + decay_rate * e / steps)",
            Self::Piecewise => "rates[number of boundaries <= n]",
            Self::Cosine => "end + (start - end) * (1 + cos(pi * e / steps)) / 2",
            Self::CosineRestarts => {
                "end + (start - end) * m_mul^i * (1 + cos(pi * e / length)) / 2 in cycle i of length steps * t_mul^i"
            }
            Self::Wsd => {
                "peak * n / warmup, then peak for `stable` updates, then end + (peak - end) * shape(e / steps)"
            }
        }
    }

    /// What it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        const NOAM: &[Parameter] = &[
            needed("d_model", "width of the model"),
            OWN_WARMUP,
            optional("factor", "scale of the whole schedule", "1"),
            FLOOR,
        ];
        const INVERSE_SQRT: &[Parameter] = &[PEAK, OWN_WARMUP, INITIAL, FLOOR];
        const CONSTANT: &[Parameter] = &[needed("rate", "the rate"), WARMUP, INITIAL, FLOOR];
        const LINEAR: &[Parameter] = &[START, END, STEPS, WARMUP, INITIAL, FLOOR];
        const POLYNOMIAL: &[Parameter] =
            &[START, END, STEPS, optional("power", "exponent, greater than 0", "1"), WARMUP, INITIAL, FLOOR];
        const EXPONENTIAL: &[Parameter] = &[
            START,
            needed("decay_rate", "factor, greater than 0 and at most 1"),
            DECAY_STEPS,
            STAIRCASE,
            WARMUP,
            INITIAL,
            FLOOR,
        ];
        const INVERSE_TIME: &[Parameter] = &[
            START,
            needed("decay_rate", "growth of the divisor, greater than 0"),
            DECAY_STEPS,
            STAIRCASE,
            WARMUP,
            INITIAL,
            FLOOR,
        ];
        const PIECEWISE: &[Parameter] = &[
            needed("rates", "the rates, one more than boundaries, at most 16"),
            needed("boundaries", "first step of each rate but the first, ascending"),
            WARMUP,
            INITIAL,
            FLOOR,
        ];
        const COSINE_RESTARTS: &[Parameter] = &[
            START,
            END,
            needed("steps", "updates of the first cycle"),
            optional("t_mul", "how many times as long as the one before a cycle is, a whole number", "1"),
            optional("m_mul", "how many times as high as the one before a cycle is, at most 1", "1"),
            WARMUP,
            INITIAL,
            FLOOR,
        ];
        const WSD: &[Parameter] = &[
            PEAK,
            OWN_WARMUP,
            needed("stable", "updates at the peak"),
            needed("steps", "updates of the decay"),
            END,
            optional("shape", "of the decay: linear, cosine or one_minus_sqrt", "linear"),
            INITIAL,
            FLOOR,
        ];
        match self {
            Self::Noam => NOAM,
            Self::InverseSqrt => INVERSE_SQRT,
            Self::Constant => CONSTANT,
            Self::Linear | Self::Cosine => LINEAR,
            Self::Polynomial => POLYNOMIAL,
            Self::Exponential => EXPONENTIAL,
            Self::InverseTime => INVERSE_TIME,
            Self::Piecewise => PIECEWISE,
            Self::CosineRestarts => COSINE_RESTARTS,
            Self::Wsd => WSD,
        }
    }

    /// The names of its parameters in a row, those that have a default in brackets.
    pub(crate) fn write_parameters(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, parameter) in self.parameters().iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match parameter.default {
                None => f.write_str(parameter.name)?,
                Some(_) => write!(f, "[{}]", parameter.name)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
