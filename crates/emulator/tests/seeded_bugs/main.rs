//! Seeded bugs: each pair of kernels in `tests/bugs`, with every check on. The bad twin must be found out, at a marked
//! line and for nothing but what is marked; the good twin must pass. `tests/bugs/README.md` lists them.

#[path = "../common/mod.rs"]
mod common;

mod case;

use std::{collections::BTreeSet, fs, path::PathBuf};

use case::{Case, Fate, Param, cases};
use common::Device;
use noam_emulator::{
    exec::{self, BlockOrder, Launch},
    finding::Kind,
    memory::AllocationKind,
};

/// Instructions after which a kernel counts as endless: those here need a few thousand.
const STEP_BUDGET: u64 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twin {
    Bad,
    Good,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bugs")
}

/// Runs one twin; gives line and kind of what was found, and the findings in words.
fn run(device: &Device, case: &Case, twin: Twin) -> (BTreeSet<(u32, String)>, String) {
    let memory = &device.memory;
    let name = format!("{}_{}", case.name, if twin == Twin::Bad { "bad" } else { "good" });
    let kernel = device.module.kernel(&name).unwrap_or_else(|| panic!("no kernel {name}"));
    let code = device.module.code(kernel);
    assert_eq!(code.params.len(), case.params.len(), "{name}: number of parameters");
    let mut params = vec![0; code.param_bytes as usize];
    let mut buffers = Vec::new();
    for (param, place) in case.params.iter().zip(&code.params) {
        let bytes = match param {
            Param::Scalar(element, value) => element.bytes_of(*value),
            Param::Buffer { element, count, values, fate } => {
                let bytes = (count * element.size()) as u64;
                let address = memory.allocate(bytes, AllocationKind::Device).expect("memory is left");
                memory.write(address, &values.bytes(*element)).expect("a fresh allocation can be written");
                if twin == Twin::Bad && *fate == Fate::FreedBefore {
                    memory.free(address).expect("it was allocated above");
                } else {
                    buffers.push((address, *fate));
                }
                address.to_le_bytes().to_vec()
            }
        };
        assert_eq!(bytes.len(), place.bytes as usize, "{name}: bytes of a parameter");
        params[place.offset as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    let launch = Launch {
        grid: [case.grid, 1, 1],
        block: [case.block, 1, 1],
        shared_bytes: case.shared_bytes,
        cooperative: case.cooperative,
        params: &params,
    };
    let outcome = exec::run(code, &memory.map(), launch, &device.options);
    for &(address, fate) in &buffers {
        if twin == Twin::Good || fate != Fate::NeverFreed {
            memory.free(address).expect("the launch frees nothing");
        }
    }
    let mut found = BTreeSet::new();
    let mut words = String::new();
    for finding in &outcome.findings {
        let mut sites = vec![finding.pc];
        if matches!(finding.kind, Kind::SharedRace | Kind::GlobalRace) {
            // Both sides of a race are marked.
            sites.push(finding.other.unwrap_or_else(|| panic!("{name}: a race alone: {finding:?}")).0);
        }
        for pc in sites {
            let place = code.line(pc).unwrap_or_else(|| panic!("{name}: no line of {finding:?}"));
            let line = place.rsplit_once(':').expect("file:line").1.parse().expect("a line's number");
            words += &format!("\n    {place} {:?} `{}` {}", finding.kind, code.text(pc).trim(), finding.detail);
            found.insert((line, format!("{:?}", finding.kind)));
        }
    }
    for leak in memory.leaks() {
        words += &format!("\n    leak of {} bytes", leak.bytes);
        // Nobody's line: the mark's own stands for it.
        found.extend(case.marks.iter().filter(|(_, kind)| kind == "Leak").cloned());
        assert!(buffers.iter().any(|&(address, _)| address == leak.base), "{name}: an unknown leak");
        memory.free(leak.base).expect("it was never freed");
    }
    (found, words)
}

/// In which order blocks are started, and by how many threads they are run.
const WAYS: [(BlockOrder, usize); 4] =
    [(BlockOrder::Forward, 1), (BlockOrder::Backward, 1), (BlockOrder::Shuffled(1), 1), (BlockOrder::Forward, 4)];

/// Runs all pairs of a source and says which went wrong.
fn check(source: &str) {
    let text = fs::read_to_string(folder().join(format!("{source}.cu"))).expect("the source");
    let ptx = fs::read_to_string(folder().join(format!("{source}.ptx"))).expect("its PTX");
    let mut device = Device::new(&ptx);
    device.options.step_budget = Some(STEP_BUDGET);
    let cases = cases(&text);
    assert!(!cases.is_empty(), "{source} has no cases");
    let mut wrong = String::new();
    for case in &cases {
        assert!(!case.marks.is_empty(), "{} has no marked line", case.name);
        for (order, threads) in WAYS {
            (device.options.block_order, device.options.threads) = (order, threads);
            let at = format!("\n{} ({order:?}, {threads} threads)", case.name);
            let (found, words) = run(&device, case, Twin::Bad);
            if found.is_disjoint(&case.bugs) {
                wrong += &format!("{at}: none of {:?} was found:{words}", case.bugs);
            }
            if !found.is_subset(&case.marks) {
                wrong += &format!("{at}: found is not what is marked, {:?}:{words}", case.marks);
            }
            let (found, words) = run(&device, case, Twin::Good);
            if !found.is_empty() || !words.is_empty() {
                wrong += &format!("{at}: false alarm:{words}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// One test a source, and one that none is forgotten.
macro_rules! sources {
    ($($source:ident)*) => {
        $(
            #[test]
            fn $source() {
                check(stringify!($source));
            }
        )*

        #[test]
        fn every_source_is_run() {
            let known = BTreeSet::from([$(stringify!($source).to_owned()),*]);
            let there: BTreeSet<String> = fs::read_dir(folder())
                .expect("the folder of seeded bugs")
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "cu"))
                .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
                .collect();
            assert_eq!(known, there);
        }
    };
}

sources! { async_copies barriers bounds endless global_races host mbarriers shared_races uninitialized warps }
