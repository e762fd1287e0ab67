"""python -m numdiff check pkg.mod:fun pkg.mod:jac --at 0.5,1.5; python -m numdiff info."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import numpy as np

from . import gradcheck, show_config
from ._check_options import MODES

EXIT: Final = {"agree": 0, "disagree": 1, "inconclusive": 2}
BAD_USAGE: Final = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_USAGE, f"{self.prog}: error: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m numdiff", description="Check a gradient; show what is installed.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="compare a gradient with finite differences",
        description="Exit status: 0 agree, 1 disagree, 2 cannot tell, 3 bad usage or an exception in fun or jac.",
    )
    check.add_argument("fun", help="pkg.mod:fun")
    check.add_argument("jac", help="pkg.mod:jac")
    check.add_argument(
        "--at",
        required=True,
        help="the point: numbers with commas (--at=-1,2 if it begins with a minus), or a .npy file",
    )
    check.add_argument("--mode", choices=MODES, default="auto")
    check.add_argument("--rtol", type=float)
    check.add_argument("--atol", type=float)
    check.add_argument("--seed", type=int, default=0, help="of the random directions")
    check.add_argument("--strict", action="store_true", help="a subgradient at a kink is no gradient")
    check.add_argument("--json", action="store_true", help="the report as JSON")
    commands.add_parser("info", help="version, backend, compiler, Python, NumPy")
    return parser


def _named(name: str) -> Any:
    """What pkg.mod:attribute names."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"{name!r} is not of the form pkg.mod:name")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{name} is not callable")
    return found


def _point(text: str) -> Any:
    if text.endswith(".npy"):
        return np.load(text, allow_pickle=False)
    return np.array([float(number) for number in text.split(",")])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.command == "info":
        show_config()
        return 0
    try:
        fun, jac, x0 = _named(asked.fun), _named(asked.jac), _point(asked.at)
    except (Exception, SystemExit) as error:  # whatever an import of the user's may raise
        parser.error(f"{type(error).__name__}: {error}")
    try:
        report = gradcheck(
            fun, jac, x0, mode=asked.mode, rtol=asked.rtol, atol=asked.atol, rng=asked.seed, strict=asked.strict
        )
    except (Exception, SystemExit):  # Python's own status for it may be 0 or 1, which are verdicts here
        traceback.print_exc()
        return BAD_USAGE
    try:
        print(json.dumps(report.to_dict(), indent=1) if asked.json else report, flush=True)
    except BrokenPipeError:  # nobody reads on; nor shall Python's last flush fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT[report.verdict]


if __name__ == "__main__":
    sys.exit(main())
