"""What a derivative answers with full_output=True."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Flag(IntFlag):
    """What happened to a component; combine with ``|``, test with ``&``. The values are part of the API."""

    ok = 0
    one_sided = 1  # points on one side only, or on the other side than asked for
    shrunk = 2  # a smaller step, for a bound or because fun was not finite
    nonfinite = 4  # no step gave finite values: the derivative is nan
    fixed = 8  # the bounds leave no room for a step: nan, and fun was not called for it
    kink = 16  # richardson: a kink or a jump at x0, or too close to tell; error is half the difference of the slopes
    noisy = 32  # richardson: fun's values scatter by more than their precision, or its steps tell different things
    low_precision = 64  # fun computes in less than float64


@dataclass(frozen=True)
class DerivativeResult:
    """A derivative and how it came about; returned with full_output=True.

    Attributes
    ----------
    value : ndarray or float
        The derivative, as returned without full_output.
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


def _flags(flag: NDArray[np.intp] | int) -> str:
    """The flagged components by index and name, at most ten."""
    flags = np.asarray(flag)
    flagged = np.argwhere(flags)
    if not len(flagged):
        return "ok"
    if not flags.shape:
        return _names(int(flags))
    shown = [f"[{', '.join(map(str, where))}] {_names(int(flags[tuple(where)]))}" for where in flagged[:10]]
    if len(flagged) > len(shown):
        shown.append(f"and {len(flagged) - len(shown)} more")
    return "; ".join(shown)


def _names(flag: int) -> str:
    return "|".join(str(member.name) for member in Flag if member & flag)
