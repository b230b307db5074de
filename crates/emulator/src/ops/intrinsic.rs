//! Functions that the driver provides: `vprintf` and `__assertfail`.

use super::{Execute, lift};
use crate::{
    exec::{Cx, printf},
    finding::Kind,
    lanes::{Mask, Row, lanes},
    lower::{Frames, Lower, LowerError},
    memory::{self, Op, Request, Space},
    program::{Action, Class, Flow, Inst},
};

/// Bytes of text that are kept of a launch.
const MOST_PRINTED: usize = 64 << 20;

/// `vprintf(format, arguments)`: both pointers lie in the frame, at the halves of `imm`. The result is the number of
/// arguments.
struct Print;

impl Execute for Print {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let Some(formats) = parameter::<u64>(cx, inst.imm as u32, mask) else { return Flow::Stop };
        let Some(buffers) = parameter::<u64>(cx, (inst.imm >> 32) as u32, mask) else { return Flow::Stop };
        let mut result = Row::splat(0u32);
        for lane in lanes(mask) {
            let mut read = |address: u64, to: &mut [u8]| read_bytes(cx, lane, address, to);
            match printf::format(formats.0[lane], buffers.0[lane], &mut read) {
                Ok((text, arguments)) => {
                    let mut printed = cx.grid.printed.lock().expect("no thread panics while it holds this lock");
                    if printed.len() + text.len() <= MOST_PRINTED {
                        result.0[lane] = arguments;
                        printed.extend(text);
                    } else {
                        drop(printed);
                        result.0[lane] = u32::MAX;
                        let detail = "printf: more than 64 MiB of text in one launch; the rest is left out";
                        let finding = cx.finding(Kind::InvalidOperand, lane, detail);
                        cx.note(finding);
                    }
                }
                Err(printf::Error::Memory) => return Flow::Stop,
                Err(printf::Error::Format(what)) => {
                    let finding = cx.finding(Kind::InvalidOperand, lane, format!("printf: {what}"));
                    cx.note(finding);
                }
            }
        }
        if inst.flags != 0 && !store_result(cx, inst.args[0].0, mask, &result) {
            return Flow::Stop;
        }
        Flow::Next
    }
}

/// A parameter of the call, from the frame.
#[inline(always)]
fn parameter<T: memory::Element>(cx: &mut Cx<'_, '_>, at: u32, mask: Mask) -> Option<Row<T>> {
    let base = *cx.registers.long(Frames::LOCAL_BASE);
    let addresses = Row(base.0.map(|base| base + u64::from(at)));
    let request = request(cx, &addresses, Space::Local, Op::Load, size_of::<T>() as u32, mask);
    match cx.memory.resolve(&request) {
        // SAFETY: resolved just now for a T.
        Ok(pointers) => Some(unsafe { memory::load::<T>(&pointers, 0, mask) }),
        Err(finding) => {
            cx.stop = Some(finding);
            None
        }
    }
}

fn store_result(cx: &mut Cx<'_, '_>, at: u32, mask: Mask, value: &Row<u32>) -> bool {
    let base = *cx.registers.long(Frames::LOCAL_BASE);
    let addresses = Row(base.0.map(|base| base + u64::from(at)));
    let request = request(cx, &addresses, Space::Local, Op::Store, 4, mask);
    match cx.memory.resolve(&request) {
        Ok(pointers) => {
            // SAFETY: resolved just now for storing four bytes.
            unsafe { memory::store::<u32>(&pointers, 0, mask, value) };
            true
        }
        Err(finding) => {
            cx.stop = Some(finding);
            false
        }
    }
}

fn request<'r>(cx: &Cx<'_, '_>, addresses: &'r Row<u64>, space: Space, op: Op, bytes: u32, mask: Mask) -> Request<'r> {
    Request { space, op, bytes, addresses, mask, pc: cx.pc, warp: cx.warp, strong: false, local_top: cx.local_top }
}

/// Bytes at a generic address as one lane sees them. `false`: the address is bad, and the kernel ends.
fn read_bytes(cx: &mut Cx<'_, '_>, lane: usize, address: u64, to: &mut [u8]) -> bool {
    let mask = 1 << lane;
    for (at, byte) in to.iter_mut().enumerate() {
        let addresses = Row::splat(address.wrapping_add(at as u64));
        let request = request(cx, &addresses, Space::Generic, Op::Load, 1, mask);
        match cx.memory.resolve(&request) {
            // SAFETY: resolved just now for one byte.
            Ok(pointers) => *byte = unsafe { memory::load::<u8>(&pointers, 0, mask) }.0[lane],
            Err(finding) => {
                cx.stop = Some(finding);
                return false;
            }
        }
    }
    true
}

/// A text that ends with a zero byte.
fn read_text(cx: &mut Cx<'_, '_>, lane: usize, address: u64) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.len() < 1024 && read_bytes(cx, lane, address.wrapping_add(text.len() as u64), &mut byte) && byte[0] != 0
    {
        text.push(byte[0]);
    }
    cx.stop = None;
    String::from_utf8_lossy(&text).into_owned()
}

/// `__assertfail(message, file, line, function, char size)`: the parameters' places in the frame are in `more`.
struct AssertFail;

impl Execute for AssertFail {
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let lane = mask.trailing_zeros() as usize;
        let mut text = |index: usize| match parameter::<u64>(cx, inst.more[index].0, mask) {
            Some(address) => read_text(cx, lane, address.0[lane]),
            None => String::new(),
        };
        let (message, file, function) = (text(0), text(1), text(3));
        let line = parameter::<u32>(cx, inst.more[2].0, mask).map_or(0, |line| line.0[lane]);
        let detail = format!("{file}:{line}: {function}: `{message}`");
        let finding = cx.finding(Kind::Assertion, lane, detail);
        cx.fail(Box::new(finding))
    }
}

/// Decodes a call of a function without a body; the places of results and arguments in the frame.
pub fn lower(lower: &mut Lower<'_, '_, '_>, name: &str, results: &[u32], arguments: &[u32]) -> Result<(), LowerError> {
    let level = lower.level();
    let slot = crate::program::Slot;
    match (name, arguments) {
        ("vprintf", &[format, buffer]) => {
            lower.push(
                Inst::new(Class::Other, Action::Run(lift::<Print>(level)))
                    .with([slot(results.first().copied().unwrap_or_default())])
                    .imm(u64::from(format) | u64::from(buffer) << 32)
                    .flags(u32::from(!results.is_empty())),
            );
            Ok(())
        }
        ("__assertfail", &[_, _, _, _, _]) => {
            lower.push(
                Inst::new(Class::Other, Action::Run(lift::<AssertFail>(level)))
                    .more(arguments.iter().copied().map(slot).collect()),
            );
            Ok(())
        }
        _ => Err(lower.error(format!("{name} has no body in this module, and is not one the driver provides"))),
    }
}
