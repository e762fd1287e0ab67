"""The gradient with default options: in little more than the time of the calls of fun, or by the way of all options.

Most gradients are of a few components and a cheap fun, and what is checked and kept for other options takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from . import _difference
from ._engine import as_workers
from ._function import dtype_of, one_number
from ._native import Native
from ._stencils import CENTRAL, FORWARD
from ._steps import EPS, default_step, eps_of

_RULES: Final = {"central": (CENTRAL, _difference.CENTRAL_STEP), "forward": (FORWARD, default_step(EPS, 1))}
_MOST: Final = 1000  # components: with more, time is no matter, and memory is
_FLOAT64: Final = np.dtype(np.float64)
_NEAR_0: Final = np.array(1e-6)  # there a step to one side may be long beside the distance to 0


def default_gradient(fun: Any, x0: Any, args: Any, method: Any, workers: Any) -> tuple[Any, Any]:
    """The gradient, or None where it takes more care; and then fun, to go on with.

    That care is due to a point that is no float64 array, and values that are of low precision or not finite. fun has
    not been called where it is called first, then, or it answers these calls once more without calling the user's.
    """
    if type(fun) is Native:
        if method != "central" or args or not _difference.is_plain(fun, x0):
            return None, fun
        threads = None if workers is None else as_workers(workers, fun)[0]
        out, _, calls = _difference.plain_gradient(fun, x0.copy(), None, threads)
        return (out if calls > 0 else None), fun
    if (
        workers is not None
        or type(method) is not str
        or method not in _RULES
        or type(x0) is not np.ndarray
        or x0.dtype is not _FLOAT64
        or not x0.flags.c_contiguous
        or not x0.shape
        or type(args) is not tuple
        or not callable(fun)
        or not 0 < x0.size <= _MOST
    ):
        return None, fun
    stencil, relative = _RULES[method]
    x, h = x0.copy(), np.empty(x0.shape)
    if _difference.kernels.move(x, relative, 1.0, 1.0, h):
        return None, fun
    h -= x
    if method == "forward" and np.count_nonzero(np.abs(x) < _NEAR_0):
        return None, fun
    central = method == "central"
    value = fun(_difference.first_point(x, 0, h.item(0), stencil) if central else x.copy(), *args)
    if isinstance(value, float):
        first = float(value)
    else:
        first = one_number(value)
        if eps_of(dtype_of(value)) > EPS:
            return None, _resumed(fun, [value])
    kept = np.empty((x.size, 2 if central else 1, 1))
    f0, prefetched = (None, first) if central else (first, None)
    out, _, remarks = _difference.difference(fun, args, one_number, 1, x, None, h, stencil, f0, prefetched, kept)
    if remarks:
        return None, _resumed(fun, ([] if central else [first]) + kept.reshape(-1).tolist())
    return out.reshape(x0.shape), fun


def _resumed(fun: Callable[..., Any], values: Iterable[Any]) -> Callable[..., Any]:
    """fun, but for its first calls: their values are known."""
    known = iter(values)

    def resumed(x: Any, *args: Any) -> Any:
        for value in known:
            return value
        return fun(x, *args)

    return resumed
