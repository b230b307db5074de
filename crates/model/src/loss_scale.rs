//! Dynamic loss scaling (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2), for gradients in f16.
//!
//! Below 6e-8 an f16 is 0, and most of a model's gradients are there. So the loss is multiplied by a power of two, and with it
//! every gradient; the update divides by it, in f32, which loses nothing. The scale is as large as overflow lets it be: an
//! update whose gradients are not finite is skipped and halves it, and after a number of good ones in a row it is tried doubled.

use serde::{Deserialize, Serialize};

/// The scale of the loss, and how it came about: the whole state, so that a run that goes on does so exactly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct LossScale {
    scale: f32,
    good: u32,
}

/// As read from a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    scale: f32,
    good: u32,
}

impl LossScale {
    /// The first scale, PyTorch's too.
    pub const START: f32 = 65_536.0;
    /// Updates in a row after which the scale is doubled, as in PyTorch.
    pub const INTERVAL: u32 = 2000;
    /// The scale never leaves these: below 1 it would do harm, and up to 2^24 it and its inverse are far from f32's ends.
    pub const LIMITS: [f32; 2] = [1.0, 16_777_216.0];

    /// What the loss is multiplied by: a power of two.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Updates since the scale last changed.
    pub fn good(&self) -> u32 {
        self.good
    }

    /// Whether it can be halved: gradients that are not finite may be for want of that.
    pub fn can_fall(&self) -> bool {
        self.scale > LossScale::LIMITS[0]
    }

    /// Learns whether an update's gradients were finite.
    pub fn observe(&mut self, finite: bool) {
        let [least, most] = LossScale::LIMITS;
        self.good = if finite { self.good + 1 } else { 0 };
        if !finite {
            self.scale = (self.scale / 2.0).max(least);
        } else if self.good == LossScale::INTERVAL {
            *self = LossScale { scale: (self.scale * 2.0).min(most), good: 0 };
        }
    }
}

impl Default for LossScale {
    fn default() -> Self {
        LossScale { scale: LossScale::START, good: 0 }
    }
}

impl TryFrom<Saved> for LossScale {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let Saved { scale, good } = saved;
        let [least, most] = LossScale::LIMITS;
        // The fraction's bits of a power of two are 0.
        if !(least..=most).contains(&scale) || scale.to_bits() & 0x7f_ffff != 0 {
            return Err(format!("a loss scale of {scale}; it is a power of two from {least} to {most}"));
        }
        if good >= LossScale::INTERVAL {
            return Err(format!(
                "{good} updates since the loss scale changed; they are less than {}",
                LossScale::INTERVAL
            ));
        }
        Ok(LossScale { scale, good })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_halves_it_and_good_updates_in_a_row_double_it() {
        let mut scale = LossScale::default();
        scale.observe(false);
        assert_eq!(scale, LossScale { scale: 32_768.0, good: 0 });
        for _ in 0..LossScale::INTERVAL - 1 {
            scale.observe(true);
        }
        assert_eq!((scale.scale(), scale.good()), (32_768.0, 1999));
        let mut unlucky = scale;
        unlucky.observe(false);
        assert_eq!(unlucky, LossScale { scale: 16_384.0, good: 0 });
        scale.observe(true);
        assert_eq!(scale, LossScale { scale: 65_536.0, good: 0 });
    }

    #[test]
    fn it_stays_within_its_limits() {
        let mut scale = LossScale::default();
        let mut falls = 0;
        for _ in 0..40 {
            falls += i32::from(scale.can_fall());
            scale.observe(false);
        }
        assert_eq!((scale.scale(), falls), (1.0, 16));
        for _ in 0..40 * LossScale::INTERVAL {
            scale.observe(true);
        }
        assert_eq!(scale, LossScale { scale: 16_777_216.0, good: 0 });
    }

    #[test]
    fn it_is_written_and_read_and_nonsense_is_refused() {
        let scale = LossScale { scale: 1024.0, good: 17 };
        let text = serde_json::to_string(&scale).unwrap();
        assert_eq!(text, r#"{"scale":1024.0,"good":17}"#);
        assert_eq!(serde_json::from_str::<LossScale>(&text).unwrap(), scale);
        for bad in [
            r#"{"scale":0.5,"good":0}"#,
            r#"{"scale":3.0,"good":0}"#,
            r#"{"scale":null,"good":0}"#,
            r#"{"scale":2.0,"good":2000}"#,
            r#"{"scale":2.0}"#,
        ] {
            assert!(serde_json::from_str::<LossScale>(bad).is_err(), "{bad}");
        }
    }
}
