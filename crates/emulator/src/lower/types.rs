//! PTX's types by name, size and kind.

use crate::ptx::ast::Type;

/// The type a modifier names, as `f32` of `add.f32`.
pub fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "pred" => Type::Pred,
        "b8" => Type::B8,
        "b16" => Type::B16,
        "b32" => Type::B32,
        "b64" => Type::B64,
        "b128" => Type::B128,
        "u8" => Type::U8,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "s8" => Type::S8,
        "s16" => Type::S16,
        "s32" => Type::S32,
        "s64" => Type::S64,
        "f16" => Type::F16,
        "f16x2" => Type::F16x2,
        "bf16" => Type::Bf16,
        "bf16x2" => Type::Bf16x2,
        "tf32" => Type::Tf32,
        "f32" => Type::F32,
        "f32x2" => Type::F32x2,
        "f64" => Type::F64,
        "u16x2" => Type::U16x2,
        "s16x2" => Type::S16x2,
        "e4m3x2" => Type::E4m3x2,
        "e5m2x2" => Type::E5m2x2,
        _ => return None,
    })
}

/// A type's size in bits; 1 for predicates.
pub fn bits(ty: Type) -> u32 {
    match ty {
        Type::Pred => 1,
        Type::B8 | Type::U8 | Type::S8 => 8,
        Type::B16 | Type::U16 | Type::S16 | Type::F16 | Type::Bf16 | Type::E4m3x2 | Type::E5m2x2 => 16,
        Type::B32
        | Type::U32
        | Type::S32
        | Type::F16x2
        | Type::Bf16x2
        | Type::Tf32
        | Type::F32
        | Type::U16x2
        | Type::S16x2 => 32,
        Type::B64 | Type::U64 | Type::S64 | Type::F64 | Type::F32x2 => 64,
        Type::B128 => 128,
    }
}

/// Whether a type is one of those that moves, loads, stores and selections take: bits, integers, f32, f64. Numbers in
/// other formats are moved as bits.
pub fn is_movable(ty: Type) -> bool {
    matches!(
        ty,
        Type::B8
            | Type::B16
            | Type::B32
            | Type::B64
            | Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::S8
            | Type::S16
            | Type::S32
            | Type::S64
            | Type::F32
            | Type::F64
    )
}

/// Whether a type is a signed integer.
pub fn is_signed(ty: Type) -> bool {
    matches!(ty, Type::S8 | Type::S16 | Type::S32 | Type::S64)
}

/// Whether a type is a scalar floating-point number.
pub fn is_float(ty: Type) -> bool {
    matches!(ty, Type::F16 | Type::Bf16 | Type::Tf32 | Type::F32 | Type::F64)
}
