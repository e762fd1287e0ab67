"""Descents: the path over contours or a graph, the loss by iteration, and an animation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from numpy.typing import NDArray

from .._function import as_point, bind, one_number
from .._tree import as_tree
from ._figure import axes_for, new_axes

Float = NDArray[np.float64]

_POINTS: Final = 400  # of a graph
_GRID: Final = 101  # of contours, in each direction
_LEVELS: Final = 25
_FRAMES: Final = 100  # at most, of an animation
_MILLISECONDS: Final = 100  # for a frame


def contours(
    fun: Callable[..., Any],
    box: Any = None,
    path: Any = None,
    *,
    args: tuple[Any, ...] = (),
    ax: Any = None,
) -> Any:
    """The contours of a function of two variables, and over them the path of a descent with an arrow for each step.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        Gets a float64 array of shape (2,), its own in each call, and returns a real number. With the path of a descent
        from a dict, list or tuple of arrays it gets such a one, as in the descent.
    box : ((a, b), (c, d)), optional
        a < b for the first variable, c < d for the second. Default: around the path.
    path : result of a descent with history=True, or array_like of shape (k, 2), optional
        The points, first to last.
    args : tuple
        Further arguments of fun.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        With the contours, and for a path a line and the arrows (a quiver).

    Raises
    ------
    TypeError, ValueError
        fun does not return one real number; box or path of another shape, or not finite; neither is given; a result
        without its history.

    Notes
    -----
    10,201 calls of fun: a grid of 101 x 101 points, one by one.

    Examples
    --------
    >>> import numdiff.plot
    >>> ax = numdiff.plot.contours(lambda x: x[0] ** 2 + x[1] ** 2, ((-1, 1), (-1, 1)), [[1, 1], [0.5, 0.5], [0, 0]])
    >>> ax.get_xlim() == (-1, 1)
    True
    """
    fun, args = bind(_of_arrays(fun, path), args, None)
    points = None if path is None else _points(path, 2)
    if box is None:
        if points is None:
            raise ValueError("`box` or `path` must be given, to know what to draw; both are None")
        sides = _around(points)
    else:
        sides, _ = as_point(box, "box")
        if sides.shape != (2, 2) or not (sides[:, 0] < sides[:, 1]).all():
            raise ValueError(f"`box` must be ((a, b), (c, d)) with a < b and c < d; it is {box!r}")
    x, y = (np.linspace(side[0], side[1], _GRID) for side in sides)
    with np.errstate(all="ignore"):
        z = np.array([[one_number(fun(np.array([across, up]), *args)) for across in x] for up in y])

    ax = axes_for(ax)
    ax.contour(x, y, np.ma.masked_invalid(z), _LEVELS, cmap="viridis", linewidths=0.8)
    if points is not None:
        _draw_path(ax, points)
    ax.set_xlim(sides[0])
    ax.set_ylim(sides[1])
    return ax


def descent(result: Any, *, axes: Any = None) -> Any:
    """The loss and the norm of the gradient against the iteration.

    Parameters
    ----------
    result : result of a descent with history=True
    axes : two matplotlib Axes, optional
        Where to draw: the loss on the first, the norm on the second, on a logarithmic scale.

    Returns
    -------
    the two Axes

    Raises
    ------
    ValueError
        A result without its history.

    Notes
    -----
    Calls no function.

    Examples
    --------
    >>> import numpy as np, numdiff.plot
    >>> history = {"x": np.zeros((3, 1)), "fun": np.array([4.0, 1.0, 0.5]), "grad_norm": np.array([4.0, 2.0, 1.0])}
    >>> loss, norm = numdiff.plot.descent({"history": history})
    >>> norm.get_yscale()
    'log'
    """
    history = _history(result)
    if axes is None:
        axes = new_axes(2)
    loss, norm = axes
    for ax, name, label in ((loss, "fun", "loss"), (norm, "grad_norm", "norm of the gradient")):
        values = np.asarray(history[name], dtype=np.float64)
        ax.plot(np.arange(len(values)), values, marker="." if len(values) <= _FRAMES else None)
        ax.set_xlabel("iteration")
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
    if np.any(np.asarray(history["grad_norm"]) > 0):
        norm.set_yscale("log")
    return axes


def animate(
    result: Any,
    fun: Callable[..., Any],
    box: Any = None,
    *,
    file: str | Path | None = None,
    args: tuple[Any, ...] = (),
    ax: Any = None,
) -> FuncAnimation:
    """A descent in one or two variables as an animation: the path grows over the graph or the contours of fun.

    Parameters
    ----------
    result : result of a descent with history=True
    fun : callable ``fun(x, *args)``
        The function that went down; gets a float64 array of shape (2,), or of one variable of x0's shape, or what the
        descent gave it, as in `contours`.
    box : (a, b) or ((a, b), (c, d)), optional
        What to show: of the one variable, or of the two. Default: around the path.
    file : path that ends in .gif or .html, optional
        Save the animation there. A page of HTML has buttons, and all pictures in it.
    args : tuple
        Further arguments of fun.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Keep it as long as it shall run. Jupyter shows it by ``IPython.display.HTML(animation.to_jshtml())``.

    Raises
    ------
    TypeError, ValueError
        As `contours`; a result of more than two variables; a file with another ending.

    Notes
    -----
    Calls of fun: 400 for one variable, 10,201 for two. At most 100 frames, evenly chosen, with the first and the last.

    Examples
    --------
    >>> import numpy as np, numdiff.plot
    >>> x = 0.5 ** np.arange(6)[:, None]
    >>> history = {"x": x, "fun": x[:, 0] ** 2, "grad_norm": 2 * x[:, 0]}
    >>> page = numdiff.plot.animate({"history": history}, lambda x: x[0] ** 2).to_jshtml()
    >>> "<input" in page
    True
    """
    ending = None if file is None else Path(file).suffix.lower()
    if ending not in (None, ".gif", ".html"):
        raise ValueError(f"`file` must end in .gif or .html; it is {str(file)!r}")
    values, fun = np.asarray(_history(result)["fun"], dtype=np.float64), _of_arrays(fun, result)
    points, shape = _points(result), np.shape(_history(result)["x"])[1:]
    if points.shape[1] not in (1, 2):
        raise ValueError(f"`result` must be of one or two variables to be animated; it has {points.shape[1]}")
    if points.shape[1] == 2:
        ax = contours(fun, _around(points) if box is None else box, args=args, ax=ax)
    else:
        ax = _graph(fun, shape, points, box, args, ax)
        points = np.column_stack([points, values])
    (line,) = ax.plot([], [], ".-", color="tab:red", linewidth=1, markersize=4)
    (here,) = ax.plot([], [], "o", color="tab:red")
    last = len(points) - 1
    frames = np.unique(np.linspace(0, last, min(last + 1, _FRAMES)).round().astype(int))

    def show(k: int) -> tuple[Any, ...]:
        line.set_data(points[: k + 1, 0], points[: k + 1, 1])
        here.set_data(points[k : k + 1, 0], points[k : k + 1, 1])
        return line, here, ax.set_title(f"iteration {k}: loss {values[k]:.6g}")

    animation = FuncAnimation(ax.figure, show, frames=frames.tolist(), interval=_MILLISECONDS)
    if file is not None and ending == ".gif":
        animation.save(file, writer=PillowWriter(fps=1000 // _MILLISECONDS))
    elif file is not None:
        with plt.rc_context({"animation.embed_limit": math.inf}):  # else Matplotlib drops frames beyond 20 MB
            Path(file).write_text(animation.to_jshtml(), encoding="utf-8")
    return animation


def _history(result: Any) -> Any:
    """The history of a descent's result, or an error that says how to get one."""
    try:
        history = result["history"]
    except (KeyError, TypeError, IndexError):
        history = None
    if not isinstance(history, dict):
        raise ValueError("`result` has no history; call the descent with history=True")
    return history


def _of_arrays(fun: Any, result: Any) -> Any:
    """fun of the flat array that the history has, where the result is of a descent from a tree."""
    tree = as_tree(result.get("x")) if isinstance(result, dict) else None
    return fun if tree is None else tree.wrap(fun)


def _points(path: Any, variables: int | None = None) -> Float:
    """The points of a result, or of an array, as (k, n)."""
    is_array = isinstance(path, np.ndarray | list | tuple)
    points, _ = as_point(path if is_array else _history(path)["x"], "path")
    if not is_array and points.ndim == 1:  # x0 was a number
        points = points[:, None]
    if points.ndim != 2 or not len(points) or variables not in (None, points.shape[1]):
        raise ValueError(f"`path` must be of shape (k, {variables or 'n'}), a point in each row; it is {points.shape}")
    return points


def _around(points: Float) -> Float:
    """(low, high) of each variable, with room on both sides, square in shape where there are two."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    reach = 0.7 * np.max(high - low) or 1.0
    middle = (low + high) / 2
    return np.column_stack([middle - reach, middle + reach])


def _draw_path(ax: Any, points: Float) -> None:
    steps = np.diff(points, axis=0)
    ax.plot(*points.T, ".-", color="tab:red", linewidth=1, markersize=4)
    ax.quiver(
        *points[:-1].T, *steps.T, angles="xy", scale_units="xy", scale=1, color="tab:red", width=0.005, zorder=3
    )  # fmt: skip


def _graph(fun: Any, shape: tuple[int, ...], points: Float, box: Any, args: tuple[Any, ...], ax: Any) -> Any:
    """The graph of a function of an array of one number, of that shape."""
    sides, _ = as_point(_around(points)[0] if box is None else box, "box")
    if sides.shape != (2,) or not sides[0] < sides[1]:
        raise ValueError(f"`box` must be (a, b) with a < b; it is {box!r}")
    fun, args = bind(fun, args, None)
    x = np.linspace(sides[0], sides[1], _POINTS)
    with np.errstate(all="ignore"):
        y = [one_number(fun(np.full(shape, at), *args)) for at in x]
    ax = axes_for(ax)
    ax.plot(x, y, color="0.4")
    ax.set_xlim(sides)
    return ax
