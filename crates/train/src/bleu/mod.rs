//! BLEU (Papineni, Roukos, Ward & Zhu 2002, [ACL P02-1040](https://aclanthology.org/P02-1040/)) as sacreBLEU defines it
//! (Post 2018, [arXiv:1804.08771](https://arxiv.org/abs/1804.08771)).
//!
//! `BLEU = BP * exp(sum_n log(p_n) / 4)` for n-grams of 1 to 4 words, counted over the whole corpus, in percent; the
//! brevity penalty `BP` is `exp(1 - ref_len / sys_len)` for a system output that is shorter than its references. One
//! reference a sentence, upper and lower case distinct.
//!
//! `golden/` holds figures by sacreBLEU 2.6.0, reached to 1e-9. The signature has sacreBLEU's form, but for
//! `version`: that says which program computed the score, so it says `noam-` and this crate's version.
//!
//! ```
//! use noam_train::bleu::{self, Options};
//!
//! let hyps = ["The dog sleeps in the garden.", "He bought bread."];
//! let refs = ["The dog sleeps in the big garden.", "He bought bread."];
//! let score = bleu::corpus(&hyps, &refs, &Options::default())?;
//! assert_eq!(score.signature(), format!("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:noam-{}", bleu::VERSION));
//! assert!(score.to_string().ends_with(
//!     "= 71.74 100.0/88.9/71.4/60.0 (BP = 0.913 ratio = 0.917 hyp_len = 11 ref_len = 12)"
//! ));
//! # Ok::<(), noam_train::bleu::Error>(())
//! ```

mod error;
#[cfg(test)]
mod tests;
mod tokenize;

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use error::Error;
pub use tokenize::Tokenization;

/// The version of this implementation, as signatures give it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longest n-gram counted.
const MAX_ORDER: usize = 4;

/// What stands for the precision of an n-gram order without a match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Smoothing {
    /// 1/2 of a match for the first such order, 1/4 for the second and so on.
    #[default]
    Exp,
    /// This many matches; 0.1 is usual.
    Floor(f64),
    /// Nothing: the score is 0.
    None,
}

/// How to score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Default `13a`; `zh` for Chinese.
    pub tokenization: Tokenization,
    /// Default `exp`.
    pub smoothing: Smoothing,
}

/// A BLEU score and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// The score, 0 to 100.
    pub score: f64,
    /// Precisions of 1- to 4-grams in percent, after smoothing.
    pub precisions: [f64; MAX_ORDER],
    /// n-grams of the system output that the reference has too.
    pub matches: [u64; MAX_ORDER],
    /// n-grams of the system output.
    pub totals: [u64; MAX_ORDER],
    /// Brevity penalty, 0 to 1.
    pub bp: f64,
    /// Words of the system output.
    pub sys_len: u64,
    /// Words of the references.
    pub ref_len: u64,
    /// `sys_len / ref_len`; 0 without references.
    pub ratio: f64,
    /// How it was computed.
    pub options: Options,
    /// Whether orders longer than the sentence were left out: so for [`sentence`], not for [`corpus`].
    pub effective_order: bool,
}

/// The score of a whole test set: `refs[i]` is the reference for `hyps[i]`.
///
/// # Errors
/// [`Error::Counts`] for unequal numbers, [`Error::Empty`] for none, [`Error::Floor`] for a floor that is not positive.
pub fn corpus<H: AsRef<str>, R: AsRef<str>>(hyps: &[H], refs: &[R], options: &Options) -> Result<Score, Error> {
    if hyps.len() != refs.len() {
        return Err(Error::Counts { hyps: hyps.len(), refs: refs.len() });
    }
    if hyps.is_empty() {
        return Err(Error::Empty);
    }
    let mut counts = Counts::default();
    for (hyp, reference) in hyps.iter().zip(refs) {
        counts.add(hyp.as_ref(), reference.as_ref(), options.tokenization);
    }
    counts.score(options, false)
}

/// The score of one sentence, over the n-gram orders that it is long enough for.
///
/// # Errors
/// [`Error::Floor`] for a floor that is not positive.
pub fn sentence(hyp: &str, reference: &str, options: &Options) -> Result<Score, Error> {
    let mut counts = Counts::default();
    counts.add(hyp, reference, options.tokenization);
    counts.score(options, true)
}

#[derive(Default)]
struct Counts {
    matches: [u64; MAX_ORDER],
    totals: [u64; MAX_ORDER],
    sys_len: u64,
    ref_len: u64,
}

impl Counts {
    fn add(&mut self, hyp: &str, reference: &str, tokenization: Tokenization) {
        let (hyp, reference) = (tokenization.apply(hyp), tokenization.apply(reference));
        let (hyp, reference) = (tokenize::words(&hyp), tokenize::words(&reference));
        self.sys_len += hyp.len() as u64;
        self.ref_len += reference.len() as u64;
        for n in 1..=MAX_ORDER {
            let mut left: HashMap<&[&str], u64> = HashMap::new();
            for ngram in reference.windows(n) {
                *left.entry(ngram).or_default() += 1;
            }
            for ngram in hyp.windows(n) {
                self.totals[n - 1] += 1;
                // Each occurrence in the reference matches once.
                if let Some(left) = left.get_mut(ngram).filter(|left| **left > 0) {
                    *left -= 1;
                    self.matches[n - 1] += 1;
                }
            }
        }
    }

    fn score(self, options: &Options, effective_order: bool) -> Result<Score, Error> {
        if let Smoothing::Floor(value) = options.smoothing
            && !(value.is_finite() && value > 0.0)
        {
            return Err(Error::Floor { value });
        }
        let Self { matches, totals, sys_len, ref_len } = self;
        let bp = match (sys_len, ref_len) {
            (0, 1..) => 0.0,
            (s, r) if s < r => (1.0 - r as f64 / s as f64).exp(),
            _ => 1.0,
        };
        let mut precisions = [0.0; MAX_ORDER];
        let mut score = 0.0;
        if matches != [0; MAX_ORDER] {
            let mut order = MAX_ORDER;
            let mut halves = 1.0;
            for n in 0..MAX_ORDER {
                if totals[n] == 0 {
                    break;
                }
                if effective_order {
                    order = n + 1;
                }
                let found = match (matches[n], options.smoothing) {
                    (0, Smoothing::Exp) => {
                        halves /= 2.0;
                        halves
                    }
                    (0, Smoothing::Floor(value)) => value,
                    (found, _) => found as f64,
                };
                precisions[n] = 100.0 * found / totals[n] as f64;
            }
            // A precision of 0 makes the logarithm minus infinity and the score 0.
            score = bp * (precisions[..order].iter().map(|p| p.ln()).sum::<f64>() / order as f64).exp();
        }
        let ratio = if ref_len == 0 { 0.0 } else { sys_len as f64 / ref_len as f64 };
        let options = *options;
        Ok(Score { score, precisions, matches, totals, bp, sys_len, ref_len, ratio, options, effective_order })
    }
}

impl Score {
    /// What has to be the same for two scores to be comparable, in sacreBLEU's form.
    pub fn signature(&self) -> String {
        let eff = if self.effective_order { "yes" } else { "no" };
        let tok = self.options.tokenization.name();
        let smooth = match self.options.smoothing {
            Smoothing::Exp => "exp".to_owned(),
            Smoothing::Floor(value) => format!("floor[{value:.2}]"),
            Smoothing::None => "none".to_owned(),
        };
        format!("nrefs:1|case:mixed|eff:{eff}|tok:{tok}|smooth:{smooth}|version:noam-{VERSION}")
    }
}

/// One line in sacreBLEU's form: signature, score, precisions, brevity penalty, ratio and lengths.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        write!(
            f,
            "BLEU|{} = {:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {:.3} ratio = {:.3} hyp_len = {} ref_len = {})",
            self.signature(),
            self.score,
            self.bp,
            self.ratio,
            self.sys_len,
            self.ref_len
        )
    }
}
