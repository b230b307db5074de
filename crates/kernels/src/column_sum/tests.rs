use super::{column_sum, reference, scratch_len};
use crate::testing::everywhere;
use proptest::prelude::*;

fn values(n: usize, salt: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761 + salt * 7919) % 100_003) as f32 * 3.1e-5 - 1.5).collect()
}

fn run(dy: &[f32], db: &[f32]) -> Vec<f32> {
    let c = db.len();
    let mut db = db.to_vec();
    // Old scratch must not show.
    let mut scratch = vec![f32::NAN; scratch_len(dy.len() / c, c).unwrap() + 3];
    column_sum(dy, &mut scratch, &mut db).unwrap();
    db
}

/// The contract, column by column.
fn by_the_contract(dy: &[f32], db: &[f32]) -> Vec<f32> {
    let c = db.len();
    let mut sums = db.to_vec();
    for (col, sum) in sums.iter_mut().enumerate() {
        for chunk in dy.chunks(32 * c) {
            let mut partial = 0.0f32;
            for row in chunk.chunks(c) {
                partial += row[col];
            }
            *sum += partial;
        }
    }
    sums
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
}

#[test]
fn same_bits_for_every_instruction_set_and_number_of_threads() {
    for (n, c) in
        [(0, 3), (1, 1), (31, 33), (32, 32), (33, 31), (100, 1), (97, 129), (700, 40), (64, 1025), (130, 2000)]
    {
        let (mut dy, db) = (values(n * c, 1), values(c, 2));
        for (i, odd) in [1e-40, -0.0, f32::MAX, f32::NAN, f32::INFINITY, 1e10].into_iter().enumerate() {
            if n > 32 {
                dy[i * 37 % (n * c)] = odd;
            }
        }
        let want = bits(&by_the_contract(&dy, &db));
        everywhere(|place| assert!(bits(&run(&dy, &db)) == want, "({n}, {c}), {place}"));
    }
}

proptest! {
    #[test]
    fn follows_the_reference(n in 0usize..200, c in 1usize..70, salt in 0usize..1000, exponent in -20i32..20) {
        let scaled = |x: Vec<f32>| x.into_iter().map(|x| x * 2f32.powi(exponent)).collect::<Vec<_>>();
        let (dy, db) = (scaled(values(n * c, salt)), scaled(values(c, salt + 1)));
        let got = run(&dy, &db);
        let (want, magnitudes) = reference::column_sum(&dy, &db);
        for i in 0..c {
            // The contract's bound; 1.01 for what the first order leaves out.
            let tolerance = 1.01 * (32 + n.div_ceil(32)) as f64 * 2f64.powi(-24) * magnitudes[i];
            prop_assert!((f64::from(got[i]) - want[i]).abs() <= tolerance, "column {}", i);
        }
    }

    #[test]
    fn batches_cut_at_whole_chunks_add_up_to_the_bit(chunks in 0usize..4, rest in 0usize..60, c in 1usize..40) {
        let (dy, db) = (values((32 * chunks + rest) * c, 3), values(c, 4));
        let (head, tail) = dy.split_at(32 * chunks * c);
        prop_assert_eq!(bits(&run(&dy, &db)), bits(&run(tail, &run(head, &db))));
    }

    #[test]
    fn nan_stays_in_its_column(n in 1usize..100, c in 1usize..40, at in any::<prop::sample::Index>()) {
        let mut dy = values(n * c, 5);
        let at = at.index(n * c);
        dy[at] = f32::NAN;
        let db = run(&dy, &vec![0.0; c]);
        prop_assert!(db.iter().enumerate().all(|(i, x)| x.is_nan() == (i == at % c)));
    }
}

#[test]
fn no_rows_change_nothing() {
    assert_eq!(run(&[], &[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut db = [1.0, 2.0];
    for (dy, scratch, want) in [(3, 2, "`dy` holds 3 values"), (68, 2, "`scratch` holds 2 values"), (2, 0, "needs 2")] {
        let text = column_sum(&vec![1.0; dy], &mut vec![0.0; scratch], &mut db).unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
        assert_eq!(db, [1.0, 2.0]);
    }
    assert!(column_sum(&[], &mut [], &mut []).unwrap_err().to_string().contains("C is 0"));
    assert!(scratch_len(usize::MAX, usize::MAX).is_err());
}
