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
def hessian_diagonal(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    first: Any,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]: ...
def hessian_mixed(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]: ...
