//! Launches.

use super::{entry::driver_functions, types::*};
use crate::driver::{
    driver,
    error::{Code, Result},
    launch::Launch,
    operation::Operation,
};

/// Numbers of launch attributes that change what a launch does.
mod attribute {
    pub const COOPERATIVE: u32 = 2;
    pub const CLUSTER: u32 = 4;
}

/// A launch's sizes as the API passes them.
pub(super) struct Shape {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    pub cooperative: bool,
}

/// A launch of a kernel with these parameters.
pub(super) fn launch(function: CuFunction, shape: Shape, params: KernelParams, extra: Extra) -> Result<Launch> {
    let function = driver().functions.get(function)?;
    let params = params.collect(extra, function.info())?;
    let Shape { grid, block, shared_bytes, cooperative } = shape;
    Ok(Launch { function, grid, block, shared_bytes, cooperative, params })
}

fn submit(function: CuFunction, shape: Shape, stream: CuStream, params: KernelParams, extra: Extra) -> Result<()> {
    let stream = Stream::resolve(stream)?;
    stream.context()?;
    stream.submit(Operation::Launch(launch(function, shape, params, extra)?))
}

/// Whether a launch is cooperative by its attributes.
fn cooperative(attributes: &[LaunchAttribute]) -> Result<bool> {
    let mut cooperative = false;
    for attribute in attributes {
        match attribute.id {
            attribute::COOPERATIVE => cooperative = attribute.value[0] as u32 != 0,
            attribute::CLUSTER => {
                // Three 32-bit sizes; clusters of one block are none.
                let [xy, z, ..] = attribute.value;
                if ![xy as u32, (xy >> 32) as u32, z as u32].into_iter().all(|size| size <= 1) {
                    return Err(Code::NotSupported.because("there are no clusters"));
                }
            }
            // Priorities, policies and the like change no result.
            _ => {}
        }
    }
    Ok(cooperative)
}

driver_functions! { export_launch;
    4000 fn [cuLaunchKernel cuLaunchKernel_ptsz](
        function: CuFunction, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared_bytes: u32, stream: CuStream, params: KernelParams, extra: Extra,
    ) {
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        submit(function, Shape { grid, block, shared_bytes, cooperative: false }, stream, params, extra)
    }

    9000 fn [cuLaunchCooperativeKernel cuLaunchCooperativeKernel_ptsz](
        function: CuFunction, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared_bytes: u32, stream: CuStream, params: KernelParams,
    ) {
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        submit(function, Shape { grid, block, shared_bytes, cooperative: true }, stream, params, Extra::NULL)
    }

    11060 fn [cuLaunchKernelEx cuLaunchKernelEx_ptsz](
        config: In<'_, LaunchConfig>, function: CuFunction, params: KernelParams, extra: Extra,
    ) {
        let LaunchConfig { grid, block, shared_bytes, stream, attributes, count } = config.get()?;
        let cooperative = cooperative(&attributes.get(count as usize)?)?;
        submit(function, Shape { grid, block, shared_bytes, cooperative }, stream, params, extra)
    }
}
