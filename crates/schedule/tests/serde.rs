//! What is written reads back with the same bits, and nothing wrong is read.
#![cfg(feature = "serde")]

use noam_schedule::feedback::{Form, Hypergradient, HypergradientConfig, Mode, PlateauConfig, ReduceOnPlateau, Signal};
use noam_schedule::{Cosine, Noam, Piecewise, Schedule, Spec, Step};
use proptest::prelude::*;

fn read(json: &str) -> Result<Spec, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_spec_is_a_flat_table_tagged_by_kind() {
    let noam = Spec::from(Noam::new(512, 4000, 1.0).unwrap());
    let json = serde_json::to_string(&noam).unwrap();
    assert_eq!(json, r#"{"kind":"noam","d_model":512,"factor":1.0,"warmup":4000}"#);
    assert_eq!(read(&json), Ok(noam));
    assert_eq!(read(r#"{"warmup":4000,"kind":"noam","d_model":512}"#), Ok(noam));

    let pieces = Spec::from(Piecewise::new(&[1e-3, 1e-4], &[100]).unwrap()).with_warmup(10).unwrap();
    let json = serde_json::to_string(&pieces).unwrap();
    assert_eq!(json, r#"{"kind":"piecewise","rates":[0.001,0.0001],"boundaries":[100],"warmup":10}"#);
    assert_eq!(read(&json), Ok(pieces));

    let wsd = r#"{"kind":"wsd","peak":0.001,"warmup":10,"stable":80,"steps":10,"shape":"one_minus_sqrt"}"#;
    assert_eq!(read(wsd).unwrap().rate(Step::new(50).unwrap()), 1e-3);
}

#[test]
fn wrong_specs_are_refused_with_the_reason() {
    let refused = |json: &str, part: &str| {
        let error = read(json).unwrap_err();
        assert!(error.contains(part), "{json}: {error}");
    };
    refused(r#"{"kind":"noam","d_model":512,"warmup":0}"#, "noam: `warmup` is 0, must be at least 1");
    refused(r#"{"kind":"noam","d_model":512}"#, "noam: `warmup` is missing; noam takes d_model, warmup, [factor]");
    refused(r#"{"kind":"noam","d_model":512,"warmup":1,"start":1}"#, "noam: `start` is not a parameter of it");
    refused(r#"{"kind":"noam","d_model":512,"warmup":1,"wamrup":1}"#, "unknown field `wamrup`");
    refused(r#"{"kind":"noan","d_model":512,"warmup":1}"#, "unknown variant `noan`");
    refused(r#"{"d_model":512,"warmup":1}"#, "missing field `kind`");
    refused(r#"{"kind":"noam","d_model":-512,"warmup":1}"#, "invalid value: integer `-512`");
    refused(r#"{"kind":"constant","rate":-0.1}"#, "constant: `rate` is -0.1, must be finite and at least 0");
    let seventeen = "1,".repeat(16) + "1";
    refused(&format!(r#"{{"kind":"piecewise","rates":[{seventeen}],"boundaries":[]}}"#), "a list holds 17 entries");
    assert!(serde_json::from_str::<Step>("0").unwrap_err().to_string().contains("step is 0, must be at least 1"));
    assert_eq!(serde_json::from_str::<Step>("7").unwrap().get(), 7);
}

#[test]
fn configurations_have_defaults_and_refuse_unknown_fields() {
    let plateau: PlateauConfig = serde_json::from_str(r#"{"mode":"max","factor":0.5}"#).unwrap();
    assert_eq!(plateau, PlateauConfig { mode: Mode::Max, factor: 0.5, ..PlateauConfig::default() });
    assert!(serde_json::from_str::<PlateauConfig>(r#"{"factr":0.5}"#).is_err());
    let learned: HypergradientConfig = serde_json::from_str(r#"{"form":"multiplicative","step_size":0.02}"#).unwrap();
    let want = HypergradientConfig { form: Form::Multiplicative, step_size: 0.02, ..HypergradientConfig::default() };
    assert_eq!(learned, want);
    assert!(serde_json::from_str::<HypergradientConfig>(r#"{"beta":0.5}"#).is_err());
}

#[test]
fn broken_states_are_refused() {
    let good = serde_json::to_value(ReduceOnPlateau::new(1e-3, PlateauConfig::default()).unwrap()).unwrap();
    let broken = |name: &str, value: serde_json::Value| {
        let mut state = good.clone();
        state[name] = value;
        serde_json::from_value::<ReduceOnPlateau>(state).is_err()
    };
    assert!(serde_json::from_value::<ReduceOnPlateau>(good.clone()).is_ok());
    assert!(broken("rate", "NaN".into()) && broken("rate", "-1".into()) && broken("rate", "".into()));
    assert!(broken("best", "inf".into()));
    assert!(broken("bad", 11.into()) && broken("cooling", 1.into()) && broken("other", 1.into()));
    let learned = Hypergradient::new(0.5, HypergradientConfig::default()).unwrap();
    let json = serde_json::to_string(&learned).unwrap();
    assert!(serde_json::from_str::<Hypergradient>(&json).is_ok());
    assert!(serde_json::from_str::<Hypergradient>(&json.replace("\"0.5\"", "\"1.5\"")).is_err());
}

proptest! {
    #[test]
    fn specs_survive_with_the_same_bits(
        start in (0u64..0x7ff0_0000_0000_0000).prop_map(f64::from_bits), end in 0.0..1.0f64, steps in 1u64.., floor in 0.0..1.0f64,
        warmup in 1u64.., n in 1u64..,
    ) {
        let spec = Spec::from(Cosine::new(start, end, steps).unwrap());
        let spec = spec.with_warmup(warmup).unwrap().with_floor(floor).unwrap();
        let back = read(&serde_json::to_string(&spec).unwrap()).unwrap();
        prop_assert_eq!(back, spec);
        let step = Step::new(n).unwrap();
        prop_assert_eq!(back.rate(step).to_bits(), spec.rate(step).to_bits());
    }

    /// Stored and read back after any observation, a rule goes on as if nothing had happened.
    #[test]
    fn feedback_goes_on_with_the_same_bits(values in proptest::collection::vec(-10.0..10.0f64, 2..60), cut in 0usize..60) {
        let config = PlateauConfig { factor: 0.7, patience: 1, cooldown: 1, ..PlateauConfig::default() };
        let mut plateau = ReduceOnPlateau::new(1.0 / 3.0, config).unwrap();
        let mut learned = Hypergradient::new(0.1, HypergradientConfig { step_size: 1e-3, ..HypergradientConfig::default() }).unwrap();
        let (mut other_plateau, mut other_learned) = (plateau, learned);
        for (i, &value) in values.iter().enumerate() {
            if i == cut % values.len() {
                other_plateau = serde_json::from_str(&serde_json::to_string(&plateau).unwrap()).unwrap();
                other_learned = serde_json::from_str(&serde_json::to_string(&learned).unwrap()).unwrap();
                prop_assert_eq!(other_plateau, plateau);
                prop_assert_eq!(other_learned, learned);
            }
            let signal = Signal { dot: value, gradient_norm: 1.0, direction_norm: 1.0 };
            let (one, two) = (plateau.observe(value).unwrap(), other_plateau.observe(value).unwrap());
            prop_assert_eq!(one.to_bits(), two.to_bits());
            let (one, two) = (learned.observe(signal).unwrap(), other_learned.observe(signal).unwrap());
            prop_assert_eq!(one.to_bits(), two.to_bits());
        }
    }
}
