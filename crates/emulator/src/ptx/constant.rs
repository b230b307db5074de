//! Constants and the operators of constant expressions.
//!
//! Integer constants have 64 bits, signed unless written with the suffix `U` or too large for it; floating-point ones
//! are f64. The two kinds do not mix. Results have the types of the PTX ISA's table of constant expression evaluation
//! rules. Where C leaves a result undefined (overflow of signed numbers, a shift by 64 or more, a division by zero),
//! there is no value but an error.

use super::{ast::Immediate, lexer::Kind};

/// The value of a constant expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `.s64`.
    Signed(i64),
    /// `.u64`.
    Unsigned(u64),
    /// `.f64`.
    Float(f64),
    /// `0fXXXXXXXX`, the bits of an f32: a literal, which no operator but a sign takes.
    Single(u32),
    /// An address, in initial values and operands.
    Address(Address<'a>),
}

/// The address of a symbol, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The symbol.
    pub symbol: &'a str,
    /// Bytes added.
    pub offset: i64,
    /// Whether it is a generic address, not one of the symbol's state space.
    pub generic: bool,
    /// A mask operator's byte.
    pub mask: Option<u64>,
}

/// Why there is no value.
type Reason = &'static str;

const OVERFLOW: Reason = "it does not fit in 64 bits";
const NOT_INTEGER: Reason = "the operator takes integers only";

impl Value<'_> {
    /// The constant, unless it is an address.
    pub fn immediate(self) -> Option<Immediate> {
        match self {
            Self::Signed(value) => Some(Immediate::Integer(value as u64)),
            Self::Unsigned(value) => Some(Immediate::Integer(value)),
            Self::Float(value) => Some(Immediate::F64(value.to_bits())),
            Self::Single(bits) => Some(Immediate::F32(bits)),
            Self::Address(_) => None,
        }
    }

    /// The 64 bits of an integer.
    pub fn bits(self) -> Result<u64, Reason> {
        match self {
            Self::Signed(value) => Ok(value as u64),
            Self::Unsigned(value) => Ok(value),
            Self::Float(_) | Self::Single(_) | Self::Address(_) => Err(NOT_INTEGER),
        }
    }
}

/// The value of a number as written.
pub fn literal(text: &str) -> Result<Value<'static>, Reason> {
    let bytes = text.as_bytes();
    match bytes {
        [b'0', b'x' | b'X', digits @ ..] => integer(digits, 16),
        [b'0', b'b' | b'B', digits @ ..] => integer(digits, 2),
        [b'0', b'f' | b'F', ..] => {
            Ok(Value::Single(bit_pattern(&text[2..], 8, "0f takes 8 hexadecimal digits")? as u32))
        }
        [b'0', b'd' | b'D', ..] => {
            Ok(Value::Float(f64::from_bits(bit_pattern(&text[2..], 16, "0d takes 16 hexadecimal digits")?)))
        }
        _ if bytes.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            let value: f64 = text.parse().map_err(|_| "not a well-formed floating-point number")?;
            if value.is_finite() {
                Ok(Value::Float(value))
            } else {
                Err("too large for a 64-bit floating-point number")
            }
        }
        [b'0', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => integer(digits, 8),
        _ => integer(bytes, 10),
    }
}

fn bit_pattern(digits: &str, count: usize, reason: Reason) -> Result<u64, Reason> {
    if digits.len() != count || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(reason);
    }
    u64::from_str_radix(digits, 16).map_err(|_| reason)
}

fn integer(digits: &[u8], radix: u32) -> Result<Value<'static>, Reason> {
    let (digits, unsigned) = match digits {
        [digits @ .., b'U'] => (digits, true),
        _ => (digits, false),
    };
    if digits.is_empty() {
        return Err("it has no digits");
    }
    let mut value = 0u64;
    for byte in digits {
        let digit = char::from(*byte).to_digit(radix).ok_or("a character that is no digit of it")?;
        value = value.checked_mul(radix.into()).and_then(|value| value.checked_add(digit.into())).ok_or(OVERFLOW)?;
    }
    match i64::try_from(value) {
        Ok(signed) if !unsigned => Ok(Value::Signed(signed)),
        _ => Ok(Value::Unsigned(value)),
    }
}

/// A unary operator applied: `+`, `-`, `!` or `~`.
pub fn unary<'a>(operator: Kind, value: Value<'a>) -> Result<Value<'a>, Reason> {
    match (operator, value) {
        (_, Value::Address(_)) => Err("an address can't have a sign"),
        (Kind::Plus, value) => Ok(value),
        (Kind::Minus, Value::Signed(value)) => value.checked_neg().map(Value::Signed).ok_or(OVERFLOW),
        (Kind::Minus, Value::Unsigned(value)) => Ok(Value::Unsigned(value.wrapping_neg())),
        (Kind::Minus, Value::Float(value)) => Ok(Value::Float(-value)),
        (Kind::Minus, Value::Single(bits)) => Ok(Value::Single(bits ^ 1 << 31)),
        (Kind::Not, value) => Ok(truth(value.bits()? == 0)),
        (_, value) => Ok(Value::Unsigned(!value.bits()?)),
    }
}

/// A cast applied, to `.u64` or to `.s64`.
pub fn cast(unsigned: bool, value: Value<'_>) -> Result<Value<'_>, Reason> {
    let bits = value.bits()?;
    Ok(if unsigned { Value::Unsigned(bits) } else { Value::Signed(bits as i64) })
}

/// `condition ? yes : no`.
pub fn select<'a>(condition: Value<'_>, yes: Value<'a>, no: Value<'a>) -> Result<Value<'a>, Reason> {
    let chosen = if condition.bits()? != 0 { yes } else { no };
    match (yes, no) {
        (Value::Float(_), Value::Float(_)) | (Value::Signed(_), Value::Signed(_)) => Ok(chosen),
        _ => {
            // An unsigned side makes the other unsigned too.
            yes.bits()?;
            no.bits()?;
            cast(true, chosen)
        }
    }
}

fn truth(value: bool) -> Value<'static> {
    Value::Signed(value.into())
}

/// A binary operator applied.
pub fn binary<'a>(operator: Kind, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Reason> {
    match operator {
        Kind::AndAnd => Ok(truth(left.bits()? != 0 && right.bits()? != 0)),
        Kind::OrOr => Ok(truth(left.bits()? | right.bits()? != 0)),
        Kind::And => Ok(Value::Unsigned(left.bits()? & right.bits()?)),
        Kind::Or => Ok(Value::Unsigned(left.bits()? | right.bits()?)),
        Kind::Caret => Ok(Value::Unsigned(left.bits()? ^ right.bits()?)),
        Kind::ShiftLeft | Kind::ShiftRight => shift(operator, left, right.bits()?),
        // The ISA: both operands as .u64, the result .s64.
        Kind::Percent => match left.bits()?.checked_rem(right.bits()?) {
            Some(rest) => Ok(Value::Signed(rest as i64)),
            None => Err("a division by zero"),
        },
        _ => match (left, right) {
            (Value::Address(address), offset) | (offset, Value::Address(address)) => {
                let negative = match (operator, left) {
                    (Kind::Plus, _) => false,
                    (Kind::Minus, Value::Address(_)) => true,
                    _ => return Err("an address can only have a constant added or subtracted"),
                };
                displaced(address, negative, offset)
            }
            (Value::Float(left), Value::Float(right)) => Ok(float(operator, left, right)),
            (Value::Signed(left), Value::Signed(right)) => signed(operator, left, right),
            (Value::Single(_), _) | (_, Value::Single(_)) => Err("a constant of the form 0f takes no operator"),
            (Value::Float(_), _) | (_, Value::Float(_)) => Err("integers and floating-point numbers do not mix"),
            _ => unsigned(operator, left.bits()?, right.bits()?),
        },
    }
}

fn displaced<'a>(address: Address<'a>, negative: bool, offset: Value<'a>) -> Result<Value<'a>, Reason> {
    if address.mask.is_some() {
        return Err("a byte of an address can't have a constant added or subtracted");
    }
    let offset = match offset {
        Value::Signed(offset) => offset,
        Value::Unsigned(offset) => i64::try_from(offset).map_err(|_| "the offset does not fit in 63 bits")?,
        Value::Float(_) | Value::Single(_) => return Err("an offset is an integer"),
        Value::Address(_) => return Err("two addresses can't be added or subtracted"),
    };
    let sum = if negative { address.offset.checked_sub(offset) } else { address.offset.checked_add(offset) };
    Ok(Value::Address(Address { offset: sum.ok_or(OVERFLOW)?, ..address }))
}

fn shift<'a>(operator: Kind, value: Value<'a>, by: u64) -> Result<Value<'a>, Reason> {
    let by = u32::try_from(by).ok().filter(|by| *by < 64).ok_or("a shift by 64 bits or more")?;
    match (operator, value) {
        (Kind::ShiftLeft, Value::Signed(value)) => Ok(Value::Signed(value << by)),
        (Kind::ShiftLeft, value) => Ok(Value::Unsigned(value.bits()? << by)),
        (_, Value::Signed(value)) => Ok(Value::Signed(value >> by)),
        (_, value) => Ok(Value::Unsigned(value.bits()? >> by)),
    }
}

fn float(operator: Kind, left: f64, right: f64) -> Value<'static> {
    match operator {
        Kind::Plus => Value::Float(left + right),
        Kind::Minus => Value::Float(left - right),
        Kind::Star => Value::Float(left * right),
        Kind::Slash => Value::Float(left / right),
        _ => truth(compare(operator, &left, &right)),
    }
}

fn signed(operator: Kind, left: i64, right: i64) -> Result<Value<'static>, Reason> {
    let result = match operator {
        Kind::Plus => left.checked_add(right),
        Kind::Minus => left.checked_sub(right),
        Kind::Star => left.checked_mul(right),
        Kind::Slash if right == 0 => return Err("a division by zero"),
        Kind::Slash => left.checked_div(right),
        _ => return Ok(truth(compare(operator, &left, &right))),
    };
    result.map(Value::Signed).ok_or(OVERFLOW)
}

fn unsigned(operator: Kind, left: u64, right: u64) -> Result<Value<'static>, Reason> {
    Ok(Value::Unsigned(match operator {
        Kind::Plus => left.wrapping_add(right),
        Kind::Minus => left.wrapping_sub(right),
        Kind::Star => left.wrapping_mul(right),
        Kind::Slash => left.checked_div(right).ok_or("a division by zero")?,
        _ => return Ok(truth(compare(operator, &left, &right))),
    }))
}

fn compare<T: PartialOrd>(operator: Kind, left: &T, right: &T) -> bool {
    match operator {
        Kind::Less => left < right,
        Kind::LessEqual => left <= right,
        Kind::Greater => left > right,
        Kind::GreaterEqual => left >= right,
        Kind::Equal => left == right,
        _ => left != right,
    }
}
