//! What the library is told, and what is refused before it is told anything.

use super::super::Kernels;
use super::*;
use crate::cuda::{Bf16, F16, Tf32};
use crate::matmul::{Lhs, Rhs, Start, matmul};
use crate::testing::cuda::device;
use crate::testing::values;

/// An element of the column-major matrix that the library is shown, or of its transpose.
fn element(stored: Stored, memory: &[f32], row: usize, column: usize) -> f32 {
    let (row, column) = if stored.transposed { (column, row) } else { (row, column) };
    assert!(row < stored.rows && column < stored.columns, "{stored:?}");
    memory[column * stored.rows + row]
}

#[test]
fn the_librarys_product_is_ours_in_every_layout() {
    let shape = Shape { m: 3, n: 5, k: 4 };
    let (a, b) = (values(12, 1, 0.0), values(20, 2, 0.0));
    for (a_transposed, b_transposed) in [(false, false), (false, true), (true, false), (true, true)] {
        let [first, second, result] = operands(shape, a_transposed, b_transposed);
        assert_eq!(first.rows * first.columns, b.len());
        assert_eq!(second.rows * second.columns, a.len());
        // As cublasLtMatmul is documented: D (rows, columns) = op(first) op(second).
        let mut got = vec![f32::NAN; 15];
        for column in 0..result.columns {
            for row in 0..result.rows {
                let mut sum = 0.0f32;
                for term in 0..shape.k {
                    sum = element(first, &b, row, term).mul_add(element(second, &a, term, column), sum);
                }
                got[column * result.rows + row] = sum;
            }
        }
        let mut want = vec![0.0; 15];
        let lhs = if a_transposed { Lhs::Transposed(&a[..]) } else { Lhs::Rows(&a[..]) };
        let rhs = if b_transposed { Rhs::Transposed(&b[..]) } else { Rhs::Rows(&b[..]) };
        matmul(shape, lhs, rhs, Start::Zero, Epilogue::None, &mut want).unwrap();
        assert_eq!(got, want, "{a_transposed} {b_transposed}");
    }
}

#[test]
fn it_is_told_of_what_is_stored_and_how_that_is_multiplied() {
    let types = [data_type::<f32>(), data_type::<Tf32>(), data_type::<Bf16>(), data_type::<F16>()];
    let single = cudaDataType::CUDA_R_32F;
    assert_eq!(types, [single, single, cudaDataType::CUDA_R_16BF, cudaDataType::CUDA_R_16F]);
    let computes = [compute_type::<f32>(), compute_type::<Tf32>(), compute_type::<Bf16>(), compute_type::<F16>()];
    let exact = Compute::CUBLAS_COMPUTE_32F;
    assert_eq!(computes, [exact, Compute::CUBLAS_COMPUTE_32F_FAST_TF32, exact, exact]);
    assert_eq!([0x1000, 0x1010, 0x1004, 0x1002].map(alignment), [256, 16, 4, 2]);
}

#[test]
fn it_makes_what_it_has_an_epilogue_for() {
    let queue = device();
    let [bias, mut sums] = [1.0f32, 2.0].map(|x| Buffer::from_host(&queue, &[x; 4]).unwrap());
    let activation = Buffer::<Bf16>::zeros(&queue, 4).unwrap();
    let view = bias.view();
    let at = *view.pointer();
    let ends = [
        End::<Bf16>::Epilogue(Epilogue::None),
        End::Epilogue(Epilogue::Bias(view)),
        End::Epilogue(Epilogue::BiasRelu(view)),
        End::Epilogue(Epilogue::ReluGradient { activation: activation.view(), scale: 1.0 }),
        End::ColumnSums(sums.view_mut()),
    ];
    let of = |finish: fn(&End<'_, Bf16>) -> Option<Finish>| ends.each_ref().map(finish);
    let wide = [Some(Finish::Nothing), Some(Finish::Bias(at)), Some(Finish::BiasRelu(at)), None, None];
    assert_eq!(of(Finish::of::<Bf16, f32>), wide);
    // A bias would have to be bf16 there.
    assert_eq!(of(Finish::of::<Bf16, Bf16>), [Some(Finish::Nothing), None, None, None, None]);
    let epilogues = wide.map(|finish| finish.map(Finish::library));
    assert_eq!(epilogues[0], Some((LtEpilogue::CUBLASLT_EPILOGUE_DEFAULT, None)));
    assert_eq!(epilogues[1], Some((LtEpilogue::CUBLASLT_EPILOGUE_BIAS, Some(at))));
    assert_eq!(epilogues[2], Some((LtEpilogue::CUBLASLT_EPILOGUE_RELU_BIAS, Some(at))));
}

#[test]
fn the_library_takes_what_it_is_told() {
    // SAFETY: opens and closes it, as the descriptors do for good.
    if !unsafe { sys::is_culib_present() } {
        return;
    }
    let shape = Shape { m: 3, n: 5, k: 4 };
    for finish in [Finish::Nothing, Finish::Bias(0x1000), Finish::BiasRelu(0x1000)] {
        let call = Call { shape, a: (0x2000, false), b: (0x3004, true), c: 0x4000, accumulate: false, finish };
        // Descriptors are the host's: nothing of this needs a GPU.
        drop(Described::new::<f32, f32>(call).unwrap());
        drop(Described::new::<Tf32, f32>(call).unwrap());
        drop(Described::new::<Bf16, f32>(call).unwrap());
        drop(Described::new::<F16, F16>(call).unwrap());
    }
    // A value of another length than the attribute's is refused: that the others are taken says something.
    let desc = Desc::new(compute_type::<f32>()).unwrap();
    let error = desc.set(DescAttribute::CUBLASLT_MATMUL_DESC_TRANSA, &0u8).unwrap_err();
    assert!(matches!(error, Error::CublasLt { op: OP, doing: "describing a product", .. }));
}

#[test]
fn where_it_is_missing_the_error_says_what_was_looked_for() {
    check_present(true).unwrap();
    let error = check_present(false).unwrap_err().to_string();
    for part in ["libcublasLt.so, ", "libcublasLt.so.12", "LD_LIBRARY_PATH"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_emulated_device_is_refused() {
    check_device("NVIDIA A100-SXM4-80GB").unwrap();
    let queue = device();
    let name = queue.stream().context().name().unwrap();
    if !name.starts_with(EMULATED) {
        return;
    }
    let error = Kernels::load(&queue).unwrap().with_cublaslt(&queue).unwrap_err();
    assert_eq!(error, Error::CublasLtDevice { device: name.clone() });
    assert!(error.to_string().contains(&name) && error.to_string().contains("our own products"), "{error}");
}
