"""Matplotlib, or an error that names the extra."""

from typing import Any

from .._extra import missing

try:
    import matplotlib.pyplot as plt
except ImportError as error:
    raise missing("numdiff.plot", "Matplotlib", "plot") from error


def new_axes(count: int) -> Any:
    """The axes of a new figure, side by side."""
    return plt.subplots(1, count, figsize=(1.5 + 4.5 * count, 4), layout="constrained")[1]


def axes_for(ax: Any) -> Any:
    """The axes given, or those of a new figure."""
    return new_axes(1) if ax is None else ax
