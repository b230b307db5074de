//! Properties of the update and of the count; `golden.rs` has the agreement with other libraries.

use super::{Adam, Config, EPSILON_MIN, GradScale, Gradients, Outcome, State, reference::Reference, scalars::power};
use crate::testing::{everywhere, wide};
use noam_schedule::{Schedule, Step};
use proptest::prelude::*;
use std::cell::RefCell;

mod golden;

/// A rate that is the same at every step.
pub(super) struct Constant(pub f64);

impl Schedule for Constant {
    fn rate(&self, _: Step) -> f64 {
        self.0
    }
}

/// 1 / sqrt(step).
struct Root;

impl Schedule for Root {
    fn rate(&self, step: Step) -> f64 {
        1.0 / (step.get() as f64).sqrt()
    }
}

/// Notes every step that it is asked for.
struct Noted(RefCell<Vec<u64>>);

impl Schedule for Noted {
    fn rate(&self, step: Step) -> f64 {
        self.0.borrow_mut().push(step.get());
        step.get() as f64 * 1e-3
    }
}

/// The four buffers, owned.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    pub p: Vec<f32>,
    pub g: Vec<f32>,
    pub m: Vec<f32>,
    pub v: Vec<f32>,
}

impl Buffers {
    pub fn new(params: &[f32]) -> Self {
        let zeros = vec![0.0; params.len()];
        Buffers { p: params.to_vec(), g: zeros.clone(), m: zeros.clone(), v: zeros }
    }

    pub fn state(&mut self) -> State<'_> {
        State { params: &mut self.p, grads: &mut self.g, m: &mut self.m, v: &mut self.v }
    }

    /// Bits, with one pattern for every NaN: which operand's payload survives is not fixed.
    fn bits(&self) -> Vec<u32> {
        let all = self.p.iter().chain(&self.g).chain(&self.m).chain(&self.v);
        all.map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
    }
}

/// Gradients as they are, nothing cleared.
pub(super) const PLAIN: GradScale = GradScale { norm: 1.0, scale: 1.0, after: Gradients::Keep };

/// A bound of |f32 - f64| for every parameter, carried along with the reference: to first order, one u = 2^-24 for
/// each rounding of the contract.
pub(super) struct Bound {
    pub p: Vec<f64>,
    pub m: Vec<f64>,
    pub v: Vec<f64>,
}

impl Bound {
    pub fn new(n: usize) -> Self {
        Bound { p: vec![0.0; n], m: vec![0.0; n], v: vec![0.0; n] }
    }

    /// After an update from `old` to `new`.
    pub fn update(&mut self, config: Config, t: u64, rate: f64, grads: &[f64], old: &Reference, new: &Reference) {
        let u = 2f64.powi(-24);
        // What flushing moves at most.
        let tiny = f64::from(f32::MIN_POSITIVE);
        let (w1, w2) = (1.0 - config.beta1, 1.0 - config.beta2);
        let (c1, c2) = (1.0 - power(config.beta1, t), 1.0 - power(config.beta2, t));
        for (i, &g) in grads.iter().enumerate() {
            // The scaled gradient, w, the difference; then the result.
            self.m[i] =
                config.beta1 * self.m[i] + u * (w1 * (g.abs() + 2.0 * (g - old.m[i]).abs()) + new.m[i].abs()) + tiny;
            self.v[i] =
                config.beta2 * self.v[i] + u * (w2 * (2.0 * g * g + 2.0 * (g * g - old.v[i]).abs()) + new.v[i]) + tiny;
            // A root never moves by more than the root of the change under it.
            let root = new.v[i].sqrt();
            let of_root = (self.v[i] / (2.0 * root)).min(self.v[i].sqrt());
            let d = (new.v[i] / c2).sqrt() + config.epsilon;
            let step = rate / c1 * new.m[i].abs() / d;
            // d: root, correction, epsilon, sum; then quotient, step size, product, sum.
            let of_step = rate / c1 * self.m[i] / d + step * (of_root / c2.sqrt() / d + 8.0 * u);
            let decay = rate * config.weight_decay;
            self.p[i] += of_step + decay * (self.p[i] + 2.0 * u * old.params[i].abs()) + u * new.params[i].abs();
        }
    }
}

#[track_caller]
pub(super) fn assert_close(got: &[f32], want: &[f64], tolerance: &[f64], times: f64, what: &str) {
    for i in 0..want.len() {
        let diff = (f64::from(got[i]) - want[i]).abs();
        assert!(diff <= times * tolerance[i], "{what}[{i}]: {} for {}, tolerance {}", got[i], want[i], tolerance[i]);
    }
}

/// Numbers of magnitudes 1e-8 to 1e4, some exactly zero.
fn number() -> impl Strategy<Value = f32> {
    (-8.0f64..4.0, -1.0f64..1.0, 0..10)
        .prop_map(|(e, x, zero)| if zero == 0 { 0.0 } else { (x * 10f64.powf(e)) as f32 })
}

/// A config, a rate, first parameters, and gradients of a few steps.
fn run() -> impl Strategy<Value = (Config, f64, Vec<f32>, Vec<Vec<f32>>)> {
    let config = (0.0..0.99, 0.5..0.9999, -10.0..-3.0, prop_oneof![Just(0.0), 0.0..0.1]).prop_map(
        |(beta1, beta2, exponent, weight_decay)| Config { beta1, beta2, epsilon: 10f64.powf(exponent), weight_decay },
    );
    (config, 1e-6..0.1, 1usize..70, 1usize..12).prop_flat_map(|(config, rate, n, steps)| {
        let values = || prop::collection::vec(number(), n);
        (Just(config), Just(rate), values(), prop::collection::vec(values(), steps))
    })
}

proptest! {
    #[test]
    fn follows_the_reference((config, rate, params, grads) in run(), scale in 0.01f32..2.0) {
        let mut adam = Adam::new(config).unwrap();
        let mut b = Buffers::new(&params);
        let mut reference = Reference::new(&wide(&params));
        let mut bound = Bound::new(params.len());
        for (t, g) in (1..).zip(&grads) {
            b.g.copy_from_slice(g);
            let outcome = adam.update(&Constant(rate), GradScale { scale, ..PLAIN }, b.state()).unwrap();
            prop_assert_eq!(outcome, Outcome::Applied { step: Step::new(t).unwrap(), rate, finite: true });
            let g: Vec<f64> = g.iter().map(|&g| f64::from(g) * f64::from(scale)).collect();
            let old = reference.clone();
            reference.update(config, t, rate, &g);
            bound.update(config, t, rate, &g, &old, &reference);
        }
        // 1.01 for what the first order leaves out.
        assert_close(&b.p, &reference.params, &bound.p, 1.01, "params");
        assert_close(&b.m, &reference.m, &bound.m, 1.01, "m");
        assert_close(&b.v, &reference.v, &bound.v, 1.01, "v");
    }

    #[test]
    fn mirrored_inputs_give_mirrored_updates((config, rate, params, grads) in run()) {
        let mut adam = [Adam::new(config).unwrap(), Adam::new(config).unwrap()];
        let mut b = [Buffers::new(&params), Buffers::new(&params.iter().map(|p| -p).collect::<Vec<_>>())];
        for g in &grads {
            for (i, sign) in [1.0, -1.0].into_iter().enumerate() {
                for (to, g) in b[i].g.iter_mut().zip(g) {
                    *to = sign * g;
                }
                let _ = adam[i].update(&Constant(rate), PLAIN, b[i].state()).unwrap();
            }
        }
        for i in 0..params.len() {
            prop_assert_eq!(b[0].p[i], -b[1].p[i]);
            prop_assert_eq!(b[0].v[i], b[1].v[i]);
        }
    }

    #[test]
    fn the_first_step_has_the_size_of_the_rate(g in prop::collection::vec(number(), 1..40), rate in 1e-4..0.5) {
        let mut adam = Adam::new(Config::default()).unwrap();
        let mut b = Buffers::new(&vec![0.0; g.len()]);
        b.g.copy_from_slice(&g);
        let _ = adam.update(&Constant(rate), PLAIN, b.state()).unwrap();
        for (p, g) in wide(&b.p).into_iter().zip(wide(&g)) {
            // m / c1 = g and v / c2 = g^2, so the step is rate * |g| / (|g| + epsilon).
            let want = -rate * g / (g.abs() + 1e-9);
            prop_assert!((p - want).abs() <= 16.0 * 2f64.powi(-24) * rate, "{} for {}", p, want);
        }
    }

    #[test]
    fn clearing_and_scaling_change_nothing_else((config, rate, params, grads) in run()) {
        // A quarter is exact, so scaling in the update and scaling beforehand agree to the bit.
        let mut kept = (Adam::new(config).unwrap(), Buffers::new(&params));
        let mut cleared = kept.clone();
        for g in &grads {
            kept.1.g = g.iter().map(|g| g * 0.25).collect();
            cleared.1.g.copy_from_slice(g);
            let a = kept.0.update(&Constant(rate), PLAIN, kept.1.state()).unwrap();
            let clear = GradScale { norm: 2.0, scale: 0.25, after: Gradients::Clear };
            let b = cleared.0.update(&Constant(rate), clear, cleared.1.state()).unwrap();
            prop_assert_eq!(a, b);
            prop_assert!(cleared.1.g.iter().all(|g| g.to_bits() == 0));
            prop_assert_eq!(&kept.1.g, &g.iter().map(|g| g * 0.25).collect::<Vec<_>>());
            kept.1.g.fill(0.0);
            prop_assert_eq!(kept.1.bits(), cleared.1.bits());
        }
    }

    #[test]
    fn a_resumed_run_is_the_same_run((config, rate, params, grads) in run(), stop in 0usize..12) {
        let mut whole = (Adam::new(config).unwrap(), Buffers::new(&params));
        let mut parts = whole.clone();
        for (t, g) in grads.iter().enumerate() {
            if t == stop {
                parts.0 = Adam::resume(parts.0.config(), parts.0.updates()).unwrap();
            }
            for (adam, b) in [&mut whole, &mut parts] {
                b.g.copy_from_slice(g);
                let _ = adam.update(&Constant(rate), PLAIN, b.state()).unwrap();
            }
        }
        prop_assert_eq!(whole.1.bits(), parts.1.bits());
        prop_assert_eq!(whole.0, parts.0);
    }
}

#[test]
fn the_schedule_is_read_once_an_update_at_the_count_plus_one() {
    let schedule = Noted(RefCell::default());
    let mut adam = Adam::resume(Config::default(), 41).unwrap();
    let mut b = Buffers::new(&[1.0, 2.0]);
    for (norm, want) in [(1.0, Some(42)), (f64::NAN, None), (f64::INFINITY, None), (2.0, Some(43)), (0.0, Some(44))] {
        let before = (adam.clone(), b.bits());
        match adam.update(&schedule, GradScale { norm, ..PLAIN }, b.state()).unwrap() {
            Outcome::Applied { step, rate, finite } => {
                assert_eq!(Some(step.get()), want);
                assert_eq!(rate, step.get() as f64 * 1e-3);
                assert!(finite);
            }
            Outcome::Skipped { norm: told } => {
                assert_eq!(want, None);
                assert_eq!(told.to_bits(), norm.to_bits());
                assert_eq!(before, (adam.clone(), b.bits()));
            }
        }
    }
    assert_eq!(adam.updates(), 44);
    assert_eq!(*schedule.0.borrow(), [42, 43, 44]);
}

#[test]
fn a_skipped_update_still_clears_the_gradients() {
    // Otherwise the next accumulation would add to a NaN.
    let mut adam = Adam::new(Config::default()).unwrap();
    let mut b = Buffers::new(&[1.0, 2.0]);
    b.g = vec![f32::NAN, 3.0];
    let gradient = GradScale { norm: f64::NAN, scale: f32::NAN, after: Gradients::Clear };
    let outcome = adam.update(&Constant(0.1), gradient, b.state()).unwrap();
    assert!(matches!(outcome, Outcome::Skipped { .. }));
    assert_eq!((b.g, b.p, b.m), (vec![0.0, 0.0], vec![1.0, 2.0], vec![0.0, 0.0]));
}

#[test]
fn anything_not_finite_is_told_and_stays_in_its_place() {
    for n in [1, 15, 33, 20_000] {
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for buffer in 0..4 {
                for at in [0, n / 2, n - 1] {
                    let mut b = Buffers::new(&vec![0.5; n]);
                    b.g.fill(0.25);
                    *[&mut b.p, &mut b.g, &mut b.m, &mut b.v][buffer].get_mut(at).unwrap() = poison;
                    let mut adam = Adam::new(Config::default()).unwrap();
                    let outcome = adam.update(&Constant(0.1), PLAIN, b.state()).unwrap();
                    assert!(
                        matches!(outcome, Outcome::Applied { finite: false, .. }),
                        "{buffer} {at} of {n}: {poison}"
                    );
                    let bad = |i: usize| !(b.p[i].is_finite() && b.m[i].is_finite() && b.v[i].is_finite());
                    assert!((0..n).all(|i| bad(i) == (i == at)), "{buffer} {at} of {n}: {poison}");
                    if poison.is_nan() {
                        assert!(b.p[at].is_nan());
                    }
                }
            }
        }
    }
}

#[test]
fn moments_reach_zero_once_the_gradients_have_ended() {
    let mut adam = Adam::new(Config::default()).unwrap();
    let mut b = Buffers::new(&[1.0, -1.0, 1.0]);
    b.g = vec![1e-3, -1e-12, 0.0];
    for _ in 0..4000 {
        let _ = adam.update(&Constant(1e-3), GradScale { after: Gradients::Clear, ..PLAIN }, b.state()).unwrap();
        for x in b.m.iter().chain(&b.v) {
            assert!(!x.is_subnormal(), "{x:e}");
        }
    }
    assert_eq!((b.m, b.v), (vec![0.0; 3], vec![0.0; 3]));
    assert_eq!(b.p[2], 1.0);
}

/// The contract of one parameter, written out again.
fn by_the_contract(b: &mut Buffers, i: usize, s: &super::Scalars, scale: f32) {
    let flush = |x: f32| if x.abs() < 2f32.powi(-126) { 0.0 } else { x };
    let g = scale * b.g[i];
    let difference = g - b.m[i];
    b.m[i] = flush(f32::mul_add(s.w1, difference, b.m[i]));
    let excess = f32::mul_add(g, g, -b.v[i]);
    b.v[i] = flush(f32::mul_add(s.w2, excess, b.v[i]));
    let d = f32::mul_add(b.v[i].sqrt(), s.root_correction, s.epsilon);
    let quotient = b.m[i] / d;
    let step = s.step_size * quotient;
    b.p[i] -= f32::mul_add(s.decay, b.p[i], step);
}

#[test]
fn same_bits_for_every_instruction_set_and_number_of_threads() {
    // Two chunks and a ragged third, with awkward values strewn in.
    let n = 2 * 16 * 1024 + 37;
    let awkward =
        [0.0, -0.0, 1e-45, -3e-39, 1.2e-38, 1e-30, -1e-20, 1e-10, 1e18, -3e19, f32::MAX, f32::INFINITY, f32::NAN];
    let value = |i: usize, salt: usize| {
        let x = (i * 2_654_435_761 + salt * 40_503) % 100_003;
        if x < 1000 { awkward[x % awkward.len()] } else { (x as f32 / 50_000.0 - 1.0) * 1e-2 }
    };
    let filled = |salt| (0..n).map(|i| value(i, salt)).collect::<Vec<f32>>();
    let start = Buffers { p: filled(1), g: filled(2), m: filled(3), v: filled(4).iter().map(|v| v.abs()).collect() };
    let config = Config { weight_decay: 0.01, ..Config::default() };
    let scalars = config.scalars(&Root, Step::new(8).unwrap()).unwrap();
    let mut want = start.clone();
    (0..n).for_each(|i| by_the_contract(&mut want, i, &scalars, 0.75));
    everywhere(|place| {
        let mut b = start.clone();
        let mut adam = Adam::resume(config, 7).unwrap();
        let gradient = GradScale { scale: 0.75, ..PLAIN };
        let outcome = adam.update(&Root, gradient, b.state()).unwrap();
        assert_eq!(outcome, Outcome::Applied { step: Step::new(8).unwrap(), rate: scalars.rate, finite: false });
        assert!(b.bits() == want.bits(), "{place}");
    });
}

#[test]
fn a_steps_scalars_have_these_bits() {
    // Made with Python's floats (f64) and struct.pack('<f', x), by the order of multiplication that the contract
    // states.
    let paper = Config::default();
    let other = Config { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    for (config, t, want) in [
        (paper, 1, [0x41200000, 0x40e24630, 0, 0x3089705f, 0x3dcccccd, 0x3ca3d70a]),
        (paper, 2, [0x406e2eef, 0x40a0ce59, 0, 0x3089705f, 0x3dcccccd, 0x3ca3d70a]),
        (paper, 3, [0x40085931, 0x4083f4f1, 0, 0x3089705f, 0x3dcccccd, 0x3ca3d70a]),
        (paper, 100_000, [0x3b4f3e37, 0x3f800000, 0, 0x3089705f, 0x3dcccccd, 0x3ca3d70a]),
        (paper, u64::MAX, [0x2f800000, 0x3f800000, 0, 0x3089705f, 0x3dcccccd, 0x3ca3d70a]),
        (other, 1, [0x41200000, 0x41fcfb72, 0x3c23d70a, 0x322bcc77, 0x3dcccccd, 0x3a83126f]),
        (other, 3, [0x40085931, 0x419221e6, 0x3bbd2fa7, 0x322bcc77, 0x3dcccccd, 0x3a83126f]),
        (other, 1000, [0x3d0186e2, 0x3fa0f87f, 0x39a5cb5f, 0x322bcc77, 0x3dcccccd, 0x3a83126f]),
        (other, 4000, [0x3c8186e2, 0x3f812fa7, 0x3925cb5f, 0x322bcc77, 0x3dcccccd, 0x3a83126f]),
    ] {
        let s = config.scalars(&Root, Step::new(t).unwrap()).unwrap();
        let got = [s.step_size, s.root_correction, s.decay, s.epsilon, s.w1, s.w2].map(f32::to_bits);
        assert_eq!(got, want, "step {t}: {got:08x?}");
        assert_eq!(s.rate, 1.0 / (t as f64).sqrt());
    }
}

#[test]
fn powers_are_powers() {
    for beta in [0.0, 0.5, 0.9, 0.98, 0.999_999] {
        let mut product = 1.0;
        for t in 1..=2000u64 {
            product *= beta;
            // One rounding a factor in the product; in the power, at most 2 t, counted with their multiplicity.
            let tolerance = 3.0 * t as f64 * 2f64.powi(-53) * product;
            assert!((power(beta, t) - product).abs() <= tolerance, "{beta}^{t}");
        }
    }
}

#[test]
fn bad_constants_are_refused_with_the_way_out() {
    let good = Config::default();
    for (config, name) in [
        (Config { beta1: 1.0, ..good }, "beta1"),
        (Config { beta1: -0.1, ..good }, "beta1"),
        (Config { beta2: f64::NAN, ..good }, "beta2"),
        (Config { epsilon: 0.0, ..good }, "epsilon"),
        (Config { epsilon: EPSILON_MIN / 2.0, ..good }, "epsilon"),
        (Config { epsilon: 1e300, ..good }, "epsilon"),
        (Config { weight_decay: -1.0, ..good }, "weight_decay"),
        (Config { weight_decay: f64::INFINITY, ..good }, "weight_decay"),
    ] {
        for error in [Adam::new(config).unwrap_err(), Adam::resume(config, 3).unwrap_err()] {
            let text = error.to_string();
            assert!(text.starts_with("adam: ") && text.contains(name) && text.contains("must be"), "{text}");
        }
    }
    assert!(Adam::new(Config { beta1: 0.0, beta2: 0.0, epsilon: EPSILON_MIN, weight_decay: 0.0 }).is_ok());
}

#[test]
fn bad_updates_are_refused_and_change_nothing() {
    /// What the error says, what to do to the buffers, rate, scale, updates so far.
    type Case = (&'static str, fn(&mut Buffers), f64, f32, u64);
    let cases: [Case; 9] = [
        ("`grads` holds 1 values", |b| b.g.truncate(1), 0.1, 1.0, 0),
        ("`m` holds 3 values", |b| b.m.push(0.0), 0.1, 1.0, 0),
        ("`v` holds 0 values", |b| b.v.clear(), 0.1, 1.0, 0),
        ("rate is NaN", |_| (), f64::NAN, 1.0, 0),
        ("rate is -0.1", |_| (), -0.1, 1.0, 0),
        ("rate is 1", |_| (), 1e38, 1.0, 0), // times ten in the first step
        ("scale is -1", |_| (), 0.1, -1.0, 0),
        ("scale is inf", |_| (), 0.1, f32::INFINITY, 0),
        ("count of updates", |_| (), 0.1, 1.0, u64::MAX),
    ];
    for (want, spoil, rate, scale, updates) in cases {
        let mut b = Buffers::new(&[1.0, 2.0]);
        b.g = vec![0.5, 0.5];
        spoil(&mut b);
        let mut adam = Adam::resume(Config::default(), updates).unwrap();
        let before = (adam.clone(), b.bits());
        let gradient = GradScale { scale, after: Gradients::Clear, ..PLAIN };
        let text = adam.update(&Constant(rate), gradient, b.state()).unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
        assert_eq!(before, (adam, b.bits()));
    }
    // No parameters are a (small) model too.
    let outcome = Adam::new(Config::default()).unwrap().update(&Constant(0.1), PLAIN, Buffers::new(&[]).state());
    assert!(matches!(outcome, Ok(Outcome::Applied { finite: true, .. })));
}
