"""Pointers to native functions: signature, address and data of what ctypes, cffi, SciPy and numba make."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

import numpy as np

# The signatures, by the number that the kernels know them by.
NUMBER, NUMBER_WITH_DATA, NUMBERS = 0, 1, 2
SIGNATURES: Final = (
    "double (int, double *)",
    "double (int, double *, void *)",
    "int (int, double *, int, double *, void *)",
)
_ALLOWED: Final = f"'{SIGNATURES[0]}', '{SIGNATURES[1]}' (one number) or '{SIGNATURES[2]}' (several)"

_FUNCTION_POINTER: Any = ctypes.CFUNCTYPE(None).__bases__[0]
_NEEDS_GIL: Final = 4  # FUNCFLAG_PYTHONAPI of CPython's ctypes.h

_C_NAMES: Final[dict[Any, str]] = {
    ctypes.c_int: "int",
    ctypes.c_double: "double",
    ctypes.POINTER(ctypes.c_double): "double *",
    ctypes.c_void_p: "void *",
}
VOID_P = ctypes.c_void_p

_capsule_pointer: Any = ctypes.PYFUNCTYPE(VOID_P, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_capsule_context: Any = ctypes.PYFUNCTYPE(VOID_P, ctypes.py_object)(("PyCapsule_GetContext", ctypes.pythonapi))


def pointer_of(fun: Any, name: str) -> tuple[str, int, int | None] | None:
    """Signature, address and data of a native function; None for anything else.

    What was never imported cannot have made fun: nothing is imported here.
    """
    scipy = sys.modules.get("scipy._lib._ccallback")
    if scipy is not None and isinstance(fun, scipy.LowLevelCallable):
        capsule = tuple.__getitem__(fun, 0)
        signature = fun.signature
        return signature, _capsule_pointer(capsule, signature.encode()) or 0, _capsule_context(capsule)
    if isinstance(fun, _FUNCTION_POINTER):
        return _from_ctypes(fun, name)
    cffi = _cffi_of(fun)
    if cffi is not None:
        kind = cffi.typeof(fun)
        if kind.kind != "function":
            raise TypeError(f"`{name}` is a cffi {kind.cname!r}, no pointer to a function; allowed are {_ALLOWED}")
        return kind.cname.replace("(*)", " "), _cffi_address(cffi, fun), None
    numba = sys.modules.get("numba.core.ccallback")
    if numba is not None and isinstance(fun, numba.CFunc):
        return _from_ctypes(fun.ctypes, name)
    return None


def _from_ctypes(fun: Any, name: str) -> tuple[str, int, None]:
    if fun._flags_ & _NEEDS_GIL:
        raise TypeError(
            f"`{name}` is a function of ctypes.PyDLL or PYFUNCTYPE, which needs the GIL; use CDLL or CFUNCTYPE"
        )
    if fun.argtypes is None:
        raise TypeError(
            f"`{name}` is a ctypes function without types: set its restype and argtypes; allowed are {_ALLOWED}"
        )
    names = [_C_NAMES.get(kind, getattr(kind, "__name__", str(kind))) for kind in (fun.restype, *fun.argtypes)]
    return f"{names[0]} ({', '.join(names[1:])})", ctypes.cast(fun, VOID_P).value or 0, None


def kind_of(signature: str, name: str) -> int:
    """Which of the signatures; blanks and const do not matter."""
    if signature in SIGNATURES:
        return SIGNATURES.index(signature)

    def bare(text: str) -> str:
        return "".join(word for word in text.replace("*", " * ").replace("(", " ( ").split() if word != "const")

    for kind, allowed in enumerate(SIGNATURES):
        if bare(signature) == bare(allowed):
            return kind
    raise TypeError(f"a native `{name}` must have the signature {_ALLOWED}; it has '{signature}'")


def is_python(fun: Any) -> bool:
    """Whether a Python function is behind fun, as far as ctypes and cffi tell."""
    if isinstance(fun, tuple):  # a LowLevelCallable
        fun = fun.function  # type: ignore[attr-defined]
    if isinstance(fun, _FUNCTION_POINTER):
        return any(type(kept).__name__ == "CThunkObject" for kept in (fun._objects or {}).values())
    return _cffi_of(fun) is not None and type(fun).__name__ == "__CDataOwnGC"


def _cffi_of(value: Any) -> Any:
    """The module cffi stands on, if value is from there."""
    cffi = sys.modules.get("_cffi_backend")
    return cffi if cffi is not None and isinstance(value, cffi._CDataBase) else None


def _cffi_address(cffi: Any, pointer: Any) -> int:
    return int(cffi.cast(cffi.new_primitive_type("uintptr_t"), pointer))


def data_address(data: Any) -> int:
    """The address that stands for user_data."""
    cffi = _cffi_of(data)
    if cffi is not None and cffi.typeof(data).kind in ("pointer", "array"):
        return _cffi_address(cffi, data)
    if isinstance(data, ctypes._Pointer | VOID_P):
        return ctypes.cast(data, VOID_P).value or 0
    if isinstance(data, ctypes.Structure | ctypes.Union | ctypes.Array):
        return ctypes.addressof(data)
    if isinstance(data, np.ndarray) and data.flags.c_contiguous and not data.dtype.hasobject:
        return data.ctypes.data
    raise TypeError(
        "`user_data` must be a ctypes pointer, structure or array (itself, not byref of it), a contiguous NumPy array, "
        f"or a cffi pointer; it is of type {type(data).__name__}"
    )
