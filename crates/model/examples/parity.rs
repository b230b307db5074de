//! Replays a training run that another implementation recorded, and compares.
//!
//! `cargo run --release -p noam-model --example parity -- DIR`, where DIR holds `run.json` (case, batches, losses and gradient
//! norms), `init.safetensors` (the weights before the first update) and `decode.safetensors` (weights, and in run.json the
//! greedy and beam-4 outputs they give). Prints one JSON object: `losses`, `grad_norms`, `max_relative_error`,
//! `greedy_equal`, `beam4_equal`.

use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::Cpu;
use noam_model::{BOS, Batch, Config, EOS, Layout, Model, PAD, Pass, Search, Training, Translator};
use noam_schedule::Noam;
use safetensors::SafeTensors;
use serde::Deserialize;
use std::error::Error;
use std::path::Path;

#[derive(Deserialize)]
struct Run {
    case: Case,
    batches: Vec<Sentences>,
    f64: Recorded,
}

#[derive(Deserialize)]
struct Case {
    vocab: usize,
    d: usize,
    enc: usize,
    dec: usize,
    heads: usize,
    ff: usize,
    warmup: u64,
    smooth: f32,
}

#[derive(Deserialize)]
struct Sentences {
    src: Vec<Vec<u32>>,
    tgt: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Recorded {
    losses: Vec<f64>,
    grad_norms: Vec<f64>,
    greedy: Vec<Vec<u32>>,
    beam4: Vec<Vec<u32>>,
}

/// Rows padded to the longest, and their lengths.
fn padded(rows: &[Vec<u32>]) -> (Vec<u32>, Vec<u32>, usize) {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let ids = rows.iter().flat_map(|r| r.iter().copied().chain(std::iter::repeat(PAD)).take(width)).collect();
    (ids, rows.iter().map(|r| r.len() as u32).collect(), width)
}

fn weights(path: &Path, config: &Config) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let layout = Layout::new(config);
    let mut values = vec![0.0; layout.len()];
    for entry in layout.entries() {
        let tensor = tensors.tensor(&entry.name)?;
        if tensor.shape() != entry.shape {
            return Err(format!("{}: shape {:?}, want {:?}", entry.name, tensor.shape(), entry.shape).into());
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        for (value, bytes) in values[entry.offset..].iter_mut().zip(numbers) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    Ok(values)
}

/// What a search put out, without BOS, and without EOS and the fill behind it.
fn content(tokens: &[u32]) -> Vec<u32> {
    let tokens = tokens.strip_prefix(&[BOS]).unwrap_or(tokens);
    tokens.iter().copied().take_while(|&id| id != EOS && id != PAD).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: parity DIR (run.json, init.safetensors, decode.safetensors)")?;
    let dir = Path::new(&dir);
    let run: Run = serde_json::from_slice(&std::fs::read(dir.join("run.json"))?)?;
    let case = &run.case;
    let config = Config {
        vocab_size: case.vocab,
        d_model: case.d,
        n_heads: case.heads,
        d_ff: case.ff,
        encoder_layers: case.enc,
        decoder_layers: case.dec,
        dropout: 0.0,
        attention_dropout: 0.0,
        activation_dropout: 0.0,
        ..Config::default()
    };
    let init = weights(&dir.join("init.safetensors"), &config)?;
    let mut training = Training::new(Model::from_values(Cpu::new(), config.clone(), &init)?, adam::Config::default())?;
    let schedule = Noam::new(case.d as u64, case.warmup, 1.0)?;
    let (mut losses, mut grad_norms) = (Vec::new(), Vec::new());
    let mut worst = 0.0f64;
    for (i, sentences) in run.batches.iter().enumerate() {
        let (src, src_lengths, s) = padded(&sentences.src);
        let (tgt_out, tgt_lengths, t) = padded(&sentences.tgt);
        let input: Vec<Vec<u32>> =
            sentences.tgt.iter().map(|r| [&[BOS], &r[..r.len().saturating_sub(1)]].concat()).collect();
        let (tgt_in, ..) = padded(&input);
        let batch = Batch {
            src: &src,
            src_lengths: &src_lengths,
            tgt_in: &tgt_in,
            tgt_out: &tgt_out,
            tgt_lengths: &tgt_lengths,
            s,
            t,
        };
        let update_tokens = batch.target_tokens();
        let pass = Pass { seed: 0, micro_batch: 0, label_smoothing: case.smooth, update_tokens };
        let loss = training.accumulate(&batch, pass)?;
        let update = training.update(&schedule, f64::INFINITY)?;
        if !matches!(update.outcome, Outcome::Applied { finite: true, .. }) {
            return Err(format!("update {} was not applied: {:?}", i + 1, update.outcome).into());
        }
        let loss = loss.sum / loss.tokens as f64;
        for (got, want) in [(loss, run.f64.losses.get(i)), (update.grad_norm, run.f64.grad_norms.get(i))] {
            let want = want.ok_or("run.json records fewer steps than it has batches")?;
            worst = worst.max((got - want).abs() / want.abs());
        }
        losses.push(loss);
        grad_norms.push(update.grad_norm);
    }

    let model = Model::from_values(Cpu::new(), config.clone(), &weights(&dir.join("decode.safetensors"), &config)?)?;
    let sources: Vec<&[u32]> = run.batches[0].src.iter().map(Vec::as_slice).collect();
    let mut translator = Translator::new(&model)?;
    let mut equal = |beam, want: &[Vec<u32>]| -> Result<bool, Box<dyn Error>> {
        let search = Search { beam, max_tokens: 20, length_penalty: 1.0 };
        let got = translator.translate(&sources, &search)?;
        Ok(got.len() == want.len() && got.iter().zip(want).all(|(got, want)| got.tokens == content(want)))
    };
    let report = serde_json::json!({
        "losses": losses,
        "grad_norms": grad_norms,
        "max_relative_error": worst,
        "greedy_equal": equal(1, &run.f64.greedy)?,
        "beam4_equal": equal(4, &run.f64.beam4)?,
    });
    println!("{report}");
    Ok(())
}
