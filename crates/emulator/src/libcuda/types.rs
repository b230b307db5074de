//! The API's types, as they are in memory. Names are the API's, in Rust's spelling.

pub use super::{
    parameters::{Extra, KernelParams},
    pointer::{Host, ImageData, In, OptionValue, Out, OutArray, Plain, Text, UserData},
};
pub use crate::driver::{
    context::Context,
    event::Event,
    executable::Executable,
    function::Function,
    graph::{Graph, Node},
    handle::Handle,
    image::{Image, Library},
    link::Linker,
    pool::Pool,
    stream::Stream,
};

/// `CUcontext`.
pub type CuContext = Handle<Context>;
/// `CUstream`.
pub type CuStream = Handle<Stream>;
/// `CUevent`.
pub type CuEvent = Handle<Event>;
/// `CUmodule`.
pub type CuModule = Handle<Image>;
/// `CUlibrary`.
pub type CuLibrary = Handle<Library>;
/// `CUfunction`, and `CUkernel`, which is the same here.
pub type CuFunction = Handle<Function>;
/// `CUlinkState`.
pub type CuLinkState = Handle<std::sync::Mutex<Linker>>;
/// `CUgraph`.
pub type CuGraph = Handle<Graph>;
/// `CUgraphNode`.
pub type CuGraphNode = Handle<Node>;
/// `CUgraphExec`.
pub type CuGraphExec = Handle<Executable>;
/// `CUmemoryPool`.
pub type CuMemoryPool = Handle<Pool>;
/// `CUdevice`: a device's number.
pub type CuDevice = i32;
/// `CUdeviceptr`: an address.
pub type CuDevicePtr = u64;
/// `CUhostFn`.
pub type HostFunction = Option<unsafe extern "C" fn(UserData)>;
/// `CUstreamCallback`.
pub type StreamCallback = Option<unsafe extern "C" fn(CuStream, u32, UserData)>;
/// `CUoccupancyB2DSize`: dynamic shared memory by block size.
pub type SharedBySize = Option<unsafe extern "C" fn(i32) -> usize>;

// SAFETY: null is none, anything else a function's address: whether it is one, the caller of the API vouches for.
unsafe impl Plain for HostFunction {}

macro_rules! structures {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug)]
            #[repr(C)]
            #[allow(missing_docs)] // The fields' names are the API's.
            pub struct $name {
                $(pub $field: $type,)*
            }

            // SAFETY: every field's type is such a type, which the function below has the compiler check.
            unsafe impl Plain for $name {}

            const _: () = {
                const fn all_plain<T: Plain>() {}
                $(all_plain::<$type>();)*
            };
        )*
    };
}

// SAFETY: arrays of plain values are plain.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

structures! {
    /// `CUDA_MEMCPY2D_v2`.
    Copy2d {
        src_x_bytes: usize,
        src_y: usize,
        src_type: u32,
        src_host: Host,
        src_device: CuDevicePtr,
        src_array: usize,
        src_pitch: usize,
        dst_x_bytes: usize,
        dst_y: usize,
        dst_type: u32,
        dst_host: Host,
        dst_device: CuDevicePtr,
        dst_array: usize,
        dst_pitch: usize,
        width_bytes: usize,
        height: usize,
    }

    /// `CUDA_MEMCPY3D_v2`; `CUDA_MEMCPY3D_PEER`, whose contexts are in the reserved places.
    Copy3d {
        src_x_bytes: usize,
        src_y: usize,
        src_z: usize,
        src_lod: usize,
        src_type: u32,
        src_host: Host,
        src_device: CuDevicePtr,
        src_array: usize,
        src_reserved: usize,
        src_pitch: usize,
        src_height: usize,
        dst_x_bytes: usize,
        dst_y: usize,
        dst_z: usize,
        dst_lod: usize,
        dst_type: u32,
        dst_host: Host,
        dst_device: CuDevicePtr,
        dst_array: usize,
        dst_reserved: usize,
        dst_pitch: usize,
        dst_height: usize,
        width_bytes: usize,
        height: usize,
        depth: usize,
    }

    /// `CUDA_KERNEL_NODE_PARAMS_v1`.
    KernelNodeV1 {
        function: CuFunction,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        params: KernelParams,
        extra: Extra,
    }

    /// `CUDA_KERNEL_NODE_PARAMS_v2`.
    KernelNode {
        v1: KernelNodeV1,
        kernel: CuFunction,
        context: CuContext,
    }

    /// `CUDA_MEMSET_NODE_PARAMS_v1`.
    MemsetNode {
        dst: CuDevicePtr,
        pitch: usize,
        value: u32,
        element_bytes: u32,
        width: usize,
        height: usize,
    }

    /// `CUDA_HOST_NODE_PARAMS_v1`.
    HostNode {
        function: HostFunction,
        data: UserData,
    }

    /// `CUlaunchConfig`.
    LaunchConfig {
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        stream: CuStream,
        attributes: OutArray<'static, LaunchAttribute>,
        count: u32,
    }

    /// `CUlaunchAttribute`.
    LaunchAttribute {
        id: u32,
        padding: [u8; 4],
        value: [u64; 8],
    }

    /// `CUmemLocation`.
    MemLocation {
        kind: u32,
        id: i32,
    }

    /// `CUmemAccessDesc`.
    MemAccess {
        location: MemLocation,
        flags: u32,
    }

    /// `CUmemPoolProps`.
    PoolProperties {
        allocation_type: u32,
        handle_types: u32,
        location: MemLocation,
        security: usize,
        max_bytes: usize,
        reserved: [u8; 56],
    }

    /// `CUgraphExecUpdateResultInfo`.
    UpdateResult {
        result: u32,
        node: CuGraphNode,
        from: CuGraphNode,
    }

    /// `CUDA_GRAPH_INSTANTIATE_PARAMS`.
    InstantiateParams {
        flags: u64,
        upload_stream: CuStream,
        error_node: CuGraphNode,
        result: u32,
    }

    /// `CUgraphEdgeData`.
    EdgeData {
        bytes: [u8; 8],
    }

    /// `CUdevprop`.
    DeviceProperties {
        threads_per_block: u32,
        block: [u32; 3],
        grid: [u32; 3],
        shared_per_block: u32,
        constant_bytes: u32,
        warp_size: u32,
        pitch: u32,
        registers_per_block: u32,
        clock_khz: u32,
        texture_alignment: u32,
    }

    /// `CUDA_MEM_ALLOC_NODE_PARAMS_v1`.
    AllocNode {
        pool: PoolProperties,
        access: usize,
        access_count: usize,
        bytes: usize,
        address: CuDevicePtr,
    }

    /// `CUuuid`.
    Uuid {
        bytes: [u8; 16],
    }
}
