"""Native functions: what is recognised as one, and how Python calls it.

The C kernels call the address itself, without the GIL; everybody else calls a `Native` like any function of an array.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._interrupts import Interrupts
from ._pointer import (
    NUMBER,
    NUMBER_WITH_DATA,
    NUMBERS,
    SIGNATURES,
    VOID_P,
    data_address,
    is_python,
    kind_of,
    pointer_of,
)

_MOST: Final = 2**31 - 1  # an int of C

_ORDINARY: Final = frozenset((FunctionType, MethodType, BuiltinFunctionType, partial, type))
_PROTOTYPES: Final = (
    ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, VOID_P),
    ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, VOID_P, VOID_P),
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, VOID_P, ctypes.c_int, VOID_P, VOID_P),
)


class Native:
    """A native function, callable with an array: returns a float, or an array of m numbers."""

    __slots__ = ("__weakref__", "_call", "address", "data", "kept", "kind", "m", "name", "python", "stopped")

    def __init__(
        self,
        kind: int,
        address: int,
        data: int | None,
        m: int | None,
        kept: Any,
        name: str = "fun",
        python: bool = False,
    ) -> None:
        self.kind, self.address, self.data, self.name = kind, address, data, name
        self.m = m  # values; None: learnt from the first
        self.kept = kept  # whatever owns the function and its data
        self.python = python  # whether it is known that a Python function is behind it
        self.stopped: Callable[[], bool] | None = None  # set while one range of several is worked on
        self._call: Any = None  # for Python, made when it is needed

    def __repr__(self) -> str:
        return f"<native function '{SIGNATURES[self.kind]}'{f', m={self.m}' if self.kind == NUMBERS else ''}>"

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self.check_arguments(args, kwargs)
        array: NDArray[Any] = np.asarray(x)
        if array.dtype.kind not in "fiu":
            raise TypeError(
                f"a native `{self.name}` takes float64 arrays; it was to be called with one of {array.dtype}"
            )
        array = np.ascontiguousarray(array, np.float64)
        self.check_size(array.size)
        if self.stopped is not None and self.stopped():
            raise StoppedError
        if self._call is None:
            self._call = _PROTOTYPES[self.kind](self.address)
        if not self.python:
            return self._values(array)
        interrupts = Interrupts()
        interrupts.begin()
        try:
            return self._values(array)
        finally:
            interrupts.end()

    def _values(self, array: NDArray[Any]) -> Any:
        if self.kind == NUMBER:
            return self._call(array.size, array.ctypes.data)
        if self.kind == NUMBER_WITH_DATA:
            return self._call(array.size, array.ctypes.data, self.data)
        assert self.m is not None
        values = np.full(self.m, np.nan)
        status = self._call(array.size, array.ctypes.data, self.m, values.ctypes.data, self.data)
        if status:
            self.watch(array, status)
        return values

    def check_size(self, n: int) -> None:
        if n > _MOST:
            raise ValueError(f"`x0` must have at most {_MOST} components for a native `{self.name}`; it has {n}")

    def check_arguments(self, args: Any, kwargs: Any) -> None:
        if args or kwargs:
            raise TypeError(
                f"a native `{self.name}` takes no `args` and no `kwargs`; give it data by numdiff.native(user_data=...)"
            )

    def lowered(self, m: int, ndim: int) -> Native | None:
        """What the C kernels can call for m values at an array with ndim axes; None: only Python can."""
        return self if m == self.m else None

    def gradient_at(self, shape: tuple[int, ...]) -> Callable[..., Any]:
        """This as the gradient at points of that shape, if it is one (see `recognise_gradient`)."""
        return self

    def is_number(self, ndim: int) -> bool:
        """Whether it has one value at an array with ndim axes, a float64; without a call."""
        return self.m == 1

    def watch(self, x: Any, status: int) -> None:
        """Raise if the function returned a status at x, or if the work is to be stopped."""
        if status:
            raise RuntimeError(
                f"a native `{self.name}` stopped with status {status}; 0 means that its values are there"
            )
        if self.stopped is not None and self.stopped():
            raise StoppedError

    def in_range(self, stopped: Callable[[], bool]) -> Native:
        """The same function, which looks every so often whether it is to stop."""
        other = self.named(self.name)
        other.stopped = stopped
        return other

    def named(self, name: str) -> Native:
        """The same function by the name that messages give it."""
        return Native(self.kind, self.address, self.data, self.m, self.kept, name, self.python)


# The LowLevelCallable that was recognised last: to look into it takes as long as a small gradient.
_last: tuple[Any, Any] = None, None


class StoppedError(Exception):
    """Another range has failed; never reaches the user."""


def native(fun: Any, *, m: int | None = None, user_data: Any = None) -> Native:
    """A native function with what its pointer does not tell: its number of values, its data.

    Parameters
    ----------
    fun : scipy.LowLevelCallable, ctypes or cffi function pointer, or numba cfunc
        Of one of the signatures ``double (int n, double *x)``, ``double (int n, double *x, void *user_data)`` and
        ``int (int n, double *x, int m, double *fx, void *user_data)``, which fills fx (what it leaves is nan) and
        returns 0, or another status to stop. x is contiguous, in C order; the function does not write into it, does not
        need the GIL, and is called by several threads at once where `workers` says so.
    m : int, optional
        The number of values, for the last signature; needed there. The others have one.
    user_data : ctypes pointer, structure or array; NumPy array; or cffi pointer, optional
        What the function gets as its last argument; default NULL, or that of the LowLevelCallable. Kept alive.

    Returns
    -------
    callable
        Takes an array and returns a float, or an array of m; numdiff's functions take it as `fun`, and call it without
        Python and without the GIL.

    Raises
    ------
    TypeError
        fun is no native function, or one of another signature; user_data that is none.
    ValueError
        m missing, or wrong; a null pointer; user_data where the signature has none.

    Notes
    -----
    Every function of numdiff recognises such pointers by itself where they need neither m nor user_data. An exception
    in a Python function behind a ctypes pointer or a numba cfunc stays there: these report it and return 0. Only Ctrl-C
    in one behind a ctypes or cffi callback is noted, and is a KeyboardInterrupt after that call.

    Examples
    --------
    >>> import ctypes, numdiff
    >>> product = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double))
    >>> numdiff.gradient(numdiff.native(product(lambda n, x: x[0] * x[1])), [3.0, 2.0])
    array([2., 3.])
    """
    return _made(fun, m, user_data, "fun")


def _made(fun: Any, m: int | None, user_data: Any, name: str) -> Native:
    if isinstance(fun, Native):
        found: tuple[str, int, int | None] = (SIGNATURES[fun.kind], fun.address, fun.data)
        m = fun.m if m is None and fun.kind == NUMBERS else m
        python = fun.python
    else:
        pointer = pointer_of(fun, name)
        if pointer is None:
            raise TypeError(
                f"`{name}` must be a scipy.LowLevelCallable, a ctypes or cffi function pointer, or a numba cfunc (an "
                f"@njit function is taken as it is); it is of type {type(fun).__name__}"
            )
        found, python = pointer, is_python(fun)
    signature, address, data = found
    kind = kind_of(signature, name)
    if not address:
        raise ValueError(f"`{name}` is a null pointer")
    if kind == NUMBERS:
        if m is None:
            raise ValueError(
                f"a native `{name}` '{signature}' does not tell how many values it has: "
                f"give numdiff.native({name}, m=...) in its place"
            )
        if isinstance(m, bool) or not isinstance(m, int | np.integer):
            raise TypeError(f"`m` must be an integer, the number of values; it is {m!r}")
        if not 1 <= m <= _MOST:
            raise ValueError(f"`m` must be from 1 to {_MOST}; it is {m}")
    elif m not in (None, 1):
        raise ValueError(f"`m` must be 1 for a native `{name}` '{SIGNATURES[kind]}', which has one value; it is {m!r}")
    if user_data is not None:
        if kind == NUMBER:
            raise ValueError(f"`user_data` is given, but a native `{name}` '{SIGNATURES[kind]}' takes none")
        data = data_address(user_data)
    return Native(kind, address, data, 1 if m is None else int(m), (fun, user_data), name, python)


def recognise(fun: Any, name: str = "fun", m: int | None = None) -> Any:
    """A `Native` for a native function; anything else as it is.

    name is that of the argument, for messages; m the number of values where that is known, and the pointer needs it.
    """
    global _last
    if type(fun) in _ORDINARY:
        return fun
    if type(fun) is Native:
        return fun if name in ("fun", fun.name) else fun.named(name)
    last = _last  # once: another thread may replace it
    if fun is last[0] and name == "fun":
        return last[1]
    if type(fun).__name__ in ("CPUDispatcher", "Dispatcher") and "numba" in sys.modules:
        from ._njit import Compiled

        return Compiled(fun)
    pointer = pointer_of(fun, name)
    if pointer is None:
        return fun
    found = _made(fun, m if kind_of(pointer[0], name) == NUMBERS else None, None, name)
    if isinstance(fun, tuple) and name == "fun":  # a LowLevelCallable, which cannot change
        _last = fun, found
    return found


def is_native(fun: Any, name: str) -> bool:
    return isinstance(fun, Native) or (type(fun) not in _ORDINARY and pointer_of(fun, name) is not None)
