"""What is seen of a descent while it runs: its history, and the user's callback."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._descent_result import DescentResult
from ._function import describe
from ._progress import Progress
from ._stops import switch

Float = NDArray[np.float64]


class Observer:
    """Called at every point with (x, nit, fun, norm of the gradient); True ends the descent.

    Attributes
    ----------
    needs_values : bool
        Whether fun must be evaluated at every point.
    function : callable or None
        What the kernels call, at most once in `interval` seconds if that is not 0.
    """

    def __init__(self, callback: Any, history: Any, restore: Callable[[Float], Any], total: int) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"`callback` must be callable or None; it is {describe(callback)}")
        history = switch("history", history)
        self.callback, self.restore = callback, restore
        self.with_result = callback is not None and _takes_result(callback)
        self.progress = callback if isinstance(callback, Progress) else None
        self.needs_values = history or (self.with_result and self.progress is None)
        self.rows: list[tuple[Any, float, float]] | None = [] if history else None
        if self.progress is not None:
            self.progress.start(total)
        self.interval = self.progress.interval if self.progress is not None and not history else 0.0
        self.function: Callable[..., bool] | None = None
        if self.progress is not None and not history:
            self.function = self.progress.show
        elif callback is not None or history:
            self.function = self

    def __call__(self, x: Float, nit: int, fun: float, norm: float) -> bool:
        if self.rows is not None:
            if nit == 0:
                self.rows.clear()  # a fresh start, where fun had written into x
            self.rows.append((x.copy(), fun, norm))
        if self.callback is None or nit == 0:
            return False
        if self.progress is not None:
            return self.progress.show(x, nit, fun, norm)
        point = self.restore(x.copy())
        try:
            if self.with_result:
                answer = self.callback(intermediate_result=DescentResult(x=point, fun=fun, grad_norm=norm, nit=nit))
            else:
                answer = self.callback(point)
        except StopIteration:
            return True
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def finish(self, nit: int, fun: float) -> dict[str, Any]:
        """What a result has of this: {"history": ...} or nothing."""
        if self.progress is not None:
            self.progress.finish(nit, fun)
        if self.rows is None:
            return {}
        x, values, norms = zip(*self.rows, strict=True)
        return {"history": {"x": np.array(x), "fun": np.array(values), "grad_norm": np.array(norms)}}

    def close(self) -> None:
        if self.progress is not None:
            self.progress.close()


def _takes_result(callback: Callable[..., Any]) -> bool:
    """SciPy's rule: callback(intermediate_result) gets a result, any other its x."""
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except ValueError:  # of some builtins
        return False
