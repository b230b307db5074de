//! Arithmetic with carry: one instruction that sets the flag and one that uses it, against numbers twice as long.

use crate::{
    integer::{Int, S32, S64, U32, U64},
    patterns::low,
    table::{case, check},
};

const TYPES: [Int; 4] = [U32, S32, U64, S64];

/// The carry flag of the last instruction, as a number.
const FLAG: &str = "addc";

#[test]
fn carries_and_borrows() {
    let mut cases = Vec::new();
    for int in TYPES {
        let (t, of) = (int.name, int.of());
        let whole = 1u128 << int.bits;
        let wide = move |x: u64| u128::from(x);
        // The sum itself, then the flag it leaves.
        cases.push(case(format!("add.cc.{t} %d, %a, %b;"), of, &[of; 2], move |v| {
            int.wrap((wide(v[0]) + wide(v[1])) as i128)
        }));
        cases.push(case(format!("add.cc.{t} %d, %a, %b;\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 2], move |v| {
            ((wide(v[0]) + wide(v[1])) / whole) as u64
        }));
        cases.push(case(format!("sub.cc.{t} %d, %a, %b;"), of, &[of; 2], move |v| {
            int.wrap(wide(v[0]) as i128 - wide(v[1]) as i128)
        }));
        cases.push(case(format!("sub.cc.{t} %d, %a, %b;\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 2], |v| {
            u64::from(v[0] < v[1])
        }));
        // With a carry in: a flag from %a + %b, then %c + %e and what that leaves.
        let carry = move |v: &[u64]| (wide(v[0]) + wide(v[1])) / whole;
        let first = format!("add.cc.{t} %d, %a, %b;");
        cases.push(case(format!("{first}\naddc.{t} %d, %c, %e;"), of, &[of; 4], move |v| {
            int.wrap((wide(v[2]) + wide(v[3]) + carry(v)) as i128)
        }));
        cases.push(case(format!("{first}\naddc.cc.{t} %d, %c, %e;\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 4], move |v| {
            ((wide(v[2]) + wide(v[3]) + carry(v)) / whole) as u64
        }));
        cases.push(case(format!("{first}\nsubc.{t} %d, %c, %e;"), of, &[of; 4], move |v| {
            int.wrap(wide(v[2]) as i128 - wide(v[3]) as i128 - carry(v) as i128)
        }));
        cases.push(case(format!("{first}\nsubc.cc.{t} %d, %c, %e;\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 4], move |v| {
            u64::from(wide(v[2]) < wide(v[3]) + carry(v))
        }));
        // An instruction without .cc leaves the flag as it is.
        cases.push(case(format!("{first}\naddc.{t} %d, %c, %e;\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 4], move |v| {
            carry(v) as u64
        }));
    }
    check(cases);
}

#[test]
fn products_with_carry() {
    let mut cases = Vec::new();
    for int in TYPES {
        let (t, of) = (int.name, int.of());
        for (part, high) in [("lo", false), ("hi", true)] {
            let product = move |v: &[u64]| {
                let all = int.value(v[0]).wrapping_mul(int.value(v[1]));
                low(if high { (all as u128 >> int.bits) as u64 } else { all as u64 }, int.bits)
            };
            let sum = move |v: &[u64], carry: u64| u128::from(product(v)) + u128::from(v[2]) + u128::from(carry);
            cases.push(case(format!("mad.{part}.cc.{t} %d, %a, %b, %c;"), of, &[of; 3], move |v| {
                int.wrap(sum(v, 0) as i128)
            }));
            let mad = format!("mad.{part}.cc.{t} %d, %a, %b, %c;");
            cases.push(case(format!("{mad}\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 3], move |v| {
                (sum(v, 0) >> int.bits) as u64
            }));
            // A carry in where %e is not zero: all ones plus %e.
            let first = format!("add.cc.{t} %d, %e, -1;");
            let carry = |v: &[u64]| u64::from(v[3] != 0);
            cases.push(case(format!("{first}\nmadc.{part}.{t} %d, %a, %b, %c;"), of, &[of; 4], move |v| {
                int.wrap(sum(v, carry(v)) as i128)
            }));
            let madc = format!("madc.{part}.cc.{t} %d, %a, %b, %c;");
            cases.push(case(format!("{first}\n{madc}\n{FLAG}.{t} %d, 0, 0;"), of, &[of; 4], move |v| {
                (sum(v, carry(v)) >> int.bits) as u64
            }));
        }
    }
    check(cases);
}

/// Sixteen bytes of sum from four words, as compilers chain them; each lane has a flag of its own.
#[test]
fn a_chain_of_four() {
    let words = |v: &[u64]| u128::from(v[0]) | u128::from(v[1]) << 64;
    for half in [0, 64] {
        let text = format!(
            ".reg .b32 %x<4>, %y<4>;\nmov.b64 {{%x0, %x1}}, %a;\nmov.b64 {{%x2, %x3}}, %b;\n\
             mov.b64 {{%y0, %y1}}, %c;\nmov.b64 {{%y2, %y3}}, %e;\n\
             add.cc.u32 %x0, %x0, %y0;\naddc.cc.u32 %x1, %x1, %y1;\naddc.cc.u32 %x2, %x2, %y2;\naddc.u32 %x3, %x3, %y3;\n\
             mov.b64 %d, {{%x{}, %x{}}};",
            half / 32,
            half / 32 + 1
        );
        let of = U64.of();
        check(vec![case(text, of, &[of; 4], move |v| (words(&v[..2]).wrapping_add(words(&v[2..])) >> half) as u64)]);
    }
}
