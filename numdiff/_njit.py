"""Functions that numba compiles, as they are: a C function around an @njit function, made once and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ._function import as_gradient, changed_shape
from ._native import Native, StoppedError
from ._pointer import NUMBERS

# By dispatcher: the address of the C function, its code, and that of the @njit function that it was made from, which
# recompile() replaces. They keep the C code alive, and must not keep the dispatcher.
_made: WeakKeyDictionary[Any, tuple[int, Any, Any]] = WeakKeyDictionary()


@cache
def _numba() -> Any:
    """The module: it made the function, and so is there; a module of numdiff must load without it."""
    import numba

    return numba


@cache
def _point() -> Any:
    """The type of a contiguous array of float64 with one axis."""
    return _numba().types.Array(_numba().types.float64, 1, "C")


class Compiled(Native):
    """An @njit function of an array, which Python calls as it is; C at points with one axis, and without arguments."""

    __slots__ = ("fun",)

    def __init__(self, fun: Any, stopped: Callable[[], bool] | None = None) -> None:
        self.fun, self.m, self.stopped, self.name, self.python = fun, None, stopped, "fun", False

    def __repr__(self) -> str:
        return repr(self.fun)

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        if self.stopped is not None and self.stopped():
            raise StoppedError
        value = self.fun(x, *args, **kwargs)
        if type(value) is float and _returned(_overload(self.fun)) is _numba().types.float32:
            return np.float32(value)  # a float as well for Python, and coarser
        return value

    def lowered(self, m: int, ndim: int) -> Native | None:
        if ndim != 1:
            return None
        types, overload = _numba().types, self._overload()
        kind = _returned(overload)
        several = isinstance(kind, types.Array) and kind.ndim == 1 and kind.dtype is types.float64
        if not several and not (kind is types.float64 and m == 1):
            return None
        made = _made.get(self.fun)
        if made is None or made[2] is not overload.library:
            numbers = types.CPointer(types.float64)
            signature = types.intc(types.intc, numbers, types.intc, numbers, types.voidptr)
            compiled = _numba().cfunc(signature)(_numbers(self.fun) if several else _number(self.fun))
            made = _made[self.fun] = compiled.address, compiled._library, overload.library
        found = _Lowered(NUMBERS, made[0], None, m, (self.fun, made))
        found.stopped = self.stopped
        return found

    def _overload(self) -> Any:
        if not self.fun.overloads and self.fun._can_compile:
            self.fun.compile((_point(),))
        return _overload(self.fun)

    def is_number(self, ndim: int) -> bool:
        return ndim == 1 and _returned(self._overload()) is _numba().types.float64

    def in_range(self, stopped: Callable[[], bool]) -> Native:
        return Compiled(self.fun, stopped)

    def gradient_at(self, shape: tuple[int, ...]) -> Native:
        return _CompiledGradient(self.fun, shape)


class _CompiledGradient(Compiled):
    """The same for a gradient, whose first value tells Python whether it is one."""

    __slots__ = ("shape",)

    def __init__(self, fun: Any, shape: tuple[int, ...]) -> None:
        super().__init__(fun)
        self.shape = shape

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return as_gradient(super().__call__(x, *args, **kwargs), self.shape)


class _Lowered(Native):
    """The C function; where it fails, Python tells why."""

    __slots__ = ()

    def watch(self, x: Any, status: int) -> None:
        if status:
            later = np.size(self.kept[0](x))  # raises what the function raises
            raise changed_shape(self.m or 1, later)
        super().watch(x, status)


def _overload(fun: Any) -> Any:
    """What numba made of fun for a C-contiguous array with one axis, once it was called there; None: unknown."""
    overload = fun.overloads.get((_point(),))
    if overload is None and len(fun.overloads) == 1 and not fun._can_compile:  # of a signature that was asked for
        (overload,) = fun.overloads.values()
    return overload


def _returned(overload: Any) -> Any:
    """The type of its value."""
    return None if overload is None else overload.signature.return_type


def _number(fun: Any) -> Callable[..., int]:
    carray = _numba().carray

    def call(n, x, m, fx, data):  # type: ignore[no-untyped-def]
        try:
            fx[0] = fun(carray(x, (n,)))
        except Exception:
            return 1
        return 0

    return call


def _numbers(fun: Any) -> Callable[..., int]:
    carray = _numba().carray

    def call(n, x, m, fx, data):  # type: ignore[no-untyped-def]
        try:
            values = fun(carray(x, (n,)))
        except Exception:
            return 1
        if values.size != m:
            return 1
        for i in range(m):
            fx[i] = values[i]
        return 0

    return call
