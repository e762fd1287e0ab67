"""The switch: which kernels run, decided once, at import.

NUMDIFF_BACKEND=auto (or unset) takes the C extension where it is installed, else pure Python; =c and =python force
one. Only the absence of the extension falls back: a damaged one raises.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

_CHOICES = ("auto", "c", "python")


def _load(choice: str) -> tuple[str, ModuleType, str]:
    if choice not in _CHOICES:
        raise ImportError(f"NUMDIFF_BACKEND must be one of {', '.join(_CHOICES)}; it is {choice!r}")
    if choice != "python":
        name = f"{__package__}._kernels_c"
        try:
            return "c", importlib.import_module(name), ""
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            if choice == "c":
                raise ImportError(
                    "NUMDIFF_BACKEND=c, but this installation has no compiled extension: no C compiler was found when "
                    "it was built, or it was built with NUMDIFF_BUILD=python, or the source tree is on the path before "
                    "the installed package"
                ) from error
            reason = (
                "no compiled extension here: no C compiler was found when it was built, "
                "or it was built with NUMDIFF_BUILD=python"
            )
    else:
        reason = "NUMDIFF_BACKEND=python"
    return "python", importlib.import_module(f"{__package__}._kernels_py"), reason


# Any: the two kernel modules have one interface, spelt out in _kernels_py.
backend: str
kernels: Any
fallback_reason: str  # "" for "c"
backend, kernels, fallback_reason = _load(os.environ.get("NUMDIFF_BACKEND") or "auto")
