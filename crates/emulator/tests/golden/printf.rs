//! Output from the device.

use crate::ways::{any, same};

/// As C's `%e`: six digits after the point, an exponent of two digits at least.
fn scientific(x: f64) -> String {
    let text = format!("{x:.6e}");
    let (digits, exponent) = text.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// As C's `%g` writes 1e10 i, for i below 100.
fn short(i: u32) -> String {
    match (i / 10, i % 10) {
        (0, 0) => "0".into(),
        (0, ones) => format!("{ones}e+10"),
        (tens, 0) => format!("{tens}e+11"),
        (tens, ones) => format!("{tens}.{ones}e+11"),
    }
}

fn line(i: u32, n: u32) -> String {
    format!(
        "thread {i} of {n}: {:5.2} {} {} {} {} {:x} {} {} %",
        f64::from(i) * 0.25,
        scientific(1.0 / f64::from(i + 1)),
        short(i),
        ["even", "odd"][i as usize % 2],
        char::from(b'a' + (i % 26) as u8),
        0xff00 + i,
        -1_234_567_890_123 * i64::from(i),
        u64::MAX
    )
}

#[test]
fn every_thread_prints_its_line() {
    let n = 70u32;
    let expected: Vec<String> = (0..n).map(|i| line(i, n)).collect();
    // Blocks print as they run.
    any(
        "printf",
        |device| device.clean("print_all", [3, 1, 1], [32, 1, 1], 0, &[(n as i32).into()]).printed,
        |printed| {
            let printed = std::str::from_utf8(printed).expect("ASCII");
            let mut lines: Vec<_> = printed.lines().collect();
            lines.sort_by_key(|line| line.split(' ').nth(1).and_then(|i| i.parse::<u32>().ok()));
            assert_eq!(lines, expected);
        },
    );
}

#[test]
fn the_result_is_how_many_arguments_there_were() {
    same(
        "printf",
        |device| {
            let y = device.allocate::<i32>(1);
            let printed = device.clean("print_plain", [1, 1, 1], [1, 1, 1], 0, &[y.into()]).printed;
            (printed, device.download::<i32>(y, 1))
        },
        |(printed, y)| {
            assert_eq!(printed, b"plain\n1 2 3\n");
            assert_eq!(y, &[3]);
        },
    );
}
