#!/usr/bin/env python3
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""A developer's tasks. `nox` runs what a change must pass, `nox -l` lists the rest, `nox -s lint` runs one.

What follows -- goes to the tool: nox -s tests -- -k bounds
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"

BACKENDS = ["c", "python"]


def install(session: nox.Session, extras: str = "", build: str = "c", *options: str) -> None:
    """Editable, as in the README: else the source tree would shadow the installed package."""
    session.install(*options, "-e", f".{extras}", env={"NUMDIFF_BUILD": build})


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of Python, Cython and C; changes nothing."""
    session.install("ruff", "cython-lint", "clang-format")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("cython-lint", "src")
    session.run("clang-format", "--dry-run", "-Werror", *map(str, c_files()))


@nox.session(name="format", default=False)
def format_(session: nox.Session) -> None:
    """Rewrite Python and C in the style that lint asks for."""
    session.install("ruff", "clang-format")
    session.run("ruff", "check", "--fix-only")
    session.run("ruff", "format")
    session.run("clang-format", "-i", *map(str, c_files()))


def c_files() -> list[Path]:
    return sorted(path for folder in ("src", "tests/c") for path in Path(folder).glob("*.[ch]"))


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, and the stub of the extension against the extension."""
    session.install("mypy")
    install(session)
    session.run("mypy", *session.posargs)
    session.run("stubtest", "--ignore-missing-stub", "numdiff._kernels_c")


@nox.session
def c_tests(session: nox.Session) -> None:
    """Test the C core without Python, under sanitizers (-- default: optimised and without)."""
    session.install("cmake>=3.26")
    for preset in session.posargs or ["sanitize"]:
        session.run("cmake", "--workflow", "--fresh", "--preset", preset)


@nox.session
@nox.parametrize("backend", BACKENDS)
def tests(session: nox.Session, backend: str) -> None:
    """Test the package on one backend; the extension is there in both, as tests compare the two."""
    install(session, "[test]")
    session.run("python", "-m", "pytest", *session.posargs, env={"NUMDIFF_BACKEND": backend})


@nox.session(default=False)
def pure(session: nox.Session) -> None:
    """Install without compiling anything, and run the quickstart."""
    install(session, build="python")
    session.run("python", "-c", "import numdiff; numdiff.show_config(); assert numdiff.backend == 'python'")
    session.run("python", "examples/quickstart.py")


@nox.session(default=False)
@nox.parametrize("backend", BACKENDS)
def scipy_suite(session: nox.Session, backend: str) -> None:
    """Run SciPy's own tests with numdiff's functions in place of SciPy's."""
    install(session, "[test]")
    session.run("python", "tests/scipy_suite.py", *session.posargs, env={"NUMDIFF_BACKEND": backend})


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """Run the Python tests on an extension built with sanitizers (Linux, gcc)."""
    if not shutil.which("gcc"):
        session.skip("needs gcc")
    settings = {
        "cmake.define.NUMDIFF_SANITIZE": "ON",
        "install.strip": "false",  # a report names functions and lines
        "build-dir": f"{session.create_tmp()}/build",  # not the shared one, whose cache would keep the option
    }
    install(session, "[test]", "c", *(f"-C{name}={value}" for name, value in settings.items()))

    # A sanitizer that is not there finds nothing.
    where = "from importlib.util import find_spec; print(find_spec('numdiff._kernels_c').origin)"
    # (on the other backend, as loading it here would fail)
    extension = session.run("python", "-c", where, silent=True, env={"NUMDIFF_BACKEND": "python"})
    if b"__asan_init" not in Path(str(extension).strip()).read_bytes():
        session.error("the extension has been built without AddressSanitizer")

    environment = {
        "LD_PRELOAD": f"{gcc_file('libasan.so')} {gcc_file('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # CPython's own
        "PYTHONMALLOC": "malloc",
        "NUMDIFF_BACKEND": "c",
    }
    # The tests that call the kernels with all they can be given; numba compiles for half a minute here.
    names = (
        "approx coloring compressed derivative derivatives descent difference elementwise forward gradient hessian jvp"
    )
    more = "native noise point points richardson sgd sparse traps vectorized"
    tests = [f"tests/test_{name}.py" for name in [*names.split(), *more.split()]]
    # -s, as pytest would keep the report to itself
    arguments = session.posargs or [*tests, "-k", "not numba and not njit and not scipys_own"]
    session.run("python", "-m", "pytest", "-s", "-q", *arguments, env=environment)


def gcc_file(name: str) -> str:
    return subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time numdiff beside SciPy and statsmodels, and print the table of ratios."""
    install(session, "[bench]")
    session.run("python", "benchmarks/report.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
