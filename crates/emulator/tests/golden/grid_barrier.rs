//! Blocks that wait for each other, and a block that is the last.

use crate::{
    common::{Device, Random},
    ways::{any, assert_same},
};

#[test]
fn a_ring_steps_with_a_barrier_of_the_grid() {
    for (blocks, threads, n, steps) in [(1u32, 32u32, 1usize, 3i32), (3, 64, 100, 2), (5, 33, 300, 3)] {
        let mut random = Random(40);
        let start: Vec<u32> = (0..n).map(|_| random.next() as u32).collect();
        let expected = (0..steps).fold(start.clone(), |from, _| {
            (0..n).map(|i| from[(i + n - 1) % n].wrapping_add(from[(i + 1) % n])).collect()
        });
        // How often a block asks whether all have arrived is chance.
        any(
            "grid_barrier",
            |device| {
                let (a, b) = (device.upload(&start), device.allocate::<u32>(n));
                let args = [a.into(), b.into(), device.upload(&[0u32]).into(), (n as i32).into(), steps.into()];
                device.cooperative("ring", [blocks, 1, 1], [threads, 1, 1], 0, &args);
                device.download(if steps % 2 == 0 { a } else { b }, n)
            },
            |got: &Vec<u32>| assert_same(got, &expected),
        );
    }
}

#[test]
fn the_last_block_adds_what_the_others_left() {
    for (n, blocks) in [(1usize, 1usize), (1000, 5), (777, 9)] {
        let mut random = Random(41);
        let x: Vec<u32> = (0..n).map(|_| random.next() as u32).collect();
        let sum = x.iter().fold(0u32, |sum, &x| sum.wrapping_add(x));
        // Which block is the last is chance.
        any(
            "grid_barrier",
            |device| {
                let (finished, y) = (device.upload(&[0u32]), device.allocate::<u32>(1));
                let partial = device.allocate::<u32>(blocks);
                let x = device.upload(&x);
                let args = [x.into(), partial.into(), finished.into(), y.into(), (n as i32).into()];
                device.clean("sum_last_block", [blocks as u32, 1, 1], [128, 1, 1], 0, &args);
                [device.download::<u32>(y, 1)[0], device.download::<u32>(finished, 1)[0]]
            },
            |got| assert_eq!(got, &[sum, 0]),
        );
    }
}

/// More workers than the pool has threads, and several launches at once: each has threads of its own, or blocks that have
/// not begun would be waited for.
#[test]
fn launches_at_the_same_time_do_not_wait_for_each_others_threads() {
    let launch = || {
        let mut device = Device::new(include_str!("../ptx/12.0/grid_barrier.ptx"));
        device.options.threads = 6;
        let start = [1u32, 2, 3, 4, 5, 6, 7, 8];
        let (a, b) = (device.upload(&start), device.allocate::<u32>(start.len()));
        let args = [a.into(), b.into(), device.upload(&[0u32]).into(), (start.len() as i32).into(), 1i32.into()];
        device.cooperative("ring", [6, 1, 1], [32, 1, 1], 0, &args);
        let expected: Vec<u32> = (0..8).map(|i| start[(i + 7) % 8] + start[(i + 1) % 8]).collect();
        assert_eq!(device.download::<u32>(b, 8), expected);
    };
    std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(launch)));
}
