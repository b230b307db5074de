//! Rates that follow what happens in training: state machines beside the pure schedules.
//!
//! A [`Schedule`](crate::Schedule) sees the step alone. The rules here see a validation metric or gradients, so they have
//! state; all of it is serialisable (feature `serde`), and a rule that is stored and read back goes on with the same bits.

#[cfg(feature = "serde")]
mod exact;
mod hypergradient;
mod plateau;

pub use hypergradient::{Form, Hypergradient, HypergradientConfig, Signal};
pub use plateau::{Mode, PlateauConfig, ReduceOnPlateau, Threshold};

use crate::Error;

/// `value` if it is finite: what a rule may observe.
fn finite(of: &'static str, name: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        Ok(value)
    } else {
        let hint = "the training has diverged; skip the update or stop";
        Err(Error::Value { of, name, value, want: "finite", hint })
    }
}
