//! A rate for each stretch of steps.

use crate::error::{self, Error};
use crate::list::List;
use crate::{Schedule, Step};

/// Piecewise constant: the first rate before the first boundary, the second from there to the next, and so on.
///
/// `rate(n) = rates[number of boundaries <= n]`: a boundary is the first update that has the next rate. Up to
/// [`MAX_PIECES`](crate::MAX_PIECES) rates; [`Then`](crate::Then) joins more.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `PiecewiseConstantDecay(boundaries, values)` | counter `t` from 0, a boundary is the last with the old value | boundary `b + 2` |
/// | PyTorch `MultiStepLR(milestones, gamma)` | `t` from 0; the rate times `gamma` from `t = m` on | boundary `m + 1`, the products as rates |
/// | optax `piecewise_constant_schedule(init_value, {b: scale})` | `t` from 0; the rate times `scale` from `t = b` on | boundary `b + 1`, the products as rates |
/// | fairseq `fixed` with a list of rates | one an epoch | the first update of each epoch |
/// | tensor2tensor `piecewise` | multiples of the rate, boundaries as Keras | boundary `b + 2`, the products |
/// | Hugging Face | none | |
///
/// # Example
/// ```
/// use noam_schedule::{Piecewise, Schedule, Step};
/// let schedule = Piecewise::new(&[1e-3, 5e-4, 1e-4], &[101, 501])?;
/// assert_eq!(schedule.rate(Step::new(100)?), 1e-3);
/// assert_eq!(schedule.rate(Step::new(101)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(501)?), 1e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piecewise {
    rates: List<f64>,
    boundaries: List<u64>,
}

impl Piecewise {
    /// The schedule of `rates`, one more than `boundaries`, which ascend from 2 or more.
    ///
    /// # Errors
    /// [`Error::Pieces`] if the numbers of rates and boundaries don't fit, [`Error::Capacity`] if there are too many,
    /// [`Error::Value`] for a rate that is not finite and at least 0, [`Error::Order`] for a boundary that does not come
    /// after the one before it.
    pub fn new(rates: &[f64], boundaries: &[u64]) -> Result<Self, Error> {
        if rates.len() != boundaries.len() + 1 {
            return Err(Error::Pieces { rates: rates.len(), boundaries: boundaries.len() });
        }
        for &rate in rates {
            error::rate("piecewise", "rates", rate)?;
        }
        let mut previous = 1;
        for (index, &boundary) in boundaries.iter().enumerate() {
            if boundary <= previous {
                return Err(Error::Order { index, boundary, previous });
            }
            previous = boundary;
        }
        Ok(Self { rates: List::new(rates)?, boundaries: List::new(boundaries)? })
    }

    /// The rates, in order.
    pub fn rates(&self) -> &[f64] {
        self.rates.as_slice()
    }

    /// The first update of each rate but the first, in order.
    pub fn boundaries(&self) -> &[u64] {
        self.boundaries.as_slice()
    }

    pub(crate) fn lists(&self) -> (List<f64>, List<u64>) {
        (self.rates, self.boundaries)
    }
}

impl Schedule for Piecewise {
    fn rate(&self, step: Step) -> f64 {
        self.rates()[self.boundaries().partition_point(|&boundary| boundary <= step.get())]
    }
}
