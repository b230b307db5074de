//! Kernels: what they need, what they may use, how many blocks fit.

use std::sync::{Arc, atomic::Ordering};

use super::{device::device, entry::driver_functions, memory::context, types::*};
use crate::driver::{
    driver,
    error::{Code, Result},
    model::Model,
    occupancy,
};

fn get(function: CuFunction) -> Result<Arc<Function>> {
    driver().functions.get(function)
}

/// The model of the current device.
fn model() -> Result<Model> {
    Ok(context()?.device.model)
}

fn name(to: &Out<'_, usize>, function: CuFunction) -> Result<()> {
    to.check()?;
    to.set(get(function)?.name_c().as_ptr().expose_provenance())
}

fn parameter(function: CuFunction, at: usize, offset: &Out<'_, usize>, bytes: &Out<'_, usize>) -> Result<()> {
    offset.check()?;
    let function = get(function)?;
    let parameter = function.info().params.get(at).ok_or(Code::InvalidValue)?;
    offset.put(parameter.offset as usize);
    bytes.put(parameter.bytes as usize);
    Ok(())
}

fn set_cache(function: CuFunction, config: u32) -> Result<()> {
    if config > 3 {
        return Err(Code::InvalidValue.into());
    }
    get(function)?.cache_preference.store(config, Ordering::Relaxed);
    Ok(())
}

fn threads(block: i32) -> Result<u32> {
    u32::try_from(block).ok().filter(|&threads| threads > 0).ok_or_else(|| Code::InvalidValue.into())
}

fn resident(blocks: &Out<'_, i32>, function: CuFunction, block: i32, shared: usize) -> Result<()> {
    blocks.check()?;
    let (function, threads) = (get(function)?, threads(block)?);
    let model = model()?;
    let info = function.info();
    let shared = u32::try_from(shared).unwrap_or(u32::MAX);
    let fits =
        threads <= info.max_threads && info.shared_static.saturating_add(shared) <= function.shared_limit(&model);
    blocks.set(if fits { occupancy::blocks(&model, info, threads, shared) as i32 } else { 0 })
}

fn best(
    grid: &Out<'_, i32>,
    block: &Out<'_, i32>,
    function: CuFunction,
    by_size: SharedBySize,
    shared: usize,
    limit: i32,
) -> Result<()> {
    grid.check()?;
    block.check()?;
    let function = get(function)?;
    let limit = u32::try_from(limit).map_err(|_| Code::InvalidValue)?;
    let shared = |threads: u32| {
        let bytes = match by_size {
            // SAFETY: the caller of the API has given this function to be asked for block sizes.
            Some(by_size) => unsafe { by_size(threads as i32) },
            None => shared,
        };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    let (blocks, threads) = occupancy::best_block(&model()?, function.info(), shared, limit);
    grid.put(blocks as i32);
    block.put(threads as i32);
    Ok(())
}

driver_functions! { export_function;
    2020 fn cuFuncGetAttribute(value: Out<'_, i32>, attribute: u32, function: CuFunction) {
        value.check()?;
        value.set(get(function)?.attribute(attribute)? as i32)
    }

    9000 fn cuFuncSetAttribute(function: CuFunction, attribute: u32, value: i32) {
        get(function)?.set_attribute(attribute, value, &model()?)
    }

    3000 fn cuFuncSetCacheConfig(function: CuFunction, config: u32) {
        set_cache(function, config)
    }

    4020 fn cuFuncSetSharedMemConfig(function: CuFunction, config: u32) {
        get(function)?;
        if config > 2 { Err(Code::InvalidValue.into()) } else { Ok(()) }
    }

    11000 fn cuFuncGetModule(module: Out<'_, CuModule>, function: CuFunction) {
        module.check()?;
        module.set(get(function)?.image.publish())
    }

    12030 fn cuFuncGetName(name: Out<'_, usize>, function: CuFunction) {
        self::name(&name, function)
    }

    12040 fn cuFuncGetParamInfo(
        function: CuFunction, at: usize, offset: Out<'_, usize>, bytes: Out<'_, usize>,
    ) {
        parameter(function, at, &offset, &bytes)
    }

    13020 fn cuFuncGetParamCount(function: CuFunction, count: Out<'_, usize>) {
        count.check()?;
        count.set(get(function)?.info().params.len())
    }

    12040 fn cuFuncIsLoaded(state: Out<'_, u32>, function: CuFunction) {
        state.check()?;
        get(function)?;
        // Loaded.
        state.set(1)
    }

    12040 fn cuFuncLoad(function: CuFunction) {
        get(function).map(|_| ())
    }

    12000 fn cuKernelGetFunction(function: Out<'_, CuFunction>, kernel: CuFunction) {
        function.check()?;
        function.set(get(kernel)?.handle)
    }

    12050 fn cuKernelGetLibrary(library: Out<'_, CuLibrary>, kernel: CuFunction) {
        library.check()?;
        let image = get(kernel)?.image.handle;
        let found = driver().libraries.select(|library| library.image.handle == image);
        library.set(found.ok_or(Code::NotFound)?.handle)
    }

    12000 fn cuKernelGetAttribute(value: Out<'_, i32>, attribute: u32, kernel: CuFunction, device: CuDevice) {
        value.check()?;
        self::device(device)?;
        value.set(get(kernel)?.attribute(attribute)? as i32)
    }

    12000 fn cuKernelSetAttribute(attribute: u32, value: i32, kernel: CuFunction, device: CuDevice) {
        get(kernel)?.set_attribute(attribute, value, &self::device(device)?.model)
    }

    12000 fn cuKernelSetCacheConfig(kernel: CuFunction, config: u32, device: CuDevice) {
        self::device(device)?;
        set_cache(kernel, config)
    }

    12030 fn cuKernelGetName(name: Out<'_, usize>, kernel: CuFunction) {
        self::name(&name, kernel)
    }

    12040 fn cuKernelGetParamInfo(kernel: CuFunction, at: usize, offset: Out<'_, usize>, bytes: Out<'_, usize>) {
        parameter(kernel, at, &offset, &bytes)
    }

    13020 fn cuKernelGetParamCount(kernel: CuFunction, count: Out<'_, usize>) {
        count.check()?;
        count.set(get(kernel)?.info().params.len())
    }

    6050 fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: Out<'_, i32>, function: CuFunction, block: i32, shared: usize,
    ) {
        resident(&blocks, function, block, shared)
    }

    7000 fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        blocks: Out<'_, i32>, function: CuFunction, block: i32, shared: usize, flags: u32,
    ) {
        if flags > 1 {
            return Err(Code::InvalidValue.into());
        }
        resident(&blocks, function, block, shared)
    }

    6050 fn cuOccupancyMaxPotentialBlockSize(
        grid: Out<'_, i32>, block: Out<'_, i32>, function: CuFunction, by_size: SharedBySize, shared: usize,
        limit: i32,
    ) {
        best(&grid, &block, function, by_size, shared, limit)
    }

    7000 fn cuOccupancyMaxPotentialBlockSizeWithFlags(
        grid: Out<'_, i32>, block: Out<'_, i32>, function: CuFunction, by_size: SharedBySize, shared: usize,
        limit: i32, flags: u32,
    ) {
        if flags > 1 {
            return Err(Code::InvalidValue.into());
        }
        best(&grid, &block, function, by_size, shared, limit)
    }

    10020 fn cuOccupancyAvailableDynamicSMemPerBlock(
        bytes: Out<'_, usize>, function: CuFunction, blocks: i32, block: i32,
    ) {
        bytes.check()?;
        let (function, threads) = (get(function)?, threads(block)?);
        let blocks = u32::try_from(blocks).map_err(|_| Code::InvalidValue)?;
        let available = occupancy::dynamic_shared_for(&model()?, function.info(), blocks, threads);
        bytes.set(available.ok_or_else(|| Code::InvalidValue.because("so many blocks never are resident"))? as usize)
    }
}
