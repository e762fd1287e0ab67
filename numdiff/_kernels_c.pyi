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
def noise_table(values: NDArray[np.float64]) -> tuple[list[float], list[bool]]: ...
