use super::*;
use crate::Error;
use noam_schedule::Kind;

fn resolve(settings: &[&str]) -> Result<RunConfig, Error> {
    Request { settings: settings.iter().map(|s| (*s).to_owned()).collect(), ..Request::default() }.resolve()
}

fn message(settings: &[&str]) -> String {
    resolve(settings).unwrap_err().to_string()
}

fn from_file(text: &str, settings: &[&str]) -> Result<RunConfig, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    std::fs::write(&path, text).unwrap();
    let settings = settings.iter().map(|s| (*s).to_owned()).collect();
    Request { file: Some(path), settings, ..Request::default() }.resolve()
}

const FILES: [&str; 4] = ["data.train_src=a", "data.train_tgt=b", "data.valid_src=c", "data.valid_tgt=d"];

#[test]
fn every_preset_is_valid_and_comes_back_from_its_toml() {
    for preset in Preset::ALL {
        for kind in [DataKind::Embedded, DataKind::Files] {
            let mut config = RunConfig::defaults(preset, kind);
            if kind == DataKind::Files {
                assert!(matches!(config.validate(), Err(Error::DataSettings { .. })), "{preset}");
                config.data.train = Some("t.tsv".into());
                config.data.valid = Some("v.tsv".into());
            }
            config.validate().unwrap();
            let text = config.to_toml().unwrap();
            assert!(!text.contains("0000001490116"), "an f32 is written as an f64:\n{text}");
            assert_eq!(RunConfig::from_toml(&text, None).unwrap(), config, "{preset} {kind:?}");
        }
    }
}

#[test]
fn later_layers_go_over_earlier_ones() {
    let text = "preset = 'micro'\n[training]\nseed = 5\nmax_steps = 7\n[data]\npair = 'zh-en'\n";
    let config = from_file(text, &["training.max_steps=9"]).unwrap();
    assert_eq!((config.preset, config.model.d_model), (Preset::Micro, 64));
    assert_eq!((config.training.seed, config.training.max_steps), (5, Some(9)));
    assert_eq!(config.data.pair, Some(Pair::ZhEn));
    // What nobody named is the preset's.
    assert_eq!(
        config.training.batch_tokens,
        RunConfig::defaults(Preset::Micro, DataKind::Embedded).training.batch_tokens
    );
}

#[test]
fn files_have_other_defaults_than_the_embedded_corpus() {
    let config = resolve(&FILES).unwrap();
    assert_eq!(config.data.pair, None);
    assert!(config.model.dropout > RunConfig::default().model.dropout);
    assert_eq!(config.training.max_steps, None);
    assert!(matches!(config.data.source().unwrap(), Source::Parallel { test: None, .. }));
    let tsv = resolve(&["data.train=a.tsv", "data.valid=b.tsv", "data.test=c.tsv"]).unwrap();
    assert!(matches!(tsv.data.source().unwrap(), Source::Tsv { test: Some(_), .. }));
}

#[test]
fn schedules_follow_the_width_and_change_kind() {
    let width = |config: &RunConfig| noam_schedule::Fields::from(config.schedule).d_model;
    let config = resolve(&["model.d_model=96", "schedule.factor=0.5"]).unwrap();
    assert_eq!((config.schedule.kind(), width(&config)), (Kind::Noam, Some(96)));
    assert_eq!(width(&resolve(&["model.d_model=96", "schedule.d_model=512"]).unwrap()), Some(512));

    // A schedule of another kind takes nothing over from Noam's.
    let config = resolve(&["schedule.kind=cosine", "schedule.start=1e-3", "schedule.steps=500"]).unwrap();
    assert_eq!((config.schedule.kind(), config.schedule.warmup()), (Kind::Cosine, 1));
    let error = message(&["schedule.kind=cosine", "schedule.start=1e-3"]);
    assert!(error.contains("[schedule]"), "{error}");
    let error = from_file("[training]\nseed = 1\n[schedule]\nwarmup = 0\n", &[]).unwrap_err();
    assert!(error.to_string().contains("line 3 of") && error.to_string().contains("my.toml"), "{error}");
    assert!(message(&["schedule.warmpu=3"]).contains("warmup"));
}

#[test]
fn unknown_keys_are_shown_in_their_place_with_those_expected() {
    let error = from_file("preset = 'tiny'\n\n[training]\nmax_step = 7\n", &[]).unwrap_err().to_string();
    for part in ["my.toml", "line 4", "max_step", "^", "max_steps"] {
        assert!(error.contains(part), "no `{part}` in:\n{error}");
    }
    let error = from_file("[trainig]\n", &[]).unwrap_err().to_string();
    assert!(error.contains("trainig") && error.contains("training"), "{error}");
    let error = message(&["training.max_step=7"]);
    assert!(error.contains("max_step") && error.contains("max_steps"), "{error}");
    let error = from_file("[training]\nseed = 'x'\n", &[]).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("invalid type"), "{error}");
    let error = from_file("seed = = 3", &[]).unwrap_err().to_string();
    assert!(error.contains("my.toml") && error.contains("line 1"), "{error}");
    let missing = Request { file: Some("no/such.toml".into()), ..Request::default() };
    assert!(missing.resolve().unwrap_err().to_string().contains("no/such.toml"));
}

#[test]
fn settings_that_are_none_are_refused() {
    for text in ["training.seed", "=3", "training..seed=1", "preset.x=1", ""] {
        let error = message(&[text]);
        assert!(error.contains("key=value") || error.contains("preset"), "`{text}`: {error}");
    }
    assert!(message(&["preset=huge"]).contains("micro"));
    assert!(message(&["preset=3"]).contains('3'));
    // What is not TOML is a string, paths above all.
    let config = resolve(&["data.train=/data/a b.tsv", "data.valid=x=y.tsv"]).unwrap();
    assert_eq!(config.data.train, Some("/data/a b.tsv".into()));
    assert_eq!(config.data.valid, Some("x=y.tsv".into()));
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (setting, key) in [
        ("training.max_steps=0", "training.max_steps"),
        ("training.max_minutes=0.0", "training.max_minutes"),
        ("training.max_minutes=inf", "training.max_minutes"),
        ("training.batch_tokens=0", "training.batch_tokens"),
        ("training.accumulation=0", "training.accumulation"),
        ("training.label_smoothing=1.0", "training.label_smoothing"),
        ("training.label_smoothing=nan", "training.label_smoothing"),
        ("training.clip_norm=-1.0", "training.clip_norm"),
        ("training.valid_interval=0", "training.valid_interval"),
        ("training.checkpoint_interval=0", "training.checkpoint_interval"),
        ("training.average=1000", "training.average"),
        ("training.keep=100000", "training.keep"),
        ("search.beam=0", "search.beam"),
        ("search.length_penalty=nan", "search.length_penalty"),
        ("search.max_tokens=0", "search.max_tokens"),
        ("data.max_len=1", "data.max_len"),
        ("data.max_len=1000", "data.max_len"),
        ("data.train_sentences=0", "data.train_sentences"),
        ("data.test_sentences=0", "data.test_sentences"),
        ("model.vocab_size=8", "model.vocab_size"),
        ("model.n_heads=3", "n_heads"),
        ("model.dropout=1.0", "dropout"),
        ("adam.beta1=1.0", "beta1"),
        ("training.feedback={rule='plateau', factor=2.0}", "factor"),
        ("training.feedback={rule='hypergradient', step_size=-1.0}", "step_size"),
        ("training.feedback={rule='hypergradient', min_rate=2.0, max_rate=3.0}", "between 2.0 and 3.0"),
    ] {
        let error = message(&[setting]);
        assert!(error.contains(key), "{setting}: {error}");
    }
    assert!(message(&["training.feedback={rule='luck'}"]).contains("plateau"));
    let mut config = RunConfig::default();
    config.training.seed = u64::MAX;
    assert!(config.to_toml().is_err() && config.digest().is_err());
}

#[test]
fn data_that_leave_open_what_to_train_on_are_refused() {
    for (settings, says) in [
        (&["data.train_src=a"][..], "train_tgt is missing"),
        (&FILES[..3], "valid_tgt is missing"),
        (&["data.train=a"], "valid is missing"),
        (&["data.valid=a"], "train is missing"),
        (&[FILES[0], FILES[1], FILES[2], FILES[3], "data.test_src=e"], "test_src and test_tgt"),
        (&[FILES[0], FILES[1], FILES[2], FILES[3], "data.pair=en-de"], "train_src is given together"),
        (&[FILES[0], "data.train=x"], "is given together"),
        (&["data.train=x", "data.valid=y", "data.pair=en-de"], "train is given together"),
    ] {
        let error = message(settings);
        assert!(error.contains(says), "{settings:?}: {error}");
    }
}

#[test]
fn the_digest_is_of_what_decides_the_weights() {
    let base = RunConfig::default();
    let digest = |change: fn(&mut RunConfig)| {
        let mut config = base.clone();
        change(&mut config);
        config.digest().unwrap()
    };
    let same = base.digest().unwrap();
    assert_eq!(digest(|c| c.training.max_steps = Some(1)), same);
    assert_eq!(digest(|c| c.training.max_minutes = Some(1.0)), same);
    assert_eq!(digest(|c| c.training.keep = 9), same);
    assert_eq!(digest(|c| c.search.beam = 4), same);
    assert_ne!(digest(|c| c.training.seed = 1), same);
    assert_ne!(digest(|c| c.training.clip_norm = 0.5), same);
    assert_ne!(digest(|c| c.data.corpus_seed = 2), same);
    assert_ne!(digest(|c| c.adam.beta1 = 0.8), same);
    assert_ne!(digest(|c| c.model.dropout = 0.3), same);
}

#[test]
fn chinese_is_scored_by_characters() {
    assert_eq!(resolve(&["data.pair=en-zh"]).unwrap().tokenization(), Tokenization::Zh);
    assert_eq!(resolve(&["data.pair=zh-en"]).unwrap().tokenization(), Tokenization::V13a);
    let files = [FILES[0], FILES[1], FILES[2], FILES[3], "data.bleu_tokenization=zh"];
    assert_eq!(resolve(&files).unwrap().tokenization(), Tokenization::Zh);
}
