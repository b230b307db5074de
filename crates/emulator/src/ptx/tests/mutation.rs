//! Random changes to modules: each gives a tree or an error, quickly, and an error that is a place in the text.
//!
//! `NOAM_FULL_TESTS=1` tries 10 million instead of 10,000; a release build does it in minutes.

use std::{fs, time::Instant};

use rayon::prelude::*;

use super::samples::compiled;
use crate::ptx::{
    ast::{Module, Statement},
    parse,
};

/// A module with most of the language in little text.
const LANGUAGE: &str = r#".version 8.7
.target sm_90a, debug
.address_size 64
.file 1 "a.cu", 12, 34
.extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);
.global .align 8 .u64 table[] = {generic(f)+8, 0xFF00(g-4), {1, -2.5e3, 0f3F800000}, (1 ? 2 : 3) << 4 | ~WARP_SZ};
.const .v2 .f32 c[2][3]; .extern .shared .align 16 .b8 s[];
.global .attribute(.managed, .unified(1, 2)) .b32 m;
.alias h, g;
.func (.param .align 16 .b8 r[16]) g (.reg .f32 x) .noreturn .abi_preserve 4 ;
.visible .entry k(.param .u64 .ptr .global .align 16 p, .param .b8 q[])
.maxntid 128, 1, 1 .minnctapersm 2 .reqnctapercluster 2 .pragma "nounroll";
{
	.reg .pred %p<3>; .reg .b32 %r<9>, t; .local .b8 depot[8];
	.loc 1 2 3, function_name $L_s+4, inlined_at 1 5 6
$L0: @!%p1 ld.global.L2::128B.v2.f32 {%f1, _}, [%rd1+-8];
	{ .param .b32 a0; call.uni (r0), vprintf, (a0, 3, (1+2)), proto; }
	setp.lt.and.s32 %p1|_, %r1, -0x7f, !%p2; // comment
	cp.async.bulk.tensor.2d.shared::cluster.global [s], [map, {%r1, 4}, {0}], [bar];
	vadd.u32.s32.s32 t, %r1.b0, -%r2.h1, 017U; mov.u32 %r1, %tid.x; ld.u32 t, [240]; /* more */
ts: .branchtargets $L0, $L0;
proto: .callprototype (.param .b32 _) _ (.param .b64 _) .noreturn;
	brx.idx %r1, ts; ret;
}
.section .debug_str { $L_s: .b8 65,0 .b32 .debug_info+1 }
"#;

/// What a change may put in.
const PIECES: [&str; 64] = [
    " ",
    "\n",
    "\r",
    ",",
    ";",
    ":",
    "::",
    ".",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "@",
    "!",
    "%",
    "|",
    "||",
    "&",
    "?",
    "=",
    "+",
    "-",
    "*",
    "/",
    "//",
    "/*",
    "*/",
    "\"",
    "\\",
    "_",
    "$",
    "0",
    "1",
    "9",
    "0x",
    "0f",
    "0d3FF",
    "1.5e",
    "e",
    "18446744073709551615",
    "4294967296",
    "-9223372036854775808",
    "%r1",
    ".reg",
    ".b32",
    ".param",
    ".visible",
    ".func",
    ".entry",
    ".align",
    ".loc",
    ".section",
    ".pragma",
    ".callprototype",
    "generic",
    "WARP_SZ",
    "call",
    "\0",
    "\u{394}",
    "(.s64)",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A text with one to eight changes. They may cut characters in two, which reading it as UTF-8 mends.
fn mutated(seeds: &[String], random: &mut Random) -> String {
    let mut text = seeds[random.below(seeds.len())].clone().into_bytes();
    for _ in 0..1 + random.below(8) {
        let at = random.below(text.len() + 1);
        let length = [1, 1, 2, 5, 20, 200][random.below(6)];
        let end = text.len().min(at + length);
        match random.below(7) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                let times = [1, 1, 1, 2, 100][random.below(5)];
                text.splice(at..at, piece.repeat(times).into_bytes());
            }
            2 => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..end, piece.bytes());
            }
            3 => {
                let copy = text[at..end].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            4 => {
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            5 => {
                let other = &seeds[random.below(seeds.len())].as_bytes();
                let from = random.below(other.len());
                let to = other.len().min(from + length * 4);
                text.splice(at..end, other[from..to].iter().copied());
            }
            _ if random.below(4) == 0 => text.truncate(at),
            _ => {}
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether every instruction's text lies in the source where its position says.
fn texts_are_in_place(module: &Module<'_>, source: &str) -> bool {
    let lines: Vec<usize> = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut open: Vec<&[Statement<'_>]> =
        module.functions.iter().filter_map(|function| function.body.as_deref()).collect();
    while let Some(statements) = open.pop() {
        for statement in statements {
            match statement {
                Statement::Block(inner) => open.push(inner),
                Statement::Instruction(instruction) => {
                    let position = instruction.position;
                    let start = lines[position.line as usize - 1] + position.column as usize - 1;
                    let text = instruction.text;
                    if !source[start..].starts_with(text) || !text.ends_with(';') || !text.contains(instruction.opcode)
                    {
                        return false;
                    }
                }
                _ => {}
            }
        }
    }
    true
}

fn check(source: &str) -> Result<bool, String> {
    let start = Instant::now();
    let result = parse(source);
    // A slow parse is slow each time; a busy machine is not.
    if start.elapsed().as_millis() > 50 {
        let again = |_| {
            let start = Instant::now();
            drop(parse(source));
            start.elapsed().as_millis() > 50
        };
        if (0..5).all(again) {
            return Err("took over 50 ms".to_owned());
        }
    }
    match result {
        Ok(module) if texts_are_in_place(&module, source) => Ok(true),
        Ok(_) => Err("an instruction's text is out of place".to_owned()),
        Err(error) => {
            let line = source.split('\n').nth(error.position.line as usize - 1);
            let place = line.is_some_and(|line| (1..=line.len() + 1).contains(&(error.position.column as usize)));
            if place { Ok(false) } else { Err(format!("not a place in the text: {error}")) }
        }
    }
}

#[test]
fn changed_modules_parse_or_are_refused() {
    const ROUND: u64 = 1000;
    let full = std::env::var("NOAM_FULL_TESTS").is_ok_and(|value| value == "1");
    let rounds = if full { 10_000 } else { 10 };
    assert!(parse(LANGUAGE).is_ok(), "{}", parse(LANGUAGE).unwrap_err());
    let mut seeds = vec![LANGUAGE.to_owned()];
    // Small ones, so that a change meets every kind of place.
    let compiled = compiled("ptx").into_iter().map(|path| fs::read_to_string(path).unwrap());
    seeds.extend(compiled.filter(|text| text.len() < 8_000));
    assert!(seeds.len() > 1);

    let accepted: u64 = (0..rounds)
        .into_par_iter()
        .map(|round: u64| {
            let mut random = Random(round);
            let mut accepted = 0;
            for _ in 0..ROUND {
                let source = mutated(&seeds, &mut random);
                match check(&source) {
                    Ok(tree) => accepted += u64::from(tree),
                    Err(message) => panic!("{message}\n{source}"),
                }
            }
            accepted
        })
        .sum();
    // Neither of the two outcomes is rare, or the changes test nothing.
    let share = accepted as f64 / (rounds * ROUND) as f64;
    assert!((0.02..0.9).contains(&share), "{share}");
}
