//! What holds for every schedule, at every parameter and every step.

use noam_schedule::{
    Constant, Cosine, CosineRestarts, Count, Exponential, Floor, InverseSqrt, InverseTime, Linear, Noam, Piecewise,
    Polynomial, Rule, Scaled, Schedule, Shape, Spec, Step, Then, Warmup, Wsd,
};
use proptest::prelude::*;

/// Rates over the whole range, the usual ones most often.
fn a_rate() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1e-8..1e-1f64,
        1 => Just(0.0),
        1 => Just(f64::MAX),
        1 => Just(f64::MIN_POSITIVE),
        2 => (0u64..0x7ff0_0000_0000_0000).prop_map(f64::from_bits),
    ]
}

fn a_positive() -> impl Strategy<Value = f64> {
    a_rate().prop_filter("greater than 0", |&value| value > 0.0)
}

fn a_fraction() -> impl Strategy<Value = f64> {
    prop_oneof![3 => 0.01..1.0f64, 1 => Just(1.0), 2 => (1u64..=0x3ff0_0000_0000_0000).prop_map(f64::from_bits)]
}

/// Counts from 1: small ones, those around powers of 2, and any.
fn a_count() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 1u64..20_000,
        1 => (0u32..64).prop_map(|bits| 1 << bits),
        1 => Just(u64::MAX),
        1 => 1u64..,
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    a_count().prop_map(|n| Step::new(n).unwrap())
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let span = || (a_rate(), a_rate(), a_count());
    let shape = prop_oneof![Just(Shape::Linear), Just(Shape::Cosine), Just(Shape::OneMinusSqrt)];
    prop_oneof![
        (a_count(), a_count(), a_positive()).prop_map(|(d, w, f)| Rule::Noam(Noam::new(d, w, f).unwrap())),
        (a_rate(), a_count(), a_rate()).prop_map(|(peak, warmup, initial)| Rule::InverseSqrt(
            InverseSqrt::new(peak, warmup).unwrap().with_initial(initial).unwrap()
        )),
        a_rate().prop_map(|rate| Rule::Constant(Constant::new(rate).unwrap())),
        span().prop_map(|(start, end, steps)| Rule::Linear(Linear::new(start, end, steps).unwrap())),
        (span(), a_positive()).prop_map(|((start, end, steps), power)| Rule::Polynomial(
            Polynomial::new(start, end, steps, power).unwrap()
        )),
        (a_rate(), a_fraction(), a_count(), any::<bool>()).prop_map(|(start, decay_rate, steps, staircase)| {
            let new = if staircase { Exponential::staircase } else { Exponential::new };
            Rule::Exponential(new(start, decay_rate, steps).unwrap())
        }),
        (a_rate(), a_positive(), a_count(), any::<bool>()).prop_map(|(start, decay_rate, steps, staircase)| {
            let new = if staircase { InverseTime::staircase } else { InverseTime::new };
            Rule::InverseTime(new(start, decay_rate, steps).unwrap())
        }),
        proptest::collection::btree_map(2u64.., a_rate(), 0..16).prop_flat_map(|pieces| {
            a_rate().prop_map(move |first| {
                let rates: Vec<f64> = std::iter::once(first).chain(pieces.values().copied()).collect();
                let boundaries: Vec<u64> = pieces.keys().copied().collect();
                Rule::Piecewise(Piecewise::new(&rates, &boundaries).unwrap())
            })
        }),
        span().prop_map(|(start, end, steps)| Rule::Cosine(Cosine::new(start, end, steps).unwrap())),
        (span(), a_count(), a_fraction()).prop_map(|((a, b, steps), t_mul, m_mul)| Rule::CosineRestarts(
            CosineRestarts::new(a.max(b), a.min(b), steps, t_mul, m_mul).unwrap()
        )),
        (span(), a_count(), 0u64.., a_rate(), shape).prop_map(
            |((peak, end, steps), warmup, stable, initial, shape)| {
                let wsd = Wsd::new(peak, warmup, stable, steps).unwrap();
                Rule::Wsd(wsd.with_initial(initial).unwrap().with_end(end).unwrap().with_shape(shape))
            }
        ),
    ]
}

fn is_a_rate(rate: f64) -> bool {
    rate.is_finite() && rate >= 0.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn rates_are_finite_and_not_negative(
        (first, second) in (a_rule(), a_rule()),
        (warmup, from) in (a_count(), a_step()),
        (initial, floor, factor) in (a_rate(), a_rate(), a_positive()),
        step in a_step(),
    ) {
        let warmed = Warmup::new(warmup, first).unwrap().with_initial(initial).unwrap();
        let scaled = Scaled::new(Scaled::new(first, factor).unwrap(), factor).unwrap();
        let floored = Floor::new(first, floor).unwrap();
        for step in [Step::FIRST, step, step.next(), Step::LAST] {
            prop_assert!(is_a_rate(first.rate(step)), "{first:?} at {step}: {}", first.rate(step));
            prop_assert!(is_a_rate(warmed.rate(step)), "{warmed:?} at {step}: {}", warmed.rate(step));
            prop_assert!(is_a_rate(scaled.rate(step)), "{scaled:?} at {step}: {}", scaled.rate(step));
            prop_assert!(floored.rate(step) >= floor && is_a_rate(floored.rate(step)), "{floored:?} at {step}");
            for count in [Count::Restarts, Count::Continues] {
                prop_assert!(is_a_rate(Then::new(first, from, second, count).rate(step)));
            }
        }
    }

    #[test]
    fn noam_rises_to_its_warmup_and_falls_after(d_model in 1u64..100_000, warmup in 2u64..100_000, factor in 1e-3..1e3f64) {
        let noam = Noam::new(d_model, warmup, factor).unwrap();
        let at = |n| noam.rate(Step::new(n).unwrap());
        let peak = at(warmup);
        let closed_form = factor / (d_model as f64 * warmup as f64).sqrt();
        prop_assert!((peak / closed_form - 1.0).abs() < 1e-14);
        for n in (1..warmup).step_by(1 + warmup as usize / 50) {
            prop_assert!(at(n) < at(n + 1), "rises at {n}");
            // In proportion to the step.
            prop_assert!((at(n) / (at(1) * n as f64) - 1.0).abs() < 1e-14);
        }
        for n in (warmup..20 * warmup).step_by(warmup as usize) {
            prop_assert!(at(n) > at(n + warmup), "falls after {n}");
            // With the inverse square root.
            prop_assert!((at(4 * n) / at(n) - 0.5).abs() < 1e-14);
        }
    }

    #[test]
    fn noam_is_inverse_sqrt_with_its_peak(d_model in 1u64..5000, warmup in 1u64..50_000, n in 1u64..1_000_000) {
        let noam = Noam::new(d_model, warmup, 1.0).unwrap();
        let peak = noam.rate(Step::new(warmup).unwrap());
        let step = Step::new(n).unwrap();
        let ratio = noam.rate(step) / InverseSqrt::new(peak, warmup).unwrap().rate(step);
        prop_assert!((ratio - 1.0).abs() < 1e-14, "{ratio}");
    }

    #[test]
    fn decays_stay_between_their_ends(
        (start, end) in (1e-8..1.0f64, 1e-8..1.0f64), steps in 1u64..100_000, power in 0.1..10.0f64, step in a_step(),
    ) {
        let slack = 4.0 * f64::EPSILON * start.max(end);
        let (low, high) = (start.min(end) - slack, start.max(end) + slack);
        let linear = Linear::new(start, end, steps).unwrap();
        let polynomial = Polynomial::new(start, end, steps, power).unwrap();
        let cosine = Cosine::new(start, end, steps).unwrap();
        let wsd = Wsd::new(start, 1, 0, steps).unwrap().with_end(end).unwrap();
        let last = Step::new(steps + 1).unwrap();
        for schedule in [&linear as &dyn Schedule, &polynomial, &cosine, &wsd] {
            prop_assert_eq!(schedule.rate(Step::FIRST), start);
            prop_assert_eq!(schedule.rate(last), end);
            prop_assert_eq!(schedule.rate(Step::LAST), end);
            let rate = schedule.rate(step);
            prop_assert!(low <= rate && rate <= high, "{rate:e} at {step}");
        }
    }

    #[test]
    fn a_polynomial_of_power_1_is_linear(start in 0.0..1.0f64, end in 0.0..1.0f64, steps in 1u64..100_000, n in 1u64..100_000) {
        let step = Step::new(n).unwrap();
        let (line, polynomial) = (Linear::new(start, end, steps).unwrap(), Polynomial::new(start, end, steps, 1.0).unwrap());
        prop_assert_eq!(line.rate(step).to_bits(), polynomial.rate(step).to_bits());
    }

    #[test]
    fn staircases_meet_the_continuous_decay_at_their_edges(
        start in 1e-8..1.0f64, decay_rate in 0.01..1.0f64, steps in 1u64..1000, stair in 0u64..1000, within in 0u64..1000,
    ) {
        let edge = Step::new(stair * steps + 1).unwrap();
        let inside = Step::new(stair * steps + 1 + within % steps).unwrap();
        let stairs = Exponential::staircase(start, decay_rate, steps).unwrap();
        prop_assert_eq!(stairs.rate(edge), Exponential::new(start, decay_rate, steps).unwrap().rate(edge));
        prop_assert_eq!(stairs.rate(inside), stairs.rate(edge));
        let stairs = InverseTime::staircase(start, decay_rate, steps).unwrap();
        prop_assert_eq!(stairs.rate(edge), InverseTime::new(start, decay_rate, steps).unwrap().rate(edge));
        prop_assert_eq!(stairs.rate(inside), stairs.rate(edge));
    }

    #[test]
    fn restarts_repeat_the_first_cycle(start in 1e-6..1.0f64, steps in 1u64..1000, t_mul in 1u64..5, cycle in 0u32..6, at in 0u64..1000) {
        let schedule = CosineRestarts::new(start, 0.0, steps, t_mul, 0.5).unwrap();
        let begin: u64 = (0..cycle).map(|i| steps * t_mul.pow(i)).sum();
        let length = steps * t_mul.pow(cycle);
        let height = start * 0.5f64.powi(cycle as i32);
        let plain = Cosine::new(height, 0.0, length).unwrap();
        let within = at % length;
        let rate = schedule.rate(Step::new(begin + within + 1).unwrap());
        prop_assert_eq!(rate, plain.rate(Step::new(within + 1).unwrap()));
    }

    #[test]
    fn a_warmup_rises_to_the_first_rate_and_goes_on_with_the_rest(peak in 1e-6..1.0f64, warmup in 1u64..10_000, after in 1u64..10_000) {
        let inner = Linear::new(peak, 0.0, 5000).unwrap();
        let schedule = Warmup::new(warmup, inner).unwrap();
        let at = |n| schedule.rate(Step::new(n).unwrap());
        prop_assert!(at(1) > 0.0);
        prop_assert_eq!(at(warmup), peak);
        prop_assert_eq!(at(warmup - 1 + after), inner.rate(Step::new(after).unwrap()));
        for n in (1..warmup).step_by(97) {
            prop_assert!(at(n) < at(n + 1));
        }
    }

    #[test]
    fn then_counts_as_it_says((first, second) in (a_rule(), a_rule()), from in a_step(), step in a_step()) {
        let restarts = Then::new(first, from, second, Count::Restarts).rate(step);
        let continues = Then::new(first, from, second, Count::Continues).rate(step);
        if step < from {
            prop_assert_eq!(restarts, first.rate(step));
            prop_assert_eq!(continues, first.rate(step));
        } else {
            prop_assert_eq!(restarts, second.rate(Step::new(step.get() - from.get() + 1).unwrap()));
            prop_assert_eq!(continues, second.rate(step));
        }
    }

    #[test]
    fn a_spec_is_its_parts(rule in a_rule(), warmup in a_count(), floor in a_rate(), step in a_step()) {
        prop_assert_eq!(Spec::new(rule).rate(step), rule.rate(step));
        let floored = Spec::new(rule).with_floor(floor).unwrap();
        prop_assert_eq!(floored.rate(step), rule.rate(step).max(floor));
        match Spec::new(rule).with_warmup(warmup) {
            Ok(warmed) => prop_assert_eq!(warmed.rate(step), Warmup::new(warmup, rule).unwrap().rate(step)),
            Err(error) => prop_assert!(matches!(rule, Rule::Noam(_) | Rule::InverseSqrt(_) | Rule::Wsd(_)), "{error}"),
        }
    }

    #[test]
    fn a_spec_survives_its_fields(rule in a_rule(), warmup in a_count(), initial in a_rate(), floor in a_rate()) {
        let plain = Spec::new(rule).with_floor(floor).unwrap();
        let warmed = plain.with_warmup(warmup).and_then(|spec| spec.with_warmup_initial(initial)).unwrap_or(plain);
        for spec in [plain, warmed] {
            prop_assert_eq!(Spec::try_from(noam_schedule::Fields::from(spec)), Ok(spec));
        }
    }
}
