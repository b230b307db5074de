//! Every compiler, and every way of running that must not change a result.

use noam_emulator::exec::BlockOrder;

use crate::common::{Device, Random};

/// The versions of NVRTC that compiled `tests/ptx`.
pub const COMPILERS: [&str; 3] = ["12.0", "12.9", "13.5"];

/// Threads of the machine and the order of blocks. The first and the second are the same on purpose: two runs.
const WAYS: [(usize, BlockOrder); 5] = [
    (1, BlockOrder::Forward),
    (1, BlockOrder::Forward),
    (2, BlockOrder::Forward),
    (1, BlockOrder::Backward),
    (2, BlockOrder::Shuffled(0x5eed)),
];

/// The PTX of a file of `tests/kernels`.
pub fn ptx(compiler: &str, file: &str) -> String {
    let path = format!("{}/tests/ptx/{compiler}/{file}.ptx", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs `body` on a fresh device for each compiler and way, checks its result, and expects the same result and the
/// same counters of every way.
pub fn same<T: PartialEq>(file: &str, body: impl Fn(&Device) -> T, check: impl Fn(&T)) {
    for compiler in COMPILERS {
        let text = ptx(compiler, file);
        let mut first = None;
        for way in WAYS {
            let device = prepare(&text, compiler, file, way);
            let got = (body(&device), device.counted.take());
            match &first {
                None => {
                    check(&got.0);
                    first = Some(got);
                }
                Some(first) => {
                    assert!(got.0 == first.0, "the result depends on the way of running");
                    assert!(got.1 == first.1, "the counters depend on the way of running");
                }
            }
        }
    }
}

/// The same for a kernel that may do its work in another manner each time (which block comes first, how often a loop
/// asks before it is answered): every result is checked, none compared with another.
pub fn any<T>(file: &str, body: impl Fn(&Device) -> T, check: impl Fn(&T)) {
    for compiler in COMPILERS {
        let text = ptx(compiler, file);
        for way in WAYS {
            check(&body(&prepare(&text, compiler, file, way)));
        }
    }
}

fn prepare(text: &str, compiler: &str, file: &str, (threads, order): (usize, BlockOrder)) -> Device {
    // Shown with a test that fails.
    println!("{file}.cu by NVRTC {compiler}, threads {threads}, order {order:?}");
    let mut device = Device::new(text);
    device.options.threads = threads;
    device.options.block_order = order;
    device
}

/// The numbers that these bits are.
pub fn floats(bits: &[u32]) -> Vec<f32> {
    bits.iter().copied().map(f32::from_bits).collect()
}

/// Expects the same bits everywhere.
#[track_caller]
pub fn assert_bits(got: &[u32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (at, (&got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(got == expected.to_bits(), "{at}: {:?}, not {expected:?}", f32::from_bits(got));
    }
}

/// Expects the same numbers everywhere.
#[track_caller]
pub fn assert_same<T: PartialEq + std::fmt::Debug>(got: &[T], expected: &[T]) {
    assert_eq!(got.len(), expected.len());
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(got == expected, "{at}: {got:?}, not {expected:?}");
    }
}

/// Expects each number within its own distance of the reference.
#[track_caller]
pub fn assert_near(got: &[u32], expected: &[(f64, f64)]) {
    assert_eq!(got.len(), expected.len());
    for (at, (&got, &(expected, tolerance))) in got.iter().zip(expected).enumerate() {
        let got = f64::from(f32::from_bits(got));
        let near = if expected.is_finite() { (got - expected).abs() <= tolerance } else { got == expected };
        assert!(near, "{at}: {got:e}, not {expected:e} within {tolerance:e}");
    }
}

/// Random integers of all sizes: as many leading zeros as not, of either sign.
pub fn integers(random: &mut Random, count: usize) -> Vec<i32> {
    (0..count).map(|_| (random.next() as i32) >> (random.next() % 32)).collect()
}

/// Half the distance from 1 to the next f32: the error of a rounding, relative.
pub const U: f64 = 1.0 / (1u64 << 24) as f64;
