"""A vector addition by cuda-python's driver bindings."""

import ctypes

import numpy as np
from cuda.bindings import driver

PTX = b"""
.version 8.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 x, .param .u64 y, .param .u64 z, .param .u32 n)
{
    .reg .pred %p;
    .reg .b32 %r<4>;
    .reg .b64 %d<5>;
    .reg .f32 %f<3>;
    mov.u32 %r0, %ctaid.x;
    mov.u32 %r1, %ntid.x;
    mov.u32 %r2, %tid.x;
    mad.lo.u32 %r0, %r0, %r1, %r2;
    ld.param.u32 %r3, [n];
    setp.ge.u32 %p, %r0, %r3;
    @%p bra done;
    mul.wide.u32 %d0, %r0, 4;
    ld.param.u64 %d1, [x];
    add.u64 %d1, %d1, %d0;
    ld.global.f32 %f0, [%d1];
    ld.param.u64 %d2, [y];
    add.u64 %d2, %d2, %d0;
    ld.global.f32 %f1, [%d2];
    add.rn.f32 %f2, %f0, %f1;
    ld.param.u64 %d3, [z];
    add.u64 %d3, %d3, %d0;
    st.global.f32 [%d3], %f2;
done:
    ret;
}
\0"""


def check(result):
    """The values of a call that must succeed."""
    error, *values = result
    if error != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(driver.cuGetErrorString(error)[1].decode())
    return values[0] if len(values) == 1 else values


check(driver.cuInit(0))
device = check(driver.cuDeviceGet(0))
print(check(driver.cuDeviceGetName(100, device)).split(b"\0")[0].decode())
context = check(driver.cuDevicePrimaryCtxRetain(device))
check(driver.cuCtxSetCurrent(context))
module = check(driver.cuModuleLoadData(PTX))
kernel = check(driver.cuModuleGetFunction(module, b"add"))
stream = check(driver.cuStreamCreate(0))

n = 1000
generator = np.random.default_rng(1)
x, y = (generator.random(n, dtype=np.float32) for _ in range(2))
z = np.zeros(n, dtype=np.float32)
dx, dy, dz = buffers = [check(driver.cuMemAlloc(x.nbytes)) for _ in range(3)]
check(driver.cuMemcpyHtoDAsync(dx, x.ctypes.data, x.nbytes, stream))
check(driver.cuMemcpyHtoDAsync(dy, y.ctypes.data, y.nbytes, stream))
arguments = (dx, dy, dz, n), (None, None, None, ctypes.c_uint32)
check(driver.cuLaunchKernel(kernel, (n + 255) // 256, 1, 1, 256, 1, 1, 0, stream, arguments, 0))
check(driver.cuMemcpyDtoHAsync(z.ctypes.data, dz, z.nbytes, stream))
check(driver.cuStreamSynchronize(stream))
assert np.array_equal(z, x + y)

for buffer in buffers:
    check(driver.cuMemFree(buffer))
check(driver.cuStreamDestroy(stream))
check(driver.cuModuleUnload(module))
check(driver.cuDevicePrimaryCtxRelease(device))
print("cuda-python: the sums are right")
