use super::{Output, argmax, top_k};
use crate::testing::everywhere;
use proptest::prelude::*;
use std::cmp::Ordering;

/// Everything sorted by the contract's order, then cut.
fn reference(row: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut all: Vec<(f32, u32)> = row.iter().copied().zip(0..).collect();
    // A stable sort keeps the lower index in front.
    all.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
        (false, false) => b.partial_cmp(a).unwrap(),
        (true, true) => Ordering::Equal,
        (a, b) => b.cmp(&a),
    });
    all.truncate(k);
    all
}

fn check(scores: &[f32], v: usize, k: usize) {
    let n = scores.len() / v;
    let (mut values, mut indices, mut largest) = (vec![7.0; n * k], vec![7; n * k], vec![7; n]);
    top_k(scores, v, k, Output { values: &mut values, indices: &mut indices }).unwrap();
    argmax(scores, v, &mut largest).unwrap();
    for (i, row) in scores.chunks(v).enumerate() {
        let want = reference(row, k);
        for (j, &(value, index)) in want.iter().enumerate() {
            let at = i * k + j;
            assert_eq!(indices[at], index, "row {i}, place {j} of {k} in {v}");
            assert_eq!(values[at].to_bits(), value.to_bits(), "row {i}, place {j} of {k} in {v}");
        }
        assert_eq!(largest[i], want[0].1, "row {i} of {v}");
    }
}

/// Many ties, both zeros, infinities and some NaN.
fn awkward() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-3i8..4).prop_map(f32::from),
        1 => Just(-0.0),
        1 => Just(f32::INFINITY),
        2 => Just(f32::NEG_INFINITY),
        1 => prop_oneof![Just(f32::NAN), Just(-f32::NAN)],
    ]
}

proptest! {
    #[test]
    fn agrees_with_sorting(
        n in 0usize..4,
        (v, k) in (1usize..700).prop_flat_map(|v| (Just(v), 1..=v)),
        salt in 0u32..1000,
    ) {
        let mixed = |i: u32| i.wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(40_503);
        let scores: Vec<f32> = (0..(n * v) as u32).map(|i| mixed(i) as f32 * 1e-9 - 2.0).collect();
        check(&scores, v, k);
    }

    #[test]
    fn ties_and_odd_values_keep_their_order(row in prop::collection::vec(awkward(), 1..400), k in 1usize..20) {
        check(&row, row.len(), k.min(row.len()));
    }

    #[test]
    fn nan_comes_out_in_front(v in 1usize..600, at in any::<prop::sample::Index>()) {
        let mut row: Vec<f32> = (0..v).map(|i| i as f32).collect();
        let at = at.index(v);
        row[at] = f32::NAN;
        let (mut value, mut index) = ([0.0], [0]);
        top_k(&row, v, 1, Output { values: &mut value, indices: &mut index }).unwrap();
        prop_assert!(value[0].is_nan() && index[0] as usize == at);
    }
}

#[test]
fn every_instruction_set_and_number_of_threads_agrees_with_sorting() {
    everywhere(|_| {
        for (n, v, k) in [(1, 1, 1), (9, 127, 5), (9, 129, 8), (3, 8000, 12), (2, 300, 300)] {
            let random = |i: usize| ((i * 2_654_435_761) % 1009) as f32 * 0.01;
            let rising = |i: usize| i as f32;
            let level = |_: usize| f32::NEG_INFINITY;
            for shape in [&random as &dyn Fn(usize) -> f32, &rising, &level] {
                let scores: Vec<f32> = (0..n * v).map(shape).collect();
                check(&scores, v, k);
            }
        }
    });
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    for (scores, v, k, values, indices, want) in [
        (4, 0, 1, 1, 1, "V is 0"),
        (4, 2, 0, 0, 0, "k is 0"),
        (4, 2, 3, 6, 6, "k is 3"),
        (5, 2, 1, 2, 2, "`scores` holds 5 values"),
        (4, 2, 1, 3, 2, "`values` holds 3 values"),
        (4, 2, 1, 2, 1, "`indices` holds 1 values"),
    ] {
        let (scores, mut values, mut indices) = (vec![1.0; scores], vec![7.0; values], vec![7; indices]);
        let out = Output { values: &mut values, indices: &mut indices };
        let text = top_k(&scores, v, k, out).unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
        assert!(values.iter().all(|&x| x == 7.0) && indices.iter().all(|&x| x == 7));
    }
    let mut indices = [7; 3];
    assert!(argmax(&[1.0; 4], 2, &mut indices).is_err());
    assert!(argmax(&[], 0, &mut []).is_err());
    assert_eq!(indices, [7; 3]);
}
