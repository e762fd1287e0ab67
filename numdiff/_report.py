"""The report of a gradient check: the verdict at once, the table when it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np

from ._result import Flag
from ._verdict import DISAGREE, NAMES

_SHOWN: Final = 20
_COLUMNS: Final = ("component", "analytic", "numerical", "difference", "tolerance", "error bar", "step", "flag")


@dataclass(frozen=True)
class Row:
    """One component, or one direction, of a check; all numbers are those of the units of the derivative.

    Attributes
    ----------
    name : str
        "x[3]", "w[3, 2]", the user's name, "direction 1".
    index : int, tuple or str
        As in `GradientReport.wrong`; for a direction its name.
    analytic, numerical, difference, tolerance, error : float
        What jac says and what the differences say, how far they are apart and may be, and the error bar of numerical.
    step : float
        Of the difference.
    method : str
        "forward", "central", "richardson", "one-sided" (at a kink).
    verdict : str
        "agree", "disagree", "inconclusive", "not checked".
    flag : str
        The verdict and what else is to be said: "disagree, kink: slopes -1 and 1".
    """

    name: str
    index: Any
    analytic: float
    numerical: float
    difference: float
    tolerance: float
    error: float
    step: float
    method: str
    verdict: str
    flag: str

    @property
    def excess(self) -> float:
        """The difference over the tolerance; the order of the table."""
        if self.difference != self.difference:
            return np.inf
        return self.difference / self.tolerance if self.tolerance else (np.inf if self.difference else 0.0)


class GradientReport:
    """What `gradcheck` found. True where the verdict is "agree", and only there.

    Attributes
    ----------
    verdict : str
        "agree", "disagree" or "inconclusive": the differences are too noisy to say.
    wrong : list
        The wrong components: int for a 1-D x0, else a tuple (with the value first for a vector function), a path such
        as "w[3, 2]" for a dict. Empty with mode "directional", and where the shape is wrong.
    kind : str or None
        What kind of wrong: "sign", "factor", "transposed", "permuted", "shifted", "summed", "missing", "stale",
        "shape", "nonfinite", "isolated"; None: not known.
    diagnosis : str
        The same in a sentence; "" if there is nothing to say.
    notes : list of str
        What else should be known: that fun is noisy, that not all was checked.
    mode : str
        "full" or "directional".
    nfev, njev : int
        Calls of fun and of jac.
    rows : list of Row
        The components checked, and the directions; the worst first. Built when read.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> report = numdiff.gradcheck(lambda x: x @ x, lambda x: 2 * x, [1.0, 2.0])
    >>> bool(report), report.wrong, report.nfev
    (True, [], 5)
    """

    def __init__(
        self,
        verdict: str,
        wrong: list[Any],
        kind: str | None,
        diagnosis: str,
        notes: list[str],
        mode: str,
        nfev: int,
        njev: int,
        rows: Callable[[], list[Row]],
    ) -> None:
        self.verdict, self.wrong, self.kind, self.diagnosis = verdict, wrong, kind, diagnosis
        self.notes, self.mode, self.nfev, self.njev = notes, mode, nfev, njev
        self._make_rows = rows
        self._rows: list[Row] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: with the rows in place of what would build them."""
        return {**vars(self), "_rows": self.rows, "_make_rows": list}

    def __bool__(self) -> bool:
        return self.verdict == "agree"

    @property
    def rows(self) -> list[Row]:
        if self._rows is None:
            order = {name: place for place, name in enumerate(("disagree", "inconclusive", "agree", "not checked"))}
            self._rows = sorted(self._make_rows(), key=lambda row: (order[row.verdict], -row.excess))
        return self._rows

    @property
    def worst(self) -> Row | None:
        """The first of the rows."""
        return self.rows[0] if self.rows else None

    def headline(self) -> str:
        return f"gradcheck: {self.verdict} ({self.mode}, {self.nfev} evaluations of fun, {self.njev} of jac)"

    def _remarks(self) -> list[str]:
        return [*([self.diagnosis] if self.diagnosis else []), *self.notes]

    def text(self, shown: int = _SHOWN) -> str:
        """The table, at most so many rows of it."""
        cells = [_COLUMNS, *(_cells(row) for row in self.rows[:shown])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self.headline(), *self._remarks()]
        if self.rows:
            for cell in cells:
                inner = "  ".join(text.rjust(width) for text, width in zip(cell[1:-1], widths[1:-1], strict=True))
                lines.append(f"{cell[0]:<{widths[0]}}  {inner}  {cell[-1]}".rstrip())
        if len(self.rows) > shown:
            lines.append(f"... and {len(self.rows) - shown} more")
        return "\n".join(lines)

    __str__ = text

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        def line(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line(_cells(row), "td") for row in self.rows[:_SHOWN])
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self._remarks())
        table = f"<table><thead>{line(_COLUMNS, 'th')}</thead><tbody>{body}</tbody></table>" if self.rows else ""
        return f"<p><b>{escape(self.headline())}</b></p>{remarks}{table}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that json.dumps takes (nan and inf as None)."""
        names = ("verdict", "wrong", "kind", "diagnosis", "notes", "mode", "nfev", "njev")
        whole = {name: getattr(self, name) for name in names}
        return _plain({**whole, "rows": [vars(row) for row in self.rows]})  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value


def _cells(row: Row) -> tuple[str, ...]:
    values = f"{row.analytic:.9g}", f"{row.numerical:.9g}"
    sizes = (f"{number:.2g}" for number in (row.difference, row.tolerance, row.error, row.step))
    return (row.name, *values, *sizes, row.flag)


def flag_text(verdict: int, flag: int, left: float, right: float) -> str:
    """What stands in the last column."""
    said = [NAMES[verdict].upper() if verdict == DISAGREE else NAMES[verdict]]
    for member in Flag:
        if member & flag:
            slopes = member == Flag.kink and left == left
            said.append(f"kink: slopes {left:.6g} and {right:.6g}" if slopes else str(member.name))
    return ", ".join(said)
