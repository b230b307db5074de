//! `printf` of kernels: a format and a buffer of arguments, as `vprintf` takes them.

/// Why nothing was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The format, the buffer or a string lies outside of memory.
    Memory,
    /// The format asks for something that `printf` on the device does not have.
    Format(String),
}

/// Bytes a text may have: the most digits that the standard library gives a number.
const LONGEST: usize = u16::MAX as usize - 1;

/// The text of one call, and how many arguments it took. `read` fills a slice from an address, `false` where it can't.
///
/// In the buffer every argument lies at a multiple of its size: integers of 4 or 8 bytes, pointers and doubles of 8.
///
/// # Errors
/// See [`Error`].
pub fn format(
    format: u64,
    buffer: u64,
    read: &mut impl FnMut(u64, &mut [u8]) -> bool,
) -> Result<(Vec<u8>, u32), Error> {
    let format = text(format, read)?;
    let mut out = Vec::new();
    let mut at = 0u64;
    let mut arguments = 0;
    let mut rest = format.as_slice();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = tail;
            continue;
        }
        if let [b'%', tail @ ..] = tail {
            out.push(b'%');
            rest = tail;
            continue;
        }
        let mut take = |bytes: u64| -> Result<u64, Error> {
            at = at.next_multiple_of(bytes);
            let mut raw = [0; 8];
            let read = read(buffer.wrapping_add(at), &mut raw[..bytes as usize]);
            at += bytes;
            arguments += 1;
            if read { Ok(u64::from_le_bytes(raw)) } else { Err(Error::Memory) }
        };
        let (mut spec, tail) = Spec::parse(tail, &mut take)?;
        rest = tail;
        match spec.conversion {
            b's' => {
                let address = take(8)?;
                let mut value = text(address, read)?;
                if let Some(precision) = spec.precision {
                    value.truncate(precision);
                }
                spec.zero = false;
                spec.pad(&mut out, &value, 0);
            }
            _ => spec.number(&mut out, &mut take)?,
        }
        if out.len() > LONGEST {
            return Err(Error::Format(format!("more than {LONGEST} bytes of text")));
        }
    }
    Ok((out, arguments))
}

fn text(address: u64, read: &mut impl FnMut(u64, &mut [u8]) -> bool) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        if !read(address.wrapping_add(bytes.len() as u64), &mut byte) {
            return Err(Error::Memory);
        }
        if byte[0] == 0 {
            return Ok(bytes);
        }
        if bytes.len() == LONGEST {
            return Err(Error::Format(format!("a string of more than {LONGEST} bytes")));
        }
        bytes.push(byte[0]);
    }
}

/// One conversion of a format.
#[derive(Debug, Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternative: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// Bytes of an integer argument.
    bytes: u64,
    conversion: u8,
}

impl Spec {
    fn parse<'f>(
        mut rest: &'f [u8],
        take: &mut impl FnMut(u64) -> Result<u64, Error>,
    ) -> Result<(Self, &'f [u8]), Error> {
        let mut spec = Self { bytes: 4, ..Self::default() };
        while let Some((&flag, tail)) = rest.split_first() {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternative = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            rest = tail;
        }
        let mut number = |rest: &mut &'f [u8]| -> Result<Option<i64>, Error> {
            if let [b'*', tail @ ..] = *rest {
                *rest = tail;
                return Ok(Some(i64::from(take(4)? as i32)));
            }
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let value =
                rest[..digits].iter().fold(0i64, |value, &digit| (value * 10 + i64::from(digit - b'0')).min(100_000));
            *rest = &rest[digits..];
            Ok((digits > 0).then_some(value))
        };
        if let Some(width) = number(&mut rest)? {
            spec.left |= width < 0;
            spec.width = (width.unsigned_abs() as usize).min(LONGEST);
        }
        if let [b'.', tail @ ..] = rest {
            rest = tail;
            // A negative precision is none.
            spec.precision = match number(&mut rest)?.unwrap_or(0) {
                precision if precision < 0 => None,
                precision => Some((precision as usize).min(LONGEST)),
            };
        }
        loop {
            match rest {
                [b'l' | b'j' | b'z' | b't', tail @ ..] => {
                    spec.bytes = 8;
                    rest = tail;
                }
                [b'h', tail @ ..] => rest = tail,
                _ => break,
            }
        }
        let Some((&conversion, tail)) = rest.split_first() else {
            return Err(Error::Format("a format that ends with %".into()));
        };
        spec.conversion = conversion;
        Ok((spec, tail))
    }

    fn number(&self, out: &mut Vec<u8>, take: &mut impl FnMut(u64) -> Result<u64, Error>) -> Result<(), Error> {
        let sign = |negative: bool| match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        match self.conversion {
            b'd' | b'i' => {
                let raw = take(self.bytes)?;
                let value = if self.bytes == 8 { raw as i64 } else { i64::from(raw as i32) };
                let digits = self.digits(value.unsigned_abs().to_string());
                let prefix = sign(value < 0);
                self.pad(out, format!("{prefix}{digits}").as_bytes(), prefix.len());
            }
            b'u' | b'o' | b'x' | b'X' => {
                let value = take(self.bytes)?;
                let (digits, prefix) = match self.conversion {
                    b'u' => (value.to_string(), ""),
                    b'o' => (format!("{value:o}"), if self.alternative { "0" } else { "" }),
                    b'x' => (format!("{value:x}"), if self.alternative && value != 0 { "0x" } else { "" }),
                    _ => (format!("{value:X}"), if self.alternative && value != 0 { "0X" } else { "" }),
                };
                let digits = self.digits(digits);
                self.pad(out, format!("{prefix}{digits}").as_bytes(), prefix.len());
            }
            b'p' => {
                let value = take(8)?;
                self.pad(out, format!("0x{value:x}").as_bytes(), 2);
            }
            b'c' => {
                let value = take(4)?;
                self.pad(out, &[value as u8], 0);
            }
            b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
                let value = f64::from_bits(take(8)?);
                let prefix = sign(value.is_sign_negative() && !value.is_nan());
                let magnitude = magnitude(value.abs(), self.conversion, self.precision, self.alternative);
                if value.is_finite() {
                    self.pad(out, format!("{prefix}{magnitude}").as_bytes(), prefix.len());
                } else {
                    let plain = Self { zero: false, width: self.width, left: self.left, ..Self::default() };
                    plain.pad(out, format!("{prefix}{magnitude}").as_bytes(), 0);
                }
            }
            other => {
                return Err(Error::Format(format!("%{} is not supported", char::from(other))));
            }
        }
        Ok(())
    }

    /// Digits of an integer, at least as many as the precision.
    fn digits(&self, digits: String) -> String {
        match self.precision {
            Some(0) if digits == "0" => String::new(),
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        }
    }

    /// Appends a text, padded to the width: with zeros after the prefix, or with spaces.
    fn pad(&self, out: &mut Vec<u8>, text: &[u8], prefix: usize) {
        let missing = self.width.saturating_sub(text.len());
        let integer = !matches!(self.conversion, b'f' | b'F' | b'e' | b'E' | b'g' | b'G');
        if self.left {
            out.extend(text);
            out.extend(std::iter::repeat_n(b' ', missing));
        } else if self.zero && !(integer && self.precision.is_some()) {
            out.extend(&text[..prefix]);
            out.extend(std::iter::repeat_n(b'0', missing));
            out.extend(&text[prefix..]);
        } else {
            out.extend(std::iter::repeat_n(b' ', missing));
            out.extend(text);
        }
    }
}

/// A number that is not negative, as C prints it.
fn magnitude(value: f64, conversion: u8, precision: Option<usize>, alternative: bool) -> String {
    let upper = conversion.is_ascii_uppercase();
    if !value.is_finite() {
        let name = if value.is_nan() { "nan" } else { "inf" };
        return if upper { name.to_uppercase() } else { name.to_owned() };
    }
    let precision = precision.unwrap_or(6);
    let text = match conversion.to_ascii_lowercase() {
        b'f' => format!("{value:.precision$}"),
        b'e' => scientific(value, precision),
        _ => {
            // The style by the exponent that `%e` would have, and as many digits as the precision in all.
            let significant = precision.max(1);
            let rounded = format!("{value:.*e}", significant - 1);
            let exponent: i32 = rounded.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
            let text = if exponent < -4 || exponent >= significant as i32 {
                scientific(value, significant - 1)
            } else {
                format!("{value:.*}", (significant as i32 - 1 - exponent).max(0) as usize)
            };
            if alternative { text } else { without_trailing_zeros(&text) }
        }
    };
    if upper { text.to_uppercase() } else { text }
}

/// C's form of an exponent: a sign and two digits at least.
fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn without_trailing_zeros(text: &str) -> String {
    let (digits, exponent) = match text.split_once('e') {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (text, None),
    };
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    match exponent {
        Some(exponent) => format!("{digits}e{exponent}"),
        None => digits.to_owned(),
    }
}
