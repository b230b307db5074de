//! Agreement with the schedules of TensorFlow, Keras, optax, PyTorch and transformers, to the rounding of each one's numbers.
//!
//! Tolerances are in units of u, half of the spacing of the library's numbers at 1 (2^-24 in f32, 2^-53 in f64), because
//! each rounded operation of theirs is off by at most u relative. Ours are in f64, and add nothing to it in f32.

use std::collections::BTreeMap;

use noam_schedule::feedback::{PlateauConfig, ReduceOnPlateau};
use noam_schedule::{
    Constant, Cosine, CosineRestarts, Count, Exponential, InverseSqrt, InverseTime, Linear, Noam, Piecewise,
    Polynomial, Schedule, Shape, Step, Then, Warmup, Wsd,
};
use serde_json::Value;

struct Row {
    schedule: String,
    params: Value,
    step: u64,
    /// The library's rate, exactly.
    rate: f64,
    /// Half of the spacing of its numbers at 1.
    u: f64,
}

/// The seven cells of a line; the fifth is quoted, with doubled quotes inside.
fn parse(line: &str) -> Row {
    let (head, rest) = line.split_once(",\"").expect("a quoted cell");
    let (params, tail) = rest.rsplit_once("\",").expect("cells after it");
    let head: Vec<&str> = head.split(',').collect();
    let [_library, _version, schedule, dtype] = head[..] else { panic!("four cells first: {line}") };
    let (step, rate) = tail.split_once(',').expect("two cells last");
    let params = serde_json::from_str(&params.replace("\"\"", "\"")).expect("parameters in JSON");
    let (rate, u) = match dtype {
        // The shortest decimals of an f32 name that f32, not the nearest f64.
        "f32" => (f64::from(rate.parse::<f32>().expect("rate")), 2f64.powi(-24)),
        "f64" => (rate.parse().expect("rate"), 2f64.powi(-53)),
        other => panic!("type {other}"),
    };
    Row { schedule: schedule.to_owned(), params, step: step.parse().expect("step"), rate, u }
}

fn rows(csv: &str) -> Vec<Row> {
    csv.lines().skip(1).map(parse).collect()
}

impl Row {
    fn f(&self, name: &str) -> f64 {
        self.params[name].as_f64().unwrap_or_else(|| panic!("{}: number {name}", self.schedule))
    }

    fn n(&self, name: &str) -> u64 {
        self.params[name].as_u64().unwrap_or_else(|| panic!("{}: count {name}", self.schedule))
    }

    fn list(&self, name: &str) -> Vec<f64> {
        let list = self.params[name].as_array().unwrap_or_else(|| panic!("{}: list {name}", self.schedule));
        list.iter().map(|entry| entry.as_f64().expect("a number")).collect()
    }

    /// Checks one rate of ours against the row, within `tolerance` (absolute).
    fn check(&self, ours: f64, tolerance: f64) {
        let off = (ours - self.rate).abs();
        let Row { schedule, params, step, rate, .. } = self;
        assert!(
            off <= tolerance,
            "{schedule} {params} at {step}: {ours:e}, theirs {rate:e}, {:.2} allowed",
            off / tolerance
        );
    }
}

fn step(n: u64) -> Step {
    Step::new(n).expect("a step from 1")
}

/// A rise from `initial` to `peak` as the libraries count it, their first update with `initial` itself, then `decay`.
fn exact_rise<S: Schedule>(initial: f64, peak: f64, warmup: u64, decay: S) -> impl Schedule {
    let rise = Linear::new(initial, peak, warmup).expect("a rise");
    Then::new(rise, step(warmup + 1), decay, Count::Restarts)
}

/// A decay behind a warm-up in two forms: as the library counts it (their t is our step less 1), and as [`Warmup`] does
/// (t is our step; there is no row 0 then).
fn check_warmed<S: Schedule + Copy>(
    row: &Row,
    initial: f64,
    peak: f64,
    warmup: u64,
    decay: Result<S, noam_schedule::Error>,
    tolerance: f64,
) {
    let decay = decay.expect("golden parameters are valid");
    row.check(exact_rise(initial, peak, warmup, decay).rate(step(row.step + 1)), tolerance);
    if row.step > 0 {
        let ours = Warmup::new(warmup, decay).and_then(|schedule| schedule.with_initial(initial)).expect("a warm-up");
        row.check(ours.rate(step(row.step)), tolerance);
    }
}

/// How often each name occurs, to see that none is left out.
fn count_names(rows: &[Row]) -> BTreeMap<&str, usize> {
    rows.iter().fold(BTreeMap::new(), |mut names, row| {
        *names.entry(row.schedule.as_str()).or_default() += 1;
        names
    })
}

#[test]
fn tensorflow_keras_and_optax() {
    let rows = rows(include_str!("golden/tf.csv"));
    for row in &rows {
        let (f, n) = (|name| row.f(name), |name| row.n(name));
        // Each rounding of a product, a quotient or an ingredient counts 1 u of the value it is in.
        let of = |units: f64, scale: f64| units * row.u * scale;
        let count_from_0 = step(row.step + if row.schedule == "noam" { 0 } else { 1 });
        match row.schedule.as_str() {
            // rsqrt(d) 1.5, w^-1.5 or rsqrt(n) 1.5, two products: 5, all relative.
            "noam" => {
                let ours = Noam::new(n("d_model"), n("warmup"), 1.0).expect("valid");
                row.check(ours.rate(count_from_0), of(5.0, row.rate))
            }
            // Keras. initial 1, product 1, power 2, and its base and exponent 1 each, which count as often as the
            // exponent, at most 5: 4 + 5 (1 + 0.1), relative (0.1 = -ln 0.9).
            "exponential" => {
                let ours = Exponential::new(f("initial"), f("decay_rate"), n("decay_steps")).expect("valid");
                row.check(ours.rate(count_from_0), of(10.0, row.rate))
            }
            // (initial - end) 3, 1 - x 2, its power 2 * 2 + 1, product and sum 2: 12 of initial.
            "polynomial" if row.params["power"] == 2.0 => {
                let ours = Polynomial::new(f("initial"), f("end"), n("decay_steps"), f("power")).expect("valid");
                row.check(ours.rate(count_from_0), of(12.0, f("initial")))
            }
            // The angle pi x has 2 to 3 u of up to pi: 9; the cosine 1, the sum 1 of 2; halved: 6; then alpha, 1 - alpha,
            // products and a sum, 6: 12 of initial.
            "cosine" => {
                let ours = Cosine::new(f("initial"), f("alpha") * f("initial"), n("decay_steps")).expect("valid");
                row.check(ours.rate(count_from_0), of(12.0, f("initial")))
            }
            "cosine_warmup" => {
                let peak = f("warmup_target");
                let decay = Cosine::new(peak, f("alpha") * peak, n("decay_steps"));
                check_warmed(row, f("initial"), peak, n("warmup_steps"), decay, of(12.0, peak))
            }
            // As cosine; but x goes through a logarithm to find the cycle, and the fraction within it is a difference of
            // numbers up to 5: its 3 u of 5 count pi times, halved: 24 more.
            "cosine_restarts" => {
                let end = f("alpha") * f("initial");
                let t_mul = f("t_mul") as u64;
                let ours = CosineRestarts::new(f("initial"), end, n("first_decay_steps"), t_mul, f("m_mul"));
                row.check(ours.expect("valid").rate(count_from_0), of(36.0, f("initial")))
            }
            // initial 1, rate 1, x 1, product 1, sum 1, quotient 1: 6 relative.
            "inverse_time" => {
                let ours = InverseTime::new(f("initial"), f("decay_rate"), n("decay_steps")).expect("valid");
                row.check(ours.rate(count_from_0), of(6.0, row.rate))
            }
            // Only the rate itself is rounded. A boundary there is the last with the old rate, counted from 0.
            "piecewise_constant" => {
                let boundaries: Vec<u64> = row.list("boundaries").iter().map(|&b| b as u64 + 2).collect();
                let ours = Piecewise::new(&row.list("values"), &boundaries).expect("valid");
                row.check(ours.rate(count_from_0), of(1.0, row.rate))
            }
            // optax. As Keras's polynomial with a power of 1.
            "linear" => {
                let ours = Linear::new(f("init"), f("end"), n("transition_steps")).expect("valid");
                row.check(ours.rate(count_from_0), of(8.0, f("init")))
            }
            // Its power of 3: 3 * 2 + 2 for the power.
            "polynomial" => {
                let ours = Polynomial::new(f("init"), f("end"), n("transition_steps"), f("power")).expect("valid");
                row.check(ours.rate(count_from_0), of(15.0, f("init")))
            }
            // Its decay_steps include the warm-up.
            "warmup_cosine" => {
                let decay = Cosine::new(f("peak"), f("end"), n("decay_steps") - n("warmup_steps"));
                check_warmed(row, f("init"), f("peak"), n("warmup_steps"), decay, of(12.0, f("peak")))
            }
            "warmup_exponential" => {
                let decay = Exponential::new(f("peak"), f("decay_rate"), n("transition_steps"));
                check_warmed(row, f("init"), f("peak"), n("warmup_steps"), decay, of(10.0, f("peak")))
            }
            other => panic!("{other}: no schedule of ours for it"),
        }
    }
    let names = count_names(&rows);
    assert_eq!((names.len(), names["noam"], rows.len()), (11, 528, 750), "{names:?}");
}

/// Two steps of the inner schedule for each of ours: for a half wave whose length is not whole but a multiple of a half.
struct Doubled<S>(S);

impl<S: Schedule> Schedule for Doubled<S> {
    fn rate(&self, step: Step) -> f64 {
        self.0.rate(Step::new(2 * step.elapsed() + 1).expect("from 1"))
    }
}

#[test]
fn pytorch_and_transformers() {
    let all = rows(include_str!("golden/torch.csv"));
    let rows = || all.iter().filter(|row| row.schedule != "plateau");
    for row in rows() {
        let (f, n) = (|name| row.f(name), |name| row.n(name));
        let of = |units: f64, scale: f64| units * row.u * scale;
        let count_from_0 = step(row.step + 1);
        let base = if row.params["base"].is_null() { f("max") } else { f("base") };
        match row.schedule.as_str() {
            // On both sides up to 3 roundings of a quotient, a product and a sum.
            "hf_constant_with_warmup" => check_warmed(row, 0.0, base, n("warmup"), Constant::new(base), of(6.0, base)),
            "hf_linear" => {
                let decay = Linear::new(base, 0.0, n("total") - n("warmup"));
                check_warmed(row, 0.0, base, n("warmup"), decay, of(6.0, base))
            }
            // Theirs: pi x has 3 u of up to pi, 9; the cosine 1, the sum 1 of 2, halved: 6; a product 1. Ours: 3.
            "hf_cosine" => {
                let decay = Cosine::new(base, 0.0, n("total") - n("warmup"));
                check_warmed(row, 0.0, base, n("warmup"), decay, of(10.0, base))
            }
            // The angle is a remainder of one up to 3 pi: 3 times as much.
            "hf_cosine_hard_restarts" => {
                let cycle = (n("total") - n("warmup")) / n("cycles");
                let decay = CosineRestarts::new(base, 0.0, cycle, 1, 1.0);
                check_warmed(row, 0.0, base, n("warmup"), decay, of(22.0, base))
            }
            // 1 - x 2, the square 2 * 2 + 1, the range, a product and a sum 4, divided and multiplied by the base 2.
            "hf_polynomial" => {
                let decay = Polynomial::new(base, f("end"), n("total") - n("warmup"), f("power"));
                check_warmed(row, 0.0, base, n("warmup"), decay, of(14.0, base))
            }
            // Relative: x 2, the root 2, the quotient and the product 2; ours 3.
            "hf_inverse_sqrt" => {
                let ours = InverseSqrt::new(base, n("warmup")).expect("valid");
                // Its row 0 has no update of ours: the rate there is what the rise starts from.
                if row.step == 0 {
                    row.check(ours.initial(), 0.0)
                } else {
                    row.check(ours.rate(step(row.step)), of(9.0, row.rate))
                }
            }
            // As the cosine, then a product and a sum for the least ratio.
            "hf_wsd" => {
                let end = f("min_ratio") * base;
                let decay = Cosine::new(base, end, n("decay")).expect("valid");
                let plateau =
                    Then::new(Constant::new(base).expect("valid"), step(n("stable") + 1), decay, Count::Restarts);
                check_warmed(row, end, base, n("warmup"), Ok(plateau), of(14.0, base));
                let wsd = Wsd::new(base, n("warmup"), n("stable"), n("decay")).expect("valid");
                let wsd = wsd.with_initial(end).and_then(|wsd| wsd.with_end(end)).expect("valid");
                let wsd = wsd.with_shape(Shape::Cosine);
                let ours = if row.step == 0 { wsd.initial() } else { wsd.rate(step(row.step)) };
                row.check(ours, of(14.0, base))
            }
            // Theirs is a product of t factors, each with a rounding; ours has 2.
            "torch_exponential" => {
                let ours = Exponential::new(base, f("gamma"), 1).expect("valid");
                row.check(ours.rate(count_from_0), of(row.step as f64 + 2.0, row.rate))
            }
            // The products are taken in the same order: exact.
            "torch_multistep" => {
                let milestones = row.list("milestones");
                let boundaries: Vec<u64> = milestones.iter().map(|&m| m as u64 + 1).collect();
                let mut rates = vec![base];
                milestones.iter().for_each(|_| rates.push(rates[rates.len() - 1] * f("gamma")));
                row.check(Piecewise::new(&rates, &boundaries).expect("valid").rate(count_from_0), 0.0)
            }
            "torch_cosine_warm_restarts" => {
                let ours = CosineRestarts::new(base, f("eta_min"), n("t0"), n("t_mult"), 1.0).expect("valid");
                row.check(ours.rate(count_from_0), of(12.0, base))
            }
            // Rises for 0.3 total - 1 steps, falls until total - 1, both along half waves: 300.5 and 703.5 steps. The
            // boundary itself is rounded, 1 u of it in the angle on top of a cosine's.
            "torch_onecycle" => {
                assert_eq!(n("total"), 1005);
                let up = Cosine::new(base / 25.0, base, 601).expect("valid");
                let down = Cosine::new(base, base / 25.0 / 1e4, 1407).expect("valid");
                let ours = Doubled(Then::new(up, step(602), down, Count::Restarts));
                row.check(ours.rate(count_from_0), of(16.0, base))
            }
            other => panic!("{other}: no schedule of ours for it"),
        }
    }
    let names = count_names(&all);
    assert_eq!((names.len(), names["plateau"], all.len()), (12, 40, 293), "{names:?}");
}

#[test]
fn pytorch_plateau_bit_for_bit() {
    let all = rows(include_str!("golden/torch.csv"));
    let rows: Vec<&Row> = all.iter().filter(|row| row.schedule == "plateau").collect();
    let last = rows[rows.len() - 1];
    let config = PlateauConfig {
        factor: last.f("factor"),
        patience: last.n("patience"),
        threshold: last.f("threshold"),
        cooldown: last.n("cooldown"),
        min_rate: last.f("min_lr"),
        ..PlateauConfig::default()
    };
    assert_eq!(last.params["threshold_mode"], "rel");
    let mut plateau = ReduceOnPlateau::new(last.f("base"), config).expect("valid");
    let metrics = last.list("metrics");
    assert_eq!((rows.len(), metrics.len()), (40, 40));
    let mut falls = 0;
    for (row, &metric) in rows.iter().zip(&metrics) {
        let before = plateau.rate();
        let ours = plateau.observe(metric).expect("finite");
        assert_eq!(ours.to_bits(), row.rate.to_bits(), "after metric {}", row.step);
        falls += usize::from(ours < before);
    }
    assert!(falls > 0, "the series has a plateau");
}
