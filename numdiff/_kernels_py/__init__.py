"""The kernels in pure Python: the reference, and what runs where no extension is there.

Twin of src/*.c behind src/_kernels_c.pyx, file by file: same names, same order of operations, same bits, same counts.
numdiff.h is the contract of both. Arguments are trusted: the layer above has checked them.
"""

from .difference import combine, difference
from .elementwise import NEAR, move, quotient
from .hessian import hessian_diagonal, hessian_mixed
from .noise import noise_table
from .point import INVALID, NO_STEP, NONFINITE, OVERFLOW, SUSPECT, WRITTEN
from .richardson import APART, KINK, NOISY, Richardson

__all__ = [
    "APART",
    "INVALID",
    "KINK",
    "NEAR",
    "NOISY",
    "NONFINITE",
    "NO_STEP",
    "OVERFLOW",
    "SUSPECT",
    "WRITTEN",
    "Richardson",
    "combine",
    "difference",
    "hessian_diagonal",
    "hessian_mixed",
    "move",
    "noise_table",
    "quotient",
]
