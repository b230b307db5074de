use super::*;
use crate::testing::{Golden, U, bits, everywhere, factors, values, wide, words};
use proptest::prelude::*;

/// A batch whose lengths run from 0 to T, with ids out of the table in its padding.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) dims: Dims,
    pub(super) v: usize,
    pub(super) offset: usize,
    pub(super) scale: f32,
    pub(super) dropout: Dropout,
    pub(super) ids: Vec<u32>,
    pub(super) lengths: Vec<u32>,
    pub(super) table: Vec<f32>,
    pub(super) positions: Vec<f32>,
    pub(super) dy: Vec<f32>,
}

impl Case {
    pub(super) fn new(b: usize, t: usize, c: usize, v: usize, offset: usize, p: f32) -> Case {
        let lengths: Vec<u32> = words(b, 1).iter().map(|w| w % (t as u32 + 1)).collect();
        let mut ids: Vec<u32> = words(b * t, 2).iter().map(|w| w % v as u32).collect();
        for n in (0..b * t).filter(|n| n % t >= lengths[n / t] as usize) {
            ids[n] = u32::MAX;
        }
        Case {
            dims: Dims { b, t, c },
            v,
            offset,
            scale: (c as f32).sqrt(),
            dropout: Dropout::new(p, 5, 6, 7).unwrap(),
            ids,
            lengths,
            table: values(v * c, 3, 0.0),
            positions: positions(offset + t + 1, c).unwrap(),
            dy: values(b * t * c, 4, 0.0),
        }
    }

    fn tokens(&self) -> Tokens<'_> {
        Tokens { ids: &self.ids, lengths: &self.lengths }
    }

    pub(super) fn forward(&self) -> Vec<f32> {
        let mut y = vec![7.0; self.dy.len()];
        let tables = Tables { table: &self.table, positions: &self.positions, offset: self.offset, scale: self.scale };
        forward(self.dims, self.tokens(), tables, self.dropout, &mut y).unwrap();
        y
    }

    pub(super) fn backward(&self, start: &[f32]) -> Vec<f32> {
        let mut dtable = start.to_vec();
        let mut scratch = vec![77; scratch_len(self.ids.len(), self.v) + 2];
        backward(self.dims, self.tokens(), &self.dy, self.scale, self.dropout, &mut dtable, &mut scratch).unwrap();
        dtable
    }

    fn factors(&self) -> Vec<f32> {
        factors(self.ids.len(), self.dims.c, self.dropout)
    }

    fn check(&self) {
        let (factor, c) = (wide(&self.factors()), self.dims.c);
        let (table, dy, scale) = (wide(&self.table), wide(&self.dy), f64::from(self.scale));
        let positions = wide(&self.positions[self.offset * c..]);
        let want = reference::forward(self.dims, &self.ids, &self.lengths, &table, &positions, scale, &factor);
        for (i, (got, want)) in self.forward().iter().zip(&want).enumerate() {
            // Two roundings.
            assert!((f64::from(*got) - want).abs() <= 2.0 * U * want.abs(), "y {i}: {got} {want}");
        }
        let start = values(self.v * c, 8, 0.0);
        let want = reference::backward(self.dims, &self.ids, &self.lengths, &dy, self.v, scale, &factor);
        // A chain of n terms of at most m each: partial sums of at most n m, rounded once a term, and the term once.
        let n = self.ids.len() as f64;
        let m = 2.0 * scale.abs() * f64::from(self.dropout.scale());
        for (i, (got, start)) in self.backward(&start).iter().zip(&start).enumerate() {
            let want = f64::from(*start) + want[i];
            let tol = U * n * (n * m + m + 2.0);
            assert!((f64::from(*got) - want).abs() <= tol, "dtable {i}: {got} {want}");
        }
    }
}

#[test]
fn agrees_with_f64_at_awkward_sizes() {
    for c in [1, 31, 32, 33, 257, 1025] {
        for (b, t) in [(0, 3), (2, 0), (1, 1), (3, 5), (7, 1)] {
            Case::new(b, t, c, 6, 0, 0.0).check();
            Case::new(b, t, c, 3, 11, 0.3).check();
        }
    }
    let mut padded = Case::new(3, 4, 5, 6, 0, 0.1);
    padded.lengths.fill(0);
    padded.check();
    assert!(padded.forward().iter().all(|&y| y == 0.0));
}

#[test]
fn reference_gradient_agrees_with_finite_differences() {
    let case = Case::new(3, 4, 3, 5, 2, 0.3);
    let (factor, dy, scale) = (wide(&case.factors()), wide(&case.dy), f64::from(case.scale));
    let positions = wide(&case.positions[case.offset * case.dims.c..]);
    let gradient = reference::backward(case.dims, &case.ids, &case.lengths, &dy, case.v, scale, &factor);
    assert!(gradient.iter().any(|&g| g != 0.0));
    for (i, want) in gradient.iter().enumerate() {
        let at = |h: f64| {
            let mut table = wide(&case.table);
            table[i] += h;
            let y = reference::forward(case.dims, &case.ids, &case.lengths, &table, &positions, scale, &factor);
            y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>()
        };
        // Linear, so only cancellation counts.
        assert!(((at(0.5) - at(-0.5)) - want).abs() <= 1e-12, "element {i}");
    }
}

#[test]
fn agrees_with_pytorch() {
    const TOL: f32 = 5e-7;
    let golden = Golden::parse(include_str!("golden/torch.json"));
    for table in golden.list("positions", 2) {
        table.close("values", &positions(table.size("rows"), table.size("c")).unwrap(), TOL);
    }
    for case in golden.list("cases", 2) {
        let (c, v) = (case.size("c"), case.size("v"));
        let ours = Case {
            ids: case.ids("ids"),
            lengths: case.ids("lengths"),
            table: case.numbers("table"),
            dy: case.numbers("dy"),
            ..Case::new(case.size("b"), case.size("t"), c, v, case.size("offset"), 0.0)
        };
        case.close("y", &ours.forward(), TOL);
        case.close("dtable", &ours.backward(&vec![0.0; v * c]), TOL);
    }
}

/// The contract's arithmetic, token by token: (y, dtable).
fn by_the_contract(case: &Case, start: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let Dims { b, t, c } = case.dims;
    let (mut y, mut dtable) = (vec![0.0; b * t * c], start.to_vec());
    let factor = case.factors();
    for n in (0..b * t).filter(|n| n % t < case.lengths[n / t] as usize) {
        for i in 0..c {
            let (at, row) = (n * c + i, case.ids[n] as usize * c + i);
            let position = case.positions[(case.offset + n % t) * c + i];
            y[at] = factor[at] * case.table[row].mul_add(case.scale, position);
            dtable[row] = (factor[at] * case.dy[at]).mul_add(case.scale, dtable[row]);
        }
    }
    (y, dtable)
}

#[test]
fn has_the_bits_of_the_contract_for_every_isa_and_thread_count() {
    for (b, t, c, v, offset, p) in [(1, 1, 1, 1, 0, 0.0), (9, 13, 33, 5, 4, 0.3), (8, 30, 300, 2000, 0, 0.1)] {
        let case = Case::new(b, t, c, v, offset, p);
        let start = values(v * c, 9, 0.0);
        let want = by_the_contract(&case, &start);
        let want = (bits(&want.0), bits(&want.1));
        everywhere(|place| assert_eq!((bits(&case.forward()), bits(&case.backward(&start))), want, "{place}"));
    }
}

#[test]
fn a_sentence_embedded_token_by_token_is_the_same() {
    let case = Case { lengths: vec![6, 6], ..Case::new(2, 6, 40, 9, 0, 0.0) };
    let ids: Vec<u32> = words(12, 10).iter().map(|w| w % 9).collect();
    let case = Case { ids, ..case };
    let whole = case.forward();
    for t in 0..6 {
        let ids = [case.ids[t], case.ids[6 + t]];
        let tables = Tables { table: &case.table, positions: &case.positions, offset: t, scale: case.scale };
        let mut y = vec![0.0; 80];
        let tokens = Tokens { ids: &ids, lengths: &[1, 1] };
        forward(Dims { b: 2, t: 1, c: 40 }, tokens, tables, Dropout::NONE, &mut y).unwrap();
        assert_eq!(y[..40], whole[t * 40..][..40]);
        assert_eq!(y[40..], whole[(6 + t) * 40..][..40]);
    }
}

#[test]
fn positions_are_the_interleaved_ones_of_the_paper_in_another_order() {
    for c in [1, 2, 7, 64] {
        let table = positions(50, c).unwrap();
        let half = c.div_ceil(2);
        for p in 0..50 {
            for column in 0..c {
                let angle = p as f64 / 10_000f64.powf((2 * (column / 2)) as f64 / c as f64);
                let (paper, ours) = match column % 2 {
                    0 => (angle.sin(), table[p * c + column / 2]),
                    _ => (angle.cos(), table[p * c + half + column / 2]),
                };
                // Rounded once; the f64 functions differ by 1e-14 of an angle below 50.
                assert!((f64::from(ours) - paper).abs() <= U * paper.abs() + 1e-12, "C {c}, {p}, {column}");
            }
        }
    }
    assert!(positions(0, 4).unwrap().is_empty());
    let far = positions(5000, 2).unwrap();
    assert!((f64::from(far[2 * 4999]) - 4999f64.sin()).abs() <= 1e-7);
    assert!(matches!(positions(3, 0), Err(Error::Size { what: "C", .. })));
    assert!(matches!(positions(MAX_POSITIONS + 1, 1), Err(Error::Size { what: "max_len", .. })));
    assert!(matches!(positions(MAX_POSITIONS, usize::MAX / 2), Err(Error::Size { .. })));
}

#[test]
fn nan_is_not_hidden_and_stays_where_it_belongs() {
    let mut case = Case::new(1, 3, 4, 3, 0, 0.5);
    (case.ids, case.lengths) = (vec![1, 2, 1], vec![2]);
    case.table[4..8].fill(f32::NAN);
    let y = case.forward();
    assert!(y[..4].iter().all(|y| y.is_nan()), "dropping does not hide it: {y:?}");
    assert!(y[4..].iter().all(|y| y.is_finite()));
    case.dy[..4].fill(f32::NAN);
    case.dy[8..].fill(f32::NAN);
    let dtable = case.backward(&[0.5; 12]);
    assert_eq!(dtable[..4], [0.5; 4]);
    assert!(dtable[4..8].iter().all(|d| d.is_nan()));
    assert!(dtable[8..].iter().all(|d| d.is_finite()), "padding must not contribute: {dtable:?}");
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let good = Case { ids: vec![0, 1, 2, 3, 4, 5], lengths: vec![3, 2], ..Case::new(2, 3, 2, 6, 1, 0.0) };
    let run = |change: &dyn Fn(&mut Case), y_len: usize, scratch_len: usize| {
        let mut case = Case { ids: good.ids.clone(), lengths: good.lengths.clone(), ..Case::new(2, 3, 2, 6, 1, 0.0) };
        change(&mut case);
        let tables = Tables { table: &case.table, positions: &case.positions, offset: case.offset, scale: case.scale };
        let mut y = vec![7.0; y_len];
        let forward = forward(case.dims, case.tokens(), tables, Dropout::NONE, &mut y);
        assert_eq!(forward.is_err(), y.iter().all(|&y| y == 7.0));
        let (mut dtable, mut scratch) = (vec![7.0; case.table.len()], vec![0; scratch_len]);
        let dy = vec![1.0; y_len];
        let backward = backward(case.dims, case.tokens(), &dy, case.scale, Dropout::NONE, &mut dtable, &mut scratch);
        assert_eq!(backward.is_err(), dtable.iter().all(|&d| d == 7.0));
        (forward, backward)
    };
    let (forward, backward) = run(&|_| (), 12, 12);
    assert!(forward.is_ok() && backward.is_ok());
    type Change = (fn(&mut Case), fn(&Error) -> bool);
    let both: [Change; 7] = [
        (|c| c.ids[4] = 6, |e| matches!(e, Error::Index { arg: "ids", at: 4, got: 6, limit: 6, .. })),
        (|c| c.lengths[1] = 4, |e| matches!(e, Error::Size { what: "a sentence's length", got: 4, .. })),
        (|c| c.lengths.push(0), |e| matches!(e, Error::Length { arg: "lengths", .. })),
        (|c| c.ids.truncate(5), |e| matches!(e, Error::Length { arg: "ids", got: 5, want: 6, .. })),
        (|c| c.table.truncate(11), |e| matches!(e, Error::Length { arg: "table", .. })),
        (|c| c.scale = f32::NAN, |e| matches!(e, Error::Scalar { what: "scale", .. })),
        (|c| c.dims.c = 0, |e| matches!(e, Error::Size { what: "C", .. })),
    ];
    for (i, (change, expected)) in both.iter().enumerate() {
        let (forward, backward) = run(&change, 12, 12);
        assert!(expected(&forward.unwrap_err()) && expected(&backward.unwrap_err()), "change {i}");
    }
    let (forward, backward) = run(&|_| (), 11, 11);
    assert!(matches!(forward, Err(Error::Length { arg: "y", .. })));
    assert!(matches!(backward, Err(Error::Length { arg: "dy", .. })));
    let (_, backward) = run(&|_| (), 12, 11);
    assert!(matches!(backward, Err(Error::Length { arg: "scratch", got: 11, want: 12, .. })));
    let (forward, _) = run(&|c| c.offset = 3, 12, 12);
    assert!(matches!(forward, Err(Error::Index { arg: "positions", at: 2, got: 5, limit: 5, .. })));
    let (forward, _) = run(&|c| c.offset = usize::MAX, 12, 12);
    assert!(matches!(forward, Err(Error::Index { arg: "positions", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any shape agrees with f64; rows of the table that no token names keep their bits.
    #[test]
    fn any_shape_agrees_with_f64(
        b in 0usize..5, t in 0usize..9, c in 1usize..70, v in 1usize..40, offset in 0usize..5, p in 0u8..3,
    ) {
        let case = Case::new(b, t, c, v, offset, f32::from(p) * 0.25);
        case.check();
        let start = values(v * c, 11, 0.0);
        let once = case.backward(&start);
        let named: Vec<bool> = (0..v).map(|v| case.ids.contains(&(v as u32))).collect();
        for (row, &named) in named.iter().enumerate() {
            let at = row * c..(row + 1) * c;
            prop_assert!(named || once[at.clone()] == start[at]);
        }
    }
}
