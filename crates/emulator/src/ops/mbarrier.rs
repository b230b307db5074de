//! `mbarrier`: barriers that a program keeps in shared memory, and `cp.async.mbarrier.arrive`, an arrival of a thread's
//! asynchronous copies.
//!
//! To the race checks using a barrier is reading it: to initialise it, or to reuse its memory, needs an order with
//! that. Each arrival releases and each wait that succeeds acquires, also where they say `.relaxed`, since a fence
//! may make up for it. Clusters have one block, so `.cluster` and `.shared::cluster` mean the block.
//!
//! What PTX leaves undefined ends the kernel: no barrier in the memory, counts out of range, more arrivals than are
//! pending.

use super::{
    Execute, expect, lift,
    load_store::{NARROW_BASE, addresses, request_space, space_flags, take_space},
    mbarrier_state::{self as state, State},
};
use crate::{
    exec::Cx,
    finding::Kind,
    lanes::{LANES, Mask, Row, lanes},
    lower::{Lower, LowerError, Modifiers},
    memory::{self, Op, Request, Space, window},
    program::{Action, Class, Flow, Inst, Slot},
    ptx::ast::{Operand, Type},
};

/// The barriers that the lanes of an instruction use.
pub struct Barriers {
    pointers: Row<*mut u8>,
    /// Their places in shared memory.
    places: Row<u64>,
}

impl Barriers {
    /// Finds them, for an instruction that makes them or for one that uses them.
    pub fn locate(cx: &mut Cx<'_, '_>, mut places: Row<u64>, space: Space, op: Op, mask: Mask) -> Result<Self, Flow> {
        if space == Space::Generic {
            if let Some(lane) = lanes(mask).find(|&lane| !window::is_shared(places.0[lane])) {
                let detail = "a barrier that is not in shared memory".to_owned();
                return Err(refuse(cx, lane, places.0[lane], detail));
            }
            places = Row(places.0.map(|address| address.wrapping_sub(window::SHARED)));
        }
        let (pc, warp, local_top) = (cx.pc, cx.warp, cx.local_top);
        let request = Request {
            space: Space::Shared,
            op,
            bytes: 8,
            addresses: &places,
            mask,
            pc,
            warp,
            strong: false,
            local_top,
        };
        match cx.memory.resolve(&request) {
            Ok(pointers) => Ok(Self { pointers, places }),
            Err(finding) => Err(cx.fail(finding)),
        }
    }

    /// Replaces a lane's word; gives the old one.
    fn replace(&self, lane: usize, change: impl FnMut(u64) -> u64) -> u64 {
        // SAFETY: the pointer was resolved for eight bytes of the running block's shared memory, all of which can be
        // written, and no block begins while an instruction runs.
        unsafe { memory::atomic_update64(self.pointers.0[lane], change) }
    }

    /// Changes a lane's barrier; gives what it was and what it is.
    pub fn change(
        &self,
        cx: &mut Cx<'_, '_>,
        lane: usize,
        mut change: impl FnMut(State) -> Result<State, String>,
    ) -> Result<(State, State), Flow> {
        let mut result = Err(String::new());
        self.replace(lane, |word| {
            result = match State::of(word) {
                Some(old) => change(old).map(|new| (old, new)),
                None => Err("no barrier was initialised here".to_owned()),
            };
            result.as_ref().map_or(word, |(_, new)| new.word())
        });
        result.map_err(|detail| refuse(cx, lane, self.places.0[lane], detail))
    }

    /// A name of the phase of this parity of a lane's barrier, for copies that complete on it.
    pub fn phase(&self, lane: usize, parity: bool) -> u64 {
        self.places.0[lane] << 1 | u64::from(parity)
    }

    /// The lanes of a mask by their barrier.
    fn groups(&self, mask: Mask) -> Vec<(u64, Mask)> {
        grouped(mask, |lane| self.places.0[lane])
    }
}

/// The lanes of a mask by a value they have.
fn grouped(mask: Mask, value: impl Fn(usize) -> u64) -> Vec<(u64, Mask)> {
    let mut groups: Vec<(u64, Mask)> = Vec::new();
    for lane in lanes(mask) {
        let value = value(lane);
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, group)) => *group |= 1 << lane,
            None => groups.push((value, 1 << lane)),
        }
    }
    groups
}

/// Ends the kernel for a wrong use of a barrier.
#[cold]
fn refuse(cx: &mut Cx<'_, '_>, lane: usize, address: u64, detail: String) -> Flow {
    let mut finding = cx.finding(Kind::InvalidOperand, lane, detail);
    finding.address = Some((address, 8));
    cx.fail(Box::new(finding))
}

/// The barriers of an instruction whose address is `args[0]` plus `imm`.
fn barriers(cx: &mut Cx<'_, '_>, inst: &Inst, op: Op, mask: Mask) -> Result<Barriers, Flow> {
    let places = addresses(cx, inst.flags, inst.args[0], inst.imm);
    Barriers::locate(cx, places, request_space(inst.flags), op, mask)
}

/// Puts a barrier of `args[1]` arrivals into memory.
struct Init;

impl Init {
    fn init(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let barriers = barriers(cx, inst, Op::Store, mask)?;
        let counts = *cx.registers.word(inst.args[1]);
        for lane in lanes(mask) {
            match State::new(counts.0[lane]) {
                Ok(state) => barriers.replace(lane, |_| state.word()),
                Err(detail) => return Err(refuse(cx, lane, barriers.places.0[lane], detail)),
            };
        }
        Ok(())
    }
}

/// Takes a barrier out of memory.
struct Invalidate;

impl Invalidate {
    fn invalidate(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let barriers = barriers(cx, inst, Op::Store, mask)?;
        for lane in lanes(mask) {
            barriers.change(cx, lane, Ok)?;
            barriers.replace(lane, |_| 0);
        }
        Ok(())
    }
}

/// Arrives `args[1]` times, after `args[2]` bytes are expected; the state before goes into long `args[3]`.
struct Arrive;

/// Later phases expect the arrivals no more.
const DROP: u32 = 1 << 16;
/// The phase must not end by it.
const NO_COMPLETE: u32 = 1 << 17;

impl Arrive {
    fn arrive(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let barriers = barriers(cx, inst, Op::Load, mask)?;
        for (barrier, group) in barriers.groups(mask) {
            cx.memory.release_barrier(cx.warp, group, barrier);
        }
        let counts = *cx.registers.word(inst.args[1]);
        let bytes = *cx.registers.word(inst.args[2]);
        let mut states = Row::default();
        for lane in lanes(mask) {
            let (old, _) = barriers.change(cx, lane, |old| {
                let new = old.expect(bytes.0[lane])?.arrive(counts.0[lane], inst.flags & DROP != 0)?;
                if inst.flags & NO_COMPLETE != 0 && new.parity() != old.parity() {
                    return Err("an arrival with .noComplete completes the phase".to_owned());
                }
                Ok(new)
            })?;
            states.0[lane] = old.word();
        }
        cx.registers.set_long(inst.args[3], &states, mask);
        Ok(())
    }
}

/// `args[1]` bytes are expected, or complete with [`COMPLETE`].
struct Transaction;

const COMPLETE: u32 = 1 << 16;

impl Transaction {
    fn count(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let barriers = barriers(cx, inst, Op::Load, mask)?;
        let bytes = *cx.registers.word(inst.args[1]);
        for lane in lanes(mask) {
            let bytes = bytes.0[lane];
            barriers.change(cx, lane, |old| {
                if inst.flags & COMPLETE != 0 { old.complete(bytes) } else { old.expect(bytes) }
            })?;
        }
        Ok(())
    }
}

/// Whether a phase is over: that of the parity in word `args[1]` with [`BY_PARITY`], else that of the state in long
/// `args[1]`; into predicate `args[2]`. Where it is not, others go first.
struct Wait;

const BY_PARITY: u32 = 1 << 16;

impl Wait {
    fn wait(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<Flow, Flow> {
        let barriers = barriers(cx, inst, Op::Load, mask)?;
        let mut parities: Mask = 0;
        if inst.flags & BY_PARITY != 0 {
            let row = *cx.registers.word(inst.args[1]);
            for lane in lanes(mask) {
                if row.0[lane] > 1 {
                    let detail = format!("a parity of {}, must be 0 or 1", row.0[lane]);
                    return Err(refuse(cx, lane, barriers.places.0[lane], detail));
                }
                parities |= row.0[lane] << lane;
            }
        } else {
            let row = cx.registers.long(inst.args[1]);
            lanes(mask).for_each(|lane| parities |= u32::from(state::parity_of(row.0[lane])) << lane);
        }
        let parity = |lane: usize| parities >> lane & 1 == 1;
        let mut over: Mask = 0;
        for lane in lanes(mask) {
            let (now, _) = barriers.change(cx, lane, Ok)?;
            over |= u32::from(now.parity() != parity(lane)) << lane;
        }
        cx.registers.set_predicate(inst.args[2], over, mask);
        for (phase, group) in grouped(over, |lane| barriers.phase(lane, parity(lane))) {
            cx.memory.acquire_barrier(cx.warp, group, phase >> 1, phase);
        }
        Ok(if over == mask { Flow::Next } else { Flow::Yield })
    }
}

/// The copies that each lane began arrive, at once; without [`NO_INCREMENT`] as one arrival more than were pending.
struct CopiesArrive;

const NO_INCREMENT: u32 = 1 << 16;

impl CopiesArrive {
    fn arrive(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let barriers = barriers(cx, inst, Op::Load, mask)?;
        let mut parities: Mask = 0;
        for lane in lanes(mask) {
            // One pending more and one arrival leave the barrier as it is.
            let arrive = |old: State| if inst.flags & NO_INCREMENT != 0 { old.arrive(1, false) } else { Ok(old) };
            let (old, _) = barriers.change(cx, lane, arrive)?;
            parities |= u32::from(old.parity()) << lane;
        }
        for (phase, group) in grouped(mask, |lane| barriers.phase(lane, parities >> lane & 1 == 1)) {
            cx.memory.async_complete_on(cx.warp, group, phase);
        }
        Ok(())
    }
}

/// The arrivals that were pending by the state in long `args[1]`, into word `args[0]`.
struct PendingCount;

impl Execute for PendingCount {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let states = cx.registers.long(inst.args[1]);
        let mut counts = Row::default();
        for lane in 0..LANES {
            counts.0[lane] = state::pending_count(states.0[lane]);
        }
        cx.registers.set_word(inst.args[0], &counts, mask);
        Flow::Next
    }
}

macro_rules! execute {
    ($($name:ident: $function:ident;)*) => {$(
        impl Execute for $name {
            #[inline(always)]
            fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
                match Self::$function(cx, inst, mask) {
                    Ok(()) => Flow::Next,
                    Err(flow) => flow,
                }
            }
        }
    )*};
}

execute! {
    Init: init;
    Invalidate: invalidate;
    Arrive: arrive;
    Transaction: count;
    CopiesArrive: arrive;
}

impl Execute for Wait {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        Self::wait(cx, inst, mask).unwrap_or_else(|flow| flow)
    }
}

/// A barrier's address, for an instruction with these modifiers left besides `.b64`: its slot, and the instruction's
/// offset and flags.
fn barrier<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operand: &Operand<'a>,
) -> Result<(Slot, u64, u32), LowerError> {
    let address = lower.address(operand)?;
    let space = take_space(lower, &mut modifiers, Some(&address))?;
    if !matches!(space, Space::Generic | Space::Shared) {
        return Err(lower.error("a barrier in memory is in shared memory"));
    }
    if modifiers.take_type() != Some(Type::B64) {
        return Err(lower.error("a barrier in memory has the type .b64"));
    }
    modifiers.finish(lower)?;
    let flags = space_flags(space) | if address.wide { 0 } else { NARROW_BASE };
    Ok((address.base, address.offset as u64, flags))
}

/// Takes `.sem` and `.scope`.
fn take_semantics(modifiers: &mut Modifiers<'_>, names: &[&str]) {
    modifiers.take_one_of(names);
    modifiers.take_one_of(&["cta", "cluster"]);
}

/// Decodes `mbarrier`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    const OPERATIONS: [&str; 9] = [
        "init",
        "inval",
        "arrive",
        "arrive_drop",
        "expect_tx",
        "complete_tx",
        "test_wait",
        "try_wait",
        "pending_count",
    ];
    // The operation is the first modifier; expect_tx may also come second, of an arrival.
    let Some(operation) = modifiers.peek().and_then(|name| OPERATIONS.into_iter().find(|known| *known == name)) else {
        return Err(lower.error("mbarrier needs an operation, as .arrive"));
    };
    modifiers.take(operation);
    let inst = |action| Inst::new(Class::Barrier, Action::Run(action));
    let inst = match operation {
        "init" => {
            let [at, count] = expect(lower, operands)?;
            let (base, offset, flags) = barrier(lower, modifiers, at)?;
            let count = lower.source(count, Type::U32)?;
            inst(lift::<Init>(level)).with([base, count]).imm(offset).flags(flags)
        }
        "inval" => {
            let [at] = expect(lower, operands)?;
            let (base, offset, flags) = barrier(lower, modifiers, at)?;
            inst(lift::<Invalidate>(level)).with([base]).imm(offset).flags(flags)
        }
        "arrive" | "arrive_drop" => {
            let expects = modifiers.take("expect_tx");
            let mut flags = if operation == "arrive_drop" { DROP } else { 0 };
            if modifiers.take("noComplete") {
                flags |= NO_COMPLETE;
            }
            take_semantics(&mut modifiers, &["release", "relaxed"]);
            let (d, at, number) = match operands {
                [d, at] if !expects && flags & NO_COMPLETE == 0 => (d, at, None),
                [d, at, number] => (d, at, Some(number)),
                _ => return Err(lower.error(format!("mbarrier.{operation} takes a state, a barrier and a count"))),
            };
            let (base, offset, of_address) = barrier(lower, modifiers, at)?;
            let number = number.map(|number| lower.source(number, Type::U32)).transpose()?;
            let (count, bytes) = match number {
                Some(bytes) if expects => (lower.word(1), bytes),
                Some(count) => (count, lower.word(0)),
                None => (lower.word(1), lower.word(0)),
            };
            let d = lower.destination(d, Type::B64)?;
            inst(lift::<Arrive>(level)).with([base, count, bytes, d]).imm(offset).flags(flags | of_address)
        }
        "expect_tx" | "complete_tx" => {
            take_semantics(&mut modifiers, &["relaxed"]);
            let [at, bytes] = expect(lower, operands)?;
            let (base, offset, flags) = barrier(lower, modifiers, at)?;
            let bytes = lower.source(bytes, Type::U32)?;
            let complete = if operation == "complete_tx" { COMPLETE } else { 0 };
            inst(lift::<Transaction>(level)).with([base, bytes]).imm(offset).flags(flags | complete)
        }
        "test_wait" | "try_wait" => {
            let by_parity = modifiers.take("parity");
            take_semantics(&mut modifiers, &["acquire", "relaxed"]);
            let (p, at, phase) = match operands {
                [Operand::Name(p), at, phase] => (*p, at, phase),
                // How long it may wait is a hint.
                [Operand::Name(p), at, phase, time] if operation == "try_wait" => {
                    lower.source(time, Type::U32)?;
                    (*p, at, phase)
                }
                _ => return Err(lower.error(format!("mbarrier.{operation} takes a predicate, a barrier and a phase"))),
            };
            let (base, offset, flags) = barrier(lower, modifiers, at)?;
            let phase = lower.source(phase, if by_parity { Type::U32 } else { Type::B64 })?;
            let p = lower.predicate_destination(p)?;
            let by_parity = if by_parity { BY_PARITY } else { 0 };
            inst(lift::<Wait>(level)).with([base, phase, p]).imm(offset).flags(flags | by_parity)
        }
        _ => {
            if modifiers.take_type() != Some(Type::B64) {
                return Err(lower.error("mbarrier.pending_count takes the type .b64"));
            }
            modifiers.finish(lower)?;
            let [d, state] = expect(lower, operands)?;
            let state = lower.source(state, Type::B64)?;
            let d = lower.destination(d, Type::U32)?;
            inst(lift::<PendingCount>(level)).with([d, state])
        }
    };
    lower.push(inst);
    Ok(())
}

/// Decodes `cp.async.mbarrier.arrive`, after those words.
pub fn lower_copies_arrive<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let no_increment = if modifiers.take("noinc") { NO_INCREMENT } else { 0 };
    let [at] = expect(lower, operands)?;
    let (base, offset, flags) = barrier(lower, modifiers, at)?;
    lower.push(
        Inst::new(Class::AsyncCopy, Action::Run(lift::<CopiesArrive>(level)))
            .with([base])
            .imm(offset)
            .flags(flags | no_increment),
    );
    Ok(())
}
