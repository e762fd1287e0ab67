"""Difference formulas, as data.

A row is (offsets, weights, scale) and stands for the n-th derivative

    f^(n)(x) ~ sum_j weights[j] f(x + offsets[j] h) / (scale h^n)

where for n = 1 the width times h is the span taken in floating point, (x + offsets[-1] h) - (x + offsets[0] h), and
scale is the denominator of the weights over the width of the row. Offsets ascend; 0 stands for f(x), not evaluated
again. Backward is forward with h < 0.
Source of the weights: B. Fornberg, Mathematics of Computation 51 (1988) 699-706.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import factorial, lcm
from typing import Final, TypeAlias

Stencil: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], float]

# The orders of accuracy to choose from.
CENTRAL_ORDERS: Final = (2, 4, 6, 8)
ONE_SIDED_ORDERS: Final = (1, 2, 3, 4)


def fornberg(offsets: tuple[int, ...], derivative: int) -> list[Fraction]:
    """The weights of the highest order for f^(derivative)(0) from f at the offsets, exact.

    They are derivative! times the coefficients of x^derivative in Lagrange's polynomials.
    """
    weights = []
    for j, at in enumerate(offsets):
        polynomial = [Fraction(1)]  # prod (x - o) / (at - o), lowest power first
        for o in offsets[:j] + offsets[j + 1 :]:
            raised = [Fraction(0), *polynomial]
            polynomial = [(up - o * p) / (at - o) for up, p in zip(raised, [*polynomial, Fraction(0)], strict=True)]
        weights.append(factorial(derivative) * polynomial[derivative])
    return weights


def _row(offsets: tuple[int, ...], derivative: int) -> Stencil:
    """The row of these offsets; those without weight are left out."""
    exact = fornberg(offsets, derivative)
    denominator = lcm(*(weight.denominator for weight in exact))
    used = [(o, weight * denominator) for o, weight in zip(offsets, exact, strict=True) if weight]
    width = used[-1][0] - used[0][0]
    scale = Fraction(denominator, width) if derivative == 1 else Fraction(denominator)
    return tuple(float(o) for o, _ in used), tuple(float(weight) for _, weight in used), float(scale)


@cache
def central(order: int = 2, derivative: int = 1) -> Stencil:
    """Symmetric, of even order: 2, 4, 6, 8."""
    reach = (derivative + 1) // 2 + order // 2 - 1
    return _row(tuple(range(-reach, reach + 1)), derivative)


@cache
def forward(order: int = 1, derivative: int = 1) -> Stencil:
    """To one side, with x itself."""
    return _row(tuple(range(order + derivative)), derivative)


FORWARD: Final[Stencil] = forward(1)
CENTRAL: Final[Stencil] = central(2)
ONE_SIDED: Final[Stencil] = forward(2)  # for central at a bound
