//! Any schedule, as one value that can be written down.

mod fields;
mod kind;

pub use fields::Fields;
pub use kind::{Kind, Parameter};

use crate::error::{self, Error};
use crate::warmup::Warmup;
use crate::{
    Constant, Cosine, CosineRestarts, Exponential, InverseSqrt, InverseTime, Linear, Noam, Piecewise, Polynomial,
    Schedule, Step, Wsd,
};

/// A schedule of any kind.
// Piecewise is the largest by far, with its 32 numbers; without allocation there is no box to put it in.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// See [`Noam`].
    Noam(Noam),
    /// See [`InverseSqrt`].
    InverseSqrt(InverseSqrt),
    /// See [`Constant`].
    Constant(Constant),
    /// See [`Linear`].
    Linear(Linear),
    /// See [`Polynomial`].
    Polynomial(Polynomial),
    /// See [`Exponential`].
    Exponential(Exponential),
    /// See [`InverseTime`].
    InverseTime(InverseTime),
    /// See [`Piecewise`].
    Piecewise(Piecewise),
    /// See [`Cosine`].
    Cosine(Cosine),
    /// See [`CosineRestarts`].
    CosineRestarts(CosineRestarts),
    /// See [`Wsd`].
    Wsd(Wsd),
}

impl Rule {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Noam(_) => Kind::Noam,
            Self::InverseSqrt(_) => Kind::InverseSqrt,
            Self::Constant(_) => Kind::Constant,
            Self::Linear(_) => Kind::Linear,
            Self::Polynomial(_) => Kind::Polynomial,
            Self::Exponential(_) => Kind::Exponential,
            Self::InverseTime(_) => Kind::InverseTime,
            Self::Piecewise(_) => Kind::Piecewise,
            Self::Cosine(_) => Kind::Cosine,
            Self::CosineRestarts(_) => Kind::CosineRestarts,
            Self::Wsd(_) => Kind::Wsd,
        }
    }

    /// The warm-up that the kind itself has.
    fn own_warmup(&self) -> Option<u64> {
        match self {
            Self::Noam(schedule) => Some(schedule.warmup()),
            Self::InverseSqrt(schedule) => Some(schedule.warmup()),
            Self::Wsd(schedule) => Some(schedule.warmup()),
            _ => None,
        }
    }
}

impl Schedule for Rule {
    fn rate(&self, step: Step) -> f64 {
        match self {
            Self::Noam(schedule) => schedule.rate(step),
            Self::InverseSqrt(schedule) => schedule.rate(step),
            Self::Constant(schedule) => schedule.rate(step),
            Self::Linear(schedule) => schedule.rate(step),
            Self::Polynomial(schedule) => schedule.rate(step),
            Self::Exponential(schedule) => schedule.rate(step),
            Self::InverseTime(schedule) => schedule.rate(step),
            Self::Piecewise(schedule) => schedule.rate(step),
            Self::Cosine(schedule) => schedule.rate(step),
            Self::CosineRestarts(schedule) => schedule.rate(step),
            Self::Wsd(schedule) => schedule.rate(step),
        }
    }
}

/// Any schedule, with an optional warm-up in front and an optional floor under it, as one `Copy` value: what a trainer keeps
/// in its configuration.
///
/// `rate(n) = max(floor, warm-up in front of the rule)`, each as [`Warmup`] and [`Floor`](crate::Floor) say. Noam,
/// inverse_sqrt and wsd have a warm-up of their own and take no other.
///
/// It is built from a rule, or from [`Fields`] (a configuration file, a command line). With the `serde` feature it is
/// written as those fields, tagged by `kind`, and checked as it is read: an unknown field, one that the kind does not take,
/// or a bad value is an error.
///
/// # Example
/// ```
/// use noam_schedule::{Cosine, Rule, Schedule, Spec, Step};
/// let spec = Spec::new(Rule::Cosine(Cosine::new(1e-3, 0.0, 900)?)).with_warmup(100)?.with_floor(1e-6)?;
/// assert_eq!(spec.rate(Step::new(50)?), 5e-4);
/// assert_eq!(spec.rate(Step::new(550)?), 5e-4);
/// assert_eq!(spec.rate(Step::new(2000)?), 1e-6);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Fields", into = "Fields")
)]
pub struct Spec {
    /// A warm-up of 1 update, from 0, is none.
    schedule: Warmup<Rule>,
    floor: f64,
}

impl Spec {
    /// The rule alone.
    pub fn new(rule: Rule) -> Self {
        Self { schedule: Warmup::none(rule), floor: 0.0 }
    }

    /// The same with a warm-up of `steps` updates, from 0, in front.
    ///
    /// # Errors
    /// [`Error::Zero`] if `steps` is 0; [`Error::SecondWarmup`] if the rule has its own.
    pub fn with_warmup(self, steps: u64) -> Result<Self, Error> {
        self.refuse_second_warmup()?;
        Ok(Self { schedule: Warmup::new(steps, *self.rule())?.with_initial(self.schedule.initial())?, ..self })
    }

    /// The same with a warm-up that rises from `initial`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `initial` is finite and at least 0; [`Error::SecondWarmup`] if the rule has its own.
    pub fn with_warmup_initial(self, initial: f64) -> Result<Self, Error> {
        self.refuse_second_warmup()?;
        Ok(Self { schedule: self.schedule.with_initial(initial)?, ..self })
    }

    /// The same, clamped from below.
    ///
    /// # Errors
    /// [`Error::Value`] unless `floor` is finite and at least 0.
    pub fn with_floor(self, floor: f64) -> Result<Self, Error> {
        Ok(Self { floor: error::rate(self.kind().name(), "floor", floor)?, ..self })
    }

    fn refuse_second_warmup(&self) -> Result<(), Error> {
        match self.rule().own_warmup() {
            Some(_) => Err(Error::SecondWarmup { kind: self.kind() }),
            None => Ok(()),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        self.schedule.inner()
    }

    /// The rule's kind.
    pub fn kind(&self) -> Kind {
        self.rule().kind()
    }

    /// The updates until the end of the warm-up, the rule's own or the one in front of it; 1 if there is none.
    pub fn warmup(&self) -> u64 {
        self.rule().own_warmup().unwrap_or(self.schedule.steps())
    }

    /// The least rate.
    pub fn floor(&self) -> f64 {
        self.floor
    }
}

impl Schedule for Spec {
    fn rate(&self, step: Step) -> f64 {
        self.schedule.rate(step).max(self.floor)
    }
}

impl TryFrom<Fields> for Spec {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self, Error> {
        fields.refuse_unexpected()?;
        let start = || fields.need("start", fields.start);
        let end = fields.end.unwrap_or(0.0);
        let steps = || fields.need("steps", fields.steps);
        let period = fields.steps.unwrap_or(1);
        let peak = || fields.need("peak", fields.peak);
        let warmup = || fields.need("warmup", fields.warmup);
        let decay_rate = || fields.need("decay_rate", fields.decay_rate);
        let staircase = fields.staircase.unwrap_or(false);
        let initial = fields.warmup_initial.unwrap_or(0.0);
        let rule = match fields.kind {
            Kind::Noam => {
                let d_model = fields.need("d_model", fields.d_model)?;
                Rule::Noam(Noam::new(d_model, warmup()?, fields.factor.unwrap_or(1.0))?)
            }
            Kind::InverseSqrt => Rule::InverseSqrt(InverseSqrt::new(peak()?, warmup()?)?.with_initial(initial)?),
            Kind::Constant => Rule::Constant(Constant::new(fields.need("rate", fields.rate)?)?),
            Kind::Linear => Rule::Linear(Linear::new(start()?, end, steps()?)?),
            Kind::Polynomial => {
                Rule::Polynomial(Polynomial::new(start()?, end, steps()?, fields.power.unwrap_or(1.0))?)
            }
            Kind::Exponential => {
                let new = if staircase { Exponential::staircase } else { Exponential::new };
                Rule::Exponential(new(start()?, decay_rate()?, period)?)
            }
            Kind::InverseTime => {
                let new = if staircase { InverseTime::staircase } else { InverseTime::new };
                Rule::InverseTime(new(start()?, decay_rate()?, period)?)
            }
            Kind::Piecewise => {
                let rates = fields.need("rates", fields.rates)?;
                let boundaries = fields.need("boundaries", fields.boundaries)?;
                Rule::Piecewise(Piecewise::new(rates.as_slice(), boundaries.as_slice())?)
            }
            Kind::Cosine => Rule::Cosine(Cosine::new(start()?, end, steps()?)?),
            Kind::CosineRestarts => {
                let (t_mul, m_mul) = (fields.t_mul.unwrap_or(1), fields.m_mul.unwrap_or(1.0));
                Rule::CosineRestarts(CosineRestarts::new(start()?, end, steps()?, t_mul, m_mul)?)
            }
            Kind::Wsd => {
                let wsd = Wsd::new(peak()?, warmup()?, fields.need("stable", fields.stable)?, steps()?)?;
                Rule::Wsd(wsd.with_initial(initial)?.with_end(end)?.with_shape(fields.shape.unwrap_or_default()))
            }
        };
        let mut spec = Self::new(rule).with_floor(fields.floor.unwrap_or(0.0))?;
        if rule.own_warmup().is_none() {
            spec = spec.with_warmup(fields.warmup.unwrap_or(1))?.with_warmup_initial(initial)?;
        }
        Ok(spec)
    }
}

impl From<Spec> for Fields {
    /// Every parameter of the kind, those that have their default too; of the optional warm-up and floor only what is there.
    fn from(spec: Spec) -> Self {
        let mut fields = Self::new(spec.kind());
        let (mut warmup, mut initial) = (spec.schedule.steps(), spec.schedule.initial());
        match spec.rule() {
            Rule::Noam(s) => {
                warmup = s.warmup();
                fields = Self { d_model: Some(s.d_model()), factor: Some(s.factor()), ..fields };
            }
            Rule::InverseSqrt(s) => {
                (warmup, initial) = (s.warmup(), s.initial());
                fields = Self { peak: Some(s.peak()), ..fields };
            }
            Rule::Constant(s) => fields = Self { rate: Some(s.value()), ..fields },
            Rule::Linear(s) => {
                fields = Self { start: Some(s.start()), end: Some(s.end()), steps: Some(s.steps()), ..fields };
            }
            Rule::Polynomial(s) => {
                fields = Self { start: Some(s.start()), end: Some(s.end()), steps: Some(s.steps()), ..fields };
                fields.power = Some(s.power());
            }
            Rule::Exponential(s) => {
                fields = Self { start: Some(s.start()), decay_rate: Some(s.decay_rate()), ..fields };
                fields = Self { steps: Some(s.steps()), staircase: Some(s.is_staircase()), ..fields };
            }
            Rule::InverseTime(s) => {
                fields = Self { start: Some(s.start()), decay_rate: Some(s.decay_rate()), ..fields };
                fields = Self { steps: Some(s.steps()), staircase: Some(s.is_staircase()), ..fields };
            }
            Rule::Piecewise(s) => {
                let (rates, boundaries) = s.lists();
                fields = Self { rates: Some(rates), boundaries: Some(boundaries), ..fields };
            }
            Rule::Cosine(s) => {
                fields = Self { start: Some(s.start()), end: Some(s.end()), steps: Some(s.steps()), ..fields };
            }
            Rule::CosineRestarts(s) => {
                fields = Self { start: Some(s.start()), end: Some(s.end()), steps: Some(s.steps()), ..fields };
                fields = Self { t_mul: Some(s.t_mul()), m_mul: Some(s.m_mul()), ..fields };
            }
            Rule::Wsd(s) => {
                (warmup, initial) = (s.warmup(), s.initial());
                fields = Self { peak: Some(s.peak()), stable: Some(s.stable()), ..fields };
                fields = Self { steps: Some(s.steps()), end: Some(s.end()), shape: Some(s.shape()), ..fields };
            }
        }
        let own = spec.rule().own_warmup().is_some();
        fields.warmup = (own || warmup != 1).then_some(warmup);
        fields.warmup_initial = (initial != 0.0).then_some(initial);
        fields.floor = (spec.floor != 0.0).then_some(spec.floor);
        fields
    }
}

macro_rules! from_schedule {
    ($($name:ident),*) => {$(
        impl From<$name> for Spec {
            fn from(schedule: $name) -> Self {
                Self::new(Rule::$name(schedule))
            }
        }
    )*};
}

from_schedule!(
    Noam,
    InverseSqrt,
    Constant,
    Linear,
    Polynomial,
    Exponential,
    InverseTime,
    Piecewise,
    Cosine,
    CosineRestarts,
    Wsd
);
