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
            atomics: [self.atomics[0] + other.atomics[0], self.atomics[1] + other.atomics[1]],
            local: self.local + other.local,
        }
    }
}

/// What has a target, in the order of the table.
const TARGETS: [&str; 6] = [
    "bytes of device memory at most 1.05 times the floor, of layer norm, Adam, cross-entropy and embedding",
    "as many products on tensor cores as are needed",
    "no excess wavefronts of shared memory (bank conflicts)",
    "no excess sectors of global memory",
    "no atomic operation on floats",
    "no access to local memory",
];

/// Why some numbers miss their targets, by how the operations' names begin. Shown where one does.
const REASONS: [(&str, &str); 6] = [
    (
        "attention_causal",
        "Tensor cores take whole tiles, of 16 queries and 16 keys forward and of 32 and 16 backward, also those that \
         the diagonal cuts.",
    ),
    (
        "attention_self_backward",
        "Of more than 128 keys backward is two launches, each of which makes the scores and the gradients of the \
         weights: seven products instead of five.",
    ),
    (
        "column_sum",
        "In 16 bits a thread has eight neighbouring columns: their sums are two stores, with the neighbour's between, \
         once in 32 rows.",
    ),
    (
        "layer_norm",
        "In 16 bits a lane has eight neighbouring columns: of gamma and beta, which are f32, these are two accesses \
         that touch half of every sector each. The other half comes from the first-level cache.",
    ),
    (
        "embedding_forward",
        "In 16 bits a lane has eight neighbouring columns: of the tables, which are f32, these are two accesses that \
         touch half of every sector each. The other half comes from the first-level cache.",
    ),
    (
        "embedding_backward",
        "A step of the sort's network compares keys of 64 bits that are less than a warp apart, two or more to a \
         bank. Runs of rows begin anywhere in a sector; and in 16 bits a lane has eight neighbouring columns, which \
         of the table's gradient are two accesses that touch half of every sector each.",
    ),
];

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

    /// A row for each launch; of several, one more for all together, since floor and products are those of the
    /// operation.
    fn rows(&self, missed: &mut Missed) -> Vec<String> {
        let all = self.launches.iter().fold(Counts::default(), |sum, (_, counts)| sum.add(*counts));
        let single = self.launches.len() == 1;
        let mut rows = Vec::new();
        for (kernel, counts) in &self.launches {
            let whole = if single { self.whole(all, missed) } else { " | ".to_owned() };
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

    /// Bytes over the floor, and products on tensor cores over those needed.
    fn whole(&self, all: Counts, missed: &mut Missed) -> String {
        let over = (all.read + all.written) as f64 / self.work.floor_bytes().max(1) as f64;
        let bound = BYTES_TARGETS.iter().any(|target| self.operation.starts_with(target));
        let over = missed.cell(0, format!("{over:.3}"), bound && over > BYTES_LIMIT);
        let needed = self.work.tensor_products;
        let products = if needed == 0 && all.tensor_products == 0 {
            String::new()
        } else {
            let share = all.tensor_products as f64 / needed.max(1) as f64;
            missed.cell(1, format!("{share:.3}"), all.tensor_products != needed)
        };
        format!("{over} | {products}")
    }
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
         operation reads and writes, by its contract. Lanes: those active in an instruction, on average. Products: on \
         tensor cores, of 16 x 8 x 16, over those that the operation needs: with a causal mask the pairs that are \
         visible, of which tiles on the diagonal have half.\n",
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
        | type | shape | kernel | warp instructions | lanes | read | written | over floor | products | excess \
        wavefronts | excess sectors | integer atomics | float atomics | local |\n\
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let (mut text, mut missed) = (String::new(), Missed::default());
    for cases in counted.chunk_by(|a, b| a.operation == b.operation) {
        let (operation, before) = (cases[0].operation, missed);
        text.push_str(&format!("\n## {operation}\n\n{HEAD}"));
        for row in cases.iter().flat_map(|case| case.rows(&mut missed)) {
            text.push_str(&row);
            text.push('\n');
        }
        let reason = REASONS.iter().find(|(name, _)| operation.starts_with(name));
        if let Some((_, reason)) = reason.filter(|_| missed != before) {
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
            work: Work { read: 100, written: 100, flops: 0, tensor_products: 8 },
            launches: launches.iter().map(|counts| ("k".to_owned(), *counts)).collect(),
        }
    }

    const GOOD: Counts = Counts {
        warp_instructions: 10,
        thread_instructions: 300,
        read: 105,
        written: 105,
        wavefronts: 0,
        sectors: 0,
        tensor_products: 8,
        atomics: [2, 0],
        local: 0,
    };

    #[test]
    fn what_misses_a_target_is_marked_and_counted() {
        let (good, missed) = tables(&[counted("adam", &[GOOD])]);
        assert!(
            good.ends_with("| bf16 | N1 | `k` | 10 | 30.0 | 105 | 105 | 1.050 | 1.000 | 0 | 0 | 2 | 0 | 0 |\n"),
            "{good}"
        );
        assert_eq!(missed, Missed::default());
        let bad =
            Counts { read: 106, wavefronts: 1, sectors: 2, tensor_products: 10, atomics: [0, 3], local: 4, ..GOOD };
        let (bad, missed) = tables(&[counted("adam", &[bad])]);
        assert!(bad.ends_with("| **1.055** | **1.250** | **1** | **2** | 0 | **3** | **4** |\n"), "{bad}");
        assert_eq!(missed, Missed([1; 6]));
        // Elsewhere no bytes are asked for.
        let (_, missed) = tables(&[counted("matmul", &[Counts { read: 400, ..GOOD }])]);
        assert_eq!(missed, Missed::default());
    }

    #[test]
    fn several_launches_are_added_up_for_what_is_of_the_operation() {
        let half = Counts { read: 50, written: 60, tensor_products: 4, ..GOOD };
        let (text, missed) = tables(&[counted("embedding_backward", &[half, half])]);
        let (text, reason) = text.trim_end().rsplit_once("\n\n").unwrap();
        assert!(reason.starts_with("A step of the sort's network"), "{reason}");
        let rows: Vec<_> = text.lines().rev().take(3).collect();
        assert_eq!(rows[0], "| bf16 | N1 | together | 20 | 30.0 | 100 | 120 | **1.100** | 1.000 |  | | | |  |");
        assert_eq!(rows[1], rows[2]);
        assert_eq!(rows[1], "| bf16 | N1 | `k` | 10 | 30.0 | 50 | 60 |  |  | 0 | 0 | 2 | 0 | 0 |");
        assert_eq!(missed, Missed([1, 0, 0, 0, 0, 0]));
    }
}
