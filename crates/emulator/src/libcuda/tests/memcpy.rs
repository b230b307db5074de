//! Copies and fills, against loops over bytes.

use super::*;
use crate::libcuda::{memcpy::*, memset::*};

/// Bytes that differ from their neighbours.
fn pattern(count: usize, seed: u8) -> Vec<u8> {
    (0..count).map(|at| (at as u8).wrapping_mul(37).wrapping_add(seed)).collect()
}

#[test]
fn one_range_goes_everywhere() {
    let _context = start();
    for count in [0, 1, 7, 8, 4097] {
        let values = pattern(count, 1);
        let (a, b) = (device_memory(count.max(1)), device_memory(count.max(1)));
        let mut back = vec![0; count];
        // SAFETY: the ranges are those of the buffers.
        unsafe {
            ok(cuMemcpyHtoD_v2(a, host(&values), count));
            ok(cuMemcpyDtoD_v2(b, a, count));
            ok(cuMemcpyDtoHAsync_v2(host_mut(&mut back), b, count, CuStream::NULL));
        }
        assert_eq!(back, values);
        free(a);
        free(b);
    }
}

#[test]
fn addresses_say_by_themselves_where_they_are() {
    let _context = start();
    let values = pattern(100, 2);
    let mut back = vec![0; 100];
    let a = device_memory(100);
    // SAFETY: the ranges are those of the buffers.
    unsafe {
        let device = Host::new(std::ptr::without_provenance(a as usize));
        ok(cuMemcpy(device, host(&values), 100));
        ok(cuMemcpy(host_mut(&mut back[..50]), device, 50));
        ok(cuMemcpyAsync(host_mut(&mut back[50..]), host(&values[50..]), 50, CuStream::NULL));
        assert_eq!(back, values);
        let nowhere = Host::new(std::ptr::without_provenance(a as usize + (1 << 40)));
        fails(cuMemcpy(host_mut(&mut back), nowhere, 4), Code::InvalidValue);
        fails(cuMemcpy(host_mut(&mut back), Host::new(std::ptr::null()), 4), Code::InvalidValue);
    }
    free(a);
}

#[test]
fn a_copy_past_the_end_is_refused_and_described() {
    let _context = start();
    let a = device_memory(100);
    let values = [0u8; 200];
    reports();
    // SAFETY: the ranges are those of the buffers.
    unsafe { fails(cuMemcpyHtoD_v2(a + 50, host(&values), 60), Code::InvalidValue) };
    let report = reports().remove(0).to_string();
    assert!(report.contains("60 bytes at") && report.contains("end 10 bytes past it"), "{report}");
    free(a);
}

/// What a copy of rows must give: byte for byte.
fn copied(to: &mut [u8], from: &[u8], copy: &Copy3d) {
    for z in 0..copy.depth {
        for y in 0..copy.height {
            for x in 0..copy.width_bytes {
                let at = |x0: usize, y0, z0, pitch, height| (z0 + z) * pitch * height + (y0 + y) * pitch + x0 + x;
                let source = at(copy.src_x_bytes, copy.src_y, copy.src_z, copy.src_pitch, copy.src_height);
                let target = at(copy.dst_x_bytes, copy.dst_y, copy.dst_z, copy.dst_pitch, copy.dst_height);
                to[target] = from[source];
            }
        }
    }
}

fn block() -> Copy3d {
    Copy3d {
        src_x_bytes: 3,
        src_y: 1,
        src_z: 1,
        src_lod: 0,
        src_type: 1,
        src_host: host::<u8>(&[]),
        src_device: 0,
        src_array: 0,
        src_reserved: 0,
        src_pitch: 20,
        src_height: 6,
        dst_x_bytes: 5,
        dst_y: 2,
        dst_z: 0,
        dst_lod: 0,
        dst_type: 2,
        dst_host: host::<u8>(&[]),
        dst_device: 0,
        dst_array: 0,
        dst_reserved: 0,
        dst_pitch: 32,
        dst_height: 7,
        width_bytes: 11,
        height: 4,
        depth: 3,
    }
}

#[test]
fn blocks_of_rows_are_copied_in_all_directions() {
    let _context = start();
    let (from, to) = (pattern(20 * 6 * 4, 3), pattern(32 * 7 * 3, 4));
    let mut expected = to.clone();
    copied(&mut expected, &from, &block());
    // Host to device, device to device, device to host, host to host, and where addresses say where they are.
    for (src_type, dst_type) in [(1, 2), (2, 2), (2, 1), (1, 1), (4, 4)] {
        let (device_from, device_to) = (on_device(&from), on_device(&to));
        let mut host_to = to.clone();
        let mut copy = Copy3d { src_type, dst_type, src_host: host(&from), ..block() };
        copy.src_device = device_from;
        copy.dst_host = host_mut(&mut host_to);
        copy.dst_device = device_to;
        // SAFETY: the description is within the buffers.
        ok(unsafe { cuMemcpy3D_v2(In::from(&copy)) });
        let result = if dst_type == 1 { host_to } else { from_device(device_to, to.len()) };
        assert_eq!(result, expected, "{src_type} to {dst_type}");
        free(device_from);
        free(device_to);
    }
}

#[test]
fn rows_are_copied_into_pitched_memory_and_back() {
    let _context = start();
    let values = pattern(10 * 33, 5);
    let (mut address, mut pitch) = (0, 0);
    // SAFETY: the pointers are to variables, the descriptions within their buffers.
    unsafe {
        ok(crate::libcuda::memory::cuMemAllocPitch_v2(Out::to(&mut address), Out::to(&mut pitch), 33, 10, 4));
        assert!(pitch >= 33 && pitch.is_multiple_of(256));
        let there = Copy2d {
            src_x_bytes: 0,
            src_y: 0,
            src_type: 1,
            src_host: host(&values),
            src_device: 0,
            src_array: 0,
            src_pitch: 33,
            dst_x_bytes: 0,
            dst_y: 0,
            dst_type: 2,
            dst_host: host::<u8>(&[]),
            dst_device: address,
            dst_array: 0,
            dst_pitch: pitch,
            width_bytes: 33,
            height: 10,
        };
        ok(cuMemcpy2D_v2(In::from(&there)));
        let row: Vec<u8> = from_device(address + 9 * pitch as u64, 33);
        assert_eq!(row, values[9 * 33..]);
        let mut back = vec![0; values.len()];
        let back_again = Copy2d {
            src_type: 2,
            src_device: address,
            src_pitch: pitch,
            dst_type: 1,
            dst_host: host_mut(&mut back),
            dst_pitch: 33,
            ..there
        };
        ok(cuMemcpy2DAsync_v2(In::from(&back_again), CuStream::NULL));
        assert_eq!(back, values);
        fails(cuMemcpy2D_v2(In::from(&Copy2d { dst_pitch: 32, ..there })), Code::InvalidValue);
        fails(cuMemcpy2D_v2(In::from(&Copy2d { dst_type: 3, ..there })), Code::NotSupported);
        fails(cuMemcpy2D_v2(In::from(&Copy2d { src_y: usize::MAX, ..there })), Code::InvalidValue);
    }
    free(address);
}

#[test]
fn fills_write_elements_and_nothing_else() {
    let _context = start();
    let a = on_device(&[0xeeu8; 64]);
    // SAFETY: the functions take no pointers of the host's.
    unsafe {
        ok(cuMemsetD8_v2(a + 1, 0x12, 3));
        ok(cuMemsetD16_v2(a + 8, 0xabcd, 2));
        ok(cuMemsetD32Async(a + 16, 0x0102_0304, 2, CuStream::NULL));
        ok(cuMemsetD2D8_v2(a + 32, 8, 0x55, 2, 3));
        fails(cuMemsetD16_v2(a + 1, 0, 1), Code::InvalidValue);
        fails(cuMemsetD32_v2(a + 60, 0, 2), Code::InvalidValue);
    }
    let mut expected = [0xeeu8; 64];
    expected[1..4].fill(0x12);
    expected[8..12].copy_from_slice(&[0xcd, 0xab, 0xcd, 0xab]);
    expected[16..24].copy_from_slice(&[4, 3, 2, 1, 4, 3, 2, 1]);
    for row in 0..3 {
        expected[32 + 8 * row..34 + 8 * row].fill(0x55);
    }
    assert_eq!(from_device::<u8>(a, 64), expected);
    free(a);
}
