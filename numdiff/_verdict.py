"""When an analytic derivative and a numerical one agree: the rule for one component, applied to arrays of them.

    agree         |a - n| <= bar + rtol max(|a|, |n|), and the bar is below 1 % of size
    disagree      |a - n| beyond that, the bar being the best to be had
    inconclusive  else: the difference is too noisy to say

size is the largest of |a|, a thousandth of the largest derivative in the block, and a thousandth of how steep fun is a
little away from x0, so that a derivative of 0 at a minimum can be told.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

AGREE, INCONCLUSIVE, DISAGREE, NOT_CHECKED = range(4)
NAMES: Final = ("agree", "inconclusive", "disagree", "not checked")

RTOL: Final = 1e-6
BAR: Final = 0.01  # of the size: the longest bar that tells anything
SMALL: Final = 1e-3  # of the largest derivative of the block


def tolerance(a: Any, n: Any, bar: Any, rtol: float, atol: float | None) -> Any:
    """How far a and n may be apart; atol takes the place of the error bar."""
    with np.errstate(all="ignore"):
        size = np.abs(n)
        size = np.where(np.isfinite(a), np.fmax(np.abs(a), size), size)
        return (bar if atol is None else atol) + rtol * size


def judge(a: Float, n: Float, bar: Float, size: Float, rtol: float, atol: float | None) -> NDArray[np.int8]:
    """The verdict for each component; bar and size are absolute."""
    with np.errstate(all="ignore"):
        apart = np.abs(a - n)
        far = ~(apart <= tolerance(a, n, bar, rtol, atol))
        telling = bar <= (BAR * size if atol is None else np.maximum(BAR * size, atol))
        verdict = np.where(far, DISAGREE, np.where(telling, AGREE, INCONCLUSIVE))
        if atol is not None:  # between the tolerance and the tolerance with the bar nothing can be said
            verdict[far & (apart <= tolerance(a, n, bar + atol, rtol, None))] = INCONCLUSIVE
        verdict[np.isinf(a) & ~(bar <= BAR * np.abs(n))] = INCONCLUSIVE
    verdict[~np.isfinite(n) | ~np.isfinite(bar)] = INCONCLUSIVE
    verdict[np.isnan(a)] = DISAGREE
    return verdict.astype(np.int8)


def sizes(a: Float, n: Float, blocks: list[slice], steep: Float) -> Float:
    """The size with which the bars are compared, (count, m): see above. steep is (count, m), 0 where not known."""
    size = np.abs(a)
    for block in blocks:
        with np.errstate(all="ignore"):
            by_a, by_n = (np.abs(v[block]).max(axis=0, initial=0.0, where=np.isfinite(v[block])) for v in (a, n))
            # Neither a wild component of jac nor one of the differences shall make the others small.
            largest = np.where((by_a > 0) & (by_n > 0), np.minimum(by_a, by_n), np.maximum(by_a, by_n))
            size[block] = np.fmax(size[block], SMALL * np.maximum(largest, steep[block]))
    return size
