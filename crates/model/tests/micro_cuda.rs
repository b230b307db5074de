//! The preset `micro` in training for 50 updates: on the emulated CUDA device it ends with the CPU's weights, bit for bit.
//!
//! Without the device's checks, which would take most of the time; the other tests make them.
#![cfg(feature = "cuda")]

use noam_emulator::driver::control::take_reports;
use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::{Cpu, Cuda, Device};
use noam_model::{BOS, Batch, EOS, Model, Pass, Preset, Training};
use noam_schedule::Noam;

/// Updates, each of a batch of two short sentences.
const UPDATES: u32 = 50;

/// Weights, moments and losses.
fn train<D: Device>(device: D) -> (Vec<u32>, Vec<u64>) {
    let config = Preset::Micro.config();
    let vocab_size = config.vocab_size as u32;
    let mut training = Training::new(Model::new(device, config, 7).unwrap(), adam::Config::default()).unwrap();
    let schedule = Noam::new(64, 20, 1.0).unwrap();
    let mut losses = Vec::new();
    for update in 0..UPDATES {
        // The target is the source with every word changed in the same way: there is something to learn.
        let word = |i: u32| 3 + (update * 7 + i * 5) % 40;
        let src = [word(0), word(1), word(2), EOS, word(3), word(4), EOS, 0];
        let tgt_out = src.map(|id| if id > EOS { (id + 100) % vocab_size } else { id });
        let tgt_in = [BOS, tgt_out[0], tgt_out[1], tgt_out[2], BOS, tgt_out[4], tgt_out[5], 0];
        let lengths = [4, 3];
        let batch = Batch {
            src: &src,
            src_lengths: &lengths,
            tgt_in: &tgt_in,
            tgt_out: &tgt_out,
            tgt_lengths: &lengths,
            s: 4,
            t: 4,
        };
        let pass = Pass { seed: 3, micro_batch: 0, label_smoothing: 0.1, update_tokens: 7 };
        losses.push(training.accumulate(&batch, pass).unwrap().sum);
        let update = training.update(&schedule, 1.0).unwrap();
        assert!(matches!(update.outcome, Outcome::Applied { finite: true, .. }), "{update:?}");
    }
    assert!(losses.last() < losses.first(), "{losses:?}");
    let len = training.layout().len();
    let [mut w, mut m, mut v] = [(); 3].map(|()| vec![0.0; len]);
    training.model().read_values(&mut w).unwrap();
    training.read_moments(&mut m, &mut v).unwrap();
    let bits = [w, m, v].concat().iter().map(|x| x.to_bits()).collect();
    (bits, losses.iter().map(|loss| loss.to_bits()).collect())
}

#[test]
fn fifty_updates_end_with_the_cpus_weights() {
    if std::env::var_os("NOAM_TEST_DEVICE").is_none_or(|device| device != "cuda") {
        noam_emulator::install::install().expect("the emulator can be installed");
    }
    let (bits, losses) = train(Cuda::new(0).expect("a device"));
    assert!(take_reports().is_empty());
    let (want, want_losses) = train(Cpu::new());
    assert_eq!(losses, want_losses);
    assert!(bits == want, "weights or moments differ");
}
