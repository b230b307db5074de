//! Instruction sets: one body of code, compiled for each, picked at run time.
//!
//! Every operation fixes its arithmetic to the bit, so the choice changes speed and nothing else. That is why it may be
//! a process-wide setting: lowering it while other threads compute cannot change what they compute.

use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that the operations have code for, in ascending order of width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Isa {
    /// What every target of the compiler has. Fused multiply-adds go through the C library where the target has none.
    Portable = 1,
    /// x86-64 with AVX2 and FMA: 8 lanes.
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: 16 lanes.
    Avx512 = 3,
}

impl Isa {
    /// All of them, narrowest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The name that `NOAM_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

/// 0: not looked up yet.
static ACTIVE: AtomicU8 = AtomicU8::new(0);

/// The widest instruction set of this processor.
pub fn detected() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            return Isa::Avx512;
        }
        if avx2 {
            return Isa::Avx2;
        }
    }
    Isa::Portable
}

/// The instruction set in use: the widest one there is, unless `NOAM_ISA` or [`limit`] asked for a narrower one.
#[inline]
pub fn active() -> Isa {
    match ACTIVE.load(Ordering::Relaxed) {
        3 => Isa::Avx512,
        2 => Isa::Avx2,
        1 => Isa::Portable,
        _ => first_look(),
    }
}

#[cold]
fn first_look() -> Isa {
    // An unknown name is no reason to compute anything else, and the results are the same bits either way.
    let wanted = std::env::var("NOAM_ISA").ok();
    let limit = Isa::ALL.into_iter().find(|isa| Some(isa.name()) == wanted.as_deref());
    let isa = limit.unwrap_or(Isa::Avx512).min(detected());
    ACTIVE.store(isa as u8, Ordering::Relaxed);
    isa
}

/// Uses `isa`, or the widest narrower one this processor has, from now on; returns what is used.
///
/// For measurements and for tests that compare instruction sets; results do not depend on it.
pub fn limit(isa: Isa) -> Isa {
    let isa = isa.min(detected());
    ACTIVE.store(isa as u8, Ordering::Relaxed);
    isa
}

/// Defines a function once and compiles its body for every [`Isa`]; calls pick the active one.
///
/// The body is plain Rust over slices and arrays. Within the wide copies the compiler vectorises its loops; it never
/// reorders or contracts floating-point operations, so all copies give the same bits. Helpers called in the body must be
/// `#[inline(always)]`, or they are compiled for the narrow target only (right, but slow).
macro_rules! multi_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$(const $cg:ident: $ct:ty),+>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)] // a kernel's arguments are its operands
        $vis fn $name $(<$(const $cg: $ct),+>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)] // as above
            fn body $(<$(const $cg: $ct),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)] // as above
            fn avx2 $(<$(const $cg: $ct),+>)? ($($arg: $ty),*) $(-> $ret)? { body$(::<$($cg),+>)?($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)] // as above
            fn avx512 $(<$(const $cg: $ct),+>)? ($($arg: $ty),*) $(-> $ret)? { body$(::<$($cg),+>)?($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            match $crate::isa::active() {
                // SAFETY: `active` is never wider than what `detected` found on this processor: AVX-512 F, BW, DQ, VL
                // and AVX2 with FMA, the features that `avx512` is compiled for.
                $crate::isa::Isa::Avx512 => return unsafe { avx512$(::<$($cg),+>)?($($arg),*) },
                // SAFETY: as above, for AVX2 and FMA.
                $crate::isa::Isa::Avx2 => return unsafe { avx2$(::<$($cg),+>)?($($arg),*) },
                $crate::isa::Isa::Portable => {}
            }
            body$(::<$($cg),+>)?($($arg),*)
        }
    };
}
pub(crate) use multi_isa;

#[cfg(test)]
mod tests {
    use super::*;

    multi_isa! {
        fn fma_chain(x: &[f32], y: &[f32]) -> f32 {
            x.iter().zip(y).fold(0.0, |acc, (&a, &b)| a.mul_add(b, acc))
        }
    }

    #[test]
    fn every_isa_gives_the_same_bits() {
        let x: Vec<f32> = (0..77).map(|i| (i as f32 * 0.37 - 9.0) * 1.1).collect();
        let y: Vec<f32> = (0..77).map(|i| 3.3 - i as f32 * 0.21).collect();
        let bits: Vec<u32> = Isa::ALL
            .into_iter()
            .map(|isa| {
                limit(isa);
                fma_chain(&x, &y).to_bits()
            })
            .collect();
        limit(Isa::Avx512);
        assert!(bits.windows(2).all(|w| w[0] == w[1]), "{bits:x?}");
    }

    #[test]
    fn limit_never_exceeds_the_processor() {
        assert_eq!(limit(Isa::Avx512), detected());
        assert!(Isa::Portable < Isa::Avx2 && Isa::Avx2 < Isa::Avx512);
    }
}
