from collections.abc import Callable
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from ._native import Native
from ._stencils import Stencil

compiler: str

def difference(
    fun: Callable[..., Any] | NDArray[np.float64],
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
def gradients(
    fun: Native,
    points: NDArray[np.float64],
    relative: float,
    x_scale: float,
    x0: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]: ...
def columns(fun: Native, points: NDArray[np.float64], x0: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
def noise_table(values: NDArray[np.float64]) -> tuple[list[float], list[bool]]: ...

@final
class Richardson:
    def __new__(
        cls, x: Any, h: Any, first: Any, longest: Any, one_sided: Any, eps: float, noise: float, m: int
    ) -> Self: ...
    def next(self, index: Any, values: Any, f0: Any, out: Any) -> None: ...
    def results(self, value: Any, error: Any, step: Any, remarks: Any) -> None: ...

def settle(
    m: int,
    a: NDArray[np.float64],
    rows: NDArray[np.float64],
    h: NDArray[np.float64],
    part: NDArray[np.float64],
    f0: Any,
    values: NDArray[np.float64],
    back: Any,
    eps: float,
    rtol: float,
    doubtful: NDArray[np.bool_],
) -> tuple[int, float]: ...
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
    fun: Callable[..., Any] | NDArray[np.float64],
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
    fun: Callable[..., Any] | NDArray[np.float64],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
    begin: int,
    end: int,
) -> tuple[int, int]: ...
def descend(
    fun: Callable[..., Any],
    gradient: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    gradients: Callable[[Any], Any],
    x0: NDArray[np.float64],
    x: NDArray[np.float64],
    fixed: bool,
    rule: tuple[float, float, bool],
    v: NDArray[np.float64] | None,
    bounds: tuple[Any, Any],
    stops: tuple[int, float, float, float],
    line_search: bool,
    with_values: bool,
    error: NDArray[np.float64] | None,
    work: tuple[Any, Any, Any, Any, Any],
    observe: Callable[..., Any] | None,
    interval: float,
    differences: tuple[Any, ...] | None,
) -> tuple[int, NDArray[np.float64], float, float, int, int, int]: ...
def step(
    x: NDArray[np.float64],
    g: NDArray[np.float64],
    rule: tuple[float, float, bool],
    v: NDArray[np.float64] | None,
    before: NDArray[np.float64],
) -> None: ...
def gradient_norm(g: NDArray[np.float64]) -> float: ...
def order_columns(
    column_begin: NDArray[np.intp],
    rows: NDArray[np.intp],
    row_begin: NDArray[np.intp],
    columns: NDArray[np.intp],
    kind: int,
    out: NDArray[np.intp],
) -> None: ...
def color_columns(
    column_begin: NDArray[np.intp],
    rows: NDArray[np.intp],
    row_begin: NDArray[np.intp],
    columns: NDArray[np.intp],
    order: NDArray[np.intp] | None,
    saturated: bool,
    colors: NDArray[np.intp],
) -> int: ...
def color_star(
    row_begin: NDArray[np.intp],
    columns: NDArray[np.intp],
    order: NDArray[np.intp] | None,
    colors: NDArray[np.intp],
) -> int: ...
def entries_alone(
    row_begin: NDArray[np.intp], columns: NDArray[np.intp], groups: NDArray[np.intp], out: NDArray[np.bool_]
) -> int: ...
def entries(
    row_begin: NDArray[np.intp],
    columns: NDArray[np.intp],
    groups: NDArray[np.intp],
    begin: int,
    stencil: Stencil,
    chosen: NDArray[np.bool_] | None,
    x: NDArray[np.float64],
    h: NDArray[np.float64],
    f0: NDArray[np.float64] | None,
    values: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int: ...
def along(
    row_begin: NDArray[np.intp],
    columns: NDArray[np.intp],
    entries: NDArray[np.float64],
    step: NDArray[np.float64],
    x: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
