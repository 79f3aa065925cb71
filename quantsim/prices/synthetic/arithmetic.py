"""Random numbers and an exponential that are the same, bit for bit, on every machine.

The identity of prices is a hash of their bits. ``numpy.exp`` and the C library may round the last bit differently on another
processor; additions, multiplications and divisions may not (IEEE 754). So all synthetic prices are made from these alone.
"""

from __future__ import annotations

import math

import numpy as np

from quantsim.array_types import FloatArray

__all__ = ["LN2", "exponential", "standard_normals", "stream", "uniforms"]


LN2 = 0.6931471805599453
_LN2_HIGH, _LN2_LOW = (
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
)  # their sum is ln 2; products with _HIGH are exact
_TERMS = [1.0 / math.factorial(power) for power in range(14, -1, -1)]
_GRID = float(2**30)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Returns the random stream of a seed and names, such as those of a quantity and a token."""
    key = int.from_bytes("\n".join(names).encode(), "big")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, key])))


def uniforms(generator: np.random.Generator, n: int) -> FloatArray:
    """Returns ``n`` numbers in [0, 1), (n,). A larger ``n`` does not change the first ones."""
    return generator.random(n)


def standard_normals(generator: np.random.Generator, n: int) -> FloatArray:
    """Returns ``n`` standard normal numbers, (n,), rounded to 2⁻³⁰. A larger ``n`` does not change the first ones.

    NumPy computes those in the tails with the logarithm of the C library, so their last bits are rounded away.
    """
    drawn: FloatArray = np.rint(generator.standard_normal(n) * _GRID) / _GRID
    return drawn


def exponential(values: FloatArray) -> FloatArray:
    """Returns ``exp(values)``, accurate to the last bits, for values between -700 and 700."""
    halvings = np.rint(values / LN2)
    rest = (values - halvings * _LN2_HIGH) - halvings * _LN2_LOW
    total = np.full_like(values, _TERMS[0])
    for term in _TERMS[1:]:
        total = total * rest + term
    return np.asarray(np.ldexp(total, halvings.astype(np.int32)), np.float64)
