//! The device's bits are the CPU's: of f32, and of 16 bits as what they are in f32.

use super::Kernels;
use crate::Error;
use crate::column_sum::{column_sum, scratch_len};
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::testing::cuda::{Padded, counted_all, device};
use crate::testing::{bits_but_nan, values, words};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

/// `n` rows of `c` values, with awkward ones among them.
fn rows<T: Element>(n: usize, c: usize, seed: u32) -> Vec<T> {
    const ODD: [f32; 8] = [0.0, -0.0, 1e-42, -3e-39, f32::MAX, f32::INFINITY, f32::NAN, 1e10];
    let odd = words(n * c, seed + 9);
    let pick = |(x, w): (f32, &u32)| if w.is_multiple_of(211) { ODD[*w as usize / 211 % ODD.len()] } else { x };
    values(n * c, seed, 0.0).into_iter().zip(&odd).map(|x| T::from_f32(pick(x))).collect()
}

/// On the device, `before` values from where allocations begin.
fn run<T: Element>((queue, kernels): (&Queue, &Kernels), dy: &[T], db: &[f32], before: usize) -> Vec<f32> {
    // Old scratch must not show.
    let old = vec![f32::NAN; scratch_len(dy.len() / db.len(), db.len()).unwrap()];
    let (dy, mut scratch) = (Padded::of(queue, dy, before), Padded::<f32>::new(queue, &old, before));
    let mut db = Padded::<f32>::new(queue, db, before);
    kernels.column_sum(queue, dy.view(), scratch.view_mut(), db.view_mut()).unwrap();
    assert_eq!(scratch.read().len(), old.len());
    db.read()
}

fn want<T: Element>(dy: &[T], db: &[f32]) -> Vec<f32> {
    let (dy, mut db): (Vec<f32>, _) = (dy.iter().map(|x| x.to_f32()).collect(), db.to_vec());
    let mut scratch = vec![0.0; scratch_len(dy.len() / db.len(), db.len()).unwrap()];
    column_sum(&dy, &mut scratch, &mut db).unwrap();
    db
}

fn bits_are_the_cpus<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Chunks and not; columns around a pack, a warp, a block's; more partial sums than are brought in at a time.
    for (n, c) in [(0, 3), (1, 1), (31, 33), (32, 32), (33, 31), (100, 1), (97, 129), (70, 264), (64, 257), (4200, 8)] {
        for before in [0, 1] {
            let (dy, db) = (rows::<T>(n, c, 1), values(c, 2, 0.0));
            let got = run((&queue, &kernels), &dy, &db, before);
            assert!(bits_but_nan(&got) == bits_but_nan(&want(&dy, &db)), "{} ({n}, {c}) {before}", T::NAME);
        }
    }
}

#[test]
fn the_devices_bits_are_the_cpus() {
    bits_are_the_cpus::<f32>();
    bits_are_the_cpus::<Bf16>();
    bits_are_the_cpus::<F16>();
}

#[test]
fn the_order_of_blocks_does_not_show() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let (dy, db) = (rows::<f32>(130, 300, 3), values(300, 4, 0.0));
    let want = bits_but_nan(&want(&dy, &db));
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(3)] {
        control::set_block_order(order);
        assert!(bits_but_nan(&run((&queue, &kernels), &dy, &db, 0)) == want, "{order:?}");
    }
    control::set_block_order(BlockOrder::default());
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    fn check<T: Element>() {
        let queue = device();
        let kernels = Kernels::load(&queue).unwrap();
        let (dy, mut db) = (Buffer::<T>::zeros(&queue, 96 * 288).unwrap(), Buffer::<f32>::zeros(&queue, 288).unwrap());
        let mut scratch = Buffer::<f32>::zeros(&queue, 3 * 288).unwrap();
        let run = || kernels.column_sum(&queue, dy.view(), scratch.view_mut(), db.view_mut()).unwrap();
        let Some(launches) = counted_all(run) else { return };
        let kernels: Vec<_> = launches.iter().map(|launch| launch.kernel.as_str()).collect();
        assert_eq!(kernels, [&format!("column_sum_chunks_{}", T::NAME), "column_sum_add"]);
        assert_eq!(launches[1].counters.memory.shared().excessive_wavefronts(), 0);
        for launch in launches {
            let memory = &launch.counters.memory;
            assert_eq!(memory.global().excessive_sectors(), 0, "{}", launch.kernel);
        }
    }
    check::<f32>();
    check::<Bf16>();
}

#[test]
fn what_does_not_fit_is_refused_before_a_launch() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let ones = Buffer::from_host(&queue, &[1.0f32; 68]).unwrap();
    let mut scratch = Buffer::<f32>::zeros(&queue, 2).unwrap();
    let mut db = Buffer::from_host(&queue, &[1.0f32, 2.0]).unwrap();
    let mut run = |dy, db: &mut Buffer| kernels.column_sum(&queue, dy, scratch.view_mut(), db.view_mut()).unwrap_err();
    for (dy, want) in [(3, "`dy` holds 3 values"), (68, "`scratch` holds 2 values")] {
        let text = run(ones.view().part(0, dy), &mut db).to_string();
        assert!(text.contains(want), "{text}");
    }
    let other = Queue::new(0).unwrap();
    let foreign = Buffer::<f32>::zeros(&other, 4).unwrap();
    assert_eq!(run(foreign.view(), &mut db), Error::Queue { op: "column_sum", arg: "dy" });
    let mut none = Buffer::<f32>::zeros(&queue, 0).unwrap();
    assert!(run(ones.view(), &mut none).to_string().contains("C is 0"));
    assert_eq!(db.read().unwrap(), [1.0, 2.0]);
}
