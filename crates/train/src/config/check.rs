//! Settings that go together, or an error that says which do not.

use super::{Data, Feedback, RunConfig, Source};
use crate::Error;
use crate::tokenizer::{MAX_VOCAB, MIN_VOCAB};
use noam_schedule::feedback::{Hypergradient, ReduceOnPlateau};
use std::fmt::Display;
use std::path::PathBuf;

fn require(holds: bool, key: &'static str, value: impl Display, limit: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Setting { key, value: value.to_string(), limit }) }
}

impl RunConfig {
    /// Checks every setting, and that they go together.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::DataSettings`], [`Error::Model`], [`Error::Kernel`] or [`Error::Schedule`] for the first
    /// that does not.
    pub fn validate(&self) -> Result<(), Error> {
        self.model.validate()?;
        self.adam().check()?;
        let (model, training, data, search) = (&self.model, &self.training, &self.data, &self.search);
        let vocab = (MIN_VOCAB..=MAX_VOCAB).contains(&model.vocab_size);
        require(vocab, "model.vocab_size", model.vocab_size, "32 to 1048576; 4000 to 32000 is usual")?;
        require(training.max_steps != Some(0), "training.max_steps", 0, "at least 1; leave it out for no limit")?;
        if let Some(minutes) = training.max_minutes {
            let fits = minutes > 0.0 && minutes.is_finite();
            require(fits, "training.max_minutes", minutes, "finite and greater than 0; leave it out for no limit")?;
        }
        let tokens = (1..=1 << 24).contains(&training.batch_tokens);
        require(tokens, "training.batch_tokens", training.batch_tokens, "1 to 16777216; 1000 to 8000 is usual")?;
        let batches = (1..=65_536).contains(&training.accumulation);
        require(batches, "training.accumulation", training.accumulation, "1 to 65536")?;
        let smoothing = (0.0..1.0).contains(&training.label_smoothing);
        require(smoothing, "training.label_smoothing", training.label_smoothing, "at least 0 and less than 1")?;
        let clip = training.clip_norm >= 0.0 && training.clip_norm.is_finite();
        require(clip, "training.clip_norm", training.clip_norm, "finite and at least 0; 0 is no clipping")?;
        for (key, value) in [
            ("training.valid_interval", training.valid_interval),
            ("training.checkpoint_interval", training.checkpoint_interval),
        ] {
            require(value > 0, key, value, "at least 1")?;
        }
        require(training.keep <= 1000, "training.keep", training.keep, "at most 1000")?;
        require(training.average <= 100, "training.average", training.average, "at most 100")?;
        let beam = search.beam >= 1 && search.beam <= 1024;
        require(beam, "search.beam", search.beam, "1 to 1024; 4 is a usual choice")?;
        let penalty = search.length_penalty.is_finite();
        require(penalty, "search.length_penalty", search.length_penalty, "finite; 1 is a usual choice")?;
        require(search.max_tokens >= 1, "search.max_tokens", search.max_tokens, "at least 1")?;
        let len = (2..=model.max_len).contains(&data.max_len);
        require(len, "data.max_len", data.max_len, "at least 2 and at most model.max_len")?;
        match &training.feedback {
            None => {}
            Some(Feedback::Plateau(rule)) => drop(ReduceOnPlateau::new(1.0, *rule)?),
            Some(Feedback::Hypergradient(rule)) => drop(Hypergradient::new(1.0, *rule)?),
        }
        if let Source::Embedded(_) = data.source()? {
            let limit = "1 to 10000000";
            let fits = |n| (1..=10_000_000).contains(&n);
            require(fits(data.train_sentences), "data.train_sentences", data.train_sentences, limit)?;
            require(fits(data.valid_sentences), "data.valid_sentences", data.valid_sentences, limit)?;
            require(fits(data.test_sentences), "data.test_sentences", data.test_sentences, limit)?;
        }
        Ok(())
    }
}

impl Data {
    /// Where the sentences come from.
    ///
    /// # Errors
    /// [`Error::DataSettings`] unless exactly one of the three ways is given, and whole.
    pub fn source(&self) -> Result<Source<'_>, Error> {
        let refuse = |problem: String| Err(Error::DataSettings { problem });
        let parallel = [
            ("train_src", &self.train_src),
            ("train_tgt", &self.train_tgt),
            ("valid_src", &self.valid_src),
            ("valid_tgt", &self.valid_tgt),
            ("test_src", &self.test_src),
            ("test_tgt", &self.test_tgt),
        ];
        let tsv = [("train", &self.train), ("valid", &self.valid), ("test", &self.test)];
        let given = |files: &[(&'static str, &Option<PathBuf>)]| {
            files.iter().find(|(_, path)| path.is_some()).map(|&(name, _)| name)
        };
        match (self.pair, given(&parallel), given(&tsv)) {
            (Some(pair), None, None) => Ok(Source::Embedded(pair)),
            (None, Some(_), None) => {
                if self.test_src.is_some() != self.test_tgt.is_some() {
                    return refuse("test_src and test_tgt go together; give both or neither".into());
                }
                match (&self.train_src, &self.train_tgt, &self.valid_src, &self.valid_tgt) {
                    (Some(a), Some(b), Some(c), Some(d)) => Ok(Source::Parallel {
                        train: [a, b],
                        valid: [c, d],
                        test: self.test_src.as_ref().zip(self.test_tgt.as_ref()).map(|(a, b)| [a, b]),
                    }),
                    _ => {
                        let missing =
                            parallel.iter().find(|(_, path)| path.is_none()).map_or("a file", |(name, _)| name);
                        refuse(format!(
                            "{missing} is missing; training needs train_src, train_tgt, valid_src, valid_tgt"
                        ))
                    }
                }
            }
            (None, None, Some(_)) => match (&self.train, &self.valid) {
                (Some(train), Some(valid)) => Ok(Source::Tsv { train, valid, test: self.test.as_ref() }),
                (None, _) => refuse("train is missing; training from TSV files needs train and valid".into()),
                (_, None) => refuse("valid is missing; training from TSV files needs train and valid".into()),
            },
            (None, None, None) => refuse(
                "nothing to train on; give pair, or train_src, train_tgt, valid_src and valid_tgt, or train and valid"
                    .into(),
            ),
            (Some(_), Some(file), _) | (Some(_), _, Some(file)) | (None, Some(file), Some(_)) => refuse(format!(
                "{file} is given together with another source; give one of pair, the *_src and *_tgt files, or the TSV files"
            )),
        }
    }
}
