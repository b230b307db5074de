//! Half a wave of the cosine, falling from 1 to 0.

use super::Double;

/// `(1 + cos(pi * num / den)) / 2` for `num <= den`, `den` not 0.
///
/// With `a = pi/2 * num/den` that is `cos(a)^2`: `1 - sin(a)^2` in the first half, and `sin(pi/2 - a)^2` in the second,
/// where the small values keep all their digits (`1 + cos` would lose them to cancellation). The sine is its power series
/// on [0, pi/4], up to `x^29/29!` (the next term is below 2^-119 of the first), everything in [`Double`].
///
/// The largest error against a table of 50 digits is half a unit in the last place: the value is the correctly rounded
/// one. 1 for `num` 0, a half in the middle, 0 for `num == den`.
pub(crate) fn half_cosine(num: u64, den: u64) -> f64 {
    let rest = den - num;
    let first_half = num <= rest;
    let quarter_turns = Double::ratio(if first_half { num } else { rest }, den);
    let angle = Double::PI.mul(quarter_turns).scale(-1);
    let sine = sine(angle);
    let square = sine.mul(sine);
    if first_half { Double::from(1.0).sub(square).hi } else { square.hi }
}

/// sin(x) for x in [0, pi/4]: x (1 - x^2/(2*3) (1 - x^2/(4*5) (1 - ...))), innermost first.
fn sine(x: Double) -> Double {
    let square = x.mul(x);
    let one = Double::from(1.0);
    let mut sum = one;
    for i in (1..=14).rev() {
        let divisor = f64::from(2 * i * (2 * i + 1));
        sum = one.sub(square.div(divisor.into()).mul(sum));
    }
    x.mul(sum)
}

#[cfg(test)]
mod tests {
    use super::half_cosine;

    /// Rows `num,den,value`: the value rounded to the nearest f64 from 50 digits, by tests/golden/generate.py.
    #[test]
    fn agrees_with_fifty_digits_bit_for_bit() {
        let table = include_str!("../../tests/golden/half_cosine.csv");
        let mut rows = 0;
        for line in table.lines().skip(1) {
            let mut cells = line.split(',');
            let mut cell = || cells.next().expect("three cells");
            let (num, den) = (cell().parse().expect("num"), cell().parse().expect("den"));
            let want: f64 = cell().parse().expect("value");
            assert_eq!(half_cosine(num, den).to_bits(), want.to_bits(), "half_cosine({num}, {den}), want {want:e}");
            rows += 1;
        }
        assert!(rows > 1000, "{rows} rows");
    }

    #[test]
    fn ends_and_middle_are_exact() {
        for den in [1, 2, 3, 1000, u64::MAX - 1, u64::MAX] {
            assert_eq!(half_cosine(0, den), 1.0);
            assert_eq!(half_cosine(den, den), 0.0);
        }
        for den in [2, 1000, u64::MAX - 1] {
            assert_eq!(half_cosine(den / 2, den), 0.5);
        }
    }

    #[test]
    fn falls_all_the_way() {
        for den in [7u64, 1000, 99_991] {
            for num in 0..den {
                assert!(half_cosine(num + 1, den) < half_cosine(num, den), "{num}/{den}");
            }
        }
    }
}
