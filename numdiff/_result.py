"""What a derivative answers with full_output=True."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from itertools import islice
from typing import Any

import numpy as np


class Flag(IntFlag):
    """What happened to a component; combine with ``|``, test with ``&``. The values are part of the API."""

    ok = 0
    one_sided = 1  # points on one side only, or on the other side than asked for
    shrunk = 2  # a smaller step, for a bound or because fun was not finite
    nonfinite = 4  # no step gave finite values: the derivative is nan
    fixed = 8  # the bounds leave no room for a step: nan, and fun was not called for it
    # a kink or a jump at x0, or too close to tell; error is half the difference of the slopes, of hessian that of the
    # second derivatives; inf where the slope is infinite
    kink = 16
    noisy = 32  # richardson: fun's values scatter by more than their precision, or its steps tell different things
    low_precision = 64  # fun computes in less than float64


@dataclass(frozen=True)
class DerivativeResult:
    """A derivative and how it came about; returned with full_output=True.

    Attributes
    ----------
    value : ndarray or float, or a tree of them
        The derivative, as returned without full_output. Of the structure of x0, where that is a dict, list or tuple of
        arrays; then error, step and flag have it too.
    error : ndarray or float, shape of value
        How far value may be from the true derivative, absolute. With "richardson" measured, rounding included; with
        "central", "forward" and "backward" a cheap bound from the values that fun returned anyway: their rounding (or
        noise), and a truncation error guessed for a fun that varies on the scale of a tenth of max(|x0|, x_scale), not
        a shorter one; with "complex" 16 rounding errors of value.
    step : ndarray or float, shape of value
        The step h used, in the units of x0; negative where it went down, nan where there was none.
    nfev : int
        Number of calls of fun, those included that had to be thrown away.
    method : str
        "forward", "backward", "central", "richardson" or "complex".
    flag : ndarray of int, or int, shape of value
        A `Flag` for each component; 0 is fine.

    Examples
    --------
    >>> import numdiff
    >>> numdiff.gradient(lambda x: x[0]**2, [3.0], full_output=True)
    DerivativeResult
     value: [6.]
     error: [2.9799102e-09]
      step: [1.52587891e-05]
      nfev: 2
    method: central
      flag: ok
    """

    value: Any
    error: Any
    step: Any
    nfev: int
    method: str
    flag: Any

    def __repr__(self) -> str:
        lines = [
            ("value", _indented(self.value)),
            ("error", _indented(self.error)),
            ("step", _indented(self.step)),
            ("nfev", str(self.nfev)),
            ("method", self.method),
            ("flag", _flags(self.flag)),
        ]
        return "\n".join(["DerivativeResult", *(f"{name:>6}: {text}" for name, text in lines)])


def _indented(value: Any) -> str:
    with np.printoptions(threshold=60, edgeitems=2):
        return str(value).replace("\n", "\n" + " " * 8)


def _flags(flag: Any) -> str:
    """The flagged components by place and name, at most ten."""
    shown = [f"{where} {_names(one)}".lstrip() for where, one in islice(_flagged(flag, ""), 11)]
    if len(shown) > 10:
        shown[10] = f"and {sum(1 for _ in _flagged(flag, '')) - 10} more"
    return "; ".join(shown) or "ok"


def _flagged(flag: Any, place: str) -> Iterator[tuple[str, int]]:
    """The flagged components of a tree or an array: where, and the flag."""
    if isinstance(flag, dict | list | tuple):
        for key, part in flag.items() if isinstance(flag, dict) else enumerate(flag):
            yield from _flagged(part, f"{place}[{key!r}]")
    elif flag is not None:
        flags = flag if np.ndim(flag) else np.atleast_1d(flag)  # also a sparse array
        for where in np.transpose(flags.nonzero()):
            index = f"[{', '.join(map(str, where))}]" if np.ndim(flag) else ""
            yield place + index, int(flags[tuple(where)])


def _names(flag: int) -> str:
    return "|".join(str(member.name) for member in Flag if member & flag)
