//! The parameters of a schedule as they are written down.

use crate::list::List;
use crate::{Error, Kind, Shape};

/// The parameters of any schedule, as a configuration file or a command line gives them: a kind, and a flat set of optional
/// fields. [`Kind::parameters`] says which a kind takes; [`Spec::try_from`](crate::Spec) checks them.
///
/// # Example
/// ```
/// use noam_schedule::{Fields, Kind, Schedule, Spec, Step};
/// let spec = Spec::try_from(Fields { d_model: Some(512), warmup: Some(4000), ..Fields::new(Kind::Noam) })?;
/// assert_eq!(spec.rate(Step::new(4000)?), 6.987712429686842e-4);
/// let error = Spec::try_from(Fields { d_model: Some(512), ..Fields::new(Kind::Noam) }).unwrap_err();
/// assert_eq!(error.to_string(), "noam: `warmup` is missing; noam takes d_model, warmup, [factor], [floor]");
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Fields {
    /// Which schedule.
    pub kind: Kind,
    /// Width of the model.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub d_model: Option<u64>,
    /// Scale of the whole schedule.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub factor: Option<f64>,
    /// The rate of a constant schedule.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub rate: Option<f64>,
    /// Rate at the end of the warm-up.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub peak: Option<f64>,
    /// Rate of the first update after the warm-up.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub start: Option<f64>,
    /// Rate at the end of the decay and after it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub end: Option<f64>,
    /// Updates of the decay, of its first cycle, or between its stairs.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub steps: Option<u64>,
    /// Exponent of a polynomial.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub power: Option<f64>,
    /// Factor of an exponential decay, growth of an inverse-time decay.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub decay_rate: Option<f64>,
    /// Whether the rate changes only every `steps` updates.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub staircase: Option<bool>,
    /// Rates of a piecewise schedule, one more than boundaries.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub rates: Option<List<f64>>,
    /// First step of each rate but the first, ascending.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub boundaries: Option<List<u64>>,
    /// How many times as long as the one before a cycle is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub t_mul: Option<u64>,
    /// How many times as high as the one before a cycle is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub m_mul: Option<f64>,
    /// Updates at the peak.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub stable: Option<u64>,
    /// Shape of the decay after a stable part.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub shape: Option<Shape>,
    /// Updates until the peak.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub warmup: Option<u64>,
    /// Rate that the warm-up rises from, that of update 0.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub warmup_initial: Option<f64>,
    /// Least rate, at any step.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub floor: Option<f64>,
}

impl Fields {
    /// A kind and no parameters yet.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            d_model: None,
            factor: None,
            rate: None,
            peak: None,
            start: None,
            end: None,
            steps: None,
            power: None,
            decay_rate: None,
            staircase: None,
            rates: None,
            boundaries: None,
            t_mul: None,
            m_mul: None,
            stable: None,
            shape: None,
            warmup: None,
            warmup_initial: None,
            floor: None,
        }
    }

    /// Each field's name, and whether it is given.
    pub fn given(&self) -> [(&'static str, bool); 19] {
        [
            ("d_model", self.d_model.is_some()),
            ("factor", self.factor.is_some()),
            ("rate", self.rate.is_some()),
            ("peak", self.peak.is_some()),
            ("start", self.start.is_some()),
            ("end", self.end.is_some()),
            ("steps", self.steps.is_some()),
            ("power", self.power.is_some()),
            ("decay_rate", self.decay_rate.is_some()),
            ("staircase", self.staircase.is_some()),
            ("rates", self.rates.is_some()),
            ("boundaries", self.boundaries.is_some()),
            ("t_mul", self.t_mul.is_some()),
            ("m_mul", self.m_mul.is_some()),
            ("stable", self.stable.is_some()),
            ("shape", self.shape.is_some()),
            ("warmup", self.warmup.is_some()),
            ("warmup_initial", self.warmup_initial.is_some()),
            ("floor", self.floor.is_some()),
        ]
    }

    /// Refuses a field that the kind does not take.
    pub(crate) fn refuse_unexpected(&self) -> Result<(), Error> {
        let kind = self.kind;
        let takes = |name| kind.parameters().iter().any(|parameter| parameter.name == name);
        match self.given().into_iter().find(|&(name, given)| given && !takes(name)) {
            Some((name, _)) => Err(Error::Unexpected { kind, name }),
            None => Ok(()),
        }
    }

    /// `value`, or the error that the field of that name is missing.
    pub(crate) fn need<T>(&self, name: &'static str, value: Option<T>) -> Result<T, Error> {
        value.ok_or(Error::Missing { kind: self.kind, name })
    }
}
