//! A warp: fragments, and the loop that runs them.

use super::{Base, Cx, Registers, block::BlockRun};
use crate::{
    finding::{Finding, Kind},
    lanes::{ALL, LANES, Mask, lanes},
    program::{Action, Flow, Guard, Inst, Part, RunTogether, Slot},
};

/// Instructions a fragment may run before the other fragments of its warp, and the other warps, have their turn.
pub(super) const SLICE: u32 = 20_000;

/// Where a call returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Return {
    /// The call.
    pub pc: u32,
    /// The caller's frame.
    pub base: Base,
    /// The caller.
    pub function: u32,
}

/// What a fragment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing.
    Ready,
    /// These lanes of its warp. The second is the mask that the lanes named, where an instruction names lanes.
    Lanes(Mask, Option<Mask>),
    /// This barrier of its block.
    Barrier(u32),
}

/// Lanes at one place.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    pub pc: u32,
    pub lanes: Mask,
    pub base: Base,
    pub function: u32,
    pub calls: Vec<Return>,
    pub wait: Wait,
    /// When it last had its turn.
    pub turn: u64,
}

impl Fragment {
    pub fn meets(&self, other: &Self) -> bool {
        self.pc == other.pc && self.base == other.base && self.calls == other.calls
    }
}

/// A warp.
#[derive(Debug, Default)]
pub(super) struct Warp {
    pub registers: Registers,
    pub fragments: Vec<Fragment>,
    /// Lanes that have not ended.
    pub live: Mask,
    pub turns: u64,
    /// The next turn goes to whoever waited longest, not to the lowest program counter.
    pub unfair: bool,
}

/// How a fragment's turn ended.
enum Turn {
    /// It goes on, now or later.
    Continue,
    /// It goes on when others had their turn.
    Yield,
    /// It is gone: ended, or split into others.
    Gone,
}

impl Warp {
    /// The fragment whose turn it is; fragments that meet it are taken into it.
    fn pick(&mut self, code: &[Inst]) -> Option<Fragment> {
        let ready = |fragment: &&Fragment| fragment.wait == Wait::Ready;
        if self.fragments.len() == 1 {
            return self.fragments.first().filter(ready).is_some().then(|| self.fragments.swap_remove(0));
        }
        let ends = |fragment: &Fragment| {
            let inst = &code[fragment.pc as usize];
            inst.guard == Guard::Always
                && (matches!(inst.action, Action::Exit)
                    || matches!(inst.action, Action::Return) && fragment.calls.is_empty())
        };
        let unfair = std::mem::take(&mut self.unfair);
        let (index, _) =
            self.fragments.iter().enumerate().filter(|(_, fragment)| ready(fragment)).min_by_key(|(_, fragment)| {
                if unfair {
                    (fragment.turn, 0, 0)
                } else {
                    // Lanes that only end do so first: they are not missed at a barrier then.
                    (u64::from(!ends(fragment)), usize::MAX - fragment.calls.len(), fragment.pc)
                }
            })?;
        let mut picked = self.fragments.swap_remove(index);
        let mut index = 0;
        while index < self.fragments.len() {
            if self.fragments[index].wait == Wait::Ready && self.fragments[index].meets(&picked) {
                picked.lanes |= self.fragments.swap_remove(index).lanes;
            } else {
                index += 1;
            }
        }
        Some(picked)
    }

    /// Takes fragments that wait for lanes at the same place into `fragment`.
    fn join_waiting(&mut self, fragment: &mut Fragment) {
        let mut index = 0;
        while index < self.fragments.len() {
            if matches!(self.fragments[index].wait, Wait::Lanes(_, None)) && self.fragments[index].meets(fragment) {
                fragment.lanes |= self.fragments.swap_remove(index).lanes;
            } else {
                index += 1;
            }
        }
    }

    /// Up to which program counter `fragment` may run before another fragment's turn comes.
    fn horizon(&self, fragment: &Fragment) -> u32 {
        let depth = fragment.calls.len();
        self.fragments
            .iter()
            .filter(|other| other.wait == Wait::Ready && other.calls.len() == depth && other.pc > fragment.pc)
            .map(|other| other.pc)
            .min()
            .unwrap_or(u32::MAX)
    }
}

impl Fragment {
    fn split(&self, lanes: Mask, pc: u32) -> Self {
        Self { pc, lanes, ..self.clone() }
    }
}

impl BlockRun<'_> {
    /// Gives a warp its slice. Tells whether anything ran.
    pub(super) fn run_warp(&mut self, index: usize) -> Result<bool, Box<Finding>> {
        // A step more than is left, so that it shows that there is none left.
        let slice = u64::from(SLICE).min(self.grid.left().saturating_sub(self.steps).saturating_add(1)) as u32;
        let mut fuel = slice;
        let mut ran = false;
        let code = &self.grid.kernel.code;
        while fuel > 0 {
            let Some(mut fragment) = self.warps[index].pick(code) else { break };
            let before = fuel;
            let turn = self.run_fragment(index, &mut fragment, &mut fuel)?;
            // Arriving at something to wait for counts as running only once: the fragment is not ready after it.
            ran |= before != fuel;
            let warp = &mut self.warps[index];
            warp.turns += 1;
            let yields = matches!(turn, Turn::Yield);
            if !matches!(turn, Turn::Gone) {
                fragment.turn = warp.turns;
                warp.fragments.push(fragment);
            }
            if (fuel == 0 || yields) && warp.fragments.len() > 1 {
                warp.unfair = true;
            }
            if yields {
                break;
            }
        }
        self.steps += u64::from(slice - fuel);
        Ok(ran)
    }

    fn run_fragment(&mut self, index: usize, fragment: &mut Fragment, fuel: &mut u32) -> Result<Turn, Box<Finding>> {
        let kernel = self.grid.kernel;
        let code = kernel.code.as_slice();
        let horizon = self.warps[index].horizon(fragment);
        let count = self.grid.options.count;
        self.warps[index].registers.base = fragment.base;
        loop {
            // The plain instructions, in a loop of their own.
            let (mask, inst) = {
                let warp = &mut self.warps[index];
                let mut cx = Cx {
                    registers: &mut warp.registers,
                    memory: &mut self.memory,
                    grid: self.grid,
                    block: self.block,
                    warp: index as u32,
                    pc: fragment.pc,
                    local_top: fragment.base.local + kernel.functions[fragment.function as usize].frame.local_bytes,
                    lanes: fragment.lanes,
                    findings: &mut self.findings,
                    stop: None,
                };
                loop {
                    if cx.pc >= horizon || *fuel == 0 {
                        fragment.pc = cx.pc;
                        return Ok(Turn::Continue);
                    }
                    *fuel -= 1;
                    let inst = &code[cx.pc as usize];
                    let mask = match inst.guard {
                        Guard::Always => cx.lanes,
                        Guard::If(slot) => cx.lanes & cx.registers.predicate(slot),
                        Guard::Unless(slot) => cx.lanes & !cx.registers.predicate(slot),
                    };
                    if count {
                        let counts = &mut self.counts[cx.pc as usize];
                        counts.0 += 1;
                        counts.1 += u64::from(mask.count_ones());
                    }
                    match &inst.action {
                        Action::Run(run) => {
                            if mask != 0 {
                                // SAFETY: the execution functions were made for the level that `Level::detect` found
                                // on this machine.
                                let flow = unsafe { run(&mut cx, inst, mask) };
                                if flow != Flow::Next {
                                    fragment.pc = cx.pc + 1;
                                    return match cx.stop.take() {
                                        Some(finding) => Err(finding),
                                        None => Ok(Turn::Yield),
                                    };
                                }
                            }
                            cx.pc += 1;
                        }
                        Action::Branch(target) if mask == cx.lanes => cx.pc = *target,
                        _ if mask == 0 => cx.pc += 1,
                        _ => {
                            fragment.pc = cx.pc;
                            break (mask, inst);
                        }
                    }
                }
            };
            if let Some(turn) = self.control(index, fragment, inst, mask)? {
                return Ok(turn);
            }
        }
    }

    /// An instruction that concerns where lanes go. `None`: the fragment goes on at its program counter.
    fn control(
        &mut self,
        index: usize,
        fragment: &mut Fragment,
        inst: &Inst,
        mask: Mask,
    ) -> Result<Option<Turn>, Box<Finding>> {
        let pc = fragment.pc;
        let rest = fragment.lanes & !mask;
        match &inst.action {
            Action::Run(_) => unreachable!("plain instructions run in their own loop"),
            Action::Branch(target) => {
                self.divergences += 1;
                let warp = &mut self.warps[index];
                warp.fragments.push(fragment.split(mask, *target));
                warp.fragments.push(fragment.split(rest, pc + 1));
                Ok(Some(Turn::Gone))
            }
            Action::Switch(targets) => {
                let row = *self.warps[index].registers.word(inst.args[0]);
                let mut left = mask;
                let first = row.0[mask.trailing_zeros() as usize];
                if rest == 0 && lanes(mask).all(|lane| row.0[lane] == first) {
                    fragment.pc = self.switch_target(index, fragment, targets, first, mask)?;
                    return Ok(None);
                }
                self.divergences += 1;
                while left != 0 {
                    let value = row.0[left.trailing_zeros() as usize];
                    let group =
                        lanes(left).filter(|&lane| row.0[lane] == value).fold(0, |group, lane| group | 1 << lane);
                    left &= !group;
                    let target = self.switch_target(index, fragment, targets, value, group)?;
                    self.warps[index].fragments.push(fragment.split(group, target));
                }
                if rest != 0 {
                    self.warps[index].fragments.push(fragment.split(rest, pc + 1));
                }
                Ok(Some(Turn::Gone))
            }
            Action::Exit => Ok(self.end_lanes(index, fragment, mask)),
            Action::Return if fragment.calls.is_empty() => Ok(self.end_lanes(index, fragment, mask)),
            Action::Trap => Err(Box::new(self.finding_at(index, pc, mask, Kind::Trap, String::new()))),
            Action::Call(_) | Action::Return | Action::Barrier(_) | Action::Gather(..) | Action::Whole(_) => {
                if rest != 0 {
                    // The others go on; those who execute it do so as a fragment of their own.
                    self.divergences += u64::from(matches!(inst.action, Action::Call(_) | Action::Return));
                    let others = fragment.split(rest, pc + 1);
                    self.warps[index].fragments.push(others);
                    fragment.lanes = mask;
                }
                match &inst.action {
                    Action::Call(call) => self.call(index, fragment, call)?,
                    Action::Return => self.return_from(index, fragment)?,
                    Action::Barrier(barrier) => return self.barrier(index, fragment, inst, barrier).map(waits),
                    Action::Gather(run, slot) => {
                        if !self.gather(index, fragment, inst, *run, *slot)? {
                            return Ok(Some(Turn::Gone));
                        }
                    }
                    Action::Whole(run) => {
                        if !self.gather_whole(index, fragment, true) {
                            return Ok(Some(Turn::Continue));
                        }
                        self.execute(index, fragment, inst, *run, fragment.lanes)?;
                        fragment.pc += 1;
                    }
                    _ => unreachable!("matched above"),
                }
                // Who else is there, and how deep, may have changed.
                Ok(if self.warps[index].fragments.is_empty() { None } else { Some(Turn::Continue) })
            }
        }
    }

    fn switch_target(
        &self,
        index: usize,
        fragment: &Fragment,
        targets: &[u32],
        value: u32,
        mask: Mask,
    ) -> Result<u32, Box<Finding>> {
        targets.get(value as usize).copied().ok_or_else(|| {
            let detail = format!("brx.idx with index {value}, of {} targets", targets.len());
            Box::new(self.finding_at(index, fragment.pc, mask, Kind::InvalidOperand, detail))
        })
    }

    /// A finding by the lowest lane of a mask.
    pub(super) fn finding_at(&self, index: usize, pc: u32, mask: Mask, kind: Kind, detail: String) -> Finding {
        let lane = (mask.trailing_zeros() as usize).min(LANES - 1);
        let thread = self.grid.thread(self.block, index as u32, lane);
        Finding { kind, pc, thread, other: None, address: None, detail }
    }

    fn end_lanes(&mut self, index: usize, fragment: &mut Fragment, mask: Mask) -> Option<Turn> {
        let warp = &mut self.warps[index];
        warp.live &= !mask;
        fragment.lanes &= !mask;
        self.ended = true;
        self.memory.end_lanes(index as u32, mask);
        self.missed(index, mask);
        if fragment.lanes == 0 {
            return Some(Turn::Gone);
        }
        fragment.pc += 1;
        None
    }

    /// Lanes have ended: who waits for them in the warp waits no longer, and that they never came is noted.
    fn missed(&mut self, index: usize, ended: Mask) {
        let live = self.warps[index].live;
        for at in 0..self.warps[index].fragments.len() {
            let Fragment { pc, lanes, wait, .. } = self.warps[index].fragments[at];
            let Wait::Lanes(wanted, named) = wait else { continue };
            if wanted & ended == 0 {
                continue;
            }
            let barrier = matches!(self.grid.kernel.code[pc as usize].action, Action::Barrier(_));
            let kind = if barrier { Kind::DivergentBarrier } else { Kind::InvalidMask };
            if self.grid.options.checks.synchronization {
                let detail = format!(
                    "lanes {:#010x} wait here for lanes {:#010x}, which ended elsewhere",
                    lanes,
                    wanted & ended
                );
                let finding = self.finding_at(index, pc, lanes, kind, detail);
                super::note(&mut self.findings, finding);
            }
            let left = wanted & live;
            // Lanes that named others look again who is there.
            let ready = named.is_some() || left & !lanes == 0;
            self.warps[index].fragments[at].wait = if ready { Wait::Ready } else { Wait::Lanes(left, None) };
        }
    }

    /// Whether the whole warp is here; else the fragment waits.
    pub(super) fn gather_whole(&mut self, index: usize, fragment: &mut Fragment, all: bool) -> bool {
        let warp = &mut self.warps[index];
        warp.join_waiting(fragment);
        if fragment.lanes != warp.live {
            fragment.wait = Wait::Lanes(warp.live, None);
            return false;
        }
        fragment.wait = Wait::Ready;
        if all && fragment.lanes != ALL && self.grid.options.checks.synchronization {
            let detail = format!("only lanes {:#010x} execute an instruction of the whole warp", fragment.lanes);
            let finding = self.finding_at(index, fragment.pc, fragment.lanes, Kind::InvalidMask, detail);
            super::note(&mut self.findings, finding);
        }
        true
    }

    /// Executes an instruction of lanes that a mask names, for those whose company is complete; the others wait. Lanes
    /// that name the same mask meet at any instruction that does the same. Whether any go on.
    fn gather(
        &mut self,
        index: usize,
        fragment: &mut Fragment,
        inst: &Inst,
        run: RunTogether,
        slot: Slot,
    ) -> Result<bool, Box<Finding>> {
        let code = self.grid.kernel.code.as_slice();
        let row = *self.warps[index].registers.word(slot);
        let mut going_on = 0;
        let mut left = fragment.lanes;
        while left != 0 {
            let named = row.0[left.trailing_zeros() as usize];
            let group = lanes(left).filter(|&lane| row.0[lane] == named).fold(0, |group, lane| group | 1 << lane);
            left &= !group;
            let stray = group & !named;
            if (stray != 0 || named & fragment.lanes & !group != 0) && self.grid.options.checks.synchronization {
                let detail = format!("lanes {group:#010x} execute it with the mask {named:#010x}");
                let lane = if stray != 0 { stray } else { group };
                let finding = self.finding_at(index, fragment.pc, lane, Kind::InvalidMask, detail);
                super::note(&mut self.findings, finding);
            }
            let same = |other: &Inst| match other.action {
                Action::Gather(other_run, _) => std::ptr::fn_addr_eq(other_run, run) && other.imm == inst.imm,
                _ => false,
            };
            let company = |other: &Fragment| {
                matches!(other.wait, Wait::Lanes(_, Some(mask)) if mask == named) && same(&code[other.pc as usize])
            };
            let warp = &mut self.warps[index];
            let mut parts = vec![Part { inst, base: fragment.base, lanes: group }];
            for other in warp.fragments.iter().filter(|other| company(other)) {
                parts.push(Part { inst: &code[other.pc as usize], base: other.base, lanes: other.lanes });
            }
            let present = parts.iter().fold(0, |all, part| all | part.lanes);
            let wanted = named & warp.live;
            if wanted & !present != 0 {
                let mut waiting = fragment.split(group, fragment.pc);
                waiting.wait = Wait::Lanes(wanted, Some(named));
                match warp.fragments.iter_mut().find(|other| company(other) && other.meets(&waiting)) {
                    Some(known) => known.lanes |= group,
                    None => warp.fragments.push(waiting),
                }
                continue;
            }
            for other in warp.fragments.iter_mut().filter(|other| company(other)) {
                other.wait = Wait::Ready;
                other.pc += 1;
            }
            going_on |= group;
            let local = fragment.base.local + self.grid.kernel.functions[fragment.function as usize].frame.local_bytes;
            let mut cx = Cx {
                registers: &mut self.warps[index].registers,
                memory: &mut self.memory,
                grid: self.grid,
                block: self.block,
                warp: index as u32,
                pc: fragment.pc,
                local_top: local,
                lanes: present,
                findings: &mut self.findings,
                stop: None,
            };
            // SAFETY: as in the loop of plain instructions.
            if unsafe { run(&mut cx, &parts, present) } == Flow::Stop {
                return Err(cx.stop.take().expect("an instruction that stops says why"));
            }
        }
        fragment.lanes = going_on;
        fragment.pc += 1;
        Ok(going_on != 0)
    }

    fn execute(
        &mut self,
        index: usize,
        fragment: &Fragment,
        inst: &Inst,
        run: crate::program::Run,
        mask: Mask,
    ) -> Result<(), Box<Finding>> {
        let mut cx = Cx {
            registers: &mut self.warps[index].registers,
            memory: &mut self.memory,
            grid: self.grid,
            block: self.block,
            warp: index as u32,
            pc: fragment.pc,
            local_top: fragment.base.local + self.grid.kernel.functions[fragment.function as usize].frame.local_bytes,
            lanes: fragment.lanes,
            findings: &mut self.findings,
            stop: None,
        };
        // SAFETY: as in the loop of plain instructions.
        match unsafe { run(&mut cx, inst, mask) } {
            Flow::Next | Flow::Yield => Ok(()),
            Flow::Stop => Err(cx.stop.take().expect("an instruction that stops says why")),
        }
    }
}

fn waits(waits: bool) -> Option<Turn> {
    if waits { Some(Turn::Continue) } else { None }
}
