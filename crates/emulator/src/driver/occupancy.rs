//! Occupancy: how many blocks of a kernel a multiprocessor holds at a time.
//!
//! A block takes of a multiprocessor: a place among its blocks, its warps, registers in units of 256 a warp, and
//! shared memory in units of 128 bytes (256 before sm_80), what the system reserves included. A kernel's registers
//! are an estimate from its PTX, so the result is one too. A compiler allots fewer where it must, so that one block
//! always fits.

use super::{
    engine::KernelInfo,
    launch::block_sizes,
    model::{Model, REGISTERS},
};

/// Warps share the registers of a multiprocessor in four parts.
const PARTITIONS: u32 = 4;
/// Registers are allotted to a warp in such units.
const REGISTER_UNIT: u32 = 256;
/// The most registers a thread can have.
const REGISTERS_PER_THREAD: u32 = 255;

/// Blocks of `threads` threads, each with so much dynamic shared memory, that a multiprocessor holds.
pub fn blocks(model: &Model, info: &KernelInfo, threads: u32, dynamic_shared: u32) -> u32 {
    if threads == 0 {
        return 0;
    }
    let warps = threads.div_ceil(32);
    let by_warps = model.threads / 32 / warps;
    let per_warp = (info.registers.clamp(1, REGISTERS_PER_THREAD) * 32).next_multiple_of(REGISTER_UNIT);
    let by_registers = (REGISTERS / PARTITIONS / per_warp * PARTITIONS / warps).max(1);
    let unit = if model.target() < 80 { 256 } else { 128 };
    let shared = u64::from(info.shared_static) + u64::from(dynamic_shared) + u64::from(model.shared_reserved);
    let by_shared = match shared.next_multiple_of(unit) {
        0 => model.blocks,
        shared => u32::try_from(u64::from(model.shared) / shared).unwrap_or(model.blocks),
    };
    model.blocks.min(by_warps).min(by_registers).min(by_shared)
}

/// The block size, of whole warps, with which most threads are resident, and the blocks that fill the device with it.
/// `dynamic_shared` says what a block of a size needs; `limit` is the largest size, 0 for the kernel's own.
pub fn best_block(
    model: &Model,
    info: &KernelInfo,
    mut dynamic_shared: impl FnMut(u32) -> u32,
    limit: u32,
) -> (u32, u32) {
    let limit = if limit == 0 { info.max_threads } else { limit.min(info.max_threads) };
    let mut best = (0, 0, 0);
    for threads in block_sizes(model, limit) {
        let resident = blocks(model, info, threads, dynamic_shared(threads));
        // The larger of two sizes that are as good.
        if resident * threads > best.0 {
            best = (resident * threads, threads, resident);
        }
    }
    (best.2 * model.multiprocessors, best.1)
}

/// The most dynamic shared memory a block can use while so many blocks are resident; `None` where they never are.
pub fn dynamic_shared_for(model: &Model, info: &KernelInfo, resident: u32, threads: u32) -> Option<u32> {
    if resident == 0 || blocks(model, info, threads, 0) < resident {
        return None;
    }
    let unit = if model.target() < 80 { 256 } else { 128 };
    let each = model.shared / resident / unit * unit;
    Some(each.saturating_sub(model.shared_reserved).min(model.shared_optin).saturating_sub(info.shared_static))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(registers: u32, shared_static: u32) -> KernelInfo {
        KernelInfo {
            name: "k".to_owned(),
            params: Vec::new(),
            param_bytes: 0,
            registers,
            shared_static,
            local_bytes: 0,
            const_bytes: 0,
            max_threads: 1024,
            ptx_version: 80,
            binary_version: 80,
        }
    }

    /// What the vendor's occupancy calculator says for sm_80, for each limit in turn.
    #[test]
    fn an_a100_holds_as_many_blocks_as_its_scarcest_resource_allows() {
        let blocks = |registers, shared, threads| blocks(&Model::A100, &kernel(registers, shared), threads, 0);
        // 64 warps.
        assert_eq!(blocks(32, 0, 256), 8);
        assert_eq!(blocks(16, 0, 1024), 2);
        assert_eq!(blocks(16, 0, 96), 21);
        // 32 blocks.
        assert_eq!(blocks(16, 0, 32), 32);
        // 65536 registers.
        assert_eq!(blocks(64, 0, 256), 4);
        assert_eq!(blocks(128, 0, 256), 2);
        assert_eq!(blocks(255, 0, 256), 1);
        // 40 registers are 1280 a warp: 12 warps in each of four parts, 48 in all.
        assert_eq!(blocks(40, 0, 256), 6);
        assert_eq!(blocks(255, 0, 512), 1, "with registers spilled");
        // 164 KiB, 1 KiB of each block reserved.
        assert_eq!(blocks(32, 48 << 10, 128), 3);
        assert_eq!(blocks(32, 163 << 10, 128), 1);
        assert_eq!(blocks(32, 40 << 10, 128), 4);
    }

    #[test]
    fn a_v100_reserves_no_shared_memory() {
        assert_eq!(blocks(&Model::V100, &kernel(32, 48 << 10), 128, 0), 2);
        assert_eq!(blocks(&Model::V100, &kernel(32, 32 << 10), 128, 0), 3);
    }

    #[test]
    fn the_best_block_fills_a_multiprocessor() {
        // 2048 threads in two blocks of 1024, on 108 multiprocessors.
        assert_eq!(best_block(&Model::A100, &kernel(32, 0), |_| 0, 0), (216, 1024));
        assert_eq!(best_block(&Model::A100, &kernel(32, 0), |_| 0, 256), (864, 256));
        // 40 registers: 1536 threads at most, in three blocks of 512 or two of 768; the larger.
        assert_eq!(best_block(&Model::A100, &kernel(40, 0), |_| 0, 0), (216, 768));
    }

    #[test]
    fn shared_memory_left_for_a_number_of_blocks_is_what_they_can_have() {
        for (registers, shared_static, threads) in [(32, 0, 128), (64, 5000, 256), (16, 1, 64)] {
            let info = kernel(registers, shared_static);
            for resident in 1..=blocks(&Model::A100, &info, threads, 0) {
                let most = dynamic_shared_for(&Model::A100, &info, resident, threads).expect("so many are resident");
                assert!(blocks(&Model::A100, &info, threads, most) >= resident);
                let more = most + 129;
                assert!(
                    more + shared_static > Model::A100.shared_optin
                        || blocks(&Model::A100, &info, threads, more) < resident
                );
            }
        }
        assert_eq!(dynamic_shared_for(&Model::A100, &kernel(255, 0), 2, 256), None);
    }
}
