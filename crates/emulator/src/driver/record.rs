//! A launch on record: what was counted, by source line on request, and all of it as a line of JSON.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    thread::ThreadId,
    time::Duration,
};

use super::engine::{self, Counters};
use crate::{
    memory::Accesses,
    program::{Class, Kernel},
};

/// A launch that was counted. Its `Display` is a line of JSON.
#[derive(Clone, Debug)]
pub struct LaunchRecord {
    /// The kernel's name.
    pub kernel: String,
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared_bytes: u32,
    /// How long it took.
    pub time: Duration,
    /// What was counted.
    pub counters: Counters,
    /// The same by source line, where that was asked for.
    pub lines: Vec<LineCounters>,
    /// The thread of the program that launched it, or replayed its graph.
    pub caller: ThreadId,
}

/// What was counted for a source line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineCounters {
    /// `file:line`; the place in the PTX where the module has no line information.
    pub line: String,
    /// Instructions executed by warps.
    pub warp_instructions: u64,
    /// The same times the lanes that executed them.
    pub thread_instructions: u64,
    /// Accesses to memory.
    pub accesses: Accesses,
}

/// Sums up a launch's counts by source line, in the order of the lines.
pub fn by_line(kernel: &Kernel, counters: &Counters) -> Vec<LineCounters> {
    let mut lines: BTreeMap<(u32, u32), LineCounters> = BTreeMap::new();
    let executed = counters.by_instruction.iter().zip(0..).filter(|((warps, _), _)| *warps > 0);
    for (&(warps, lanes), pc) in executed {
        let Some(place) = kernel.places.get(pc as usize) else { continue };
        let key = if place.file == 0 { (0, place.ptx.line) } else { (place.file, place.line) };
        let line = lines.entry(key).or_insert_with(|| LineCounters {
            line: engine::line(kernel, pc).unwrap_or_default(),
            warp_instructions: 0,
            thread_instructions: 0,
            accesses: Accesses::default(),
        });
        line.warp_instructions += warps;
        line.thread_instructions += lanes;
        if let Some(accesses) = counters.memory.by_instruction.get(pc as usize) {
            line.accesses.add(accesses);
        }
    }
    lines.into_values().collect()
}

const CLASSES: [(&str, Class); Class::COUNT] = [
    ("integer", Class::Integer),
    ("float16", Class::Float16),
    ("float32", Class::Float32),
    ("float64", Class::Float64),
    ("convert", Class::Convert),
    ("move", Class::Move),
    ("predicate", Class::Predicate),
    ("control", Class::Control),
    ("barrier", Class::Barrier),
    ("warp", Class::Warp),
    ("load_global", Class::LoadGlobal),
    ("store_global", Class::StoreGlobal),
    ("load_shared", Class::LoadShared),
    ("store_shared", Class::StoreShared),
    ("load_local", Class::LoadLocal),
    ("store_local", Class::StoreLocal),
    ("load_const", Class::LoadConst),
    ("atomic", Class::Atomic),
    ("atomic_float", Class::AtomicFloat),
    ("async_copy", Class::AsyncCopy),
    ("tensor", Class::Tensor),
    ("other", Class::Other),
];

/// Text as a JSON string.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if u32::from(c) < 0x20 => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Accesses to memory as a JSON object.
struct Access<'a>(&'a Accesses);

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accesses { requests, lanes, bytes, sectors, ideal_sectors, wavefronts, ideal_wavefronts } = self.0;
        write!(
            f,
            "{{\"requests\":{requests},\"lanes\":{lanes},\"bytes\":{bytes},\"sectors\":{sectors},\"ideal_sectors\":\
             {ideal_sectors},\"wavefronts\":{wavefronts},\"ideal_wavefronts\":{ideal_wavefronts}}}"
        )
    }
}

impl fmt::Display for LaunchRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, grid, block, shared_bytes, time, counters, lines, caller: _ } = self;
        let elapsed_ms = time.as_secs_f64() * 1e3;
        write!(
            f,
            "{{\"kernel\":{},\"grid\":{grid:?},\"block\":{block:?},\"shared_bytes\":{shared_bytes},\"elapsed_ms\":\
             {elapsed_ms:.6},\"warp_instructions\":{},\"thread_instructions\":{},\"divergent_branches\":{}",
            Quoted(kernel),
            counters.warp_instructions,
            counters.thread_instructions,
            counters.divergent_branches
        )?;
        let mut separator = ",\"classes\":{";
        for (name, class) in CLASSES.into_iter().filter(|&(_, class)| counters.of(class) > 0) {
            write!(f, "{separator}\"{name}\":{}", counters.of(class))?;
            separator = ",";
        }
        f.write_str(if separator == "," { "}" } else { "" })?;
        let memory = &counters.memory;
        for (name, accesses) in [
            ("global_loads", &memory.global_loads),
            ("global_stores", &memory.global_stores),
            ("global_atomics", &memory.global_atomics),
            ("shared_loads", &memory.shared_loads),
            ("shared_stores", &memory.shared_stores),
            ("shared_atomics", &memory.shared_atomics),
            ("local_loads", &memory.local_loads),
            ("local_stores", &memory.local_stores),
            ("constant_loads", &memory.constant_loads),
        ] {
            if accesses.requests > 0 {
                write!(f, ",\"{name}\":{}", Access(accesses))?;
            }
        }
        let (read, written) = (memory.dram_read_bytes(), memory.dram_written_bytes());
        write!(f, ",\"dram_read_bytes\":{read},\"dram_written_bytes\":{written}")?;
        let mut separator = ",\"lines\":[";
        for LineCounters { line, warp_instructions, thread_instructions, accesses } in lines {
            write!(
                f,
                "{separator}{{\"line\":{},\"warp_instructions\":{warp_instructions},\"thread_instructions\":\
                 {thread_instructions},\"accesses\":{}}}",
                Quoted(line),
                Access(accesses)
            )?;
            separator = ",";
        }
        f.write_str(if separator == "," { "]}" } else { "}" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_is_one_line_of_json() {
        let mut counters = Counters { warp_instructions: 7, thread_instructions: 99, ..Counters::default() };
        counters.classes[Class::Integer as usize] = 5;
        counters.classes[Class::Tensor as usize] = 2;
        counters.memory.global_loads =
            Accesses { requests: 1, lanes: 32, bytes: 128, sectors: 4, ideal_sectors: 4, ..Accesses::default() };
        let record = LaunchRecord {
            kernel: "a\"b\\c\n".to_owned(),
            grid: [1, 2, 3],
            block: [32, 1, 1],
            shared_bytes: 16,
            time: Duration::from_micros(1500),
            counters,
            lines: vec![LineCounters {
                line: "k.cu:7".to_owned(),
                warp_instructions: 3,
                thread_instructions: 96,
                accesses: Accesses::default(),
            }],
            caller: std::thread::current().id(),
        };
        let zero = "\"requests\":0,\"lanes\":0,\"bytes\":0,\"sectors\":0,\"ideal_sectors\":0,\"wavefronts\":0,\
                    \"ideal_wavefronts\":0";
        assert_eq!(
            record.to_string(),
            format!(
                "{{\"kernel\":\"a\\\"b\\\\c\\u000a\",\"grid\":[1, 2, 3],\"block\":[32, 1, 1],\"shared_bytes\":16,\
                 \"elapsed_ms\":1.500000,\"warp_instructions\":7,\"thread_instructions\":99,\"divergent_branches\":0,\
                 \"classes\":{{\"integer\":5,\"tensor\":2}},\"global_loads\":{{\"requests\":1,\"lanes\":32,\
                 \"bytes\":128,\"sectors\":4,\"ideal_sectors\":4,\"wavefronts\":0,\"ideal_wavefronts\":0}},\
                 \"dram_read_bytes\":0,\"dram_written_bytes\":0,\"lines\":[{{\"line\":\"k.cu:7\",\
                 \"warp_instructions\":3,\"thread_instructions\":96,\"accesses\":{{{zero}}}}}]}}"
            )
        );
    }

    #[test]
    fn classes_are_named_in_their_order() {
        for (at, (_, class)) in CLASSES.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
    }
}
