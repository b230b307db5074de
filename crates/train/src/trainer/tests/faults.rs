//! Numbers that are not finite: the run ends, says the true value, and saves nothing that they have touched.

use super::*;
use crate::run::{Record, read_metrics};
use crate::trainer::MAX_SKIPPED;
use noam_kernels::device::Device;
use noam_model::{Embeddings, Model, Training};

/// Where a bad number is put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::trainer) enum Place {
    Loss,
    Gradient(usize),
    Weight(usize),
    FirstMoment(usize),
    SecondMoment(usize),
}

/// A bad number in a place, at one attempt at a step or several.
#[derive(Debug)]
pub(in crate::trainer) struct Fault {
    pub step: u64,
    pub place: Place,
    pub value: f32,
    /// Attempts left.
    pub times: u64,
}

impl Fault {
    pub(in crate::trainer) fn before_passes<D: Device>(&mut self, step: u64, training: &mut Training<D>) {
        if step != self.step || self.times == 0 || matches!(self.place, Place::Loss | Place::Gradient(_)) {
            return;
        }
        self.times -= 1;
        let len = training.layout().len();
        let mut values = [(); 3].map(|()| vec![0.0; len]);
        let [weights, m, v] = &mut values;
        training.model().read_values(weights).unwrap();
        training.read_moments(m, v).unwrap();
        match self.place {
            Place::Loss | Place::Gradient(_) => {}
            Place::Weight(at) => {
                weights[at] = self.value;
                training.model_mut().write_values(weights).unwrap();
            }
            Place::FirstMoment(at) | Place::SecondMoment(at) => {
                let first = matches!(self.place, Place::FirstMoment(_));
                (if first { &mut *m } else { &mut *v })[at] = self.value;
                let model =
                    Model::from_values(training.model().device().another(), training.model().config().clone(), weights)
                        .unwrap();
                let adam = noam_kernels::adam::Config::default();
                *training = Training::resume(model, adam, training.updates(), m, v).unwrap();
            }
        }
    }

    pub(in crate::trainer) fn before_update<D: Device>(&mut self, step: u64, training: &mut Training<D>) {
        if let Place::Gradient(at) = self.place
            && step == self.step
            && self.times > 0
        {
            self.times -= 1;
            let mut gradients = vec![0.0; training.layout().len()];
            training.read_gradients(&mut gradients).unwrap();
            gradients[at] = self.value;
            training.write_gradients(&gradients).unwrap();
        }
    }

    pub(in crate::trainer) fn loss(&self, step: u64, loss: f64) -> f64 {
        if self.place == Place::Loss && step == self.step { f64::from(self.value) } else { loss }
    }
}

#[test]
fn a_bad_number_anywhere_ends_the_run_before_it_is_saved() {
    let mut config = tiny();
    // A row of the source embeddings that no batch reads makes neither loss nor gradient bad: only Adam sees it.
    config.model.embeddings = Embeddings::Separate;
    config.training.max_steps = Some(if full() { 20 } else { 5 });
    config.training.valid_bleu = 0;
    config.training.valid_interval = 100;
    config.training.checkpoint_interval = 1;
    let folder = tempfile::tempdir().unwrap();
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    let len = {
        let trainer = resume(&folder.path().join("whole"), 1).unwrap();
        trainer.layout.len()
    };
    // Row 1 of the source table, BOS, which no source has.
    let unread = 16;
    let places = [
        Place::Loss,
        Place::Gradient(unread),
        Place::Gradient(len - 1),
        Place::Weight(len - 1),
        Place::Weight(len / 2),
        Place::Weight(unread),
        Place::FirstMoment(len / 3),
        Place::SecondMoment(len - 1),
    ];
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let mut number = 0;
    for step in 1..=config.training.max_steps.unwrap() {
        for (p, place) in places.into_iter().enumerate() {
            for (i, value) in values.into_iter().enumerate() {
                if !full() && (step as usize + p) % values.len() != i {
                    continue;
                }
                number += 1;
                let run = folder.path().join(number.to_string());
                let mut trainer = Trainer::start(config.clone(), &run, setup(1)).unwrap();
                trainer.fault = Some(Fault { step, place, value, times: MAX_SKIPPED });
                let error = trainer.run(&mut (), &never()).unwrap_err();
                let what = format!("{place:?} {value} at step {step}: {error}");
                match (&error, place) {
                    (Error::Diverged { step: at, loss }, Place::Loss) => {
                        assert_eq!((*at, loss.to_bits()), (step, f64::from(value).to_bits()), "{what}");
                    }
                    (Error::Skipped { count, norm, step: at }, Place::Gradient(_)) => {
                        // The norm of gradients with NaN among them is NaN, with an infinity of either sign infinity.
                        assert_eq!(
                            (*count, norm.is_nan(), *norm > 0.0),
                            (MAX_SKIPPED, value.is_nan(), value.is_infinite())
                        );
                        assert_eq!(*at, step, "{what}");
                    }
                    (Error::Diverged { step: at, loss }, Place::Weight(_)) => {
                        assert!(*at == step && !loss.is_finite(), "{what}");
                    }
                    (Error::Skipped { step: at, .. }, Place::Weight(_)) => assert_eq!(*at, step, "{what}"),
                    (Error::Poisoned { step: at, what: name }, _) => {
                        assert_eq!(*at, step, "{what}");
                        assert!(name.contains("NaN") || name.contains("inf"), "{what}");
                    }
                    _ => panic!("{what}"),
                }
                let last = read_metrics(trainer.storage, &run).unwrap().pop().unwrap();
                let shown = match &last {
                    Record::Diverged { loss, grad_norm, .. } => {
                        // With a moment at fault, loss and norm are finite and both are there to be seen.
                        !loss.0.is_finite() || grad_norm.is_some()
                    }
                    Record::Skipped { grad_norm, .. } => !grad_norm.0.is_finite(),
                    _ => false,
                };
                assert!(shown, "{what}: {last:?}");
                let saved = whole_checkpoints(&trainer);
                assert_eq!(saved.last().copied(), (step > 1).then(|| step - 1), "{what}: {saved:?}");
                drop(trainer);
                if number % 7 == 0 || full() {
                    // What was saved goes on as if nothing had happened.
                    let mut trainer = resume(&run, 1).unwrap();
                    trainer.run(&mut (), &never()).unwrap();
                    assert_eq!(outcome(&trainer), want, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_skipped_update_has_no_step_and_no_rate() {
    let config = tiny();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut trainer = Trainer::start(config.clone(), &run, setup(1)).unwrap();
    trainer.fault = Some(Fault { step: 4, place: Place::Gradient(7), value: f32::NAN, times: MAX_SKIPPED - 1 });
    let summary = trainer.run(&mut (), &never()).unwrap();
    assert_eq!(summary.step, 10);
    assert_eq!(trainer.state().skipped, 0);
    let records = read_metrics(trainer.storage, &run).unwrap();
    let skipped = records.iter().filter(|r| matches!(r, Record::Skipped { step: 4, .. })).count();
    assert_eq!(skipped as u64, MAX_SKIPPED - 1);
    let rates: Vec<(u64, f64)> =
        records.iter().filter_map(|r| if let Record::Step(r) = r { Some((r.step, r.rate)) } else { None }).collect();
    assert_eq!(rates.iter().map(|&(step, _)| step).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    for (step, rate) in rates {
        let want = noam_schedule::Schedule::rate(&config.schedule, noam_schedule::Step::new(step).unwrap());
        assert_eq!(rate, want, "step {step}");
    }
    // Each skipped update took its two batches: the data are further than steps alone would have them.
    let batches = |trainer: &Trainer<'_>| {
        let at = trainer.state().position;
        (0..at.epoch).map(|epoch| trainer.batches.epoch(epoch).len() as u64).sum::<u64>() + at.index
    };
    assert_eq!(batches(&trainer), 2 * (10 + MAX_SKIPPED - 1));
}

/// Puts bad numbers into the gradient at every step, one attempt after the other: in each parameter in turn, and each of the
/// three numbers. Called before the update, it sees what the attempt before has left.
#[derive(Debug, Default)]
pub(in crate::trainer) struct Sweep {
    /// How many were put so far.
    put: usize,
    /// Those of the step in progress, and what weights and moments were before it.
    attempts: u64,
    step: u64,
    before: Vec<String>,
    /// What should be logged: step, and the gradients' norm.
    expected: Vec<(u64, f64)>,
}

const BAD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

impl Sweep {
    pub(in crate::trainer) fn before_update<D: Device>(&mut self, step: u64, training: &mut Training<D>) {
        let len = training.layout().len();
        let mut values = [(); 3].map(|()| vec![0.0; len]);
        let [weights, m, v] = &mut values;
        training.model().read_values(weights).unwrap();
        training.read_moments(m, v).unwrap();
        assert!(values.iter().flatten().all(|value| value.is_finite()), "step {step}");
        let now: Vec<String> = values.iter().map(|values| digest(values)).collect();
        if step == self.step {
            assert_eq!(now, self.before, "a skipped update of step {step} has changed something");
        } else {
            assert_eq!(training.updates() + 1, step);
            (self.step, self.attempts, self.before) = (step, 0, now);
        }
        self.attempts += 1;
        if self.attempts == MAX_SKIPPED {
            // One less than would end the run.
            return;
        }
        let entries = training.layout().entries();
        let entry = &entries[self.put / BAD.len() % entries.len()];
        let at = entry.offset + self.put % entry.len();
        let value = BAD[self.put % BAD.len()];
        let mut gradients = vec![0.0; len];
        training.read_gradients(&mut gradients).unwrap();
        gradients[at] = value;
        training.write_gradients(&gradients).unwrap();
        self.put += 1;
        self.expected.push((step, f64::from(value).abs()));
    }
}

#[test]
fn a_bad_gradient_in_any_parameter_at_any_step_changes_nothing() {
    let mut config = tiny();
    config.training.max_steps = Some(20);
    config.training.checkpoint_interval = 1;
    config.training.keep = 20;
    config.training.valid_bleu = 0;
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::start(config, &folder.path().join("run"), setup(1)).unwrap();
    trainer.sweep = Some(Sweep::default());
    let summary = trainer.run(&mut (), &never()).unwrap();
    assert_eq!(summary.step, 20);
    let Sweep { put, expected, .. } = trainer.sweep.take().unwrap();
    assert_eq!(put as u64, 20 * (MAX_SKIPPED - 1));
    assert!(put >= BAD.len() * trainer.layout.entries().len(), "not every parameter had its turn");
    let logged =
        read_metrics(trainer.storage, trainer.run_dir()).unwrap().into_iter().filter_map(|record| match record {
            Record::Skipped { step, grad_norm, .. } => Some((step, grad_norm.0)),
            _ => None,
        });
    // NaN equals nothing, its text itself.
    let shown = |all: Vec<(u64, f64)>| all.iter().map(|line| format!("{line:?}")).collect::<Vec<_>>();
    assert_eq!(shown(logged.collect()), shown(expected));
    assert_eq!(whole_checkpoints(&trainer), (1..=20).collect::<Vec<_>>());
}
