//! `noam kernels report`: what the kernels do, counted on the emulated device.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use noam_emulator::driver::control::take_launches;
use noam_emulator::driver::record::LaunchRecord;
use noam_emulator::driver::settings::Settings;
use noam_emulator::program::Class;
use noam_kernels::catalogue::{Case, Grid, Work, cases};

use super::{Place, filtered, install};
use crate::args::KernelsReportArgs;
use crate::output::{write_text, write_to};
use crate::progress::say;

/// Operations whose bytes are to be within [`BYTES_LIMIT`] of the floor, by how their names begin: those that memory
/// limits and training is full of.
const BYTES_TARGETS: [&str; 6] = ["layer_norm", "adam", "cross_entropy", "log_softmax", "embedding", "total_loss"];

/// What their bytes may be, as a part of the floor.
const BYTES_LIMIT: f64 = 1.05;

/// What was counted of a launch, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    warp_instructions: u64,
    thread_instructions: u64,
    read: u64,
    written: u64,
    /// Wavefronts of shared memory that bank conflicts cost.
    wavefronts: u64,
    /// Sectors of global memory that a better pattern would save.
    sectors: u64,
    tensor_products: u64,
    /// Warps' instructions of f32 arithmetic, those of two 16-bit values twice.
    arithmetic: u64,
    /// Warps' atomic operations on integers, and on floats.
    atomics: [u64; 2],
    /// Requests to local memory.
    local: u64,
}

impl Counts {
    fn of(launch: &LaunchRecord) -> Self {
        let (counters, memory) = (&launch.counters, &launch.counters.memory);
        Counts {
            warp_instructions: counters.warp_instructions,
            thread_instructions: counters.thread_instructions,
            read: memory.dram_read_bytes(),
            written: memory.dram_written_bytes(),
            wavefronts: memory.shared().excessive_wavefronts(),
            sectors: memory.global().excessive_sectors(),
            tensor_products: counters.of(Class::Tensor),
            arithmetic: counters.of(Class::Float32) + 2 * counters.of(Class::Float16),
            atomics: [counters.of(Class::Atomic), counters.of(Class::AtomicFloat)],
            local: memory.local().requests,
        }
    }

    fn add(self, other: Self) -> Self {
        Counts {
            warp_instructions: self.warp_instructions + other.warp_instructions,
            thread_instructions: self.thread_instructions + other.thread_instructions,
            read: self.read + other.read,
            written: self.written + other.written,
            wavefronts: self.wavefronts + other.wavefronts,
            sectors: self.sectors + other.sectors,
            tensor_products: self.tensor_products + other.tensor_products,
            arithmetic: self.arithmetic + other.arithmetic,
            atomics: [self.atomics[0] + other.atomics[0], self.atomics[1] + other.atomics[1]],
            local: self.local + other.local,
        }
    }
}

/// What has a target, in the order of the table.
const TARGETS: [&str; 6] = [
    "bytes of device memory at most 1.05 times the floor, of layer norm, Adam, cross-entropy and embedding",
    "all multiply-adds of matrix products in 16 bits and tf32 on tensor cores: a share of 1",
    "no excess wavefronts of shared memory (bank conflicts)",
    "no excess sectors of global memory",
    "no atomic operation on floats",
    "no access to local memory",
];

/// Why tensor cores make more products than the fewest, by how the operations' names begin.
const REASONS: [(&str, &str); 1] = [(
    "attention_self_backward",
    "Of more than 128 keys backward is two launches, each of which makes the scores and the gradients of the weights: \
     seven products on tensor cores instead of five.",
)];

/// How many numbers miss each target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Missed([usize; TARGETS.len()]);

impl Missed {
    /// A number with the target of this place, in bold if it misses it.
    fn cell(&mut self, target: usize, text: String, misses: bool) -> String {
        self.0[target] += usize::from(misses);
        if misses { format!("**{text}**") } else { text }
    }

    /// A count that is to be 0.
    fn none(&mut self, target: usize, count: u64) -> String {
        self.cell(target, count.to_string(), count > 0)
    }
}

/// A case's launches.
struct Counted {
    operation: &'static str,
    element: &'static str,
    shape: String,
    work: Work,
    launches: Vec<(String, Counts)>,
}

impl Counted {
    fn new(case: &Case, launches: &[Arc<LaunchRecord>]) -> Self {
        Counted {
            operation: case.operation,
            element: case.element,
            shape: case.shape.clone(),
            work: case.work,
            launches: launches.iter().map(|launch| (launch.kernel.clone(), Counts::of(launch))).collect(),
        }
    }

    fn all(&self) -> Counts {
        self.launches.iter().fold(Counts::default(), |sum, (_, counts)| sum.add(*counts))
    }

    /// Whether tensor cores make more products than the fewest.
    fn has_more_products(&self) -> bool {
        self.all().tensor_products > self.work.tensor_products
    }

    /// A row for each launch; of several, one more for all together, since floor and products are those of the
    /// operation.
    fn rows(&self, missed: &mut Missed) -> Vec<String> {
        let all = self.all();
        let single = self.launches.len() == 1;
        let mut rows = Vec::new();
        for (kernel, counts) in &self.launches {
            let whole = if single { self.whole(all, missed) } else { " |  | ".to_owned() };
            let own = [
                missed.none(2, counts.wavefronts),
                missed.none(3, counts.sectors),
                counts.atomics[0].to_string(),
                missed.none(4, counts.atomics[1]),
                missed.none(5, counts.local),
            ];
            rows.push(self.row(&format!("`{kernel}`"), *counts, &whole, &own.join(" | ")));
        }
        if !single {
            let whole = self.whole(all, missed);
            rows.push(self.row("together", all, &whole, " | | | | "));
        }
        rows
    }

    fn row(&self, kernel: &str, counts: Counts, whole: &str, own: &str) -> String {
        let Counts { warp_instructions, thread_instructions, read, written, .. } = counts;
        let lanes = thread_instructions as f64 / warp_instructions.max(1) as f64;
        format!(
            "| {} | {} | {kernel} | {warp_instructions} | {lanes:.1} | {read} | {written} | {whole} | {own} |",
            self.element, self.shape
        )
    }

    /// Bytes over the floor; what tensor cores do of the multiply-adds; and their products over the fewest.
    fn whole(&self, all: Counts, missed: &mut Missed) -> String {
        let over = (all.read + all.written) as f64 / self.work.floor_bytes().max(1) as f64;
        let bound = BYTES_TARGETS.iter().any(|target| self.operation.starts_with(target));
        let over = missed.cell(0, format!("{over:.3}"), bound && over > BYTES_LIMIT);
        let fewest = self.work.tensor_products;
        if fewest == 0 && all.tensor_products == 0 {
            return format!("{over} |  | ");
        }
        let share = tensor_share(&self.work, all);
        let share = missed.cell(1, format!("{share:.3}"), share < 1.0);
        format!("{over} | {share} | {:.3}", all.tensor_products as f64 / fewest.max(1) as f64)
    }
}

/// The part of an operation's multiply-adds that tensor cores do: no more than they have room for, and without those
/// that the f32 arithmetic may be doing which the operation does not take beside its products.
fn tensor_share(work: &Work, all: Counts) -> f64 {
    const LANES: u64 = 32;
    let elsewhere = (LANES * all.arithmetic).saturating_sub(work.beside);
    let there = work.needed().saturating_sub(elsewhere).min(work.tensor_product * all.tensor_products);
    there as f64 / work.needed().max(1) as f64
}

pub(super) fn run(args: &KernelsReportArgs) -> Result<()> {
    let cases = filtered(cases(Grid::Small), args.cases.filter.as_deref())?;
    // Not from the environment: the numbers are to be the same everywhere.
    install(Settings { count: true, ..Settings::default() })?;
    let place = Place::of(0, true)?;
    let mut counted = Vec::new();
    for case in &cases {
        let mut prepared = case.prepare(&place.queue)?;
        prepared.reset(&place.queue)?;
        place.queue.wait()?;
        drop(take_launches());
        prepared.launch(&place.queue)?;
        place.queue.wait()?;
        counted.push(Counted::new(case, &take_launches()));
        say(&case.name());
    }
    let (text, missed) = tables(&counted);
    write_to(args.cases.output.as_deref(), |out| {
        head(out, &missed)?;
        Ok(out.write_all(text.as_bytes())?)
    })?;
    if let Some(path) = &args.cases.output {
        write_text(None, &format!("{} cases counted\n{}: the report\n", counted.len(), path.display()))?;
    }
    Ok(())
}

/// What the numbers are, and what they are to be.
fn head(out: &mut dyn Write, missed: &Missed) -> Result<()> {
    let model = Settings::default().model;
    writeln!(
        out,
        "# The CUDA kernels, counted\n\n\
         Made by `noam kernels report`: every kernel on an emulated device ({}). Counts are exact and the same on \
         every machine; they are no times. Read and written: bytes of the different sectors of device memory that a \
         launch touches, what must come from DRAM and go there with cold caches. Floor: the least bytes that the \
         operation reads and writes, by its contract. Lanes: those active in an instruction, on average. Share: \
         of the multiply-adds of an operation's matrix products, the part that tensor cores do. They have done no more \
         than their products have room for; and whatever arithmetic is counted on f32 (all lanes of each instruction), \
         beyond what the operation takes beside its products, is taken for multiply-adds done elsewhere. Work: \
         products of 16 x 8 x 16 (x 8 in tf32) that tensor cores do, over the fewest that hold every needed \
         multiply-add; with a causal mask those that hold a visible pair, though of a square of 16 queries and 16 keys \
         on the diagonal half is for nobody. 1 is the floor; above it is padding, or what is computed twice. It has no \
         target.
",
        model.name
    )?;
    writeln!(out, "| target | numbers that miss it (in bold) |\n| --- | ---: |")?;
    for (target, missed) in TARGETS.iter().zip(missed.0) {
        writeln!(out, "| {target} | {missed} |")?;
    }
    Ok(())
}

/// A table for each operation; and how many numbers miss the targets.
fn tables(counted: &[Counted]) -> (String, Missed) {
    const HEAD: &str = "\
        | type | shape | kernel | warp instructions | lanes | read | written | over floor | share | work | excess \
        wavefronts | excess sectors | integer atomics | float atomics | local |\n\
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let (mut text, mut missed) = (String::new(), Missed::default());
    for cases in counted.chunk_by(|a, b| a.operation == b.operation) {
        let operation = cases[0].operation;
        text.push_str(&format!("\n## {operation}\n\n{HEAD}"));
        for row in cases.iter().flat_map(|case| case.rows(&mut missed)) {
            text.push_str(&row);
            text.push('\n');
        }
        let reason = REASONS.iter().find(|(name, _)| operation.starts_with(name));
        if let Some((_, reason)) = reason.filter(|_| cases.iter().any(Counted::has_more_products)) {
            text.push_str(&format!("\n{reason}\n"));
        }
    }
    (text, missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(operation: &'static str, launches: &[Counts]) -> Counted {
        Counted {
            operation,
            element: "bf16",
            shape: "N1".to_owned(),
            work: Work {
                read: 100,
                written: 100,
                flops: 2 * NEEDED,
                tensor_products: 8,
                tensor_product: 2048,
                beside: 320,
            },
            launches: launches.iter().map(|counts| ("k".to_owned(), *counts)).collect(),
        }
    }

    /// What eight products have room for.
    const NEEDED: u64 = 8 * 2048;

    const GOOD: Counts = Counts {
        warp_instructions: 10,
        thread_instructions: 300,
        read: 105,
        written: 105,
        wavefronts: 0,
        sectors: 0,
        tensor_products: 8,
        arithmetic: 10,
        atomics: [2, 0],
        local: 0,
    };

    #[test]
    fn what_misses_a_target_is_marked_and_counted() {
        let (good, missed) = tables(&[counted("adam", &[GOOD])]);
        assert!(
            good.ends_with("| bf16 | N1 | `k` | 10 | 30.0 | 105 | 105 | 1.050 | 1.000 | 1.000 | 0 | 0 | 2 | 0 | 0 |\n"),
            "{good}"
        );
        assert_eq!(missed, Missed::default());
        // A quarter of the multiply-adds beside what may be there.
        let arithmetic = 10 + NEEDED / 4 / 32;
        let bad = Counts { read: 106, wavefronts: 1, sectors: 2, arithmetic, atomics: [0, 3], local: 4, ..GOOD };
        let (bad, missed) = tables(&[counted("adam", &[bad])]);
        assert!(bad.ends_with("| **1.055** | **0.750** | 1.000 | **1** | **2** | 0 | **3** | **4** |\n"), "{bad}");
        assert_eq!(missed, Missed([1; 6]));
        // Elsewhere no bytes are asked for.
        let (_, missed) = tables(&[counted("matmul", &[Counts { read: 400, ..GOOD }])]);
        assert_eq!(missed, Missed::default());
    }

    #[test]
    fn the_share_is_of_what_tensor_cores_have_room_for_and_f32_leaves() {
        let Counted { work, .. } = counted("matmul", &[]);
        let share = |tensor_products, arithmetic| {
            tensor_share(&work, Counts { tensor_products, arithmetic, ..Counts::default() })
        };
        assert_eq!(share(8, 10), 1.0);
        // Products of padding, or made twice, hide nothing.
        assert_eq!(share(16, 10 + 256), 0.5);
        assert_eq!(share(6, 0), 0.75);
        assert_eq!(share(0, 1000), 0.0);
        // In work they show, and are explained where it is known why.
        let (text, missed) = tables(&[counted("attention_self_backward", &[Counts { tensor_products: 10, ..GOOD }])]);
        assert!(text.contains("| 1.000 | 1.250 |") && text.contains("seven products"), "{text}");
        assert_eq!(missed, Missed::default());
    }

    #[test]
    fn several_launches_are_added_up_for_what_is_of_the_operation() {
        let half = Counts { read: 50, written: 60, tensor_products: 4, arithmetic: 5, ..GOOD };
        let (text, missed) = tables(&[counted("embedding_backward", &[half, half])]);
        let rows: Vec<_> = text.lines().rev().take(3).collect();
        assert_eq!(rows[0], "| bf16 | N1 | together | 20 | 30.0 | 100 | 120 | **1.100** | 1.000 | 1.000 |  | | | |  |");
        assert_eq!(rows[1], rows[2]);
        assert_eq!(rows[1], "| bf16 | N1 | `k` | 10 | 30.0 | 50 | 60 |  |  |  | 0 | 0 | 2 | 0 | 0 |");
        assert_eq!(missed, Missed([1, 0, 0, 0, 0, 0]));
    }
}
