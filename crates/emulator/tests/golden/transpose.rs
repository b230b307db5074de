//! Transposes: with conflicts, padded, swizzled, without shared memory.

use crate::{
    common::Random,
    ways::{assert_same, same},
};

#[test]
fn all_four() {
    for (rows, cols) in [(1usize, 1usize), (33, 31), (64, 96), (100, 7)] {
        let x = Random(30).floats(rows * cols);
        let expected: Vec<f32> = (0..rows * cols).map(|at| x[at % rows * cols + at / rows]).collect();
        for name in ["transpose_conflicts", "transpose_padded", "transpose_swizzled", "transpose_plain"] {
            same(
                "transpose",
                |device| {
                    let (x, y) = (device.upload(&x), device.allocate::<f32>(rows * cols));
                    let grid = [cols.div_ceil(32) as u32, rows.div_ceil(32) as u32, 1];
                    let args = [x.into(), y.into(), (rows as i32).into(), (cols as i32).into()];
                    device.clean(name, grid, [32, 8, 1], 0, &args);
                    device.download(y, rows * cols)
                },
                |got: &Vec<f32>| assert_same(got, &expected),
            );
        }
    }
}
