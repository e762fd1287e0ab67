"""The kernels in pure Python: the reference, and what runs where no extension is there.

Twin of src/*.c behind src/_kernels_c.pyx, file by file: same names, same order of operations, same bits, same counts.
numdiff.h is the contract of both. Arguments are trusted: the layer above has checked them.
"""

from .coloring import LARGEST_FIRST, SMALLEST_LAST, color_columns, color_star, order_columns
from .compressed import along, entries, entries_alone
from .descent import (
    BELOW_ERROR,
    DIVERGED,
    FTOL,
    GTOL,
    MAXITER,
    NO_DECREASE,
    NOT_FINITE,
    OBSERVER_ENDED,
    XTOL,
    descend,
    gradient_norm,
    step,
)
from .difference import combine, difference
from .elementwise import NEAR, move, quotient
from .forward import BENT, DOUBTFUL, FINEST, SHORT, settle
from .hessian import hessian_diagonal, hessian_mixed
from .noise import noise_table
from .point import INVALID, NO_STEP, NONFINITE, OVERFLOW, SUSPECT, WRITTEN
from .points import columns, gradients
from .richardson import APART, KINK, NOISY, Richardson

__all__ = [
    "APART",
    "BELOW_ERROR",
    "BENT",
    "DIVERGED",
    "DOUBTFUL",
    "FINEST",
    "FTOL",
    "GTOL",
    "INVALID",
    "KINK",
    "LARGEST_FIRST",
    "MAXITER",
    "NEAR",
    "NOISY",
    "NONFINITE",
    "NOT_FINITE",
    "NO_DECREASE",
    "NO_STEP",
    "OBSERVER_ENDED",
    "OVERFLOW",
    "SHORT",
    "SMALLEST_LAST",
    "SUSPECT",
    "WRITTEN",
    "XTOL",
    "Richardson",
    "along",
    "color_columns",
    "color_star",
    "columns",
    "combine",
    "descend",
    "difference",
    "entries",
    "entries_alone",
    "gradient_norm",
    "gradients",
    "hessian_diagonal",
    "hessian_mixed",
    "move",
    "noise_table",
    "order_columns",
    "quotient",
    "settle",
    "step",
]
