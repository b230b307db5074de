"""Writes half_cosine.csv and power.csv: reference values of 50 digits, rounded once to the nearest f64.

Needs mpmath (made with version 1.3.0): python3 generate.py
"""

import random
from fractions import Fraction

import mpmath

mpmath.mp.dps = 50
rng = random.Random(20170612)


def shortest(value):
    """The nearest f64 to an mpmath number, as the shortest decimal that reads back as it."""
    if value == 0:
        return "0"
    mantissa, exponent = mpmath.frexp(value)
    scaled = int(mpmath.floor(mpmath.ldexp(mantissa, 160)))
    exact = Fraction(scaled) * Fraction(2) ** (int(exponent) - 160)
    return repr(float(exact))  # a Fraction is rounded to nearest


def half_cosine():
    """(1 + cos(pi num / den)) / 2."""
    pairs = {(n, d) for d in (1, 2, 3, 4, 5, 7, 9) for n in range(d + 1)}
    pairs |= {(n, 100) for n in range(101)} | {(n, 900) for n in range(0, 901, 7)}
    pairs |= {(n, 1000) for n in list(range(0, 20)) + list(range(20, 980, 13)) + list(range(980, 1001))}
    for _ in range(800):
        d = rng.randrange(1, 10 ** rng.randrange(1, 19))
        pairs.add((rng.randrange(0, d + 1), d))
    for num, den in sorted(pairs, key=lambda p: (p[1], p[0])):
        # The sine's square is the same number, with no cancellation to cost digits.
        angle = mpmath.pi * (den - num) / (2 * mpmath.mpf(den))
        yield f"{num},{den},{shortest(mpmath.sin(angle) ** 2)}"


def power():
    """base^(num/den), the base an f64; only results in the normal range."""
    cases = [(b, n, d) for b in (0.9, 0.995, 0.3, 0.96, 0.5, 0.1) for n in (0, 1, 2, 3, 99, 500, 999) for d in (1, 1000)]
    for _ in range(1200):
        base = rng.random() if rng.random() < 0.7 else 1.0 - rng.random() * 10 ** -rng.randrange(1, 15)
        cases.append((base, rng.randrange(0, 10 ** rng.randrange(1, 8)), rng.randrange(1, 10 ** rng.randrange(1, 8))))
    for _ in range(100):
        cases.append((rng.random() * 10.0 ** -rng.randrange(1, 300), rng.randrange(0, 100), 100))
    for base, num, den in cases:
        value = mpmath.mpf(base) ** (mpmath.mpf(num) / den)
        if base > 0 and value > mpmath.mpf("2.3e-308"):
            yield f"{base!r},{num},{den},{shortest(value)}"


for name, header, rows in (("half_cosine", "num,den,value", half_cosine()), ("power", "base,num,den,value", power())):
    with open(f"{name}.csv", "w") as out:
        out.write("\n".join([header, *rows]) + "\n")
