//! A model in training: gradients, Adam and its moments, and the arena of activations.

use crate::batch::Batch;
use crate::engine::{Engine, Noise, Tokens};
use crate::loss_scale::LossScale;
use crate::model::{Model, check_len};
use crate::params::Layout;
use crate::plan::Plan;
use crate::{Config, Error, Limit};
use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::{Device, Moving, Optimized, Precision, Scaling, Span};
use noam_schedule::Schedule;
use std::collections::HashMap;

/// What a forward and backward pass needs to know beyond its batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// Decides the dropout, with the step's number and the micro-batch's.
    pub seed: u64,
    /// Which of the batches of this update it is, from 0.
    pub micro_batch: u16,
    /// Label smoothing, in [0, 1).
    pub label_smoothing: f32,
    /// Target tokens in all the batches of this update: the loss whose gradient is accumulated is the mean over them.
    pub update_tokens: usize,
}

/// Sums over the targets of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Label-smoothed cross-entropy, in nats.
    pub sum: f64,
    /// Negative log-likelihood, in nats; only [`Training::evaluate`] computes it, else 0.
    pub nll: f64,
    /// Targets that are not padding.
    pub tokens: usize,
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The sum of its batches' losses, label-smoothed cross-entropy in nats.
    pub loss: f64,
    /// The L2 norm of all gradients, before clipping.
    pub grad_norm: f64,
    /// Applied at some step and rate, or skipped.
    pub outcome: Outcome,
}

/// An update on its way: [`Training::finish_update`] takes it.
#[derive(Debug)]
#[must_use = "an update must be finished before the next batch"]
pub struct Underway<D: Device>(D::Underway);

/// Totals of batches that stay on the device before they are read.
const TOTALS: usize = 64;

/// Shapes that are remembered; a plan takes some kilobytes.
const MAX_PLANS: usize = 4096;

/// Activations, and what was planned for the shapes seen so far.
#[derive(Debug)]
struct Workspace<D: Device> {
    arena: D::Activations,
    stats: D::Buffer,
    /// Values that the two hold.
    room: (usize, usize),
    plans: HashMap<(usize, usize, usize), Plan>,
    /// Of an evaluation: the loss and the negative log-likelihood.
    evaluated: D::Totals,
    tokens: Tokens<D::Indices>,
}

impl<D: Device> Workspace<D> {
    fn new(device: &D) -> Result<Self, Error> {
        let tokens = Tokens {
            src: device.indices(0)?,
            src_lengths: device.indices(0)?,
            tgt_in: device.indices(0)?,
            tgt_out: device.indices(0)?,
            tgt_lengths: device.indices(0)?,
        };
        let (arena, stats) = (device.activations(0)?, device.zeros(0)?);
        let evaluated = device.totals(2)?;
        Ok(Workspace { arena, stats, room: (0, 0), plans: HashMap::new(), evaluated, tokens })
    }

    /// Checks a batch, plans for its shape and sends its tokens to the device. Allocates only for a shape larger than, or
    /// other than, those before.
    fn load(&mut self, device: &D, config: &Config, batch: &Batch<'_>) -> Result<(usize, usize, usize), Error> {
        batch.check(config)?;
        let shape = (batch.b(), batch.s, batch.t);
        if self.plans.len() >= MAX_PLANS && !self.plans.contains_key(&shape) {
            self.plans.clear();
        }
        let plan = self.plans.entry(shape).or_insert_with(|| Plan::new(config, shape.0, shape.1, shape.2));
        if self.room.0 < plan.len {
            (self.arena, self.room.0) = (device.activations(0)?, 0); // gives the old one back first
            (self.arena, self.room.0) = (device.activations(plan.len)?, plan.len);
        }
        if self.room.1 < plan.stats_len {
            (self.stats, self.room.1) = (device.zeros(0)?, 0);
            (self.stats, self.room.1) = (device.zeros(plan.stats_len)?, plan.stats_len);
        }
        device.set_indices(batch.src, &mut self.tokens.src)?;
        device.set_indices(batch.src_lengths, &mut self.tokens.src_lengths)?;
        device.set_indices(batch.tgt_in, &mut self.tokens.tgt_in)?;
        device.set_indices(batch.tgt_out, &mut self.tokens.tgt_out)?;
        device.set_indices(batch.tgt_lengths, &mut self.tokens.tgt_lengths)?;
        Ok(shape)
    }

    /// Runs `f` on an engine for use, not training, that has this batch loaded.
    fn with_engine<R>(
        &mut self,
        model: &Model<D>,
        batch: &Batch<'_>,
        f: impl FnOnce(&mut Engine<'_, D>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let shape = self.load(&model.device, &model.config, batch)?;
        let noise = Noise { seed: 0, step: 0, micro_batch: 0, active: false };
        f(&mut Engine {
            device: &model.device,
            config: &model.config,
            layout: &model.layout,
            params: &model.params,
            positions: &model.positions,
            plan: &self.plans[&shape],
            tokens: &self.tokens,
            packed: None,
            arena: &mut self.arena,
            stats: &mut self.stats,
            noise,
        })
    }

    /// The loss and the negative log-likelihood of a batch.
    fn evaluate(&mut self, model: &Model<D>, batch: &Batch<'_>, smoothing: f32) -> Result<Loss, Error> {
        let (loss, nll) = self.with_engine(model, batch, |engine| {
            engine.evaluate(smoothing)?;
            Ok((engine.plan.loss, engine.plan.nll))
        })?;
        let (d, mut sums) = (&model.device, [0.0; 2]);
        for (at, span) in [loss, nll].into_iter().enumerate() {
            d.total_loss(d.view(&self.stats, span), &mut self.evaluated, at)?;
        }
        d.read_totals(&self.evaluated, &mut sums)?;
        Ok(Loss { sum: sums[0], nll: sums[1], tokens: batch.target_tokens() })
    }
}

/// A forward pass for use, not training: no dropout, no gradients.
#[derive(Debug)]
pub struct Inference<D: Device> {
    workspace: Workspace<D>,
}

impl<D: Device> Inference<D> {
    /// Room for passes of models on this device.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the device has no room.
    pub fn new(device: &D) -> Result<Self, Error> {
        Ok(Inference { workspace: Workspace::new(device)? })
    }

    /// Runs `f` on an engine that has this batch loaded.
    pub(crate) fn with_engine<R>(
        &mut self,
        model: &Model<D>,
        batch: &Batch<'_>,
        f: impl FnOnce(&mut Engine<'_, D>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.workspace.with_engine(model, batch, f)
    }

    /// The loss of a batch, without dropout and without gradients.
    ///
    /// # Errors
    /// [`Error::Batch`] if the batch does not fit the model, [`Error::Kernel`] if an operation refuses its arguments.
    pub fn evaluate(&mut self, model: &Model<D>, batch: &Batch<'_>, smoothing: f32) -> Result<Loss, Error> {
        self.workspace.evaluate(model, batch, smoothing)
    }
}

/// A model in training.
///
/// Every update is some calls of [`Training::enqueue`] or [`Training::accumulate`] and then one of [`Training::update`], which
/// alone advances the count of steps. An update waits for the device once, at its end.
#[derive(Debug)]
pub struct Training<D: Device> {
    model: Model<D>,
    grads: D::Buffer,
    m: D::Buffer,
    v: D::Buffer,
    adam: D::Adam,
    loss_scale: Option<LossScale>,
    graphs: D::Graphs,
    workspace: Workspace<D>,
    /// The losses of this update's batches: those that were read, and those on the device, how many.
    read: f64,
    totals: D::Totals,
    unread: usize,
}

impl<D: Device> Training<D> {
    /// Before the first update.
    ///
    /// # Errors
    /// [`Error::Kernel`] if Adam's constants are out of range or the device has no room.
    pub fn new(model: Model<D>, adam: adam::Config) -> Result<Self, Error> {
        let len = model.layout.len();
        let d = &model.device;
        let adam = d.adam(adam, 0)?;
        let loss_scale = (d.precision() == Precision::F16).then(LossScale::default);
        let (grads, m, v, workspace) = (d.zeros(len)?, d.zeros(len)?, d.zeros(len)?, Workspace::new(d)?);
        let totals = d.totals(TOTALS)?;
        let graphs = Default::default();
        Ok(Training { model, grads, m, v, adam, loss_scale, graphs, workspace, read: 0.0, totals, unread: 0 })
    }

    /// After `updates` updates, with the moments they left.
    ///
    /// # Errors
    /// As [`Training::new`]; [`Error::Parameters`] if the moments have another length.
    pub fn resume(model: Model<D>, adam: adam::Config, updates: u64, m: &[f32], v: &[f32]) -> Result<Self, Error> {
        check_len(m, &model.layout)?;
        check_len(v, &model.layout)?;
        let mut training = Training::new(model, adam)?;
        training.adam = training.model.device.adam(adam, updates)?;
        let all = Span { offset: 0, len: m.len() };
        training.model.device.upload(m, &mut training.m, all)?;
        training.model.device.upload(v, &mut training.v, all)?;
        Ok(training)
    }

    /// The model.
    pub fn model(&self) -> &Model<D> {
        &self.model
    }

    /// The model, to change its values.
    pub fn model_mut(&mut self) -> &mut Model<D> {
        &mut self.model
    }

    /// The model alone.
    pub fn into_model(self) -> Model<D> {
        self.model
    }

    /// Where the parameters, gradients and moments are.
    pub fn layout(&self) -> &Layout {
        &self.model.layout
    }

    /// What the device has kept of past passes, to do it again.
    pub fn graphs(&self) -> &D::Graphs {
        &self.graphs
    }

    /// Updates so far.
    pub fn updates(&self) -> u64 {
        self.model.device.updates(&self.adam)
    }

    /// What the loss is scaled by, on a device whose activations are f16.
    pub fn loss_scale(&self) -> Option<LossScale> {
        self.loss_scale
    }

    /// Goes on with a loss scale as [`Training::loss_scale`] gave it; does nothing where the loss needs none.
    pub fn set_loss_scale(&mut self, scale: LossScale) {
        if let Some(own) = &mut self.loss_scale {
            *own = scale;
        }
    }

    /// Values that the activations of a batch take, gradients, logits and statistics included: of one with `source` and `target`
    /// positions in all, padding counted. No batch with fewer of both takes more.
    pub fn activations(config: &Config, source: usize, target: usize) -> usize {
        let plan = Plan::new(config, 1, source, target);
        plan.len + plan.stats_len
    }

    /// Copies Adam's moments to the host.
    ///
    /// # Errors
    /// [`Error::Parameters`] if a buffer has another length.
    pub fn read_moments(&self, m: &mut [f32], v: &mut [f32]) -> Result<(), Error> {
        check_len(m, &self.model.layout)?;
        check_len(v, &self.model.layout)?;
        let all = Span { offset: 0, len: m.len() };
        self.model.device.download(&self.m, all, m)?;
        Ok(self.model.device.download(&self.v, all, v)?)
    }

    /// Copies the gradients accumulated so far to the host. Where the loss is scaled they are divided by that, a power of two.
    ///
    /// # Errors
    /// [`Error::Parameters`] if `values` has another length.
    pub fn read_gradients(&self, values: &mut [f32]) -> Result<(), Error> {
        check_len(values, &self.model.layout)?;
        self.model.device.download(&self.grads, Span { offset: 0, len: values.len() }, values)?;
        if let Some(scale) = self.loss_scale {
            values.iter_mut().for_each(|value| *value /= scale.scale());
        }
        Ok(())
    }

    /// Puts other gradients in the place of those accumulated so far: for gradients that were changed on the host, or computed
    /// elsewhere. The next [`Training::accumulate`] adds to them.
    ///
    /// # Errors
    /// [`Error::Parameters`] if `values` has another length.
    pub fn write_gradients(&mut self, values: &[f32]) -> Result<(), Error> {
        check_len(values, &self.model.layout)?;
        let all = Span { offset: 0, len: values.len() };
        match self.loss_scale {
            None => Ok(self.model.device.upload(values, &mut self.grads, all)?),
            Some(scale) => {
                let scaled: Vec<f32> = values.iter().map(|value| value * scale.scale()).collect();
                Ok(self.model.device.upload(&scaled, &mut self.grads, all)?)
            }
        }
    }

    /// Forgets what was accumulated since the last update: for a caller that gives an update up in the middle, after an error
    /// in one of its batches or for want of the next. The next [`Training::accumulate`] begins the update anew.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the device fails.
    pub fn clear_gradients(&mut self) -> Result<(), Error> {
        let d = &self.model.device;
        let [grads] = d.split(&mut self.grads, [Span { offset: 0, len: self.model.layout.len() }]);
        (self.read, self.unread) = (0.0, 0);
        Ok(d.fill(grads, 0.0)?)
    }

    /// Forward and backward over one batch: adds its gradients to those of this update, and returns its loss, for which it waits
    /// until the device is done. [`Training::enqueue`] does not.
    ///
    /// # Errors
    /// As [`Training::enqueue`].
    pub fn accumulate(&mut self, batch: &Batch<'_>, pass: Pass) -> Result<Loss, Error> {
        self.enqueue(batch, pass)?;
        let mut totals = [0.0; TOTALS];
        let totals = &mut totals[..self.unread];
        self.model.device.read_totals(&self.totals, totals)?;
        let sum = totals.last().copied().unwrap_or(0.0);
        Ok(Loss { sum, nll: 0.0, tokens: batch.target_tokens() })
    }

    /// Forward and backward over one batch, without waiting: adds its gradients to those of this update, and its loss to what
    /// [`Training::update`] returns.
    ///
    /// # Errors
    /// [`Error::Batch`] if the batch does not fit the model, [`Error::Kernel`] if an operation refuses its arguments (a token
    /// beyond the vocabulary).
    pub fn enqueue(&mut self, batch: &Batch<'_>, pass: Pass) -> Result<(), Error> {
        let tokens = batch.target_tokens();
        if pass.update_tokens < tokens || pass.update_tokens == 0 {
            let hint = "it counts the targets of all the batches of the update";
            let (got, limit) = (pass.update_tokens, Limit::AtLeast(tokens.max(1)));
            return Err(Error::Batch { what: "update_tokens", got, limit, hint });
        }
        if self.unread == TOTALS {
            self.read = self.losses()?;
            self.unread = 0;
        }
        let at = self.unread;
        let Training { model, grads, workspace, adam, loss_scale, graphs, totals, .. } = self;
        let shape = workspace.load(&model.device, &model.config, batch)?;
        // The number that this update will have; dropout's counter holds 32 bits of it.
        let step = (model.device.updates(adam) as u32).wrapping_add(1);
        let plan = &workspace.plans[&shape];
        let mut engine = Engine {
            device: &model.device,
            config: &model.config,
            layout: &model.layout,
            params: &model.params,
            positions: &model.positions,
            plan,
            tokens: &workspace.tokens,
            packed: None,
            arena: &mut workspace.arena,
            stats: &mut workspace.stats,
            noise: Noise { seed: pass.seed, step, micro_batch: pass.micro_batch, active: true },
        };
        let loss_scale = loss_scale.map_or(1.0, |scale| f64::from(scale.scale()));
        let grad_scale = (loss_scale / pass.update_tokens as f64) as f32;
        let (b, s, t) = shape;
        let smoothing = pass.label_smoothing.to_bits();
        let micro_batch = u64::from(pass.micro_batch);
        let key = [b as u64, s as u64, t as u64, micro_batch, u64::from(smoothing), pass.seed, at as u64];
        let d = &model.device;
        d.replay(graphs, &key, Moving { step, grad_scale }, || {
            engine.accumulate(pass.label_smoothing, grad_scale, grads)?;
            Ok::<(), Error>(d.total_loss(d.view(engine.stats, plan.loss), totals, at)?)
        })?;
        self.unread += 1;
        Ok(())
    }

    /// The sum of the losses of this update's batches so far, in their order.
    fn losses(&self) -> Result<f64, Error> {
        let mut totals = [0.0; TOTALS];
        let totals = &mut totals[..self.unread];
        self.model.device.read_totals(&self.totals, totals)?;
        Ok(totals.iter().fold(self.read, |sum, total| sum + total))
    }

    /// The loss of a batch, without dropout and without gradients.
    ///
    /// # Errors
    /// As [`Training::accumulate`].
    pub fn evaluate(&mut self, batch: &Batch<'_>, smoothing: f32) -> Result<Loss, Error> {
        self.workspace.evaluate(&self.model, batch, smoothing)
    }

    /// One update of Adam with what was accumulated, at the schedule's rate for its number, gradients scaled down to a norm
    /// of at most `max_norm` (infinity: never). The gradients are zero afterwards.
    ///
    /// If the norm is not finite the update is skipped: neither the count nor the rate advances. A loss scale follows.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the schedule's rate or `max_norm` is out of range.
    pub fn update<S: Schedule + ?Sized>(&mut self, schedule: &S, max_norm: f64) -> Result<Update, Error> {
        let update = self.enqueue_update(schedule, max_norm)?;
        self.finish_update(update)
    }

    /// [`Training::update`] up to where it would wait for the device: what the caller does until [`Training::finish_update`], it
    /// does while the device is at work.
    ///
    /// # Errors
    /// As [`Training::update`].
    pub fn enqueue_update<S: Schedule + ?Sized>(&mut self, schedule: &S, max_norm: f64) -> Result<Underway<D>, Error> {
        let unscale = self.loss_scale.map_or(1.0, |scale| 1.0 / scale.scale());
        let state =
            Optimized { params: &mut self.model.params, grads: &mut self.grads, m: &mut self.m, v: &mut self.v };
        let (graphs, adam) = (&mut self.graphs, &mut self.adam);
        Ok(Underway(self.model.device.adam_update(graphs, adam, schedule, Scaling { unscale, max_norm }, state)?))
    }

    /// Waits for an update that was begun with [`Training::enqueue_update`].
    ///
    /// # Errors
    /// [`Error::Kernel`] if the device fails.
    pub fn finish_update(&mut self, update: Underway<D>) -> Result<Update, Error> {
        let (grad_norm, outcome) = self.model.device.adam_outcome(&mut self.adam, update.0)?;
        let loss = self.losses()?;
        (self.read, self.unread) = (0.0, 0);
        if let Some(scale) = &mut self.loss_scale {
            scale.observe(matches!(outcome, Outcome::Applied { .. }));
        }
        Ok(Update { loss, grad_norm, outcome })
    }
}
