//! `ldmatrix`, `stmatrix`, `movmatrix`: 8 x 8 matrices of 16 bits, of which lane l holds row l / 4, columns 2 (l % 4) and
//! the next.

use crate::common::{Arg, Device, Random};

const HEADER: &str = ".version 8.0\n.target sm_90\n.address_size 64\n";

/// Where lane `lane`'s half `half` of a matrix lies: row and column.
fn place(lane: usize, half: usize, transposed: bool) -> (usize, usize) {
    let (row, column) = (lane / 4, lane % 4 * 2 + half);
    if transposed { (column, row) } else { (row, column) }
}

/// The order in which the rows of all matrices lie in memory, so that addresses are not simply ascending.
fn row_order() -> Vec<u32> {
    let mut order: Vec<u32> = (0..32).collect();
    let mut random = Random(3);
    for at in (1..32).rev() {
        order.swap(at, random.next() as usize % (at + 1));
    }
    order
}

/// Kernels that fill shared memory from global memory, load or store matrices, and write out what came of it.
fn kernels(storing: bool) -> String {
    let mut ptx = format!("{HEADER}.shared .align 16 .b8 tile[512];\n");
    for count in [1, 2, 4] {
        for trans in ["", ".trans"] {
            for (way, space, at) in [
                ("named", ".shared", "[%row]"),
                ("generic", "", "[%generic]"),
                ("offset", ".shared::cta", "[%row+-16]"),
            ] {
                let list: Vec<String> = (0..count).map(|at| format!("%x{at}")).collect();
                let list = list.join(", ");
                let load: String = (0..count).map(|at| format!("ld.global.u32 %x{at}, [%own+{}];\n", 4 * at)).collect();
                let store: String =
                    (0..count).map(|at| format!("st.global.u32 [%own+{}], %x{at};\n", 4 * at)).collect();
                let copy_in = "ld.global.v4.u32 {%x0, %x1, %x2, %x3}, [%own];\nst.shared.v4.u32 [%piece], {%x0, %x1, %x2, %x3};\n";
                let copy_out = "ld.shared.v4.u32 {%x0, %x1, %x2, %x3}, [%piece];\nst.global.v4.u32 [%own], {%x0, %x1, %x2, %x3};\n";
                let adjust = if way == "offset" { "add.u32 %row, %row, 16;\n" } else { "" };
                let name = format!("x{count}{}_{way}", trans.trim_start_matches('.'));
                let middle = if storing {
                    format!(
                        "{load}bar.sync 0;\nstmatrix.sync.aligned.m8n8.x{count}{trans}{space}.b16 {at}, {{{list}}};\nbar.sync 0;\n{copy_out}"
                    )
                } else {
                    format!(
                        "bar.sync 0;\nldmatrix.sync.aligned.m8n8.x{count}{trans}{space}.b16 {{{list}}}, {at};\n{store}"
                    )
                };
                ptx += &format!(
                    ".visible .entry {name}(.param .u64 tile_in, .param .u64 rows, .param .u64 values)\n{{\n\
                     .reg .b32 %t, %piece, %row, %x<4>;\n.reg .b64 %own, %o, %generic;\nmov.u32 %t, %tid.x;\n\
                     mul.wide.u32 %o, %t, 16;\nmov.u32 %piece, tile;\nmad.lo.u32 %piece, %t, 16, %piece;\n\
                     ld.param.u64 %own, [tile_in];\nadd.u64 %own, %own, %o;\n{copy_in}\
                     ld.param.u64 %own, [rows];\nmad.wide.u32 %own, %t, 4, %own;\nld.global.u32 %row, [%own];\n\
                     mov.u32 %piece, tile;\nmad.lo.u32 %row, %row, 16, %piece;\nmad.lo.u32 %piece, %t, 16, %piece;\n\
                     cvt.u64.u32 %generic, %row;\ncvta.shared.u64 %generic, %generic;\n{adjust}\
                     ld.param.u64 %own, [values];\nadd.u64 %own, %own, %o;\n{middle}ret;\n}}\n"
                );
            }
        }
    }
    ptx
}

fn tile() -> Vec<u16> {
    let mut random = Random(17);
    (0..256).map(|_| random.next() as u16).collect()
}

#[test]
fn ldmatrix() {
    let (tile, rows) = (tile(), row_order());
    for device in [Device::new(&kernels(false)), Device::portable(&kernels(false))] {
        for count in [1, 2, 4] {
            for (trans, transposed) in [("", false), ("trans", true)] {
                for way in ["named", "generic", "offset"] {
                    let values = device.upload(&[0u32; 128]);
                    let args = [device.upload(&tile), device.upload(&rows), values].map(Arg::from);
                    device.clean(&format!("x{count}{trans}_{way}"), [1; 3], [32, 1, 1], 0, &args);
                    let values = device.download::<u16>(values, 256);
                    for matrix in 0..count {
                        for lane in 0..32 {
                            for half in 0..2 {
                                let (row, column) = place(lane, half, transposed);
                                let expected = tile[rows[8 * matrix + row] as usize * 8 + column];
                                let result = values[lane * 8 + matrix * 2 + half];
                                assert_eq!(result, expected, "x{count} {trans} {way}: matrix {matrix}, lane {lane}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn stmatrix() {
    let (before, rows) = (tile(), row_order());
    let fragments: Vec<u16> = before.iter().map(|value| value.wrapping_mul(3)).collect();
    for device in [Device::new(&kernels(true)), Device::portable(&kernels(true))] {
        for count in [1, 2, 4] {
            for (trans, transposed) in [("", false), ("trans", true)] {
                for way in ["named", "generic", "offset"] {
                    let values = device.upload(&fragments);
                    let args = [device.upload(&before), device.upload(&rows), values].map(Arg::from);
                    device.clean(&format!("x{count}{trans}_{way}"), [1; 3], [32, 1, 1], 0, &args);
                    let mut expected = before.clone();
                    for matrix in 0..count {
                        for lane in 0..32 {
                            for half in 0..2 {
                                let (row, column) = place(lane, half, transposed);
                                expected[rows[8 * matrix + row] as usize * 8 + column] =
                                    fragments[lane * 8 + matrix * 2 + half];
                            }
                        }
                    }
                    assert_eq!(device.download::<u16>(values, 256), expected, "x{count} {trans} {way}");
                }
            }
        }
    }
}

#[test]
fn movmatrix() {
    let ptx = format!(
        "{HEADER}.visible .entry k(.param .u64 values)\n{{\n.reg .b32 %t, %x;\n.reg .b64 %own;\nmov.u32 %t, %tid.x;\n\
         ld.param.u64 %own, [values];\nmad.wide.u32 %own, %t, 4, %own;\nld.global.u32 %x, [%own];\n\
         movmatrix.sync.aligned.m8n8.trans.b16 %x, %x;\nst.global.u32 [%own], %x;\nret;\n}}\n"
    );
    let before: Vec<u16> = (0..64).map(|value| value * 1021).collect();
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let values = device.upload(&before);
        device.clean("k", [1; 3], [32, 1, 1], 0, &[Arg::from(values)]);
        let after = device.download::<u16>(values, 64);
        for lane in 0..32 {
            for half in 0..2 {
                let (row, column) = place(lane, half, true);
                // In memory lane after lane, a matrix lies row after row.
                assert_eq!(after[lane * 2 + half], before[row * 8 + column]);
            }
        }
    }
}
