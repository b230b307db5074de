//! Runs instructions of one result, each in a kernel of its own, over some thousands of operands.

use std::fmt::Write as _;

use noam_emulator::finding::Checks;

use crate::{
    common::{Device, Random},
    patterns::{Of, low},
};

/// How many operands each instruction is given.
const VALUES: usize = 4096;

type Reference = dyn Fn(&[u64]) -> Expected;

/// One instruction, and what its result must be.
pub struct Case {
    text: String,
    result: Of,
    sources: Vec<Of>,
    reference: Box<Reference>,
}

/// What a result must be.
pub enum Expected {
    /// These bits.
    Bits(u64),
    /// Anything for which the test of the bits holds, as said in words.
    Within(String, Box<dyn Fn(u64) -> bool>),
    /// Anything: the ISA leaves it open.
    Open,
}

/// An instruction with its registers `%d` for the result, `%a`, `%b`, `%c`, `%e` for the sources in order; `reference`
/// takes the sources' bits and gives the result's.
pub fn case(text: impl Into<String>, result: Of, sources: &[Of], reference: impl Fn(&[u64]) -> u64 + 'static) -> Case {
    judged(text, result, sources, move |values| Expected::Bits(reference(values)))
}

/// [`case`] with a result that need not be one value.
pub fn judged(
    text: impl Into<String>,
    result: Of,
    sources: &[Of],
    reference: impl Fn(&[u64]) -> Expected + 'static,
) -> Case {
    Case { text: text.into(), result, sources: sources.to_vec(), reference: Box::new(reference) }
}

const SOURCES: [&str; 4] = ["a", "b", "c", "e"];
const HEADER: &str = ".version 8.7\n.target sm_90a\n.address_size 64\n";

/// Runs every case on random operands.
pub fn check(cases: Vec<Case>) {
    check_random(&cases, VALUES);
}

/// The same with fewer operands, for many cases that differ in little.
pub fn check_few(cases: Vec<Case>) {
    check_random(&cases, VALUES / 8);
}

fn check_random(cases: &[Case], values: usize) {
    let operands = |case: &Case, seed: usize| {
        let mut random = Random(seed as u64 * 0x1_0000);
        let mut columns = vec![Vec::with_capacity(values); case.sources.len()];
        for _ in 0..values {
            let mut previous = None;
            for (column, of) in columns.iter_mut().zip(&case.sources) {
                // Equal and opposite operands, which chance would hardly give.
                let value = match (random.next() % 16, previous) {
                    (0, Some((same, value))) if same == *of => value,
                    (1, Some((same, value))) if same == *of => value ^ 1 << (of.bits() - 1),
                    _ => of.sample(&mut random),
                };
                previous = Some((*of, value));
                column.push(value);
            }
        }
        columns
    };
    run(cases, Checks::ALL, operands);
}

/// Runs every case, of one source, on all 65,536 values of 16 bits.
pub fn check_all16(cases: Vec<Case>) {
    run(&cases, Checks::NONE, |_, _| vec![(0..1 << 16).collect()]);
}

/// Runs every case on operands of the caller's choice, a column each source.
pub fn check_on(cases: Vec<Case>, operands: &[Vec<u64>]) {
    run(&cases, Checks::NONE, |case, _| operands[..case.sources.len()].to_vec());
}

fn run(cases: &[Case], checks: Checks, operands: impl Fn(&Case, usize) -> Vec<Vec<u64>>) {
    let mut ptx = HEADER.to_owned();
    for (index, case) in cases.iter().enumerate() {
        kernel(&mut ptx, index, case);
    }
    let (mut best, mut portable) = (Device::new(&ptx), Device::portable(&ptx));
    best.options.checks = checks;
    portable.options.checks = checks;
    let mut failures = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let operands = operands(case, index);
        let results = launch(&best, index, case, &operands);
        // Every machine gives the same bits, those that the ISA leaves open too.
        if results != launch(&portable, index, case, &operands) {
            failures.push(format!("{}: portable functions give other bits", case.text));
        }
        failures.extend(compare(case, &operands, &results));
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// A kernel that loads the sources, executes the instruction and stores the result, all with a stride of 8 bytes.
fn kernel(ptx: &mut String, index: usize, case: &Case) {
    let params: Vec<String> =
        SOURCES[..case.sources.len()].iter().chain(&["d"]).map(|name| format!(".param .u64 p{name}")).collect();
    let mut body = String::new();
    for (name, of) in SOURCES.iter().zip(&case.sources) {
        let _ = writeln!(
            body,
            ".reg .{} %{name};\nld.param.u64 %at, [p{name}];\nadd.s64 %at, %at, %offset;",
            of.register()
        );
        let _ = match of {
            Of::Pred => writeln!(body, "ld.global.u32 %word, [%at];\nsetp.ne.u32 %{name}, %word, 0;"),
            _ => writeln!(body, "ld.global.b{} %{name}, [%at];", of.bits()),
        };
    }
    let _ = writeln!(body, ".reg .{} %d;\n{}", case.result.register(), case.text);
    let _ = match case.result {
        Of::Pred => writeln!(body, "selp.u32 %word, 1, 0, %d;\nst.global.u32 [%to], %word;"),
        of => writeln!(body, "st.global.b{} [%to], %d;", of.bits()),
    };
    let _ = writeln!(
        ptx,
        ".visible .entry k{index}({})\n{{\n.reg .b32 %word, %block, %size;\n.reg .b64 %at, %to, %offset;\n\
         mov.u32 %word, %tid.x;\nmov.u32 %block, %ctaid.x;\nmov.u32 %size, %ntid.x;\n\
         mad.lo.u32 %word, %block, %size, %word;\nmul.wide.u32 %offset, %word, 8;\n\
         ld.param.u64 %to, [pd];\nadd.s64 %to, %to, %offset;\n{body}ret;\n}}",
        params.join(", ")
    );
}

const UNTOUCHED: u64 = 0xa5a5_5a5a_c3c3_3c3c;

fn launch(device: &Device, index: usize, case: &Case, operands: &[Vec<u64>]) -> Vec<u64> {
    let values = operands.first().map_or(VALUES, Vec::len);
    let inputs: Vec<u64> = operands.iter().map(|column| device.upload(column)).collect();
    let output = device.upload(&vec![UNTOUCHED; values]);
    let args: Vec<_> = inputs.iter().chain(&[output]).map(|&address| address.into()).collect();
    let name = format!("k{index}");
    device.clean(&name, [values.div_ceil(256) as u32, 1, 1], [256.min(values as u32), 1, 1], 0, &args);
    let results = device.download(output, values);
    for address in inputs.into_iter().chain([output]) {
        device.memory.free(address).expect("it is allocated");
    }
    let stored = if case.result == Of::Pred { 32 } else { case.result.bits() };
    results
        .into_iter()
        .map(|result: u64| {
            // A store writes as many bytes as its type has.
            let beyond = u64::MAX.checked_shl(stored).unwrap_or(0);
            assert_eq!(result & beyond, UNTOUCHED & beyond, "{}: bytes beyond the result", case.text);
            low(result, stored)
        })
        .collect()
}

/// The first results that are wrong, in words.
fn compare(case: &Case, operands: &[Vec<u64>], results: &[u64]) -> Option<String> {
    let mut wrong = 0;
    let mut text = String::new();
    for (at, &result) in results.iter().enumerate() {
        let sources: Vec<u64> = operands.iter().map(|column| column[at]).collect();
        let (right, expected) = match (case.reference)(&sources) {
            Expected::Bits(bits) => (bits == result, format!("{bits:#x}")),
            Expected::Within(words, holds) => (holds(result), words),
            Expected::Open => continue,
        };
        if !right {
            wrong += 1;
            if wrong <= 3 {
                let _ = write!(text, "\n    {sources:x?} gives {result:#x}, not {expected}");
            }
        }
    }
    (wrong > 0).then(|| format!("{}: {wrong} of {}{}", case.text, results.len(), text))
}
