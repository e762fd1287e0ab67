"""The numbers that steer and stop a descent: what each may be."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ._function import describe


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, float | int | np.floating | np.integer):
        raise TypeError(f"`{name}` must be a number; it is {describe(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` must be a number that fits float64; it is {describe(value)}") from None


def rate(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0 < number < math.inf:
        raise ValueError(f"`{name}` must be positive and finite; it is {value!r}")
    return number


def share(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"`{name}` must be at least 0 and below 1; it is {value!r}")
    return number


def tolerance(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"`{name}` must be finite and at least 0, which is off; it is {value!r}")
    return number


def count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"`{name}` must be an integer; it is {describe(value)}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}; it is {value}")
    return min(int(value), sys.maxsize)  # more is without end, too


def switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False; it is {describe(value)}")
    return bool(value)


def check_unused(method: str, **given: Any) -> None:
    """What scipy.optimize.minimize passes to every method, and this one has no use for: None or empty."""
    for name, value in given.items():
        if value is not None and not (hasattr(value, "__len__") and len(value) == 0):
            raise ValueError(f"{method} does not take `{name}`; it is {describe(value)}")
