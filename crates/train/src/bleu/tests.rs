//! Agreement with sacreBLEU, and properties of any BLEU.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    sacrebleu: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hyps: Vec<String>,
    refs: Vec<String>,
    tok: Tokenization,
    smooth: String,
    smooth_value: Option<f64>,
    sentence: bool,
    tokens: Vec<Vec<String>>,
    score: f64,
    precisions: [f64; 4],
    bp: f64,
    sys_len: u64,
    ref_len: u64,
    signature: String,
    line: String,
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs()
}

#[test]
fn figures_agree_with_sacrebleu() {
    let golden: Golden = serde_json::from_str(include_str!("golden/bleu.json")).unwrap();
    assert!(golden.cases.len() > 100);
    for case in golden.cases {
        let name = format!("{} {:?} {} {:?}", case.name, case.tok, case.smooth, case.hyps);
        for (line, want) in case.hyps.iter().chain(&case.refs).zip(&case.tokens) {
            assert_eq!(&tokenize::words(&case.tok.apply(line)), want, "{name}");
        }
        let smoothing = match case.smooth.as_str() {
            "exp" => Smoothing::Exp,
            "none" => Smoothing::None,
            "floor" => Smoothing::Floor(case.smooth_value.unwrap_or(0.1)),
            other => panic!("{other}"),
        };
        let options = Options { tokenization: case.tok, smoothing };
        let score = if case.sentence {
            sentence(&case.hyps[0], &case.refs[0], &options).unwrap()
        } else {
            corpus(&case.hyps, &case.refs, &options).unwrap()
        };
        assert!(close(score.score, case.score), "{name}: {} but sacreBLEU {}", score.score, case.score);
        assert!(close(score.bp, case.bp), "{name}: {} but sacreBLEU {}", score.bp, case.bp);
        assert!(score.precisions.iter().zip(case.precisions).all(|(a, b)| close(*a, b)), "{name}: {score:?}");
        assert_eq!((score.sys_len, score.ref_len), (case.sys_len, case.ref_len), "{name}");
        let ours = format!("version:noam-{VERSION}");
        let theirs = format!("version:{}", golden.sacrebleu);
        assert_eq!(score.signature().replace(&ours, &theirs), case.signature, "{name}");
        assert_eq!(score.to_string().replace(&ours, &theirs), case.line, "{name}");
    }
}

#[test]
fn bad_requests_are_refused() {
    let default = Options::default();
    assert_eq!(corpus(&["a"], &["a", "b"], &default).unwrap_err(), Error::Counts { hyps: 1, refs: 2 });
    assert_eq!(corpus::<&str, &str>(&[], &[], &default).unwrap_err(), Error::Empty);
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = Options { smoothing: Smoothing::Floor(value), ..default };
        assert!(matches!(corpus(&["a"], &["a"], &options), Err(Error::Floor { .. })));
        assert!(matches!(sentence("a", "a", &options), Err(Error::Floor { .. })));
    }
}

#[test]
fn options_and_scores_are_written_by_name() {
    let options = Options { tokenization: Tokenization::Zh, smoothing: Smoothing::Floor(0.1) };
    assert_eq!(serde_json::to_string(&options).unwrap(), r#"{"tokenization":"zh","smoothing":{"floor":0.1}}"#);
    let value = serde_json::to_value(corpus(&["a b c d"], &["a b c d"], &Options::default()).unwrap()).unwrap();
    assert_eq!((&value["options"]["tokenization"], &value["sys_len"]), (&"13a".into(), &4.into()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn scores_are_percentages_and_copies_are_perfect(
        pairs in prop::collection::vec(("[a-c .,0-9我们-]{0,30}|\\PC{0,20}", "[a-c .,0-9我们-]{0,30}"), 1..5),
        tok in prop::sample::select(vec![Tokenization::V13a, Tokenization::Zh, Tokenization::None, Tokenization::Char]),
        smoothing in prop::sample::select(vec![Smoothing::Exp, Smoothing::Floor(0.1), Smoothing::None]),
    ) {
        let (hyps, refs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let options = Options { tokenization: tok, smoothing };
        let score = corpus(&hyps, &refs, &options).unwrap();
        // Rounding in the mean of the logarithms may take a perfect score over 100 by an ulp or so.
        let percent = 0.0..=100.000_000_001;
        prop_assert!(percent.contains(&score.score) && (0.0..=1.0).contains(&score.bp), "{:?}", score);
        for n in 0..4 {
            prop_assert!(score.matches[n] <= score.totals[n] && percent.contains(&score.precisions[n]));
        }
        let copy = corpus(&hyps, &hyps, &options).unwrap();
        prop_assert_eq!(copy.matches, copy.totals);
        prop_assert!(copy.totals[3] == 0 || close(copy.score, 100.0));
        for (hyp, reference) in hyps.iter().zip(&refs) {
            prop_assert!(percent.contains(&sentence(hyp, reference, &options).unwrap().score));
            let copy = sentence(hyp, hyp, &options).unwrap();
            prop_assert!(copy.totals[0] == 0 || close(copy.score, 100.0), "{:?}", copy);
        }
    }
}
