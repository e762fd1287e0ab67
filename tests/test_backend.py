"""The switch: which backend runs, and that a named or damaged one never falls back. Each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import numdiff
from numdiff import _backend


def run(code, cwd=None, **environment):
    env = {k: v for k, v in os.environ.items() if k != "NUMDIFF_BACKEND"} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=cwd, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


SHOW = "import numdiff; print(numdiff.backend)"


def test_the_backend_under_test_is_the_one_asked_for():
    chosen = os.environ.get("NUMDIFF_BACKEND") or "auto"
    assert numdiff.backend == ("c" if chosen == "auto" else chosen)
    assert (_backend.fallback_reason == "") == (numdiff.backend == "c")


def test_each_choice():
    assert run(SHOW, NUMDIFF_BACKEND="python")[:2] == (0, "python")
    assert run(SHOW, NUMDIFF_BACKEND="c")[:2] == (0, "c")
    assert run(SHOW, NUMDIFF_BACKEND="auto")[:2] == (0, "c")
    assert run(SHOW, NUMDIFF_BACKEND="")[:2] == (0, "c")
    code, _, error = run(SHOW, NUMDIFF_BACKEND="fortran")
    assert code == 1
    assert "NUMDIFF_BACKEND must be one of auto, c, python; it is 'fortran'" in error


@pytest.fixture
def copy_without_extension(tmp_path):
    """The package as a pure-Python install has it: not the editable one, with its version beside it."""
    package = Path(numdiff.__file__).parent
    shutil.copytree(package, tmp_path / "numdiff", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    return tmp_path


# The editable install's finder wins over the working directory, which python -c puts first: it is taken out.
ALONE = "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in type(f).__module__.lower()]\n"


def test_absence_falls_back_only_if_no_backend_is_named(copy_without_extension):
    code = ALONE + "import numdiff; print(numdiff.backend); numdiff.show_config()"
    status, out, error = run(code, cwd=copy_without_extension)
    assert status == 0, error
    assert out.splitlines()[0] == "python"
    assert str(copy_without_extension) in out
    assert "no C compiler was found when it was built" in out
    status, _, error = run(code, cwd=copy_without_extension, NUMDIFF_BACKEND="c")
    assert status == 1
    assert "ImportError: NUMDIFF_BACKEND=c, but this installation has no compiled extension" in error


def test_a_damaged_extension_raises(copy_without_extension):
    spec = importlib.util.find_spec("numdiff._kernels_c")
    (copy_without_extension / "numdiff" / Path(spec.origin).name).write_bytes(b"not a library")
    for choice in ("auto", "c"):
        status, out, error = run(ALONE + SHOW, cwd=copy_without_extension, NUMDIFF_BACKEND=choice)
        assert status == 1, out
        assert "ImportError" in error
        assert "python" not in out
    assert run(ALONE + SHOW, cwd=copy_without_extension, NUMDIFF_BACKEND="python")[:2] == (0, "python")


def test_show_config(capsys):
    numdiff.show_config()
    out = capsys.readouterr().out
    assert f"numdiff {numdiff.__version__}" in out
    assert f"backend: {numdiff.backend}" in out


def test_import_brings_neither_scipy_nor_the_tests():
    code = "import sys, numdiff; print([m for m in ('scipy', 'pytest', 'multiprocessing.pool') if m in sys.modules])"
    assert run(code)[:2] == (0, "[]")


def test_ctrl_c_stops_a_function_without_python_code():
    code = """
import _thread, signal, threading, numpy as np, numdiff
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
x0 = np.ones(3000)
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    for _ in range(10**4):
        numdiff.gradient(np.add.reduce, x0)
except KeyboardInterrupt:
    print("stopped")
"""
    for backend in ("c", "python"):
        assert run(code, NUMDIFF_BACKEND=backend)[:2] == (0, "stopped")
