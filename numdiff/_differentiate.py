"""First derivatives by differences, for gradient, jacobian and all that is made of them: how a call flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _complex, _richardson
from ._bars import bars
from ._bounds import as_bounds
from ._difference import Run, first_point
from ._domain import Rescue, mended_scale, suspect
from ._engine import MAX_BYTES, engaged, refuse
from ._function import as_indices, as_noise, as_point, bind, check_kwargs, numbers
from ._kernels_py import NONFINITE
from ._native import Native, recognise
from ._noise import OK, estimate_noise
from ._plan import Plan, StepOptions, lost_step, make_plan
from ._result import DerivativeResult, Flag
from ._stencils import CENTRAL_ORDERS, ONE_SIDED_ORDERS
from ._steps import EPS, steps
from ._tree import Tree, as_tree

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

METHODS: Final = {
    "forward": "forward",
    "2-point": "forward",
    "backward": "backward",
    "central": "central",
    "3-point": "central",
    "richardson": "richardson",
    "complex": "complex",
    "cs": "complex",
}
_ORDERS: Final = {
    "forward": ONE_SIDED_ORDERS,
    "backward": ONE_SIDED_ORDERS,
    "central": CENTRAL_ORDERS,
    "richardson": (2,),
    "complex": (2,),
}

_COMPLEX_STEP: Final = 2.0**-66  # about 1e-20: nothing is subtracted, so nothing is lost, and h^2 vanishes
_COMPLEX_ERROR: Final = 16 * EPS
_LONGEST: Final = 0.25  # of max(|x|, x_scale): steps that noise asks for
_WIDENINGS: Final = 2


def method_of(method: Any, allowed: tuple[str, ...] = tuple(METHODS.values())) -> str:
    """The method by numdiff's name."""
    if not isinstance(method, str) or METHODS.get(method) not in allowed:
        names = [name for name, own in METHODS.items() if own in allowed]
        raise ValueError(f"`method` must be one of {', '.join(map(repr, names))}; it is {method!r}")
    return METHODS[method]


def order_of(order: Any, kind: str) -> int:
    """The order of accuracy; None: the lowest."""
    allowed = _ORDERS[kind]
    if order is None:
        return allowed[0]
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order not in allowed:
        text = " or ".join(map(str, allowed))
        raise ValueError(f"`order` must be {text} for method {kind!r}; it is {order!r}")
    return int(order)


def check_options(
    options: dict[str, Any], allowed: tuple[str, ...], methods: tuple[str, ...] = tuple(METHODS.values())
) -> None:
    """The options of a callable, before anything is called."""
    for name in options:
        if name not in allowed:
            raise TypeError(f"unknown option `{name}`; allowed are {', '.join(allowed)}")
    order_of(options.get("order"), method_of(options.get("method", "central"), methods))
    if options.get("noise") is not None:
        as_noise(options["noise"])
    check_kwargs(options.get("kwargs"))


def derivative_callable(
    derivative: Callable[..., Any],
    fun: Callable[..., Any] | None,
    options: dict[str, Any],
    allowed: tuple[str, ...],
    methods: tuple[str, ...] = tuple(METHODS.values()),
) -> Callable[..., Any]:
    """derivative of fun as a callable of x and fun's further arguments."""
    check_options(options, allowed, methods)
    fun = recognise(fun)

    def derivative_at(x: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return derivative(fun, x, args=args, **{**options, "kwargs": {**(options.get("kwargs") or {}), **kwargs}})
        return derivative(fun, x, args=args, **options)

    return derivative_at


@dataclass
class Found:
    """Derivatives by component (count, m), their steps (count,) or (count, m), flags and errors (count, m) or None."""

    run: Run
    kind: str
    rows: Float
    steps: Float
    flags: Integers | None
    errors: Float | Callable[[], Float] | None = None  # or what computes them, where that is needed
    tree: Tree | None = None

    @property
    def error(self) -> Float | None:
        return self.errors() if callable(self.errors) else self.errors

    def gradient(self, indices: Any, full_output: bool) -> Any:
        """The answer for a function of one value: in the structure or the shape of x0, flat by indices."""
        tree, shape = self.tree, self.run.x0.shape
        if indices is not None:
            return self.answer(lambda rows: rows.reshape(-1), full_output)
        if tree is not None:
            return self.answer(lambda rows: tree.unflatten(rows.reshape(-1)), full_output)
        return self.answer(lambda rows: rows.reshape(shape)[()], full_output)

    def answer(self, shaped: Callable[[Any], Any], full_output: bool) -> Any:
        value = shaped(self.rows)
        if not full_output:
            return value
        steps = self.steps if self.steps.ndim == 2 else np.repeat(self.steps[:, None], self.rows.shape[1], axis=1)
        flags = np.zeros(self.rows.shape, np.intp) if self.flags is None else self.flags
        if (self.run.eps or EPS) > EPS:
            flags = flags | Flag.low_precision
        return DerivativeResult(value, shaped(self.error), shaped(steps), self.run.nfev, self.kind, shaped(flags))


def differentiate(
    fun: Any,
    x0: ArrayLike,
    scalar: bool,
    method: str = "central",
    order: int | None = None,
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: Any = None,
    f0: ArrayLike | None = None,
    indices: Any = None,
    noise: float | str | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    workers: Any = None,
    vectorized: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: bool = False,
    with_value: bool = False,
    with_error: bool = False,
    unpack: bool = False,
) -> Found:
    """The derivatives by the chosen components; with_value evaluates fun(x0) in any case.

    x0 may be a tree where fun returns one number (scalar); then everything is that of the flat vector, and so is Found.
    """
    kind = method_of(method)
    if kind == "complex" and not isinstance(fun, Native):
        refuse(f"method {kind!r}", workers=workers)
    order = order_of(order, kind)
    fun, args = bind(fun, args, kwargs)
    tree = as_tree(x0, unpack) if scalar else None
    if tree is not None:
        refuse("a tree as `x0`", vectorized=vectorized)
        fun, x0 = tree.wrap(fun), tree.x0
        rel_step, abs_step, x_scale, bounds = tree.options(rel_step, abs_step, x_scale, bounds)
    point, moderate = as_point(x0)
    options = StepOptions.of_arguments(rel_step, abs_step, x_scale, point.shape)
    limits = as_bounds(bounds, point, moderate)
    index = as_indices(indices, point.shape)
    run = Run(fun, args, point, scalar, f0)
    with engaged(run, workers, vectorized, max_bytes, progress):
        if noise is not None:
            run.noise = noise_level(noise, run, limits)
        if with_value or kind == "richardson" or run.noise:
            run.need_f0()
        if kind == "complex":
            found = _by_complex_step(run, index, options, limits)
        else:
            found = _Differences(run, kind, order, index, options, limits).found(with_error)
    found.tree = tree
    return found


def noise_level(noise: float | str, run: Run, limits: tuple[Float, Float] | None) -> float:
    """`noise`, or where it is "estimate" that of fun near x0; 0, if it cannot be told: steps and bars for rounding.

    Of a function of several values, the root mean square: that of one sum of them with fixed signs.
    """
    given = as_noise(noise)
    if given is not None or run.x0.size == 0:
        return given or 0.0

    def one_value(x: Float) -> float:
        value = numbers(run.fun(x, *run.args))
        signs = np.random.default_rng(0).choice([-1.0, 1.0], value.size)
        return float((signs * value).sum() / value.size**0.5)

    shape = run.x0.shape
    bounds = None if limits is None else (limits[0].reshape(shape), limits[1].reshape(shape))
    found = estimate_noise(one_value, run.x0, bounds=bounds)
    run.nfev += found.nfev
    return found.noise if found.status == OK else 0.0


def precision(run: Run, order: int) -> float:
    """The relative error of fun's values that steps are made for: rounding, or the noise beside |f0|."""
    if not run.noise:
        return run.eps or EPS
    size = np.max(np.abs(run.need_f0()), initial=0.0)
    return float(noisy_precision(run.eps or EPS, run.noise, size, order + 1))


def noisy_precision(eps: float, noise: float, size: Any, power: int) -> Float:
    """The same for values of that size; power: of the step that grows with it."""
    with np.errstate(all="ignore"):
        relative = np.where(size > noise, noise / size, 1.0)
    return np.asarray(np.minimum(np.maximum(eps, relative), _LONGEST**power))


class _Differences:
    """Forward, backward or central differences, and what is made of them."""

    def __init__(
        self,
        run: Run,
        kind: str,
        order: int,
        index: Integers | None,
        options: StepOptions,
        limits: tuple[Float, Float] | None,
    ) -> None:
        self.run, self.kind, self.order, self.index, self.limits = run, kind, order, index, limits
        self.options = self.own = options
        if kind == "richardson":  # a step asked for is that of its first candidate
            self.options = StepOptions(None, None, options.x_scale)
            if not options.default:
                flat = run.x0.reshape(-1)
                first = steps(flat, 0.0, options.rel_step, options.abs_step, options.x_scale)
                reference = _richardson.reference_step(run, first, options.x_scale)
                lost = np.flatnonzero(flat + reference == flat)
                if lost.size and (index is None or np.isin(lost, index).any()):
                    raise lost_step(run.x0, None, flat, reference, options, first)
                self.options = replace(self.options, abs_step=reference)
        self.plan = self._make_plan(self.options)

    def _make_plan(self, options: StepOptions) -> Plan:
        run, kind = self.run, "central" if self.kind == "richardson" else self.kind
        eps = precision(run, self.order)
        return make_plan(kind, self.order, run.x0, self.index, options, self.limits, eps)

    def found(self, with_error: bool) -> Found:
        run, first = self.run, _first_value(self.run, self.plan)
        if (
            run.eps or EPS
        ) > EPS:  # fun is coarser than float64: longer steps, and a first point at the old ones is lost
            self.plan = self._make_plan(self.options)
            first = None
            _first_value(run, self.plan)
        plan = self.plan
        shape = (plan.h.size, 1 if run.m is None else run.m)
        keep = with_error or run.noise > 0 or self.kind == "richardson"
        kept = np.full((shape[0], _calls(plan), shape[1]), np.nan) if keep else None
        if plan.one_sided is None and plan.not_free is None:
            h = plan.h.reshape(run.x0.shape) if self.index is None else plan.h
            rows, remarks = run.difference(self.index, h, plan.stencil, first, kept) if h.size else (np.empty(shape), 0)
        else:
            rows = np.full(shape, np.nan)
            remarks = self._by_groups(plan, rows, kept, first)
        if run.noise and self.own.default:
            assert kept is not None
            plan, remarks = self._widen(rows, kept), NONFINITE
        steps_taken: Float = plan.h
        if plan.not_free is not None:
            steps_taken = np.where(plan.not_free, np.nan, steps_taken)
        flags = None if plan.flags is None else np.repeat(plan.flags[:, None], shape[1], axis=1)
        at_ends = None
        suspects = suspect(run, plan, rows, self.options.of(self.index))
        if (remarks & NONFINITE and not np.isfinite(rows).all()) or suspects is not None:
            steps_taken = np.repeat(steps_taken[:, None], shape[1], axis=1)
            flags = np.zeros(shape, np.intp) if flags is None else flags
            at_ends = np.zeros(shape)
            wanting = ~np.isfinite(rows) if suspects is None else ~np.isfinite(rows) | suspects
            chosen = np.flatnonzero(wanting.any(axis=1))
            rescue = Rescue(run, plan.take(chosen), rows[chosen], steps_taken[chosen], flags[chosen])
            rescue.search(None if suspects is None else suspects[chosen])
            if kept is not None:  # the values behind a mended row are others
                kept[chosen] = np.where((rescue.rows != rows[chosen])[:, None], np.nan, kept[chosen])
            if with_error and self.kind != "richardson":
                at_ends[chosen] = rescue.errors_at_ends(flags[chosen])
            rows[chosen], steps_taken[chosen], flags[chosen] = rescue.rows, rescue.steps, rescue.flags
        if self.kind == "richardson":
            assert kept is not None
            flags = np.zeros(shape, np.intp) if flags is None else flags
            refined = _richardson.refine(run, plan, self.own.of(self.index), rows, steps_taken, flags, kept)
            return Found(run, self.kind, rows, refined[1], flags, refined[0])
        late = partial(self._bars, plan, rows, steps_taken, kept, at_ends) if with_error and kept is not None else None
        return Found(run, self.kind, rows, steps_taken, flags, late)

    def _by_groups(self, plan: Plan, rows: Float, kept: Float | None, first: Any = None) -> int:
        """Differences by the stencils of the plan, into rows and kept; remarks."""
        remarks = 0
        for chosen, stencil in plan.groups():
            part = None
            if kept is not None:
                part = np.empty((chosen.size, sum(offset != 0.0 for offset in stencil[0]), rows.shape[1]))
            found, said = self.run.difference(plan.coordinates[chosen], plan.h[chosen], stencil, first, part)
            rows[chosen] = found
            if kept is not None and part is not None:
                kept[chosen] = np.nan
                kept[chosen[:, None], np.arange(part.shape[1])] = part
            remarks |= said
            first = None
        return remarks

    def _widen(self, rows: Float, kept: Float) -> Plan:
        """Longer steps where a component is smaller than |f| suggests: h^(p+1) = noise / f^(p+1), from what is seen."""
        plan, run = self.plan, self.run
        for _ in range(_WIDENINGS):
            scale = plan.scale(self.options.of(self.index).x_scale)
            with np.errstate(all="ignore"):
                part = np.abs(plan.h) / scale
                ends = kept[:, [0, -1]] - np.reshape(run.f0, -1)
                bend = np.abs(ends.sum(axis=1)) / part[:, None] ** 2 if plan.kind == "central" else 0.0
                size = np.maximum(np.abs(rows) * scale[:, None], bend).max(axis=1, initial=0.0)
                wanted = np.minimum((run.noise / size) ** (1 / (self.order + 1)), _LONGEST) * scale
            longer = np.flatnonzero((wanted > 2 * np.abs(plan.h)) & plan.free)
            if not longer.size:
                break
            h = np.abs(plan.h)
            h[longer] = 2.0 ** np.floor(np.log2(wanted[longer]))
            everywhere = np.ones(run.x0.size)
            everywhere[plan.coordinates] = h
            plan = self._make_plan(StepOptions(None, everywhere, self.options.x_scale))
            part_rows, part_kept = rows[longer], kept[longer]
            self._by_groups(plan.take(longer), part_rows, part_kept)
            rows[longer], kept[longer] = part_rows, part_kept
        return plan

    def _bars(self, plan: Plan, rows: Float, steps_taken: Float, kept: Float, at_ends: Float | None) -> Float:
        """Error bars of single differences; where the step had to be mended, with the size of fun at x0."""
        run = self.run
        scale = plan.scale(self.own.of(self.index).x_scale)[:, None]
        if steps_taken.ndim == 2:
            scale = mended_scale(plan, steps_taken, scale)
        error = np.full(rows.shape, np.nan)
        for chosen, stencil in plan.groups():
            values = [kept[chosen, j] for j in range(sum(offset != 0.0 for offset in stencil[0]))]
            h = steps_taken[chosen] if steps_taken.ndim == 2 else steps_taken[chosen, None]
            x, eps = plan.x[chosen], run.eps or EPS
            error[chosen] = bars(stencil, self.order, x, h, scale[chosen], rows[chosen], values, run.f0, eps, run.noise)
        if at_ends is not None:
            error = np.maximum(error, at_ends)
        return np.where(np.isfinite(rows), error, np.nan)


def _calls(plan: Plan) -> int:
    """The most calls of fun for one component."""
    stencils = [plan.stencil] if plan.one_sided is None else [plan.stencil, plan.side]
    return max(sum(offset != 0.0 for offset in stencil[0]) for stencil in stencils)


def _first_value(run: Run, plan: Plan) -> Any:
    """Make the first call, which tells m and the precision of fun; its value, if the kernels can use it.

    It is fun(x0) where that is needed and not given, else fun at the first stencil point.
    """
    if (plan.kind != "central" or plan.one_sided is not None) and plan.any_free:
        run.need_f0()
    if run.eps is not None:
        return None
    for chosen, stencil in plan.groups():
        return run.evaluate(first_point(run.x0, int(plan.coordinates[chosen[0]]), plan.h[chosen[0]], stencil))
    if run.m is None:  # nothing to differentiate by, but the shape of the answer must be known
        run.need_f0()
    return None


def _by_complex_step(
    run: Run, index: Integers | None, options: StepOptions, limits: tuple[Float, Float] | None
) -> Found:
    plan = make_plan("central", 2, run.x0, index, StepOptions(None, None, options.x_scale), limits, EPS)
    chosen = np.flatnonzero(plan.free)
    own = options.of(index)
    h = steps(plan.x, _COMPLEX_STEP, own.rel_step, own.abs_step, own.x_scale)
    found = _complex.complex_step(run, plan.coordinates[chosen], h[chosen])
    unknown = _complex.verify(run, found, plan, chosen) if chosen.size else np.zeros(0, bool)
    if run.m is None:
        run.need_f0()
    rows = np.full((plan.h.size, 1 if run.m is None else run.m), np.nan)
    rows[chosen] = found.reshape(chosen.size, rows.shape[1])
    if unknown.any():  # fun is not finite around x0
        rows[:, unknown] = np.nan
    flags = np.where(plan.free, 0, int(Flag.fixed))
    flags = np.where(~np.isfinite(rows) & plan.free[:, None], int(Flag.nonfinite), flags[:, None])
    error = _COMPLEX_ERROR * np.abs(rows)
    return Found(run, "complex", rows, np.where(plan.free, h, np.nan), flags, error)
