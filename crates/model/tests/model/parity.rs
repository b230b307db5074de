//! PyTorch's run, step by step: the same losses, gradient norms, weights and translations.

use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::{Cpu, Device};
use noam_model::{BOS, Config, EOS, Layout, Model, PAD, Pass, Search, Training, Translator};
use noam_schedule::{Noam, Schedule, Step};
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::PathBuf;

use crate::sentences::Sentences;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/parity").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn weights(name: &str, config: &Config) -> Vec<f32> {
    let bytes = golden(name);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let layout = Layout::new(config);
    let mut values = vec![f32::NAN; layout.len()];
    for entry in layout.entries() {
        let tensor = tensors.tensor(&entry.name).unwrap();
        assert_eq!(tensor.shape(), entry.shape, "{}", entry.name);
        for (value, bytes) in values[entry.offset..].iter_mut().zip(tensor.data().chunks_exact(4)) {
            *value = f32::from_le_bytes(bytes.try_into().unwrap());
        }
    }
    values
}

fn rows(value: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn setup() -> (Value, Config) {
    let run: Value = serde_json::from_slice(&golden("run.json")).unwrap();
    let size = |name: &str| run["case"][name].as_u64().unwrap() as usize;
    let config = Config {
        vocab_size: size("vocab"),
        d_model: size("d"),
        n_heads: size("heads"),
        d_ff: size("ff"),
        encoder_layers: size("enc"),
        decoder_layers: size("dec"),
        max_len: 32,
        dropout: 0.0,
        attention_dropout: 0.0,
        activation_dropout: 0.0,
        ..Config::default()
    };
    (run, config)
}

#[test]
fn twenty_updates_are_pytorchs() {
    twenty_updates_on(Cpu::new());
}

/// [`twenty_updates_are_pytorchs`] on a device.
pub fn twenty_updates_on(device: impl Device) {
    let (run, config) = setup();
    let model = Model::from_values(device, config.clone(), &weights("init.safetensors", &config)).unwrap();
    let mut training = Training::new(model, adam::Config::default()).unwrap();
    let schedule = Noam::new(config.d_model as u64, run["case"]["warmup"].as_u64().unwrap(), 1.0).unwrap();
    let smoothing = run["case"]["smooth"].as_f64().unwrap() as f32;
    let [f64_losses, f64_norms, f32_losses, f32_norms] =
        [("f64", "losses"), ("f64", "grad_norms"), ("f32", "losses"), ("f32", "grad_norms")]
            .map(|(run_of, what)| numbers(&run[run_of][what]));
    // What rounding to f32 does to this run is known from PyTorch's own two runs. Another order of the same sums does as
    // much; eight times that leaves room for luck, and is far below the 1e-4 that a wrong term would exceed at once.
    let spread = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
    let (loss_tolerance, norm_tolerance) =
        (8.0 * spread(&f32_losses, &f64_losses), 8.0 * spread(&f32_norms, &f64_norms));
    assert!(loss_tolerance < 1e-5 && norm_tolerance < 1e-4, "{loss_tolerance:e} {norm_tolerance:e}");

    let batches = run["batches"].as_array().unwrap();
    assert_eq!(batches.len(), 20);
    for (i, sentences) in batches.iter().enumerate() {
        let pairs: Vec<_> = rows(&sentences["src"]).into_iter().zip(rows(&sentences["tgt"])).collect();
        let batch = Sentences::new(&pairs);
        let pass = Pass { seed: 0, micro_batch: 0, label_smoothing: smoothing, update_tokens: batch.targets() };
        let loss = training.accumulate(&batch.batch(), pass).unwrap();
        let update = training.update(&schedule, f64::INFINITY).unwrap();
        let step = Step::new(i as u64 + 1).unwrap();
        assert_eq!(update.outcome, Outcome::Applied { step, rate: schedule.rate(step), finite: true });
        let (loss, norm) = (loss.sum / loss.tokens as f64, update.grad_norm);
        assert!((loss - f64_losses[i]).abs() <= loss_tolerance * f64_losses[i], "update {step:?}: loss {loss}");
        assert!((norm - f64_norms[i]).abs() <= norm_tolerance * f64_norms[i], "update {step:?}: norm {norm}");
    }

    // An update moves an element by rate · m/√v, so 20 of them lead along a path of at most `path`. A relative error e of a
    // gradient moves it by e · path. Gradients are right to about 2^-21 of their tensor's size; what is far below that size
    // is right to fewer digits, hence the room beyond 5e-7 for the worst of all elements.
    let path: f64 = (1..=20).map(|n| schedule.rate(Step::new(n).unwrap())).sum();
    let mut got = vec![0.0; training.layout().len()];
    training.model().read_values(&mut got).unwrap();
    let want = weights("final.safetensors", &config);
    for entry in training.layout().entries() {
        let at = entry.offset..entry.offset + entry.len();
        let differences: Vec<f64> =
            got[at.clone()].iter().zip(&want[at]).map(|(a, b)| f64::from(a - b).abs()).collect();
        let worst = differences.iter().fold(0.0, |a: f64, &b| a.max(b));
        let rms = (differences.iter().map(|d| d * d).sum::<f64>() / differences.len() as f64).sqrt();
        // A bias of the keys adds the same to all scores of a query: its true gradient is 0, what Adam divides by its own
        // size is rounding, and only the length of the path limits where that leads (from 0, for both).
        let (worst_share, rms_share) = if entry.name.ends_with("k_proj.bias") { (2.0, 2.0) } else { (1e-4, 5e-6) };
        assert!(worst <= worst_share * path && rms <= rms_share * path, "{}: {worst:e}, rms {rms:e}", entry.name);
    }
}

fn content(row: &[u32]) -> Vec<u32> {
    let row = row.strip_prefix(&[BOS]).unwrap_or(row);
    row.iter().copied().take_while(|&id| id != EOS && id != PAD).collect()
}

#[test]
fn greedy_and_beam_search_find_what_transformers_finds() {
    searches_on(Cpu::new());
}

/// [`greedy_and_beam_search_find_what_transformers_finds`] on a device.
pub fn searches_on(device: impl Device) {
    let (run, config) = setup();
    let model = Model::from_values(device, config.clone(), &weights("decode.safetensors", &config)).unwrap();
    let sources = rows(&run["batches"][0]["src"]);
    let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
    let mut translator = Translator::new(&model).unwrap();
    for (beam, name) in [(1, "greedy"), (4, "beam4")] {
        let search = Search { beam, max_tokens: 20, length_penalty: 1.0 };
        let got: Vec<_> = translator.translate(&sources, &search).unwrap().into_iter().map(|h| h.tokens).collect();
        let want: Vec<_> = rows(&run["f64"][name]).iter().map(|row| content(row)).collect();
        assert_eq!(got, want, "{name}");
        assert!(want.iter().any(|row| row.len() > 3), "{name}: too short to show anything");
    }
}

/// PyTorch's run twice: in f32 on the CPU, as [`twenty_updates_on`] compares it, and on a device whose activations have unit
/// roundoff `u`, or what products read of them, which is fewer roundings.
struct Both<D: Device> {
    exact: Training<Cpu>,
    rounded: Training<D>,
    schedule: Noam,
    batches: Vec<Sentences>,
    u: f64,
}

/// A batch's mean losses, and the gradients.
struct Passes {
    losses: [f64; 2],
    want: Vec<f32>,
    got: Vec<f32>,
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

impl<D: Device> Both<D> {
    fn new(device: D, u: f64) -> Self {
        let (run, config) = setup();
        let initial = weights("init.safetensors", &config);
        let exact = Model::from_values(Cpu::new(), config.clone(), &initial).unwrap();
        let rounded = Model::from_values(device, config.clone(), &initial).unwrap();
        let sentences = |batch: &Value| {
            let pairs: Vec<_> = rows(&batch["src"]).into_iter().zip(rows(&batch["tgt"])).collect();
            Sentences::new(&pairs)
        };
        Both {
            exact: Training::new(exact, adam::Config::default()).unwrap(),
            rounded: Training::new(rounded, adam::Config::default()).unwrap(),
            schedule: Noam::new(config.d_model as u64, run["case"]["warmup"].as_u64().unwrap(), 1.0).unwrap(),
            batches: run["batches"].as_array().unwrap().iter().map(sentences).collect(),
            u,
        }
    }

    fn passes(&mut self, batch: usize) -> Passes {
        let sentences = &self.batches[batch];
        let tokens = sentences.targets();
        let pass = Pass { seed: 0, micro_batch: 0, label_smoothing: 0.1, update_tokens: tokens };
        let [mut want, mut got] = [(); 2].map(|()| vec![0.0; self.exact.layout().len()]);
        let losses = [
            self.exact.accumulate(&sentences.batch(), pass).unwrap().sum,
            self.rounded.accumulate(&sentences.batch(), pass).unwrap().sum,
        ];
        self.exact.read_gradients(&mut want).unwrap();
        self.rounded.read_gradients(&mut got).unwrap();
        Passes { losses: losses.map(|sum| sum / tokens as f64), want, got }
    }

    /// By how much a pass may change the mean loss of a batch.
    ///
    /// On its way through the ten sublayers an activation is rounded about five times in each: the projections, the scores'
    /// softmax, the heads, the sum, its norm; R = 50 times, and the weights once more each time. The errors are independent and
    /// relative, so at the top they are of sqrt(2 R) u. A target's loss changes by at most twice what a logit, of size 1,
    /// changes by, and the mean over N targets by three standard deviations at most.
    fn loss_tolerance(&self, batch: usize) -> f64 {
        3.0 * 2.0 * 100f64.sqrt() * self.u / (self.batches[batch].targets() as f64).sqrt()
    }

    /// By how much a pass may change the gradient, relative to its norm.
    ///
    /// It comes twice the way of [`Both::loss_tolerance`], and each norm and softmax may double an error's share:
    /// 4 sqrt(2 R) u. And where a ReLU's input is within rounding of 0, its gradient is there or not: of as many as there are, a
    /// few, each of an equal part of the sum of squares.
    fn gradient_tolerance(&self, batch: usize) -> f64 {
        let (config, batch) = (self.exact.model().config(), self.batches[batch].batch());
        let rows = batch.src_lengths.len() * (config.encoder_layers * batch.s + config.decoder_layers * batch.t);
        4.0 * 100f64.sqrt() * self.u + 4.0 / ((rows * config.d_ff) as f64).sqrt()
    }

    fn values(&self) -> [Vec<f32>; 2] {
        let [mut exact, mut rounded] = [(); 2].map(|()| vec![0.0; self.exact.layout().len()]);
        self.exact.model().read_values(&mut exact).unwrap();
        self.rounded.model().read_values(&mut rounded).unwrap();
        [exact, rounded]
    }
}

/// The first `passes` of PyTorch's run on a device that rounds so. Before each it is given the weights of the exact run: what
/// is compared is each pass, not where updates by rounded gradients lead.
pub fn passes_with_roundoff(device: impl Device, u: f64, passes: usize) {
    let mut both = Both::new(device, u);
    for batch in 0..passes {
        let [values, _] = both.values();
        both.rounded.model_mut().write_values(&values).unwrap();
        both.rounded.clear_gradients().unwrap();
        let Passes { losses: [want_loss, got_loss], want, got } = both.passes(batch);
        let (error, tolerance) = ((got_loss - want_loss).abs(), both.loss_tolerance(batch));
        assert!(error <= tolerance, "loss: {error:e} off, {tolerance:e} allowed");
        let size = norm(want.iter().map(|&x| f64::from(x)));
        let error = norm(want.iter().zip(&got).map(|(&want, &got)| f64::from(got - want))) / size;
        let tolerance = both.gradient_tolerance(batch);
        assert!(error <= tolerance, "gradient: {error:e} off, {tolerance:e} allowed");
        let _ = both.exact.update(&both.schedule, f64::INFINITY).unwrap();
    }
}

/// PyTorch's whole run on a device that rounds so, which updates its own weights.
pub fn run_with_roundoff(device: impl Device, u: f64) {
    let mut both = Both::new(device, u);
    let (mut path, mut share) = (0.0, 0.0f64);
    for batch in 0..both.batches.len() {
        let [exact, rounded] = both.values();
        let distance = norm(exact.iter().zip(&rounded).map(|(a, b)| f64::from(a - b))) / (exact.len() as f64).sqrt();
        // An update moves an element by about the rate, whatever its gradient's size: at first in the direction of its sign. Where
        // a gradient is smaller than its error the sign is anything. Of gradients spread evenly around zero, with errors of a
        // share e of their size, these are a share e too, and such an element is then off by twice the rate: so all of them by
        // 2 sqrt(e) of the path, in the mean of squares. Later updates are of averages, and no further off.
        share = share.max(both.gradient_tolerance(batch).sqrt());
        assert!(distance <= 2.0 * share * path, "weights before update {}: {distance:e} off", batch + 1);

        // A loss is then off by what its pass rounds, and by the gradient times the weights' distance. That knows nothing of
        // this batch's gradient: like any two directions that have nothing to do with each other their product is
        // |gradient| |distance| / sqrt(elements), three times that at most.
        let Passes { losses: [want, got], want: gradient, .. } = both.passes(batch);
        let size = norm(gradient.iter().map(|&x| f64::from(x)));
        let (error, tolerance) = ((got - want).abs(), both.loss_tolerance(batch) + 3.0 * size * distance);
        assert!(error <= tolerance, "loss {want} of update {}: {error:e} off, {tolerance:e} allowed", batch + 1);
        // Losses are 4.5: a bound of more would show nothing.
        assert!(tolerance < 0.2, "{tolerance}");

        let step = Step::new(batch as u64 + 1).unwrap();
        let _ = both.exact.update(&both.schedule, f64::INFINITY).unwrap();
        let update = both.rounded.update(&both.schedule, f64::INFINITY).unwrap();
        let rate = both.schedule.rate(step);
        assert_eq!(update.outcome, Outcome::Applied { step, rate, finite: true });
        path += rate;
    }
}
