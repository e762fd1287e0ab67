"""Difference formulas, as data.

A row is (offsets, weights, scale) and stands for

    f'(x) ~ sum_j weights[j] f(x + offsets[j] h) / (scale * span),   span = (x + offsets[-1] h) - (x + offsets[0] h)

Offsets ascend; 0, only the first, stands for f(x), not evaluated again. Dividing by the span divides by the step
taken in floating point; scale is the denominator of the weights over the width of the row. Backward is forward with
h < 0.
Source of the weights: B. Fornberg, Mathematics of Computation 51 (1988) 699-706.
"""

from typing import Final, TypeAlias

Stencil: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], float]

FORWARD: Final[Stencil] = ((0.0, 1.0), (-1.0, 1.0), 1.0)
CENTRAL: Final[Stencil] = ((-1.0, 1.0), (-1.0, 1.0), 1.0)
ONE_SIDED: Final[Stencil] = ((0.0, 1.0, 2.0), (-3.0, 4.0, -1.0), 1.0)  # order 2, for central at a bound
