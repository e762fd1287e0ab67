from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._stencils import Stencil

def difference(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    m: int,
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    stencil: Stencil,
    f0: Any,
    first: Any,
    out: NDArray[np.float64],
) -> tuple[int, int]: ...
def move(x: NDArray[np.float64], relative: float, x_scale: float, offset: float, out: NDArray[np.float64]) -> int: ...
def quotient(
    x: NDArray[np.float64],
    relative: float,
    x_scale: float,
    stencil: Stencil,
    steepest: float,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int: ...
