"""What is installed and what runs."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import numpy as np

from . import _backend


def show_config() -> None:
    """Print the version, the backend in use (and why, if it is the fallback), its compiler, Python and NumPy.

    Examples
    --------
    >>> import numdiff
    >>> numdiff.show_config()  # doctest: +ELLIPSIS
    numdiff ...
    """
    reason = f" ({_backend.fallback_reason})" if _backend.fallback_reason else ""
    print(f"numdiff {version('numdiff')}")
    print(f"backend: {_backend.backend}{reason}")
    print(f"kernels: {_backend.kernels.__file__}")
    print(f"compiler: {getattr(_backend.kernels, 'compiler', 'none')}")
    print(f"Python:  {sys.version.split()[0]} ({platform.python_implementation()}, {platform.platform()})")
    print(f"NumPy:   {np.__version__}")
