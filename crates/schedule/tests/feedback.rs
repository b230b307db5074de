//! The feedback rules as state machines.

use noam_schedule::Error;
use noam_schedule::feedback::{
    Form, Hypergradient, HypergradientConfig, Mode, PlateauConfig, ReduceOnPlateau, Signal, Threshold,
};
use proptest::prelude::*;

fn plateau(config: PlateauConfig) -> ReduceOnPlateau {
    ReduceOnPlateau::new(1.0, PlateauConfig { eps: 0.0, ..config }).unwrap()
}

/// The rates after each of the metrics.
fn rates<const N: usize>(config: PlateauConfig, metrics: [f64; N]) -> [f64; N] {
    let mut rule = plateau(config);
    metrics.map(|metric| rule.observe(metric).unwrap())
}

#[test]
fn patience_counts_bad_observations_in_a_row() {
    let config = PlateauConfig { factor: 0.5, patience: 2, ..PlateauConfig::default() };
    let metrics = [5.0, 6.0, 6.0, 4.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0];
    assert_eq!(rates(config, metrics), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
}

#[test]
fn cooldown_lets_bad_observations_pass() {
    let config = PlateauConfig { factor: 0.5, patience: 0, cooldown: 2, ..PlateauConfig::default() };
    assert_eq!(rates(config, [5.0, 6.0, 6.0, 6.0, 6.0, 6.0]), [1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
}

#[test]
fn thresholds_and_modes() {
    let base = PlateauConfig { factor: 0.5, patience: 0, threshold: 0.1, ..PlateauConfig::default() };
    let after_two =
        |mode, threshold_mode, second: f64| rates(PlateauConfig { mode, threshold_mode, ..base }, [10.0, second])[1];
    assert_eq!(after_two(Mode::Min, Threshold::Relative, 9.0), 0.5);
    assert_eq!(after_two(Mode::Min, Threshold::Relative, 8.9), 1.0);
    assert_eq!(after_two(Mode::Min, Threshold::Absolute, 9.9), 0.5);
    assert_eq!(after_two(Mode::Min, Threshold::Absolute, 9.8), 1.0);
    assert_eq!(after_two(Mode::Max, Threshold::Relative, 11.0), 0.5);
    assert_eq!(after_two(Mode::Max, Threshold::Relative, 11.1), 1.0);
    assert_eq!(after_two(Mode::Max, Threshold::Absolute, 10.1), 0.5);
    assert_eq!(after_two(Mode::Max, Threshold::Absolute, 10.2), 1.0);
}

#[test]
fn the_least_rate_and_the_least_reduction_hold() {
    let config = PlateauConfig { factor: 0.5, patience: 0, min_rate: 0.3, ..PlateauConfig::default() };
    assert_eq!(rates(config, [1.0, 2.0, 2.0, 2.0]), [1.0, 0.5, 0.3, 0.3]);
    let mut rule = ReduceOnPlateau::new(1e-8, PlateauConfig { patience: 0, ..PlateauConfig::default() }).unwrap();
    rule.observe(1.0).unwrap();
    assert_eq!(rule.observe(2.0), Ok(1e-8), "a reduction by less than eps is not made");
}

#[test]
fn plateau_refuses_what_is_not_finite_and_keeps_its_state() {
    let mut rule = plateau(PlateauConfig::default());
    rule.observe(3.0).unwrap();
    let before = rule;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(rule.observe(bad), Err(Error::Value { name: "metric", .. })));
        assert_eq!(rule, before);
    }
    let refused = |config| ReduceOnPlateau::new(1e-3, config).is_err();
    let good = PlateauConfig::default();
    assert!(!refused(good));
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        assert!(refused(PlateauConfig { factor: bad, ..good }));
        assert!(refused(PlateauConfig { threshold: bad, ..good }));
        assert!(refused(PlateauConfig { min_rate: bad, ..good }));
        assert!(refused(PlateauConfig { eps: bad, ..good }));
        assert!(ReduceOnPlateau::new(bad, good).is_err());
    }
    assert!(refused(PlateauConfig { factor: 0.0, ..good }) && refused(PlateauConfig { factor: 1.0, ..good }));
}

fn signal(dot: f64) -> Signal {
    Signal { dot, gradient_norm: 4.0, direction_norm: 2.0 }
}

#[test]
fn additive_adds_and_stays_within_bounds() {
    let config =
        HypergradientConfig { step_size: 0.5, min_rate: 0.25, max_rate: 8.0, ..HypergradientConfig::default() };
    let mut rule = Hypergradient::new(1.0, config).unwrap();
    let dots = [2.0, -1.0, 0.0, 1e308, -1e308, 1.0];
    assert_eq!(dots.map(|dot| rule.observe(signal(dot)).unwrap()), [2.0, 1.5, 1.5, 8.0, 0.25, 0.75]);
}

#[test]
fn multiplicative_follows_the_angle() {
    let form = Form::Multiplicative;
    let config = HypergradientConfig { form, step_size: 0.5, ..HypergradientConfig::default() };
    let mut rule = Hypergradient::new(0.5, config).unwrap();
    assert_eq!(rule.observe(signal(4.0)), Ok(0.625), "a cosine of a half");
    assert_eq!(rule.observe(signal(-1e9)), Ok(0.3125), "a cosine is at least -1");
    assert_eq!(rule.observe(Signal { gradient_norm: 0.0, ..signal(0.0) }), Ok(0.3125), "no direction, no change");
}

/// On `a x^2 / 2` with plain descent a small rate grows until the steps no longer agree, and the descent ends sooner.
#[test]
fn learns_a_better_rate_on_a_parabola() {
    let (a, steps) = (2.0, 60);
    let descend = |learn: bool| {
        let config = HypergradientConfig { step_size: 1e-3, ..HypergradientConfig::default() };
        let mut rule = Hypergradient::new(0.01, config).unwrap();
        let (mut x, mut previous) = (5.0, None);
        for _ in 0..steps {
            let gradient: f64 = a * x;
            if let Some(previous) = previous.filter(|_| learn) {
                rule.observe(Signal { dot: gradient * previous, gradient_norm: gradient.abs(), direction_norm: 0.0 })
                    .unwrap();
            }
            x -= rule.rate() * gradient;
            previous = Some(gradient);
        }
        (x.abs(), rule.rate())
    };
    let ((fixed, _), (learned, rate)) = (descend(false), descend(true));
    assert!(rate > 0.05 && learned < fixed / 100.0, "{learned:e} at {rate}, against {fixed:e}");
}

#[test]
fn hypergradient_refuses_what_is_not_a_number_and_keeps_its_state() {
    for form in [Form::Additive, Form::Multiplicative] {
        let mut rule = Hypergradient::new(0.5, HypergradientConfig { form, ..HypergradientConfig::default() }).unwrap();
        let before = rule;
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(rule.observe(signal(bad)), Err(Error::Value { name: "dot", .. })));
            assert_eq!(rule, before);
        }
    }
    let config = HypergradientConfig { form: Form::Multiplicative, ..HypergradientConfig::default() };
    let mut rule = Hypergradient::new(0.5, config).unwrap();
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(rule.observe(Signal { gradient_norm: bad, ..signal(1.0) }).is_err());
        assert!(rule.observe(Signal { direction_norm: bad, ..signal(1.0) }).is_err());
    }
    let good = HypergradientConfig::default();
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(Hypergradient::new(bad, good).is_err());
        assert!(Hypergradient::new(0.5, HypergradientConfig { step_size: bad, ..good }).is_err());
        assert!(Hypergradient::new(0.5, HypergradientConfig { min_rate: bad, ..good }).is_err());
        assert!(Hypergradient::new(0.5, HypergradientConfig { max_rate: bad, ..good }).is_err());
    }
    let outside = Hypergradient::new(2.0, good).unwrap_err();
    assert_eq!(
        outside.to_string(),
        "hypergradient: `rate` is 2.0, must lie between 0.0 and 1.0; change it or the bounds"
    );
    assert!(
        Hypergradient::new(0.5, HypergradientConfig { step_size: 1.0, form: Form::Multiplicative, ..good }).is_err()
    );
}

proptest! {
    #[test]
    fn plateau_only_falls_and_stays_a_rate(
        metrics in proptest::collection::vec(any::<f64>(), 1..200),
        factor in 1e-3..0.999f64,
        patience in 0u64..5,
        cooldown in 0u64..5,
        max in any::<bool>(),
        absolute in any::<bool>(),
    ) {
        let mode = if max { Mode::Max } else { Mode::Min };
        let threshold_mode = if absolute { Threshold::Absolute } else { Threshold::Relative };
        let config = PlateauConfig { factor, patience, cooldown, mode, threshold_mode, ..PlateauConfig::default() };
        let mut rule = ReduceOnPlateau::new(1e-3, config).unwrap();
        for metric in metrics {
            let before = rule.rate();
            prop_assert_eq!(rule.observe(metric).is_ok(), metric.is_finite());
            prop_assert!(rule.rate() <= before && rule.rate() >= 0.0);
            prop_assert!(rule.bad() <= patience && rule.cooling() <= cooldown);
        }
    }

    #[test]
    fn hypergradient_stays_within_its_bounds(
        signals in proptest::collection::vec(any::<(f64, f64, f64)>(), 1..200),
        multiplicative in any::<bool>(),
        step_size in 1e-9..0.99f64,
    ) {
        let form = if multiplicative { Form::Multiplicative } else { Form::Additive };
        let config = HypergradientConfig { form, step_size, min_rate: 1e-6, max_rate: 1e-1 };
        let mut rule = Hypergradient::new(1e-3, config).unwrap();
        for (dot, gradient_norm, direction_norm) in signals {
            // An error leaves the rate as it was; either way it is within bounds.
            let _ = rule.observe(Signal { dot, gradient_norm, direction_norm });
            prop_assert!((1e-6..=1e-1).contains(&rule.rate()), "{}", rule.rate());
        }
    }
}
