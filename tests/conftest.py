"""Every test that names `backend` (or a fixture that does) runs on both backends; the id says which.

NUMDIFF_BACKEND=c or =python leaves one. A missing extension fails here: the fallback is never tested in its place.
"""

from __future__ import annotations

import importlib
import os
import signal

import hypothesis
import pytest

import numdiff._difference
import numdiff._elementwise

# How long an example takes says nothing on a busy machine, or under a sanitizer.
hypothesis.settings.register_profile("numdiff", deadline=None)
hypothesis.settings.load_profile("numdiff")

CHOSEN = os.environ.get("NUMDIFF_BACKEND") or "auto"
BACKENDS = ["c", "python"] if CHOSEN == "auto" else [CHOSEN]
MODULES = {"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The backend of this test, in place of the one chosen at import."""
    kernels = importlib.import_module(MODULES[request.param])
    for module in (numdiff._difference, numdiff._elementwise):
        monkeypatch.setattr(module, "kernels", kernels)
    return str(request.param)


class Counted:
    """A function that counts its calls and keeps a copy of every x."""

    def __init__(self, fun):
        self.fun = fun
        self.nfev = 0
        self.seen = []

    def __call__(self, x, *args, **kwargs):
        self.nfev += 1
        self.seen.append(x.copy())
        return self.fun(x, *args, **kwargs)


@pytest.fixture
def counted():
    return Counted


@pytest.fixture
def limited():
    """A test that waits for a process that never comes fails after a minute."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(*_):
        raise TimeoutError("the test hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, 60.0, 60.0)  # and again, where it hangs on the way out
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)
