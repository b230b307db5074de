//! Kinds, their parameters and the errors about them.

use noam_schedule::{
    Constant, Cosine, CosineRestarts, Error, Exponential, Fields, Floor, InverseSqrt, InverseTime, Kind, Linear, List,
    Noam, Parameter, Piecewise, Polynomial, Scaled, Schedule, Shape, Spec, Step, Warmup, Wsd,
};

/// A valid value for the field of that name.
fn give(fields: &mut Fields, name: &str) {
    match name {
        "d_model" => fields.d_model = Some(512),
        "factor" => fields.factor = Some(2.0),
        "rate" => fields.rate = Some(3e-4),
        "peak" => fields.peak = Some(1e-3),
        "start" => fields.start = Some(1e-3),
        "end" => fields.end = Some(1e-5),
        "steps" => fields.steps = Some(1000),
        "power" => fields.power = Some(2.0),
        "decay_rate" => fields.decay_rate = Some(0.9),
        "staircase" => fields.staircase = Some(true),
        "rates" => fields.rates = Some(List::new(&[1e-3, 1e-4]).unwrap()),
        "boundaries" => fields.boundaries = Some(List::new(&[100]).unwrap()),
        "t_mul" => fields.t_mul = Some(2),
        "m_mul" => fields.m_mul = Some(0.5),
        "stable" => fields.stable = Some(500),
        "shape" => fields.shape = Some(Shape::OneMinusSqrt),
        "warmup" => fields.warmup = Some(100),
        "warmup_initial" => fields.warmup_initial = Some(1e-6),
        "floor" => fields.floor = Some(1e-7),
        other => panic!("no field {other}"),
    }
}

fn fields_with(kind: Kind, parameters: impl Iterator<Item = Parameter>) -> Fields {
    let mut fields = Fields::new(kind);
    parameters.for_each(|parameter| give(&mut fields, parameter.name));
    fields
}

fn parameters(kind: Kind) -> impl Iterator<Item = Parameter> {
    kind.parameters().iter().copied()
}

#[test]
fn every_kind_takes_what_it_says_and_nothing_else() {
    for kind in Kind::ALL {
        let needed = fields_with(kind, parameters(kind).filter(|parameter| parameter.default.is_none()));
        let all = fields_with(kind, parameters(kind));
        for fields in [needed, all] {
            let spec = Spec::try_from(fields).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.kind(), kind);
            assert_eq!(Spec::try_from(Fields::from(spec)), Ok(spec), "{kind}");
        }
        assert_eq!(Fields::from(Spec::try_from(all).unwrap()), all, "{kind}");
        // Each of those it needs is missed by name.
        for missing in parameters(kind).filter(|parameter| parameter.default.is_none()) {
            let rest = parameters(kind).filter(|parameter| parameter.name != missing.name);
            let error = Spec::try_from(fields_with(kind, rest)).unwrap_err();
            assert_eq!(error, Error::Missing { kind, name: missing.name });
        }
        // Each field that it does not take is refused by name.
        for (name, given) in all.given() {
            if !given {
                let mut fields = all;
                give(&mut fields, name);
                assert_eq!(Spec::try_from(fields), Err(Error::Unexpected { kind, name }));
            }
        }
    }
}

#[test]
fn every_parameter_changes_the_rates() {
    for kind in Kind::ALL {
        let all = Spec::try_from(fields_with(kind, parameters(kind))).unwrap();
        for without in parameters(kind).filter(|parameter| parameter.default.is_some()) {
            let rest = parameters(kind).filter(|parameter| parameter.name != without.name);
            let spec = Spec::try_from(fields_with(kind, rest)).unwrap();
            let differs = (1..3000).chain([1 << 40]).any(|n| {
                let step = Step::new(n).unwrap();
                all.rate(step) != spec.rate(step)
            });
            // The floor lies below these rates where there is no decay to 0.
            assert!(differs || without.name == "floor", "{kind}: {}", without.name);
        }
    }
}

#[test]
fn names_are_unique_and_found_again() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
        assert_eq!(Kind::from_name(&kind.name().replace('_', "-")), Some(kind));
        assert!(!kind.about().is_empty() && !kind.formula().is_empty());
        assert_eq!(format!("[{kind:>16}]").len(), 18, "names can be padded");
    }
    assert_eq!(Kind::from_name("cosin"), None);
    assert_eq!(Kind::from_name("Noam"), None);
    for shape in Shape::ALL {
        assert_eq!(Shape::from_name(shape.name()), Some(shape));
    }
}

#[test]
fn a_warmup_in_front_of_a_kind_that_has_one_is_refused() {
    let noam = Spec::from(Noam::new(512, 4000, 1.0).unwrap());
    let error = noam.with_warmup(10).unwrap_err();
    assert_eq!(error, Error::SecondWarmup { kind: Kind::Noam });
    assert_eq!(
        error.to_string(),
        "noam: it has a warm-up of its own and takes no second one; set that when building it"
    );
    assert_eq!(noam.with_warmup_initial(0.1), Err(Error::SecondWarmup { kind: Kind::Noam }));
    assert_eq!((noam.warmup(), noam.floor()), (4000, 0.0));
    assert_eq!(Spec::from(Constant::new(1.0).unwrap()).warmup(), 1);
}

fn says<T: std::fmt::Debug>(result: Result<T, Error>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

#[test]
fn errors_name_the_value_the_limit_and_a_way_out() {
    says(Step::new(0), "step is 0, must be at least 1: steps count parameter updates, the first is 1");
    says(Noam::new(512, 0, 1.0), "noam: `warmup` is 0, must be at least 1; 4000 is the usual choice");
    says(
        Noam::new(512, 4000, f64::NAN),
        "noam: `factor` is NaN, must be finite and greater than 0; 1 gives the paper's schedule",
    );
    says(
        Constant::new(-1e-3),
        "constant: `rate` is -0.001, must be finite and at least 0; learning rates are small numbers such as 5e-4",
    );
    says(
        Linear::new(1e-3, 0.0, 0),
        "linear: `steps` is 0, must be at least 1; a decay takes at least one update; for a rate that stays the same use \
         constant",
    );
    says(
        Exponential::new(1e-3, 1.5, 10),
        "exponential: `decay_rate` is 1.5, must be greater than 0 and at most 1; 0.96 every few thousand updates is a \
         usual choice, 1 keeps the rate",
    );
    says(
        Piecewise::new(&[1e-3], &[5]),
        "piecewise: 1 rates and 1 boundaries, there must be one rate more than boundaries; give the rate before the first \
         boundary too",
    );
    says(
        Piecewise::new(&[1e-3, 1e-4, 1e-5], &[5, 5]),
        "piecewise: boundary 1 is 5, must be greater than 5; list the first step of each new rate, ascending, from 2",
    );
    says(
        Piecewise::new(&[0.0; 17], &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]),
        "a list holds 17 entries, must be at most 16; join several schedules with `Then` for more",
    );
    says(
        Spec::try_from(Fields { d_model: Some(8), ..Fields::new(Kind::Constant) }),
        "constant: `d_model` is not a parameter of it; constant takes rate, [warmup], [warmup_initial], [floor]",
    );
}

#[test]
fn bad_numbers_are_refused_everywhere() {
    let constant = Constant::new(1e-3).unwrap();
    let wsd = Wsd::new(1e-3, 1, 0, 1).unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
        let refused = [
            Noam::new(1, 1, bad).is_err(),
            InverseSqrt::new(bad, 1).is_err(),
            InverseSqrt::new(1.0, 1).unwrap().with_initial(bad).is_err(),
            Constant::new(bad).is_err(),
            Linear::new(bad, 0.0, 1).is_err(),
            Linear::new(0.0, bad, 1).is_err(),
            Polynomial::new(bad, 0.0, 1, 1.0).is_err(),
            Polynomial::new(1.0, bad, 1, 1.0).is_err(),
            Polynomial::new(1.0, 0.0, 1, bad).is_err(),
            Exponential::new(bad, 0.5, 1).is_err(),
            Exponential::staircase(1.0, bad, 1).is_err(),
            InverseTime::new(bad, 0.5, 1).is_err(),
            InverseTime::staircase(1.0, bad, 1).is_err(),
            Piecewise::new(&[1.0, bad], &[2]).is_err(),
            Cosine::new(bad, 0.0, 1).is_err(),
            Cosine::new(1.0, bad, 1).is_err(),
            CosineRestarts::new(bad, 0.0, 1, 1, 1.0).is_err(),
            CosineRestarts::new(1.0, 0.0, 1, 1, bad).is_err(),
            Wsd::new(bad, 1, 0, 1).is_err(),
            wsd.with_initial(bad).is_err(),
            wsd.with_end(bad).is_err(),
            Warmup::new(1, constant).unwrap().with_initial(bad).is_err(),
            Scaled::new(constant, bad).is_err(),
            Floor::new(constant, bad).is_err(),
            Spec::from(constant).with_floor(bad).is_err(),
            Spec::from(constant).with_warmup_initial(bad).is_err(),
        ];
        assert!(refused.iter().all(|&refused| refused), "{bad}: {refused:?}");
    }
    let zeros = [
        Noam::new(0, 1, 1.0).is_err(),
        Noam::new(1, 0, 1.0).is_err(),
        Noam::new(1, 1, 0.0).is_err(),
        InverseSqrt::new(1.0, 0).is_err(),
        Linear::new(1.0, 0.0, 0).is_err(),
        Polynomial::new(1.0, 0.0, 0, 1.0).is_err(),
        Polynomial::new(1.0, 0.0, 1, 0.0).is_err(),
        Exponential::new(1.0, 0.0, 1).is_err(),
        Exponential::new(1.0, 0.5, 0).is_err(),
        InverseTime::new(1.0, 0.0, 1).is_err(),
        InverseTime::new(1.0, 1.0, 0).is_err(),
        Piecewise::new(&[], &[]).is_err(),
        Piecewise::new(&[1.0, 1.0], &[0]).is_err(),
        Piecewise::new(&[1.0, 1.0], &[1]).is_err(),
        Cosine::new(1.0, 0.0, 0).is_err(),
        CosineRestarts::new(1.0, 0.0, 0, 1, 1.0).is_err(),
        CosineRestarts::new(1.0, 0.0, 1, 0, 1.0).is_err(),
        CosineRestarts::new(1.0, 0.0, 1, 1, 0.0).is_err(),
        CosineRestarts::new(1.0, 2.0, 1, 1, 1.0).is_err(),
        Wsd::new(1.0, 0, 1, 1).is_err(),
        Wsd::new(1.0, 1, 1, 0).is_err(),
        Warmup::new(0, constant).is_err(),
        Spec::from(constant).with_warmup(0).is_err(),
        Scaled::new(constant, 0.0).is_err(),
    ];
    assert!(zeros.iter().all(|&refused| refused), "{zeros:?}");
}

#[test]
fn minus_zero_is_zero() {
    assert_eq!(Constant::new(-0.0).unwrap().rate(Step::FIRST).to_bits(), 0);
}
