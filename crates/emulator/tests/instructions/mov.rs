//! `mov` in all its shapes.

use crate::{
    patterns::{Of, low},
    table::{Case, case, check},
};

#[test]
fn copies() {
    let mut cases = Vec::new();
    for (ty, of) in [
        ("b16", Of::B16),
        ("u16", Of::B16),
        ("s16", Of::B16),
        ("b32", Of::B32),
        ("u32", Of::B32),
        ("s32", Of::B32),
        ("f32", Of::F32),
        ("b64", Of::B64),
        ("u64", Of::B64),
        ("s64", Of::B64),
        ("f64", Of::F64),
    ] {
        cases.push(case(format!("mov.{ty} %d, %a;"), of, &[of], |v| v[0]));
    }
    check(cases);
}

#[test]
fn constants() {
    let one = |text: &str, of: Of, value: u64| -> Case { case(text, of, &[], move |_| value) };
    check(vec![
        one("mov.u16 %d, 0xffff;", Of::B16, 0xffff),
        one("mov.s16 %d, -2;", Of::B16, 0xfffe),
        one("mov.s32 %d, -2147483648;", Of::B32, 0x8000_0000),
        one("mov.u32 %d, 4294967295;", Of::B32, 0xffff_ffff),
        one("mov.b32 %d, 0b101;", Of::B32, 5),
        one("mov.b32 %d, 017;", Of::B32, 15),
        one("mov.b32 %d, WARP_SZ;", Of::B32, 32),
        one("mov.u64 %d, 0xfedcba9876543210;", Of::B64, 0xfedc_ba98_7654_3210),
        one("mov.s64 %d, -1;", Of::B64, u64::MAX),
        one("mov.f32 %d, 0f3f800001;", Of::F32, 0x3f80_0001),
        one("mov.f64 %d, 0d3ff0000000000001;", Of::F64, 0x3ff0_0000_0000_0001),
        one("mov.f32 %d, 0d3ff8000000000000;", Of::F32, 0x3fc0_0000),
        one("mov.f64 %d, 1.5;", Of::F64, 0x3ff8_0000_0000_0000),
        one("mov.b32 %d, (1 << 4) | 3;", Of::B32, 19),
        // The constant's bits, as the type has them.
        one("add.s32 %d, 1, -3;", Of::B32, 0xffff_fffe),
        one("add.f32 %d, 0f40000000, 0f3f800000;", Of::F32, 0x4040_0000),
        one("mul.wide.s32 %d, -1, 2;", Of::B64, (-2i64) as u64),
    ]);
}

/// Whole, pieces, and bits of a piece.
const PACKED: [(Of, u32); 5] = [(Of::B16, 2), (Of::B32, 2), (Of::B32, 4), (Of::B64, 2), (Of::B64, 4)];

#[test]
fn unpacking() {
    let mut cases = Vec::new();
    for (whole, count) in PACKED {
        let bits = whole.bits() / count;
        for piece in 0..count {
            let all: Vec<String> = (0..count).map(|at| format!("%x{at}")).collect();
            let one: Vec<String> =
                (0..count).map(|at| if at == piece { format!("%x{at}") } else { "_".into() }).collect();
            for pieces in [all, one] {
                // The piece is seen in a register with room for more.
                let text = format!(
                    ".reg .b{bits} %x<4>;\nmov.b{} {{{}}}, %a;\ncvt.u64.u{bits} %d, %x{piece};",
                    whole.bits(),
                    pieces.join(", ")
                );
                cases.push(case(text, Of::B64, &[whole], move |v| low(v[0] >> (piece * bits), bits)));
            }
        }
    }
    check(cases);
}

#[test]
fn packing() {
    let mut cases = Vec::new();
    for (whole, count) in PACKED {
        let bits = whole.bits() / count;
        let of = [Of::B8, Of::B16, Of::B32][bits.trailing_zeros() as usize - 3];
        let pieces = ["%a", "%b", "%c", "%e"][..count as usize].join(", ");
        cases.push(case(
            format!("mov.b{} %d, {{{pieces}}};", whole.bits()),
            whole,
            &vec![of; count as usize],
            move |v| v.iter().rev().fold(0, |all, piece| all << bits | piece),
        ));
    }
    // Into registers of floats, and of a constant.
    cases.push(case("mov.b64 %d, {%a, %b};", Of::F64, &[Of::F32; 2], |v| v[1] << 32 | v[0]));
    cases.push(case("mov.b64 %d, {%a, 7};", Of::B64, &[Of::B32], |v| 7 << 32 | v[0]));
    check(cases);
}
