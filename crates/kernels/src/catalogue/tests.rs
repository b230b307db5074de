//! The catalogue's awkward grid on the device that tests run on; and what a verdict says of results that are wrong.

use super::*;
use crate::cuda::{F16, Tf32};
use crate::testing::cuda::{counted, device};
use noam_emulator::program::Class;
use std::collections::{HashMap, HashSet};

#[test]
fn names_are_unique() {
    for grid in [Grid::Awkward, Grid::Small, Grid::Base] {
        let names: HashSet<_> = cases(grid).iter().map(Case::name).collect();
        assert_eq!(names.len(), cases(grid).len());
    }
}

#[cfg(feature = "cublaslt")]
#[test]
fn cublaslts_products_are_cases_of_ours() {
    let ours: HashSet<_> = cases(Grid::Base).iter().map(Case::name).collect();
    let theirs = products_by_cublaslt();
    let names: HashSet<_> = theirs.iter().map(|case| case.name().replacen("_cublaslt", "", 1)).collect();
    assert_eq!(names.len(), theirs.len());
    assert!(names.is_subset(&ours));
    // Where a bias is added, and where there is none: in f32 and tf32, and of all types.
    let count = |layout| {
        ["f32", "tf32", "bf16", "f16"].map(|element| {
            theirs.iter().filter(|case| case.element == element && case.shape.starts_with(layout)).count()
        })
    };
    assert_eq!(count("nt"), [4, 4, 1, 1]);
    assert_eq!(count("tn"), [4; 4]);
}

#[test]
fn every_awkward_case_passes_and_comes_near_its_bounds() {
    let queue = device();
    let mut worst: HashMap<&str, f64> = HashMap::new();
    for case in cases(Grid::Awkward) {
        let verdict = case.check(&queue).unwrap();
        assert!(verdict.passes(), "{}: {}", case.name(), verdict.differences[0]);
        let has_bound = case.element != "f32"
            && (case.operation.starts_with("matmul")
                || case.operation.starts_with("linear")
                || case.operation.starts_with("layer_norm")
                || (case.operation.starts_with("attention") && !case.operation.ends_with("weights")));
        assert_eq!(verdict.worst.is_some(), has_bound, "{}", case.name());
        let share = worst.entry(case.operation).or_default();
        *share = share.max(verdict.worst.unwrap_or(0.0));
    }
    // Bounds that nothing comes near would show nothing. Where C is f32 there is no rounding at the end, which comes near
    // its bound now and then, as sums of many terms never do.
    for operation in ["matmul", "attention_causal_forward", "attention_cross_backward", "layer_norm_backward"] {
        assert!(worst[operation] > 0.2, "{operation}: {}", worst[operation]);
    }
}

#[test]
fn the_other_grids_have_every_operation_in_every_type() {
    let of = |grid| cases(grid).iter().map(|case| (case.operation, case.element)).collect::<HashSet<_>>();
    let awkward = of(Grid::Awkward);
    assert!(of(Grid::Small) == of(Grid::Base));
    let missing: Vec<_> = awkward.symmetric_difference(&of(Grid::Small)).copied().collect();
    assert_eq!(missing, []);
}

#[test]
fn no_launch_moves_less_than_the_floor() {
    let queue = device();
    for name in ["adam_copy/N262144/bf16", "attention_causal_forward/B2_T64_NH2_HS64/f16", "fill/N262144/f32"] {
        let case = cases(Grid::Small).into_iter().find(|case| case.name() == name).unwrap();
        let mut prepared = case.prepare(&queue).unwrap();
        prepared.reset(&queue).unwrap();
        let Some(launch) = counted(|| prepared.launch(&queue).unwrap()) else { return };
        let memory = &launch.counters.memory;
        let (got, floor) = (memory.dram_read_bytes() + memory.dram_written_bytes(), case.work.floor_bytes());
        // Lengths, rates and counts: some sectors of 32 bytes more.
        assert!((floor..floor + 20 * 32).contains(&got), "{name}: {got} bytes, floor {floor}");
    }
}

#[test]
fn tensor_cores_make_the_fewest_products() {
    let queue = device();
    for name in [
        "attention_causal_forward/B2_T64_NH2_HS64/bf16",
        "attention_causal_backward/B2_T64_NH2_HS64/bf16",
        "attention_self_backward/B2_T64_NH2_HS64/f16",
        "matmul/nn_M64_N128_K2048/f16",
        "matmul/nn_M64_N128_K2048/tf32",
    ] {
        let case = cases(Grid::Small).into_iter().find(|case| case.name() == name).unwrap();
        let mut prepared = case.prepare(&queue).unwrap();
        prepared.reset(&queue).unwrap();
        let Some(launch) = counted(|| prepared.launch(&queue).unwrap()) else { return };
        assert_eq!(launch.counters.of(Class::Tensor), case.work.tensor_products, "{name}");
    }
    // Half of a square on the diagonal is nobody's: of 64 x 64 pairs 2080 are visible, in 10 squares of 16 x 16.
    let causal = cases(Grid::Small).into_iter().find(|case| case.name().starts_with("attention_causal_forward"));
    let bf16 =
        cases(Grid::Small).into_iter().find(|case| case.name() == "attention_causal_forward/B2_T64_NH2_HS64/bf16");
    assert_eq!(causal.unwrap().work.needed(), 2 * 4 * 2080 * 64);
    let work = bf16.unwrap().work;
    assert_eq!(work.tensor_products * work.tensor_product, 2 * 4 * 10 * 256 * 64);
}

#[test]
fn whole_products_cover_every_multiply_add() {
    assert_eq!(whole_products::<F16>(16, 8, 16), 1);
    // The eight may lie along either side.
    assert_eq!(whole_products::<F16>(8, 16, 16), 1);
    assert_eq!(whole_products::<F16>(17, 9, 33), 3 * 3);
    assert_eq!(whole_products::<F16>(17, 17, 1), 2 * 3);
    assert_eq!(whole_products::<F16>(0, 9, 33), 0);
    assert_eq!(whole_products::<Tf32>(16, 8, 16), 2);
}

/// The outputs of the first case whose name begins so after one launch, and what they must be.
fn launched(name: &str, element: &str) -> (Vec<Output>, Vec<Wanted>) {
    let queue = device();
    let fits = |case: &Case| case.element == element && case.name().starts_with(name);
    let case = cases(Grid::Awkward).into_iter().find(fits).unwrap();
    let Prepared(mut run) = case.prepare(&queue).unwrap();
    run.reset(&queue).unwrap();
    run.launch(&queue).unwrap();
    (run.outputs().unwrap(), run.wanted().unwrap())
}

fn compared(outputs: &[Output], wanted: &[Wanted]) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.compare(outputs, wanted);
    verdict
}

#[test]
fn a_bit_that_is_wrong_is_found() {
    let (outputs, wanted) = launched("layer_norm_forward/N33_C31", "f32");
    let names: Vec<_> = outputs.iter().map(|output| output.name).collect();
    assert_eq!(names, ["y", "mean", "rstd"]);
    assert!(compared(&outputs, &wanted).passes());
    let mut wrong = outputs.clone();
    for at in [700, 40] {
        let bits = (wrong[0].values[at] as f32).to_bits() ^ 1;
        wrong[0].values[at] = f64::from(f32::from_bits(bits));
    }
    let verdict = compared(&wrong, &wanted);
    assert_eq!(verdict.values, 33 * 31 + 66);
    let [Difference::Value { output: "y", element: "f32", at: 40, got, want, bound: None, count: 2, of: 1023 }] =
        verdict.differences[..]
    else {
        panic!("{verdict:?}")
    };
    assert!(got == wrong[0].values[40] && want == outputs[0].values[40]);
    let text = verdict.differences[0].to_string();
    let bits = format!("({:#010x})", (want as f32).to_bits());
    assert!(
        text.starts_with("y[40] is ") && text.contains(&bits) && text.ends_with("2 of 1023 values are wrong"),
        "{text}"
    );
    // A launch that gave this once, and the other twice, does not repeat itself either.
    let repeated = Verdict::of_repetition(&outputs, &wrong);
    assert!(matches!(repeated.differences[..], [Difference::Repetition { output: "y", at: 40, .. }]));
    assert!(repeated.differences[0].to_string().contains("when it is launched again"));
}

#[test]
fn what_is_beyond_its_bound_is_found_and_nan_with_it() {
    let (outputs, wanted) = launched("matmul/nn_M33_N35_K41", "bf16");
    let verdict = compared(&outputs, &wanted);
    assert!(verdict.passes() && verdict.worst.is_some_and(|worst| worst > 0.0 && worst <= 1.0));
    let bound = wanted[0].bound.as_ref().unwrap()[7];
    for (value, right) in [
        (wanted[0].values[7] + 0.99 * bound, true),
        (wanted[0].values[7] + 1.01 * bound, false),
        (f64::NAN, false),
        (f64::INFINITY, false),
    ] {
        let mut changed = outputs.clone();
        changed[0].values[7] = value;
        let verdict = compared(&changed, &wanted);
        assert_eq!(verdict.passes(), right, "{value}");
        if !right {
            assert!(matches!(verdict.differences[..], [Difference::Value { at: 7, count: 1, bound: Some(_), .. }]));
        }
    }
}

#[test]
fn nan_equals_nan_where_bits_are_fixed_and_zeros_differ() {
    let output = |x: f64| vec![Output { name: "x", element: "f32", values: vec![x], intact: true }];
    let wanted = |x: f64| vec![Wanted { values: vec![x], bound: None }];
    assert!(compared(&output(f64::NAN), &wanted(-f64::NAN)).passes());
    assert!(!compared(&output(0.0), &wanted(-0.0)).passes());
    assert!(!compared(&output(f64::NAN), &wanted(1.0)).passes());
}

#[test]
fn writes_beside_an_output_are_found() {
    let (mut outputs, _) = launched("fill/N15", "f16");
    assert!(Verdict::of_repetition(&outputs, &outputs).passes());
    outputs[0].intact = false;
    let verdict = Verdict::of_repetition(&outputs, &outputs);
    assert_eq!(verdict.differences, [Difference::Beside { output: "x" }]);
    // The values around are what `read` looks at.
    let queue = device();
    let mut data = data::Data::<f32>::output(&queue, 4, 1).unwrap();
    assert!(data.read("x").unwrap().intact);
    // Four values at the buffer's start are three of the part and the one before.
    let fill = crate::cuda::Fill::load(&queue).unwrap();
    fill.fill(&queue, data.whole().split([(0, 4)]).into_iter().next().unwrap(), 0.0).unwrap();
    assert!(!data.read("x").unwrap().intact);
}
