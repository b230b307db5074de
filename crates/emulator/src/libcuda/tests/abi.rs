//! The types and numbers of the interface, against those of cudarc, which were generated from the vendor's header.

use std::mem::{offset_of, size_of};

use cudarc::driver::sys;

use super::super::types::*;
use crate::driver::{error::Code, function::Function, model::Model};

macro_rules! same {
    ($ours:ty, $theirs:ty; $($our:ident = $their:ident),* $(,)?) => {
        assert_eq!(size_of::<$ours>(), size_of::<$theirs>(), stringify!($ours));
        assert_eq!(align_of::<$ours>(), align_of::<$theirs>(), stringify!($ours));
        $(assert_eq!(offset_of!($ours, $our), offset_of!($theirs, $their), stringify!($their));)*
    };
}

#[test]
fn structures_are_laid_out_as_in_c() {
    same!(Copy2d, sys::CUDA_MEMCPY2D_st;
        src_x_bytes = srcXInBytes, src_y = srcY, src_type = srcMemoryType, src_host = srcHost,
        src_device = srcDevice, src_pitch = srcPitch, dst_x_bytes = dstXInBytes, dst_y = dstY,
        dst_type = dstMemoryType, dst_host = dstHost, dst_device = dstDevice, dst_pitch = dstPitch,
        width_bytes = WidthInBytes, height = Height);
    same!(Copy3d, sys::CUDA_MEMCPY3D_st;
        src_x_bytes = srcXInBytes, src_y = srcY, src_z = srcZ, src_type = srcMemoryType, src_host = srcHost,
        src_device = srcDevice, src_reserved = reserved0, src_pitch = srcPitch, src_height = srcHeight,
        dst_x_bytes = dstXInBytes, dst_y = dstY, dst_z = dstZ, dst_type = dstMemoryType, dst_host = dstHost,
        dst_device = dstDevice, dst_pitch = dstPitch, dst_height = dstHeight, width_bytes = WidthInBytes,
        height = Height, depth = Depth);
    same!(Copy3d, sys::CUDA_MEMCPY3D_PEER_st; src_reserved = srcContext, dst_reserved = dstContext);
    same!(KernelNodeV1, sys::CUDA_KERNEL_NODE_PARAMS_st;
        function = func, grid = gridDimX, block = blockDimX, shared_bytes = sharedMemBytes, params = kernelParams,
        extra = extra);
    same!(KernelNode, sys::CUDA_KERNEL_NODE_PARAMS_v2_st; kernel = kern, context = ctx);
    same!(MemsetNode, sys::CUDA_MEMSET_NODE_PARAMS_st;
        dst = dst, pitch = pitch, value = value, element_bytes = elementSize, width = width, height = height);
    same!(HostNode, sys::CUDA_HOST_NODE_PARAMS_st; function = fn_, data = userData);
    same!(LaunchConfig, sys::CUlaunchConfig_st;
        grid = gridDimX, block = blockDimX, shared_bytes = sharedMemBytes, stream = hStream, attributes = attrs,
        count = numAttrs);
    same!(LaunchAttribute, sys::CUlaunchAttribute_st; id = id, value = value);
    same!(MemLocation, sys::CUmemLocation_st; kind = type_, id = id);
    same!(MemAccess, sys::CUmemAccessDesc_st; location = location, flags = flags);
    same!(PoolProperties, sys::CUmemPoolProps_st;
        allocation_type = allocType, handle_types = handleTypes, location = location,
        security = win32SecurityAttributes);
    same!(UpdateResult, sys::CUgraphExecUpdateResultInfo_st; result = result, node = errorNode, from = errorFromNode);
    same!(InstantiateParams, sys::CUDA_GRAPH_INSTANTIATE_PARAMS_st;
        flags = flags, upload_stream = hUploadStream, error_node = hErrNode_out, result = result_out);
    same!(DeviceProperties, sys::CUdevprop_st;
        threads_per_block = maxThreadsPerBlock, block = maxThreadsDim, grid = maxGridSize,
        shared_per_block = sharedMemPerBlock, constant_bytes = totalConstantMemory, warp_size = SIMDWidth,
        pitch = memPitch, registers_per_block = regsPerBlock, clock_khz = clockRate, texture_alignment = textureAlign);
    same!(AllocNode, sys::CUDA_MEM_ALLOC_NODE_PARAMS_st;
        pool = poolProps, access = accessDescs, access_count = accessDescCount, bytes = bytesize, address = dptr);
    same!(Uuid, sys::CUuuid_st; bytes = bytes);
    same!(Out<'_, u32>, *mut u32;);
    same!(In<'_, u32>, *const u32;);
    same!(OutArray<'_, u32>, *mut u32;);
    same!(Text<'_>, *const std::ffi::c_char;);
    same!(ImageData<'_>, *const u8;);
    same!(Host, *const u8;);
    same!(KernelParams, *mut *mut u8;);
    same!(Extra, *mut *mut u8;);
    same!(OptionValue, *mut u8;);
    same!(CuStream, sys::CUstream;);
}

#[test]
fn result_codes_have_the_numbers_of_the_header() {
    use sys::cudaError_enum as C;
    for (code, theirs) in [
        (Code::InvalidValue, C::CUDA_ERROR_INVALID_VALUE),
        (Code::OutOfMemory, C::CUDA_ERROR_OUT_OF_MEMORY),
        (Code::NotInitialized, C::CUDA_ERROR_NOT_INITIALIZED),
        (Code::InvalidDevice, C::CUDA_ERROR_INVALID_DEVICE),
        (Code::InvalidImage, C::CUDA_ERROR_INVALID_IMAGE),
        (Code::InvalidContext, C::CUDA_ERROR_INVALID_CONTEXT),
        (Code::NoBinaryForGpu, C::CUDA_ERROR_NO_BINARY_FOR_GPU),
        (Code::UnsupportedLimit, C::CUDA_ERROR_UNSUPPORTED_LIMIT),
        (Code::InvalidPtx, C::CUDA_ERROR_INVALID_PTX),
        (Code::UnsupportedPtxVersion, C::CUDA_ERROR_UNSUPPORTED_PTX_VERSION),
        (Code::FileNotFound, C::CUDA_ERROR_FILE_NOT_FOUND),
        (Code::InvalidHandle, C::CUDA_ERROR_INVALID_HANDLE),
        (Code::IllegalState, C::CUDA_ERROR_ILLEGAL_STATE),
        (Code::NotFound, C::CUDA_ERROR_NOT_FOUND),
        (Code::NotReady, C::CUDA_ERROR_NOT_READY),
        (Code::IllegalAddress, C::CUDA_ERROR_ILLEGAL_ADDRESS),
        (Code::LaunchOutOfResources, C::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES),
        (Code::LaunchTimeout, C::CUDA_ERROR_LAUNCH_TIMEOUT),
        (Code::PeerAccessAlreadyEnabled, C::CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED),
        (Code::PeerAccessNotEnabled, C::CUDA_ERROR_PEER_ACCESS_NOT_ENABLED),
        (Code::ContextIsDestroyed, C::CUDA_ERROR_CONTEXT_IS_DESTROYED),
        (Code::Assert, C::CUDA_ERROR_ASSERT),
        (Code::HostMemoryAlreadyRegistered, C::CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED),
        (Code::HostMemoryNotRegistered, C::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED),
        (Code::HardwareStackError, C::CUDA_ERROR_HARDWARE_STACK_ERROR),
        (Code::IllegalInstruction, C::CUDA_ERROR_ILLEGAL_INSTRUCTION),
        (Code::MisalignedAddress, C::CUDA_ERROR_MISALIGNED_ADDRESS),
        (Code::LaunchFailed, C::CUDA_ERROR_LAUNCH_FAILED),
        (Code::CooperativeLaunchTooLarge, C::CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE),
        (Code::NotPermitted, C::CUDA_ERROR_NOT_PERMITTED),
        (Code::NotSupported, C::CUDA_ERROR_NOT_SUPPORTED),
        (Code::CaptureUnsupported, C::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED),
        (Code::CaptureInvalidated, C::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED),
        (Code::CaptureMerge, C::CUDA_ERROR_STREAM_CAPTURE_MERGE),
        (Code::CaptureUnmatched, C::CUDA_ERROR_STREAM_CAPTURE_UNMATCHED),
        (Code::CaptureUnjoined, C::CUDA_ERROR_STREAM_CAPTURE_UNJOINED),
        (Code::CaptureIsolation, C::CUDA_ERROR_STREAM_CAPTURE_ISOLATION),
        (Code::CaptureImplicit, C::CUDA_ERROR_STREAM_CAPTURE_IMPLICIT),
        (Code::CapturedEvent, C::CUDA_ERROR_CAPTURED_EVENT),
        (Code::CaptureWrongThread, C::CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD),
        (Code::GraphExecUpdateFailure, C::CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE),
        (Code::Unknown, C::CUDA_ERROR_UNKNOWN),
    ] {
        assert_eq!(code as u32, theirs as u32);
        assert_eq!(code.name(), format!("{theirs:?}"));
    }
}

#[test]
fn attributes_have_the_numbers_of_the_header() {
    use sys::CUdevice_attribute_enum as A;
    let a100 = |attribute: A| Model::A100.attribute(attribute as u32, 0);
    // The vendor's data sheet and tuning guide for this device, compute capability 8.0.
    for (attribute, value) in [
        (A::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024),
        (A::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64),
        (A::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2_147_483_647),
        (A::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65_535),
        (A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49_152),
        (A::CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65_536),
        (A::CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32),
        (A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 108),
        (A::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048),
        (A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 8),
        (A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0),
        (A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 167_936),
        (A::CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65_536),
        (A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 166_912),
        (A::CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32),
        (A::CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024),
        (A::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 41_943_040),
        (A::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120),
        (A::CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1),
        (A::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1),
        (A::CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1),
        (A::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1),
        (A::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0),
        (A::CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED, 0),
    ] {
        assert_eq!(a100(attribute), Some(value), "{attribute:?}");
    }
    assert_eq!(Model::A100.attribute(0, 0), None);
    assert_eq!(Model::A100.attribute(10_000, 0), None);
}

#[test]
fn kinds_of_nodes_have_the_numbers_of_the_header() {
    use crate::driver::operation::Operation;
    assert_eq!(Operation::Empty.kind(), sys::CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_EMPTY as u32);
    assert_eq!(Operation::Free(0).kind(), sys::CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEM_FREE as u32);
    assert_eq!(size_of::<Handle<Function>>(), size_of::<sys::CUfunction>());
}
