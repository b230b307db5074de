//! Configurations and buffers that make no model: errors that name what is wrong.

use crate::sentences::{small, values};
use noam_kernels::adam;
use noam_kernels::device::Cpu;
use noam_model::{Config, Embeddings, Error, Layout, Model, Norm, Preset, Training};

#[test]
fn a_configuration_that_makes_no_model_is_refused_before_anything_is_allocated() {
    let good = small(Norm::Post, Embeddings::Shared);
    let huge = usize::MAX;
    for (config, field) in [
        (Config { vocab_size: huge, ..good.clone() }, "vocab_size"),
        (Config { vocab_size: 3, ..good.clone() }, "vocab_size"),
        (Config { d_model: huge, ..good.clone() }, "d_model"),
        (Config { d_model: 15, ..good.clone() }, "d_model"),
        (Config { n_heads: 5, ..good.clone() }, "n_heads"),
        (Config { n_heads: 0, ..good.clone() }, "n_heads"),
        (Config { d_ff: 0, ..good.clone() }, "d_ff"),
        (Config { encoder_layers: 0, ..good.clone() }, "encoder_layers"),
        (Config { decoder_layers: 1001, ..good.clone() }, "decoder_layers"),
        (Config { max_len: 0, ..good.clone() }, "max_len"),
        (Config { dropout: -0.1, ..good.clone() }, "dropout"),
        (Config { attention_dropout: f64::INFINITY, ..good.clone() }, "attention_dropout"),
        (Config { activation_dropout: f64::NAN, ..good.clone() }, "activation_dropout"),
        (Config { norm_eps: -1e-5, ..good.clone() }, "norm_eps"),
        (Config { norm_eps: f64::INFINITY, ..good.clone() }, "norm_eps"),
    ] {
        for error in [
            Model::new(Cpu::new(), config.clone(), 0).map(|_| ()).unwrap_err(),
            Model::from_values(Cpu::new(), config.clone(), &[]).map(|_| ()).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(matches!(error, Error::Config { .. }) && text.contains(field), "{text}");
        }
    }
}

#[test]
fn buffers_of_another_model_are_refused_with_both_lengths() {
    let config = small(Norm::Pre, Embeddings::Separate);
    let values = values(&config, 1);
    let (short, long) = (&values[1..], [&values[..], &[0.0]].concat());
    let model = || Model::from_values(Cpu::new(), config.clone(), &values).unwrap();
    let adam = adam::Config::default();
    let want = values.len().to_string();
    let check = |result: Result<(), Error>, got: usize| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(&want) && text.contains(&got.to_string()), "{text}");
    };
    for wrong in [short, &long] {
        check(Model::from_values(Cpu::new(), config.clone(), wrong).map(|_| ()), wrong.len());
        check(model().write_values(wrong), wrong.len());
        check(model().read_values(&mut wrong.to_vec()), wrong.len());
        check(Training::resume(model(), adam, 3, wrong, &values).map(|_| ()), wrong.len());
        check(Training::resume(model(), adam, 3, &values, wrong).map(|_| ()), wrong.len());
        let training = Training::new(model(), adam).unwrap();
        check(training.read_gradients(&mut wrong.to_vec()), wrong.len());
        check(training.read_moments(&mut wrong.to_vec(), &mut values.clone()), wrong.len());
        check(training.read_moments(&mut values.clone(), &mut wrong.to_vec()), wrong.len());
    }
    let mut changed = model();
    changed.write_values(&vec![0.5; values.len()]).unwrap();
    let mut read = vec![0.0; values.len()];
    changed.read_values(&mut read).unwrap();
    assert!(read.iter().all(|&v| v == 0.5));
}

#[test]
fn a_configuration_survives_json_and_an_unknown_key_does_not() {
    let config = Config { norm: Norm::Pre, embeddings: Embeddings::TiedOutput, ..Preset::Base.config() };
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    assert!(text.contains("\"pre\"") && text.contains("\"tied_output\""), "{text}");
    let error = serde_json::from_str::<Config>(r#"{"d_modle": 4}"#).unwrap_err().to_string();
    assert!(error.contains("d_modle") && error.contains("d_model"), "{error}");
    assert_eq!(serde_json::from_str::<Config>(r#"{"d_model": 64}"#).unwrap().d_model, 64);
}

#[test]
fn parameters_are_named_as_in_marian() {
    let names = |norm, embeddings| -> Vec<String> {
        let config = Config { encoder_layers: 1, decoder_layers: 1, ..small(norm, embeddings) };
        let mut names: Vec<String> = Layout::new(&config).entries().iter().map(|e| e.name.clone()).collect();
        names.sort();
        names
    };
    let linear = |name: &str| [format!("{name}.bias"), format!("{name}.weight")];
    let mut want: Vec<String> = vec!["model.shared.weight".into()];
    for (stack, attentions) in [("encoder", &["self_attn"][..]), ("decoder", &["self_attn", "encoder_attn"])] {
        let layer = format!("model.{stack}.layers.0");
        for attention in attentions {
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                want.extend(linear(&format!("{layer}.{attention}.{part}")));
            }
            want.extend(linear(&format!("{layer}.{attention}_layer_norm")));
        }
        for part in ["fc1", "fc2", "final_layer_norm"] {
            want.extend(linear(&format!("{layer}.{part}")));
        }
    }
    want.sort();
    assert_eq!(names(Norm::Post, Embeddings::Shared), want);
    want.extend(["model.encoder.layer_norm", "model.decoder.layer_norm"].iter().flat_map(|n| linear(n)));
    want.retain(|name| name != "model.shared.weight");
    want.extend(["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"].map(String::from));
    want.sort();
    assert_eq!(names(Norm::Pre, Embeddings::TiedOutput), want);
    want.push("lm_head.weight".into());
    want.sort();
    assert_eq!(names(Norm::Pre, Embeddings::Separate), want);
}
