"""Prints the tables of ../bits.rs from the formulas, independently of the Rust code.

Python's floats are f64 with correctly rounded operations and square roots; cosine and powers come from mpmath with 60
digits, rounded once. Needs mpmath (made with version 1.3.0): python3 bits.py
"""

import math
import struct
from fractions import Fraction

import mpmath

mpmath.mp.dps = 60
LAST = 2**64 - 1


def nearest(value):
    """The nearest f64 to an mpmath number."""
    mantissa, exponent = mpmath.frexp(value)
    return float(Fraction(int(mpmath.floor(mpmath.ldexp(mantissa, 190)))) * Fraction(2) ** (int(exponent) - 190))


def half_cosine(elapsed, steps):
    return nearest(mpmath.sin(mpmath.pi * (steps - elapsed) / (2 * mpmath.mpf(steps))) ** 2)


def power(base, exponent):
    return nearest(mpmath.mpf(base) ** exponent)


def ratio(num, den):
    return mpmath.mpf(num) / den


def noam(n, d_model, warmup, factor):
    width, fall, w = 1.0 / math.sqrt(float(d_model)), 1.0 / math.sqrt(float(n)), float(warmup)
    return factor * (width * min(fall, float(n) * (1.0 / (w * math.sqrt(w)))))


def ramp(n, initial, peak, warmup):
    return initial + (peak - initial) * (float(n) / float(warmup))


def span(elapsed, start, end, steps, share):
    if elapsed == 0:
        return start
    return end if elapsed >= steps else end + (start - end) * share(elapsed)


def inverse_sqrt(n):
    return ramp(n, 1e-7, 5e-4, 4000) if n < 4000 else 5e-4 * math.sqrt(4000.0 / float(n))


def restarts(n):
    elapsed, cycle, length = n - 1, 0, 100
    while elapsed >= length:
        elapsed, cycle, length = elapsed - length, cycle + 1, length * 2
    if n == 1:
        return 1e-3
    return 1e-5 + (1e-3 - 1e-5) * (power(0.8, cycle) * half_cosine(elapsed, length))


def wsd(n, shape):
    if n < 100:
        return ramp(n, 1e-6, 1e-3, 100)
    shares = {
        "Linear": lambda e: float(300 - e) / 300.0,
        "Cosine": lambda e: half_cosine(e, 300),
        "OneMinusSqrt": lambda e: 1.0 - math.sqrt(float(e) / 300.0),
    }
    return span(max(0, n - 500), 1e-3, 1e-5, 300, shares[shape])


def warmed(n):
    rate = ramp(n, 2e-6, 1e-3, 100) if n < 100 else span(n - 100, 1e-3, 0.0, 900, lambda e: half_cosine(e, 900))
    return max(rate, 5e-6)


def table(name, constructor, rate, steps):
    print(f'    check("{name}", {constructor}, &[')
    for n in steps:
        bits = f"{struct.unpack('<Q', struct.pack('<d', rate(n)))[0]:016x}"
        print(f"        ({n}, 0x{'_'.join(bits[i:i + 4] for i in range(0, 16, 4))}),")
    print("    ]);")


print("#[test]\nfn noam() {")
for d, w, f in [(512, 4000, 1.0), (64, 1, 1.0), (512, 400, 2.0), (1024, 8000, 1.0), (300, 6000, 0.7), (32, 10, 1.0)]:
    steps = sorted({1, 2, 3, 7, 100, w - 1, w, w + 1, 5000, 100000, 10**9, LAST} - {0})
    table(f"noam {d} {w} {f}", f"Noam::new({d}, {w}, {f!r}).unwrap()", lambda n: noam(n, d, w, f), steps)
print("}\n\n#[test]\nfn every_other_kind() {")
print("    let wsd = Wsd::new(1e-3, 100, 400, 300).unwrap().with_initial(1e-6).unwrap().with_end(1e-5).unwrap();")
for name, constructor, rate, steps in [
    ("inverse_sqrt", "InverseSqrt::new(5e-4, 4000).unwrap().with_initial(1e-7).unwrap()", inverse_sqrt,
     [1, 2, 3999, 4000, 4001, 10000, 123457, LAST]),
    ("constant", "Constant::new(3e-4).unwrap()", lambda n: 3e-4, [1, LAST]),
    ("linear", "Linear::new(1e-3, 1e-5, 999).unwrap()",
     lambda n: span(n - 1, 1e-3, 1e-5, 999, lambda e: float(999 - e) / 999.0), [1, 2, 334, 500, 999, 1000, LAST]),
    ("polynomial", "Polynomial::new(1e-3, 1e-5, 999, 2.0).unwrap()",
     lambda n: span(n - 1, 1e-3, 1e-5, 999, lambda e: power(ratio(999 - e, 999), 2)), [1, 2, 334, 500, 999, 1000]),
    ("polynomial 0.7", "Polynomial::new(1e-3, 0.0, 12345, 0.7).unwrap()",
     lambda n: span(n - 1, 1e-3, 0.0, 12345, lambda e: power(ratio(12345 - e, 12345), mpmath.mpf(0.7))),
     [1, 2, 334, 5000, 12345, 12346]),
    ("exponential", "Exponential::new(1e-3, 0.96, 1000).unwrap()",
     lambda n: 1e-3 * power(0.96, ratio(n - 1, 1000)), [1, 2, 500, 1001, 5000, 100000]),
    ("exponential staircase", "Exponential::staircase(1e-3, 0.96, 1000).unwrap()",
     lambda n: 1e-3 * power(0.96, (n - 1) // 1000), [1, 1000, 1001, 5000, 100000]),
    ("inverse_time", "InverseTime::new(1e-3, 0.9, 1000).unwrap()",
     lambda n: 1e-3 / (1.0 + 0.9 * (float(n - 1) / 1000.0)), [1, 2, 500, 5000, LAST]),
    ("piecewise", "Piecewise::new(&[1e-3, 5e-4, 1e-4], &[101, 501]).unwrap()",
     lambda n: 1e-3 if n < 101 else 5e-4 if n < 501 else 1e-4, [1, 100, 101, 500, 501, LAST]),
    ("cosine", "Cosine::new(1e-3, 1e-5, 999).unwrap()",
     lambda n: span(n - 1, 1e-3, 1e-5, 999, lambda e: half_cosine(e, 999)), [1, 2, 334, 500, 501, 999, 1000]),
    ("cosine_restarts", "CosineRestarts::new(1e-3, 1e-5, 100, 2, 0.8).unwrap()", restarts,
     [1, 2, 50, 100, 101, 102, 300, 301, 700, 701, 123457]),
]:
    table(name, constructor, rate, steps)
for shape in ["Linear", "Cosine", "OneMinusSqrt"]:
    steps = [1, 99, 100, 500, 501, 600, 650, 799, 800, LAST]
    table(f"wsd {shape}", f"wsd.with_shape(Shape::{shape})", lambda n: wsd(n, shape), steps)
print("}\n\n#[test]\nfn warm_up_and_floor() {")
print("    let spec = Spec::from(Cosine::new(1e-3, 0.0, 900).unwrap()).with_warmup(100).unwrap();")
print("    let spec = spec.with_warmup_initial(2e-6).unwrap().with_floor(5e-6).unwrap();")
table("spec", "spec", warmed, [1, 50, 99, 100, 101, 550, 960, 1000, LAST])
print("}")
