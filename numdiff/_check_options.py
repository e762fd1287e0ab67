"""The options of gradcheck, checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._extra import missing
from ._function import as_array, as_indices, as_noise, describe
from ._verdict import RTOL

Float = NDArray[np.float64]

MODES: Final = ("auto", "full", "directional")
_DIRECTIONS: Final = 3


class Options:
    """All that gradcheck is told beside fun, jac and x0."""

    def __init__(
        self,
        x0: Float,
        mode: str,
        rtol: Any,
        atol: Any,
        names: Any,
        indices: Any,
        directions: Any,
        rng: Any,
        noise: Any,
        strict: bool,
        progress: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {', '.join(map(repr, MODES))}; it is {mode!r}")
        self.rtol = RTOL if rtol is None else _tolerance("rtol", rtol)
        self.atol = None if atol is None else _tolerance("atol", atol)
        self.mode = mode
        self.index = None if indices is None else as_indices(indices, x0.shape)
        if self.index is not None and (mode == "directional" or directions is not None):
            raise ValueError('`indices` are for components one by one: not with mode="directional" or `directions`')
        if names is not None:
            names = [str(name) for name in np.asarray(names, object).reshape(-1)]
            if len(names) != x0.size:
                raise ValueError(
                    f"`names` must be as many as the components of `x0`, {x0.size}; there are {len(names)}"
                )
        self.names: list[str] | None = names
        self.asked = directions
        self.given: Float | None = None
        self.count = _DIRECTIONS
        if isinstance(directions, int | np.integer) and not isinstance(directions, bool):
            if directions < 1:
                raise ValueError(f"`directions` must be at least 1; it is {directions}")
            self.count = int(directions)
        elif directions is not None:
            given = as_array(directions)
            if given.dtype.kind not in "fiu" or given.size == 0 or given.size % max(1, x0.size):
                raise ValueError(
                    f"`directions` must be a number, or arrays of the shape of `x0`; it is {describe(directions)}"
                )
            self.given = given.astype(np.float64).reshape(-1, x0.size)
            if not np.isfinite(self.given).all() or not self.given.any(axis=1).all():
                raise ValueError("`directions` must be finite, and none of them all 0")
        self.seed = rng if isinstance(rng, int) and rng >= 0 else _generator(rng)
        self.noise = 0.0 if noise is None else as_noise(noise)  # None: to be estimated
        self.strict = bool(strict)
        self.tell, self.close = _progress(progress)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


def _generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"`rng` must be an integer >= 0, a numpy.random.Generator or None; it is {describe(rng)}"
        ) from error


def _tolerance(name: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, float | int | np.floating | np.integer)
        or not 0 <= value < math.inf
    ):
        raise ValueError(f"`{name}` must be a finite number >= 0; it is {value!r}")
    return float(value)


def _progress(progress: Any) -> tuple[Callable[[int, int], None] | None, Callable[[], None]]:
    """What to tell of progress, and what to call at the end."""
    if progress is None or progress is False:
        return None, lambda: None
    if progress is not True:
        if not callable(progress):
            raise TypeError(f"`progress` must be True, False or callable; it is {describe(progress)}")
        return progress, lambda: None
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise missing("progress=True", "tqdm", "progress") from error
    bar = tqdm(desc="gradcheck")

    def show(done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.refresh()

    return show, bar.close
