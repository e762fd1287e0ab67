from collections.abc import Callable
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from ._stencils import Stencil

compiler: str

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
    kept: NDArray[np.float64] | None,
) -> tuple[int, int]: ...
def noise_table(values: NDArray[np.float64]) -> tuple[list[float], list[bool]]: ...
def extrapolate(
    levels: NDArray[np.intp],
    zs: NDArray[np.float64],
    table: NDArray[np.float64],
    bars: NDArray[np.float64],
    z: NDArray[np.float64],
    d: NDArray[np.float64],
    bar: NDArray[np.float64],
    value: NDArray[np.float64],
    error: NDArray[np.float64],
    floor: NDArray[np.float64],
) -> None: ...

@final
class Richardson:
    def __new__(
        cls, x: Any, h: Any, first: Any, longest: Any, one_sided: Any, eps: float, noise: float, m: int
    ) -> Self: ...
    def next(self, index: Any, values: Any, f0: Any, out: Any) -> None: ...
    def results(self, value: Any, error: Any, step: Any, remarks: Any) -> None: ...

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
