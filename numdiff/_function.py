"""What a user's function may be, what it may be given and what it may return: every rule and message, once.

numdiff's own names accept a number in any wrapping (1.0, a NumPy scalar, 0-d, (1,), (1, 1), [1.0]) and arrays of real
numbers. SciPy's names accept what numpy.atleast_1d makes 1-D, as SciPy does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import Native, recognise

Float = NDArray[np.float64]

_FLOAT64 = np.dtype(np.float64)
_LARGE = np.array(1e300)  # an array: NumPy takes it faster than a number


def bind(
    fun: Any, args: Any, kwargs: Mapping[str, Any] | None, of_array: bool = True
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """fun and args as the kernels take them: fun(x, *args), a tuple, keywords bound; native functions of an array."""
    if of_array:
        fun = recognise(fun)
    if not callable(fun):
        raise TypeError(f"`fun` must be callable; it is {describe(fun)}")
    if not isinstance(args, tuple | list):
        raise TypeError(f"`args` must be a tuple of the further arguments of `fun`; it is {describe(args)}")
    check_kwargs(kwargs)
    if type(fun) is Native:
        fun.check_arguments(args, kwargs)
    if kwargs:
        fun = partial(fun, **kwargs)
    return fun, tuple(args)


def recognise_gradient(jac: Any, x0: ArrayLike, name: str = "jac") -> Any:
    """`jac` as `recognise` returns it: a native one must have as many values as x0 has components."""
    if jac is None or isinstance(jac, bool | str):
        return jac
    size = as_array(x0).size
    jac = recognise(jac, name, size)
    if type(jac) is Native and jac.m != size:
        raise ValueError(f"a native `{name}` must have as many values as `x0` has components, {size}; it has {jac.m}")
    return jac


def check_kwargs(kwargs: Any) -> None:
    if kwargs is not None and not (isinstance(kwargs, Mapping) and all(isinstance(name, str) for name in kwargs)):
        raise TypeError(f"`kwargs` must be a dict with names as keys; it is {describe(kwargs)}")


def as_array(value: Any) -> NDArray[Any]:
    """value as an array; one of objects where it is ragged, with nan where it is masked."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value) and value.dtype.kind in "fiuc":
        return np.ma.filled(value.astype(np.result_type(value.dtype, np.float64)), np.nan)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return np.asarray(float(value))  # also beyond 64 bits
        except OverflowError:
            return np.asarray(math.inf if value > 0 else -math.inf)
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(None)


def as_point(x0: ArrayLike, name: str = "x0") -> tuple[Float, bool]:
    """A private float64 copy of x0, of any shape, and whether all of it is so far from overflow that x + h is finite.

    An error unless it is real and finite.
    """
    if type(x0) is np.ndarray and x0.dtype is _FLOAT64:  # nearly always
        point = x0.copy()
    else:
        if isinstance(x0, np.ma.MaskedArray) and np.ma.is_masked(x0):
            raise ValueError(f"`{name}` is a masked array with masked entries; fill them or leave them out")
        array = as_array(x0)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"`{name}` must be a real number or an array of them; it is {describe(x0)}")
        with np.errstate(over="ignore"):  # longdouble
            point = np.array(array, dtype=np.float64, order="C", subok=False)
    moderate = bool(np.count_nonzero(np.abs(point) < _LARGE) == point.size)
    if not moderate and not np.isfinite(point).all():
        flat = point.reshape(-1)
        where = int(np.flatnonzero(~np.isfinite(flat))[0])
        raise ValueError(f"`{name}` must be finite; {component(name, where, point.shape)} is {flat[where]}")
    return point, moderate


def as_indices(indices: Any, shape: tuple[int, ...]) -> NDArray[np.intp] | None:
    """`indices` as flat coordinates of an x0 of that shape; None means all."""
    if indices is None:
        return None
    size = math.prod(shape)
    array = np.asarray(indices)
    if array.dtype == bool:
        if array.shape != shape:
            raise ValueError(f"`indices`: a mask must have the shape of `x0`, {shape}; it has {array.shape}")
        return np.flatnonzero(array)
    if array.size == 0:
        return np.empty(0, np.intp)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TypeError(f"`indices` must be integers into the flat `x0`, or a mask; they are {describe(indices)}")
    bad = (array < -size) | (array >= size)
    if bad.any():
        raise ValueError(f"`indices` must be from {-size} to {size - 1}; one is {int(array[bad].flat[0])}")
    return np.atleast_1d(array.astype(np.intp) % size)


def as_noise(noise: Any) -> float | None:
    """`noise` as a standard deviation of fun's values; None: "estimate"."""
    if isinstance(noise, str) and noise == "estimate":
        return None
    if isinstance(noise, bool | str) or not isinstance(noise, float | int | np.floating | np.integer):
        raise TypeError(f"`noise` must be a standard deviation, a number >= 0, or 'estimate'; it is {describe(noise)}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"`noise` must be a standard deviation, finite and >= 0; it is {noise!r}")
    return float(noise)


def as_vector(v: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """`v`, flat, of the shape of x0."""
    array = as_array(v)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`v` must be a real number or an array of them; it is {describe(v)}")
    if array.shape != shape:
        raise ValueError(f"`v` must have the shape of `x0`, {shape}; it has {array.shape}")
    flat = array.astype(np.float64).reshape(-1)
    bad = np.flatnonzero(~np.isfinite(flat))
    if bad.size:
        raise ValueError(f"`v` must be finite; {component('v', int(bad[0]), shape)} is {flat[bad[0]]}")
    return flat


def component(name: str, flat_index: int, shape: tuple[int, ...]) -> str:
    """How a message names a component: x0, x0[3] or x0[1, 2]."""
    if not shape:
        return name
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(flat_index, shape))}]"


def one_number(value: Any, name: str = "fun") -> float:
    """What fun returned to gradient, as a float."""
    array = _real(value, name)
    if array.size != 1:
        raise ValueError(
            f"{_gave(name)} one number for a gradient or a Hessian; it {_was(name)} an array of shape {array.shape}. "
            "For a function of several values use numdiff.jacobian"
        )
    return float(array.reshape(()))


def numbers(value: Any, name: str = "fun") -> Float:
    """What fun returned to jacobian, as a new 1-D float64 array."""
    array = _real(value, name)
    if array.ndim > 1 and array.size != 1:
        raise ValueError(f"{_gave(name)} a number or a 1-D array; it {_was(name)} an array of shape {array.shape}")
    with np.errstate(over="ignore"):  # longdouble
        return np.array(array, dtype=np.float64).reshape(-1)


def as_gradient(value: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """What jac returned at a point of that shape, as a flat array of real numbers."""
    if value is None:
        raise TypeError("`jac` returned None; did jac forget to return its value?")
    array = as_array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`jac` must return real numbers; it returned {describe(value)}")
    size = math.prod(shape)
    if array.shape not in (shape, (size,)) and not (size == 1 and array.size == 1):
        flat = "" if shape == (size,) else f" or ({size},)"
        raise ValueError(
            f"`jac` must return the gradient, of shape {shape}{flat}; it returned an array of shape {array.shape}"
        )
    return array.reshape(-1)


def same_number(value: Any) -> float:
    """What fun returned to jacobian in a later call, if its first value was one number."""
    return float(_same(1, numbers(value))[0])


def same_numbers(m: int, value: Any) -> Float:
    """What fun returned to jacobian in a later call: m numbers again."""
    return _same(m, numbers(value))


def complex_numbers(value: Any, scalar: bool) -> NDArray[np.complex128]:
    """What fun returned at a complex point, as a 1-D array; one number if scalar."""
    array = as_array(value)
    if array.dtype.kind not in "fiuc":
        raise TypeError(f"`fun` must return numbers; it returned {describe(value)}")
    if scalar:
        one_number(array.real)
    else:
        numbers(array.real)
    return np.array(array, dtype=np.complex128).reshape(-1)


def at_most_1d(value: Any) -> NDArray[Any]:
    """What fun returned to one of SciPy's names: a new array, at least 1-D, of any dtype."""
    array = np.array(value, ndmin=1)
    if array.ndim > 1:
        raise RuntimeError("`fun` return value has more than 1 dimension.")
    return array


def same_at_most_1d(m: int, value: Any) -> Any:
    """What fun returned to one of SciPy's names in a later call: m real numbers again (a float if m is 1)."""
    if type(value) is np.ndarray and value.dtype is _FLOAT64 and value.shape == (m,):
        return value.item() if m == 1 else value.copy()  # what follows comes to the same, and takes longer
    array = at_most_1d(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`fun` returned {describe(value)} after it had returned real numbers")
    array = _same(m, np.asarray(array, dtype=np.float64))
    return float(array[0]) if m == 1 else array


def dtype_of(value: Any) -> np.dtype[Any]:
    """The dtype of what fun returned: that of float for Python's numbers."""
    dtype = getattr(value, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else np.asarray(value).dtype


def _same(m: int, array: Float) -> Float:
    if array.size != m:
        raise changed_shape(m, array.size)
    return array


def changed_shape(at_first: int, later: int) -> ValueError:
    return ValueError(f"`fun` must return values of one shape; it returned {at_first} at first and {later} later")


def _real(value: Any, name: str = "fun") -> NDArray[Any]:
    if value is None:
        raise TypeError("`fun` returned None; did fun forget to return its value?")
    array = as_array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{_gave(name)} real numbers; it {_was(name)} {describe(value)}")
    return array


def _gave(name: str) -> str:
    return "`fun` must return" if name == "fun" else f"`{name}` must be"


def _was(name: str) -> str:
    return "returned" if name == "fun" else "is"


def describe(value: Any) -> str:
    """A value and its type for an error message, kept short."""
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{text} ({type(value).__name__})"
