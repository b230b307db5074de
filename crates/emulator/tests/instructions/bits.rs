//! Logic, shifts and bit fields, bit by bit as the ISA's pseudocode has them.

use crate::{
    integer::{Int, S16, S32, S64, U32, U64},
    patterns::{Of, low},
    table::{Case, case, check, check_on},
};

const WIDTHS: [Of; 3] = [Of::B16, Of::B32, Of::B64];

fn bit(value: u64, at: u32) -> bool {
    at < 64 && value >> at & 1 == 1
}

#[test]
fn logic() {
    let mut cases = Vec::new();
    for of in WIDTHS {
        let bits = of.bits();
        for (name, table) in [("and", 0b1000), ("or", 0b1110), ("xor", 0b0110)] {
            cases.push(case(format!("{name}.b{bits} %d, %a, %b;"), of, &[of; 2], move |v| {
                let index = |at| u32::from(bit(v[0], at)) * 2 + u32::from(bit(v[1], at));
                (0..bits).fold(0, |d, at| d | (table >> index(at) & 1) << at)
            }));
        }
        cases.push(case(format!("not.b{bits} %d, %a;"), of, &[of], move |v| u64::MAX >> (64 - bits) ^ v[0]));
        cases.push(case(format!("cnot.b{bits} %d, %a;"), of, &[of], |v| u64::from(v[0] == 0)));
    }
    check(cases);
}

#[test]
fn logic_of_predicates() {
    let p = Of::Pred;
    check(vec![
        case("and.pred %d, %a, %b;", p, &[p; 2], |v| v[0] & v[1]),
        case("or.pred %d, %a, %b;", p, &[p; 2], |v| v[0] | v[1]),
        case("xor.pred %d, %a, %b;", p, &[p; 2], |v| v[0] ^ v[1]),
        case("not.pred %d, %a;", p, &[p], |v| 1 - v[0]),
        case("mov.pred %d, %a;", p, &[p], |v| v[0]),
        case("mov.pred %d, 1;", p, &[], |_| 1),
        case("and.pred %d, %a, !%b;", p, &[p; 2], |v| v[0] & (1 - v[1])),
        case("or.pred %d, !%a, %b;", p, &[p; 2], |v| (1 - v[0]) | v[1]),
        case("xor.pred %d, %a, 1;", p, &[p], |v| 1 - v[0]),
    ]);
}

#[test]
fn lop3_by_every_table() {
    let cases = (0..256u32).map(|table| {
        case(format!("lop3.b32 %d, %a, %b, %c, {table};"), Of::B32, &[Of::B32; 3], move |v| {
            let index = |at| u32::from(bit(v[0], at)) * 4 + u32::from(bit(v[1], at)) * 2 + u32::from(bit(v[2], at));
            (0..32).fold(0, |d, at| d | u64::from(table >> index(at) & 1) << at)
        })
    });
    // Each word meets all eight combinations of bits.
    check_on(
        cases.collect(),
        &[vec![0xf0f0_cc3a, 0x0123_4567], vec![0xcccc_aa5c, 0x89ab_cdef], vec![0xaaaa_f096, 0xfedc_ba98]],
    );
}

#[test]
fn shifts() {
    let mut cases = Vec::new();
    for of in WIDTHS {
        let bits = of.bits();
        cases.push(case(format!("shl.b{bits} %d, %a, %b;"), of, &[of, Of::Amount], move |v| {
            low(v[0].checked_shl(v[1] as u32).unwrap_or(0), bits)
        }));
        for name in ["b", "u"] {
            cases.push(case(format!("shr.{name}{bits} %d, %a, %b;"), of, &[of, Of::Amount], |v| {
                v[0].checked_shr(v[1] as u32).unwrap_or(0)
            }));
        }
    }
    for int in [S16, S32, S64] {
        cases.push(case(format!("shr.{} %d, %a, %b;", int.name), int.of(), &[int.of(), Of::Amount], move |v| {
            int.wrap(int.value(v[0]) >> v[1].min(127))
        }));
    }
    for (mode, clamp) in [("wrap", false), ("clamp", true)] {
        let amount = move |c: u64| if clamp { c.min(32) } else { c % 32 };
        let sources = [Of::B32, Of::B32, Of::Amount];
        cases.push(case(format!("shf.l.{mode}.b32 %d, %a, %b, %c;"), Of::B32, &sources, move |v| {
            ((u128::from(v[1]) << 32 | u128::from(v[0])) << amount(v[2]) >> 32) as u64 & 0xffff_ffff
        }));
        cases.push(case(format!("shf.r.{mode}.b32 %d, %a, %b, %c;"), Of::B32, &sources, move |v| {
            (v[1] << 32 | v[0]) >> amount(v[2]) & 0xffff_ffff
        }));
    }
    check(cases);
}

#[test]
fn byte_permutation() {
    /// Byte `index` of b and a, b above.
    fn byte(v: &[u64], index: u64) -> u64 {
        (v[1] << 32 | v[0]) >> (8 * index) & 0xff
    }
    let word = |bytes: [u64; 4]| bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
    let sources = [Of::B32; 3];
    let mut cases = vec![case("prmt.b32 %d, %a, %b, %c;", Of::B32, &sources, move |v| {
        word([3, 2, 1, 0].map(|place| {
            let control = v[2] >> (4 * place) & 15;
            let value = byte(v, control & 7);
            match control & 8 {
                0 => value,
                _ => (value >> 7) * 0xff,
            }
        }))
    })];
    // The ISA's table of modes, highest byte first, by c's low two bits.
    for (mode, table) in [
        ("f4e", [[3, 2, 1, 0], [4, 3, 2, 1], [5, 4, 3, 2], [6, 5, 4, 3]]),
        ("b4e", [[5, 6, 7, 0], [6, 7, 0, 1], [7, 0, 1, 2], [0, 1, 2, 3]]),
        ("rc8", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]]),
        ("ecl", [[3, 2, 1, 0], [3, 2, 1, 1], [3, 2, 2, 2], [3, 3, 3, 3]]),
        ("ecr", [[0, 0, 0, 0], [1, 1, 1, 0], [2, 2, 1, 0], [3, 2, 1, 0]]),
        ("rc16", [[1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2]]),
    ] {
        cases.push(case(format!("prmt.b32.{mode} %d, %a, %b, %c;"), Of::B32, &sources, move |v| {
            word(table[v[2] as usize & 3].map(|index| byte(v, index)))
        }));
    }
    check(cases);
}

#[test]
fn bit_fields() {
    let mut cases = Vec::new();
    for int in [U32, S32, U64, S64] {
        let sources = [int.of(), Of::Amount, Of::Amount];
        cases.push(case(format!("bfe.{} %d, %a, %b, %c;", int.name), int.of(), &sources, move |v| {
            let (position, length) = (v[1] as u32 & 0xff, v[2] as u32 & 0xff);
            let last = int.bits - 1;
            let sign = int.signed && length > 0 && bit(v[0], (position + length - 1).min(last));
            (0..int.bits).fold(0, |d, at| {
                let inside = at < length && position + at <= last;
                d | u64::from(if inside { bit(v[0], position + at) } else { sign }) << at
            })
        }));
    }
    for of in [Of::B32, Of::B64] {
        let bits = of.bits();
        let sources = [of, of, Of::Amount, Of::Amount];
        cases.push(case(format!("bfi.b{bits} %d, %a, %b, %c, %e;"), of, &sources, move |v| {
            let (position, length) = (v[2] as u32 & 0xff, v[3] as u32 & 0xff);
            (0..length)
                .take_while(|at| position + at < bits)
                .fold(v[1], |d, at| d & !(1 << (position + at)) | u64::from(bit(v[0], at)) << (position + at))
        }));
    }
    for (mode, clamp) in [("clamp", true), ("wrap", false)] {
        let in_range = move |n: u64| if clamp { n } else { n % 32 };
        cases.push(case(format!("bmsk.{mode}.b32 %d, %a, %b;"), Of::B32, &[Of::Amount; 2], move |v| {
            let (first, length) = (in_range(v[0]), in_range(v[1]));
            (0..32).fold(0, |d, at| d | u64::from(at >= first && at - first < length) << at)
        }));
        for int in [U32, S32] {
            let name = format!("szext.{mode}.{} %d, %a, %b;", int.name);
            cases.push(case(name, Of::B32, &[Of::B32, Of::Amount], move |v| match in_range(v[1]) {
                0 => 0,
                32.. => v[0],
                n => int.wrap(Int { name: "", bits: n as u32, signed: int.signed }.value(v[0])),
            }));
        }
    }
    check(cases);
}

#[test]
fn counting() {
    let mut cases = Vec::new();
    for of in [Of::B32, Of::B64] {
        let bits = of.bits();
        let ones = move |v: u64| (0..bits).filter(|&at| bit(v, at)).count() as u64;
        cases.push(case(format!("popc.b{bits} %d, %a;"), Of::B32, &[of], move |v| ones(v[0])));
        cases.push(case(format!("clz.b{bits} %d, %a;"), Of::B32, &[of], move |v| {
            (0..bits).rev().take_while(|&at| !bit(v[0], at)).count() as u64
        }));
        cases.push(case(format!("brev.b{bits} %d, %a;"), of, &[of], move |v| {
            (0..bits).fold(0, |d, at| d | u64::from(bit(v[0], at)) << (bits - 1 - at))
        }));
    }
    for int in [U32, S32, U64, S64] {
        for (modifier, distance) in [("", false), (".shiftamt", true)] {
            cases.push(case(format!("bfind{modifier}.{} %d, %a;", int.name), Of::B32, &[int.of()], move |v| {
                let last = int.bits - 1;
                let wanted = !(int.signed && bit(v[0], last));
                match (0..int.bits).rev().find(|&at| bit(v[0], at) == wanted) {
                    None => 0xffff_ffff,
                    Some(at) => u64::from(if distance { last - at } else { at }),
                }
            }));
        }
    }
    check(cases);
}

#[test]
fn nth_set_bit() {
    let mut columns = vec![Vec::new(); 3];
    for mask in [0u64, 1, 0xaaaa_aaaa, 0x8000_0001, 0xffff_ffff, 0x0f0f_00f0] {
        for base in 0..32u64 {
            for offset in -34i64..=34 {
                columns[0].push(mask);
                columns[1].push(base);
                columns[2].push(low(offset as u64, 32));
            }
        }
    }
    // As many values as whole blocks have.
    for column in &mut columns {
        let last = column[column.len() - 1];
        column.resize(column.len().next_multiple_of(256), last);
    }
    fn find(v: &[u64]) -> u64 {
        let offset = v[2] as u32 as i32;
        if offset == 0 {
            return if bit(v[0], v[1] as u32) { v[1] } else { 0xffff_ffff };
        }
        let set = |at: &u32| bit(v[0], *at);
        let nth = offset.unsigned_abs() as usize - 1;
        let base = v[1] as u32;
        let found = if offset > 0 { (base..32).filter(set).nth(nth) } else { (0..=base).rev().filter(set).nth(nth) };
        found.map_or(0xffff_ffff, u64::from)
    }
    let case: Case = case("fns.b32 %d, %a, %b, %c;", Of::B32, &[Of::B32; 3], find);
    check_on(vec![case], &columns);
}
