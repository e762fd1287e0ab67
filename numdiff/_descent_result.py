"""What the descents answer with: one type, and one table of why they ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from . import _kernels_py as kernels

if TYPE_CHECKING:
    from ._objective import Objective

SINGULAR: Final = 8
EPOCHS: Final = 9

# Status: (success, message). The statuses are part of the API.
ENDS: Final = {
    kernels.GTOL: (True, "The norm of the gradient is below `gtol`."),
    kernels.MAXITER: (False, "`maxiter` iterations were made, and no tolerance was met."),
    kernels.XTOL: (True, "The last step is within `xtol`."),
    kernels.FTOL: (True, "The last change of fun is within `ftol`."),
    kernels.NOT_FINITE: (
        False,
        "fun or its gradient is nan or inf at `x`, or at a point after it.",
    ),
    kernels.DIVERGED: (
        False,
        "The steps grow without end; try a smaller `learning_rate` or line_search='backtracking'.",
    ),
    kernels.BELOW_ERROR: (
        False,
        "The norm of the gradient is below its own error; give `jac` or method='richardson', or take a larger `gtol`.",
    ),
    kernels.NO_DECREASE: (False, "No step was found that lowers fun."),
    SINGULAR: (False, "The Hessian is singular, as far as its error lets tell: there is no Newton step."),
    EPOCHS: (True, "All `epochs` were done."),
    kernels.OBSERVER_ENDED: (False, "`callback` asked to stop."),
}


class DescentResult(dict[str, Any]):
    """The result of a descent: a dict whose keys are attributes too, like scipy.optimize.OptimizeResult.

    Attributes
    ----------
    x : ndarray of x0's shape, or float
        The point found.
    fun : float
        fun there.
    jac : ndarray of x0's shape, or float
        The gradient there.
    nit, nfev, njev : int
        Iterations; calls of fun, those for numerical gradients included; gradients.
    success : bool
        Whether a tolerance was met.
    status : int
        0 gtol, 1 maxiter, 2 xtol, 3 ftol, 4 nan or inf, 5 divergence, 6 the gradient is below its own error, 7 no lower
        value was found, 8 a singular Hessian, 9 all epochs done, 99 the callback stopped.
    message : str
        status in words.
    history : dict of ndarray
        With history=True: "x", "fun", "grad_norm", of length nit + 1, the start first. See each function.

    Examples
    --------
    >>> import numdiff
    >>> result = numdiff.gradient_descent(lambda x: x @ x, [1.0, 2.0], jac=lambda x: 2 * x)
    >>> result.success, result["nit"], result.message
    (True, 69, 'The norm of the gradient is below `gtol`.')
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        if not self:
            return "DescentResult()"
        width = max(map(len, self))
        with np.printoptions(threshold=20, edgeitems=2, precision=6):
            lines = []
            for name, value in self.items():
                text = "{" + ", ".join(value) + "}" if isinstance(value, dict) else str(value)
                indent = "\n" + " " * (width + 3)
                lines.append(f"{name:>{width + 1}}: {text}".replace("\n", indent))
        return "\n".join(lines)


def descent_result(
    objective: Objective,
    x: NDArray[np.float64],
    fun: float,
    g: NDArray[np.float64],
    nit: int,
    nfev: int,
    njev: int,
    status: int,
    **more: Any,
) -> DescentResult:
    """The result at x, where fun and its gradient g are known; nfev without the calls for numerical gradients."""
    if objective.has_fun and not math.isfinite(fun):
        status = kernels.NOT_FINITE
    success, message = ENDS[status]
    return DescentResult(
        message=message, success=success, status=status, fun=fun, x=objective.restore(x), nit=nit,
        jac=objective.restore(g), nfev=nfev + objective.nfev, njev=njev, **more,
    )  # fmt: skip
