# cython: language_level=3, binding=True, autotestdict=False, freethreading_compatible=True
"""The kernels in C: the thin door between Python functions and numdiff.h. Twin of _kernels_py."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.limits cimport INT_MAX
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove, memset

from numdiff cimport (
    ND_WRITTEN, nd_along, nd_call_native, nd_call_natives, nd_call_numerical, nd_color_columns, nd_color_saturated,
    nd_color_star, nd_columns, nd_descend, nd_descent, nd_difference, nd_entries, nd_entries_alone, nd_gradient_norm,
    nd_gradients, nd_hessian_diagonal, nd_hessian_mixed, nd_limit, nd_move, nd_native, nd_natives, nd_noise_table,
    nd_number, nd_number_with_data, nd_numbers, nd_numerical, nd_order_columns, nd_point, nd_quotient, nd_richardson,
    nd_richardson_next, nd_settle, nd_stencil, nd_step, nd_structure,
)

from types import FunctionType

from numpy import float64

from ._interrupts import Interrupts
from ._native import Native
from ._pointer import NUMBER, NUMBER_WITH_DATA


cdef extern from *:
    """
    #if defined(__clang__)
    #define ND_COMPILER __VERSION__
    #elif defined(__GNUC__)
    #define ND_COMPILER "GCC " __VERSION__
    #elif defined(_MSC_VER)
    #define ND_COMPILER "MSVC"
    #else
    #define ND_COMPILER "unknown"
    #endif
    """
    const char *ND_COMPILER


compiler = ND_COMPILER.decode("ascii", "replace")

cdef object number = float64  # a float by itself, which PyFloat_Check takes longer to see


cdef extern from "Python.h":
    bint PyFloat_Check(object)
    PyObject *Py_TYPE(object)
    double PyFloat_AsDouble(object) except? -1.0
    Py_ssize_t Py_REFCNT(object)


cdef struct Layout:
    # How NumPy's arrays begin after the head that every object has; its ABI has kept this since 2006.
    char *data
    int nd
    Py_ssize_t *shape
    Py_ssize_t *strides
    PyObject *base
    PyObject *descr
    int flags


cdef enum:
    MOST_DIMENSIONS = 64
    MOST_ARRAYS = 12  # lent by one call
    MOST_POINTS = 16  # of a stencil
    MOST_VALUES = 64  # of a noise table
    READABLE = 0x101  # flags of NumPy's arrays: C-contiguous and aligned


cdef class Evaluation:
    """A Python function around one point, and the arrays lent to C for as long as this lives."""
    cdef object fun, values, first, x0
    cdef object x         # the array fun sees; its memory is point.x
    cdef tuple args
    cdef tuple call       # what fun is called with: (x, *args)
    cdef nd_point point
    cdef Py_buffer x_view
    cdef Layout *layout   # of x
    cdef Layout layout_shared
    cdef Py_ssize_t sizes[2 * MOST_DIMENSIONS]
    cdef Py_buffer views[MOST_ARRAYS]
    cdef int lent
    cdef bint fixed       # x must not be exchanged
    cdef bint python      # fun is a Python function, and so lets signals in itself
    cdef nd_native native
    cdef bint no_gil      # fun is native: the loop needs no GIL
    cdef object interrupts  # in a native function that is a Python one behind its pointer
    cdef double first_value
    cdef const double[::1] first_values
    cdef const double[:, ::1] known  # in place of fun: the values of its calls

    def __cinit__(self, fun, tuple args, values, ptrdiff_t m, x0, first):
        self.fun = fun
        self.args = args
        self.values = values
        self.first = first
        self.x0 = x0
        self.python = type(fun) is FunctionType
        self.point.function = evaluate
        self.point.context = <void *>self
        self.point.m = m
        self.point.x0 = self.lend(x0, PyBUF_SIMPLE)
        self.point.n = self.views[0].len // <Py_ssize_t>sizeof(double)
        self.share(x0.copy())
        if isinstance(fun, Native) and not args:
            self.lower(fun.lowered(m, x0.ndim))
        elif type(fun) is type(x0):
            self.known = fun
            if self.known.shape[1] != m:
                raise ValueError("values have the wrong size")
            self.point.function = next_known

    cdef int lower(self, native) except -1:
        """Let C call the native function itself; None: it cannot."""
        if native is None:
            return 0
        if self.point.n > INT_MAX:
            native.check_size(self.point.n)
        if self.point.m != 1 and self.first is not None:
            self.first_values = self.first
            self.native.first = &self.first_values[0]
        elif self.first is not None:
            self.first_value = self.first
            self.native.first = &self.first_value
        address_native(&self.native, native)
        self.native.watch = watch
        self.native.context = <void *>self
        if native.python:
            self.interrupts = Interrupts()
        self.fun = native
        self.no_gil = True
        self.point.function = nd_call_native
        self.point.context = &self.native
        return 0

    cdef int begin(self) except -1:
        """Before a loop, after which comes end() in any case."""
        if self.interrupts is not None:
            self.interrupts.begin()
        return 0

    cdef int end(self) except -1:
        if self.interrupts is not None:
            self.interrupts.end()
        return 0

    cdef int look(self) except -1:
        """What may have come during a loop: Ctrl-C."""
        PyErr_CheckSignals()
        if self.interrupts is not None:
            self.interrupts.check()
        return 0

    def __dealloc__(self):
        cdef int i
        for i in range(self.lent):
            PyBuffer_Release(&self.views[i])
        if self.x is not None:
            PyBuffer_Release(&self.x_view)

    cdef double *lend(self, array, int flags) except NULL:
        """The memory of a contiguous array."""
        PyObject_GetBuffer(array, &self.views[self.lent], flags)
        self.lent += 1
        return <double *>self.views[self.lent - 1].buf

    cdef int lend_coordinates(self, ptrdiff_t count, index, const ptrdiff_t **index_data, one_sided,
                              const unsigned char **one_sided_data) except -1:
        """index and one_sided of the kernels for second derivatives, each of count elements or None."""
        if index is not None:
            index_data[0] = <const ptrdiff_t *>self.lend(index, PyBUF_SIMPLE)
            if self.views[self.lent - 1].len != count * <Py_ssize_t>sizeof(ptrdiff_t):
                raise ValueError("index has the wrong size")
        elif count != self.point.n:
            raise ValueError("h has the wrong size")
        if one_sided is not None:
            one_sided_data[0] = <const unsigned char *>self.lend(one_sided, PyBUF_SIMPLE)
            if self.views[self.lent - 1].len != count:
                raise ValueError("one_sided has the wrong size")
        return 0

    cdef int share(self, x) except -1:
        """Let point.x be the memory of x, an array with the values that point.x has now."""
        cdef Py_buffer view
        PyObject_GetBuffer(x, &view, PyBUF_WRITABLE)
        if self.x is not None:
            PyBuffer_Release(&self.x_view)
        self.x_view = view
        self.x = x
        self.call = (x, *self.args)
        self.point.x = <double *>view.buf
        self.layout = <Layout *>(<char *><PyObject *>x + sizeof(PyObject))
        self.layout_shared = self.layout[0]
        if self.layout.data != view.buf or self.layout.nd > MOST_DIMENSIONS:
            raise RuntimeError("numdiff does not know this NumPy's arrays; set NUMDIFF_BACKEND=python")
        cdef int d
        for d in range(self.layout.nd):
            self.sizes[2 * d] = self.layout.shape[d]
            self.sizes[2 * d + 1] = self.layout.strides[d]
        return 0

    cdef const double *numbers(self, result, ptrdiff_t m) noexcept:
        """The memory of an array of m float64 in one piece, of which `values` would make a copy; NULL for all else."""
        if type(result) is not type(self.x):
            return NULL
        cdef Layout *layout = <Layout *>(<char *><PyObject *>result + sizeof(PyObject))
        if layout.nd != 1 or layout.shape[0] != m or layout.strides[0] != <Py_ssize_t>sizeof(double):
            return NULL
        return <const double *>layout.data if layout.descr == self.layout_shared.descr else NULL

    cdef bint reshaped(self) noexcept:
        """Whether fun has given x another shape, dtype, memory or flags, in place."""
        cdef Layout *now = self.layout
        cdef Layout *shared = &self.layout_shared
        if now.data != shared.data or now.nd != shared.nd or now.descr != shared.descr or now.flags != shared.flags:
            return True
        cdef int d
        for d in range(now.nd):
            if self.sizes[2 * d] != now.shape[d] or self.sizes[2 * d + 1] != now.strides[d]:
                return True
        return False

    cdef int check(self, Py_ssize_t references, Py_ssize_t call_references) except -1:
        """After a call, before which there were so many references to x and to call: the status."""
        if self.reshaped():
            # As bad as a write, and the old memory may be gone.
            self.share(self.x0.copy())
            return ND_WRITTEN
        if Py_REFCNT(self.x) != references or Py_REFCNT(self.call) != call_references:
            # fun has kept x: that array is fun's from now on
            if self.fixed:
                return ND_WRITTEN
            self.share(self.x.copy())
        return 0


cdef int evaluate(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context) except -1:
    """The nd_function that calls a Python function."""
    cdef Evaluation self = <Evaluation>context
    cdef Py_ssize_t references = Py_REFCNT(self.x)
    cdef Py_ssize_t call_references = Py_REFCNT(self.call)
    cdef const double *numbers
    cdef Py_buffer view
    if self.first is None:
        if not self.python:
            PyErr_CheckSignals()
        result = self.fun(*self.call)
    else:
        result = self.first
        self.first = None
    if m == 1 and (<void *>Py_TYPE(result) == <void *>number or PyFloat_Check(result)):
        fx[0] = PyFloat_AsDouble(result)
    else:
        numbers = self.numbers(result, m)
        if numbers != NULL:
            memcpy(fx, numbers, m * sizeof(double))
        elif m == 1:
            fx[0] = PyFloat_AsDouble(self.values(result))
        else:
            result = self.values(result)
            PyObject_GetBuffer(result, &view, PyBUF_SIMPLE)
            if view.len == m * <Py_ssize_t>sizeof(double):
                memcpy(fx, view.buf, <size_t>view.len)
            PyBuffer_Release(&view)
    result = None  # it may hold x; only then count the references
    return self.check(references, call_references)


cdef int next_known(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context) except -1:
    """The nd_function of values that are known."""
    cdef Evaluation self = <Evaluation>context
    if self.point.calls >= self.known.shape[0]:
        raise ValueError("too few values")
    memcpy(fx, &self.known[self.point.calls, 0], <size_t>m * sizeof(double))
    return 0


cdef int watch(ptrdiff_t n, const double *x, int status, void *context) except -1 with gil:
    """What may stop a loop over a native function: its status, Ctrl-C, or another thread."""
    cdef Evaluation self = <Evaluation>context
    self.look()
    where = self.x
    if status != 0 and x != self.point.x:  # in the differences of a descent
        where = self.x0.copy()
        memcpy((<Layout *>(<char *><PyObject *>where + sizeof(PyObject))).data, x, <size_t>n * sizeof(double))
    self.fun.watch(where, status)
    return 0


cdef int address_native(nd_native *to, native) except -1:
    cdef void *address = <void *><size_t>native.address
    if native.kind == NUMBER:
        to.number = <nd_number>address
    elif native.kind == NUMBER_WITH_DATA:
        to.number_with_data = <nd_number_with_data>address
    else:
        to.numbers = <nd_numbers>address
    to.data = <void *><size_t>(native.data or 0)
    return 0


@cython.final
cdef class Rule:
    """A stencil as C takes it, and its calls."""
    cdef nd_stencil stencil
    cdef double offsets[MOST_POINTS]
    cdef double weights[MOST_POINTS]
    cdef ptrdiff_t calls

    def __cinit__(self, tuple stencil):
        cdef ptrdiff_t j
        self.stencil.size = len(<tuple>stencil[0])
        if self.stencil.size > MOST_POINTS:
            raise ValueError("stencil too long")
        for j in range(self.stencil.size):
            self.offsets[j] = (<tuple>stencil[0])[j]
            self.weights[j] = (<tuple>stencil[1])[j]
            self.calls += self.offsets[j] != 0.0
        self.stencil.offsets = self.offsets
        self.stencil.weights = self.weights
        self.stencil.scale = stencil[2]


def difference(fun, tuple args, values, ptrdiff_t m, x0, index, h, tuple stencil, f0, first, out, kept):
    cdef Evaluation run = Evaluation(fun, args, values, m, x0, first)
    cdef Rule rule = Rule(stencil)
    cdef double f0_alone, fx_alone
    cdef const double *f0_data = NULL
    cdef double *fx = &fx_alone
    cdef const ptrdiff_t *index_data = NULL
    cdef ptrdiff_t count
    cdef int status
    cdef bint prefetched = first is not None

    cdef const double *h_data = run.lend(h, PyBUF_SIMPLE)
    count = run.views[1].len // <Py_ssize_t>sizeof(double)
    cdef double *df = run.lend(out, PyBUF_WRITABLE)
    if run.views[2].len != count * m * <Py_ssize_t>sizeof(double):
        raise ValueError("out has the wrong size")
    if index is not None:
        index_data = <const ptrdiff_t *>run.lend(index, PyBUF_SIMPLE)
        if run.views[3].len != count * <Py_ssize_t>sizeof(ptrdiff_t):
            raise ValueError("index has the wrong size")
    elif count != run.point.n:
        raise ValueError("h has the wrong size")
    if kept is not None:
        fx = run.lend(kept, PyBUF_WRITABLE)
        if run.views[run.lent - 1].len != count * m * rule.calls * <Py_ssize_t>sizeof(double):
            raise ValueError("kept has the wrong size")
    elif m != 1:
        fx = run.lend(bytearray(m * sizeof(double)), PyBUF_WRITABLE)
    if f0 is not None:
        if m == 1:
            f0_alone = f0
            f0_data = &f0_alone
        else:
            f0_data = run.lend(f0, PyBUF_SIMPLE)

    cdef int keep = kept is not None
    run.begin()
    try:
        if run.no_gil:
            with nogil:
                status = nd_difference(&run.point, &rule.stencil, index_data, h_data, 0, count, f0_data, fx, keep, df)
        else:
            status = nd_difference(&run.point, &rule.stencil, index_data, h_data, 0, count, f0_data, fx, keep, df)
    finally:
        run.end()
    return status, run.point.calls - prefetched


def gradients(fun, const double[:, ::1] points, double relative, double x_scale, x0, double[:, ::1] out):
    cdef Evaluation run = Evaluation(fun, (), None, 1, x0, None)
    cdef double[::1] work = x0
    cdef ptrdiff_t n = run.point.n, count = points.shape[1]
    cdef int status
    if not (run.no_gil and n == points.shape[0] == out.shape[0] and count == out.shape[1] and n * count > 0):
        raise ValueError("no native function, or an array of the wrong size")
    run.begin()
    try:
        with nogil:
            status = nd_gradients(&run.point, count, &points[0, 0], relative, x_scale, &work[0], &out[0, 0])
    finally:
        run.end()
    return status, run.point.calls


def columns(fun, const double[:, ::1] points, x0, double[::1] out):
    cdef ptrdiff_t n = points.shape[0], count = points.shape[1]
    cdef Evaluation run = Evaluation(fun, (), None, 1, x0, None)
    if not (run.no_gil and n == run.point.n and count == out.shape[0] and n * count > 0):
        raise ValueError("no native function, or an array of the wrong size")
    run.begin()
    try:
        with nogil:
            nd_columns(&run.point, count, &points[0, 0], &out[0])
    finally:
        run.end()


@cython.final
cdef class Richardson:
    """The components of a Richardson extrapolation."""
    cdef nd_richardson *components
    cdef nd_limit *limits
    cdef ptrdiff_t count, m

    def __cinit__(self, x, h, first, longest, one_sided, double eps, double noise, ptrdiff_t m):
        cdef const double[::1] xs = x, hs = h, firsts = first, all_longest = longest
        cdef const unsigned char[::1] sides = one_sided
        cdef ptrdiff_t k
        cdef nd_richardson *component
        self.count, self.m = xs.shape[0], m
        if not (hs.shape[0] == firsts.shape[0] == all_longest.shape[0] == sides.shape[0] == self.count):
            raise ValueError("an array has the wrong size")
        self.components = <nd_richardson *>PyMem_Calloc(self.count, sizeof(nd_richardson))
        self.limits = <nd_limit *>PyMem_Calloc(self.count * m, sizeof(nd_limit))
        if self.components == NULL or self.limits == NULL:
            raise MemoryError()
        for k in range(self.count):
            component = self.components + k
            component.x, component.h[0] = xs[k], hs[k]
            component.first, component.longest, component.one_sided = firsts[k], all_longest[k], sides[k]
            component.eps, component.noise = eps, noise

    def __dealloc__(self):
        PyMem_Free(self.components)
        PyMem_Free(self.limits)

    def next(self, index, values, f0, out):
        cdef const ptrdiff_t[::1] indices = index
        cdef const double[:, :, ::1] value = values
        cdef const double[::1] at_x = f0
        cdef double[::1] h = out
        cdef ptrdiff_t k
        if not (
            value.shape[0] == h.shape[0] == indices.shape[0] and value.shape[1] == 2 and
            value.shape[2] == at_x.shape[0] == self.m
        ):
            raise ValueError("an array has the wrong size")
        for k in range(indices.shape[0]):
            if not 0 <= indices[k] < self.count:
                raise IndexError(indices[k])
            h[k] = nd_richardson_next(
                self.components + indices[k], self.limits + indices[k] * self.m, self.m, &at_x[0], &value[k, 0, 0]
            )

    def results(self, value, error, step, remarks):
        cdef double[:, ::1] values = value, errors = error, steps = step
        cdef ptrdiff_t[:, ::1] all_remarks = remarks
        cdef ptrdiff_t k, r
        cdef nd_limit *limit
        for array in (value, error, step, remarks):
            if array.shape != (self.count, self.m):
                raise ValueError("an array has the wrong size")
        for k in range(self.count):
            for r in range(self.m):
                limit = self.limits + k * self.m + r
                values[k, r], errors[k, r], steps[k, r] = limit.value, limit.error, limit.step
                all_remarks[k, r] = limit.remarks


def noise_table(values):
    """See the twin."""
    cdef double work[MOST_VALUES]
    cdef double levels[MOST_VALUES]
    cdef unsigned char changes[MOST_VALUES]
    cdef Py_buffer view
    cdef ptrdiff_t m, k
    PyObject_GetBuffer(values, &view, PyBUF_SIMPLE)
    m = view.len // <Py_ssize_t>sizeof(double) - 1
    if m < MOST_VALUES:
        nd_noise_table(m, <const double *>view.buf, work, levels, changes)
    PyBuffer_Release(&view)
    if m >= MOST_VALUES:
        raise ValueError("too many values")
    return [levels[k] for k in range(m)], [changes[k] != 0 for k in range(m)]


cdef class Lent:
    """The memory of contiguous float64 arrays of one size, for as long as this lives."""
    cdef Py_buffer views[MOST_ARRAYS]
    cdef int lent
    cdef Py_ssize_t n

    def __dealloc__(self):
        cdef int i
        for i in range(self.lent):
            PyBuffer_Release(&self.views[i])

    cdef double *lend(self, array, int flags) except NULL:
        cdef Py_buffer *view = &self.views[self.lent]
        PyObject_GetBuffer(array, view, flags)
        self.lent += 1
        cdef Py_ssize_t n = view.len // <Py_ssize_t>sizeof(double)
        if self.lent > 1 and n != self.n:
            raise ValueError("arrays of different sizes")
        self.n = n
        return <double *>view.buf


def settle(ptrdiff_t m, a, rows, h, part, f0, values, back, double eps, double rtol, doubtful):
    cdef Lent each = Lent(), table = Lent(), few = Lent()
    cdef const double *steps = each.lend(h, PyBUF_SIMPLE)
    cdef const double *part_data = each.lend(part, PyBUF_SIMPLE)
    cdef const double *a_data = table.lend(a, PyBUF_SIMPLE)
    cdef const double *rows_data = table.lend(rows, PyBUF_SIMPLE)
    cdef const double *values_data = table.lend(values, PyBUF_SIMPLE)
    cdef double f0_alone, back_alone, size
    cdef const double *f0_data = &f0_alone
    cdef const double *back_data = &back_alone
    cdef Py_buffer marks
    cdef int said = 0
    if m == 1:
        f0_alone, back_alone = f0, back
        few.n = 1
    else:
        f0_data, back_data = few.lend(f0, PyBUF_SIMPLE), few.lend(back, PyBUF_SIMPLE)
    PyObject_GetBuffer(doubtful, &marks, PyBUF_WRITABLE)
    cdef bint fits = few.n == m and table.n == each.n * m and marks.len == each.n
    if fits:
        said = nd_settle(each.n, m, a_data, rows_data, steps, part_data, f0_data, values_data, back_data, eps, rtol,
                         <unsigned char *>marks.buf, &size)
    PyBuffer_Release(&marks)
    if not fits:
        raise ValueError("an array has the wrong size")
    return said, size


def move(x, double relative, double x_scale, double offset, out):
    cdef Lent arrays = Lent()
    cdef const double *from_ = arrays.lend(x, PyBUF_SIMPLE)
    cdef double *to = arrays.lend(out, PyBUF_WRITABLE)
    cdef int status
    with nogil:
        status = nd_move(arrays.n, from_, relative, x_scale, offset, to)
    return status


def quotient(x, double relative, double x_scale, tuple stencil, double steepest, left, right, out):
    cdef Lent arrays = Lent()
    cdef double[2] offsets = [stencil[0][0], stencil[0][1]]
    cdef double scale = stencil[2]
    cdef const double *at = arrays.lend(x, PyBUF_SIMPLE)
    cdef const double *a = arrays.lend(left, PyBUF_SIMPLE)
    cdef const double *b = arrays.lend(right, PyBUF_SIMPLE)
    cdef double *to = arrays.lend(out, PyBUF_WRITABLE)
    cdef int status
    with nogil:
        status = nd_quotient(arrays.n, at, relative, x_scale, offsets, scale, steepest, a, b, to)
    return status


def hessian_diagonal(fun, tuple args, values, x0, index, h, one_sided, double f0, first, near, out):
    cdef Evaluation run = Evaluation(fun, args, values, 1, x0, first)
    cdef bint prefetched = first is not None
    cdef const ptrdiff_t *index_data = NULL
    cdef const unsigned char *one_sided_data = NULL
    cdef const double *h_data = run.lend(h, PyBUF_SIMPLE)
    cdef ptrdiff_t count = run.views[1].len // <Py_ssize_t>sizeof(double)
    cdef double *near_data = run.lend(near, PyBUF_WRITABLE)
    cdef double *diagonal = run.lend(out, PyBUF_WRITABLE)
    if run.views[2].len != 2 * run.views[1].len or run.views[3].len != run.views[1].len:
        raise ValueError("near or out has the wrong size")
    run.lend_coordinates(count, index, &index_data, one_sided, &one_sided_data)
    cdef int status
    run.begin()
    try:
        if run.no_gil:
            with nogil:
                status = nd_hessian_diagonal(
                    &run.point, index_data, h_data, one_sided_data, 0, count, f0, near_data, diagonal
                )
        else:
            status = nd_hessian_diagonal(
                &run.point, index_data, h_data, one_sided_data, 0, count, f0, near_data, diagonal
            )
    finally:
        run.end()
    return status, run.point.calls - prefetched


def hessian_mixed(fun, tuple args, values, x0, index, h, one_sided, double f0, near, out, ptrdiff_t begin,
                  ptrdiff_t end):
    cdef Evaluation run = Evaluation(fun, args, values, 1, x0, None)
    cdef const ptrdiff_t *index_data = NULL
    cdef const unsigned char *one_sided_data = NULL
    cdef const double *h_data = run.lend(h, PyBUF_SIMPLE)
    cdef ptrdiff_t count = run.views[1].len // <Py_ssize_t>sizeof(double)
    cdef const double *near_data = run.lend(near, PyBUF_SIMPLE)
    cdef double *hessian = run.lend(out, PyBUF_WRITABLE)
    if not 0 <= begin <= end <= count:
        raise ValueError("a range beyond the coordinates")
    if run.views[2].len != 2 * run.views[1].len or run.views[3].len != count * run.views[1].len:
        raise ValueError("near or out has the wrong size")
    run.lend_coordinates(count, index, &index_data, one_sided, &one_sided_data)
    cdef int status
    run.begin()
    try:
        if run.no_gil:
            with nogil:
                status = nd_hessian_mixed(
                    &run.point, index_data, h_data, one_sided_data, count, begin, end, f0, near_data, hessian
                )
        else:
            status = nd_hessian_mixed(
                &run.point, index_data, h_data, one_sided_data, count, begin, end, f0, near_data, hessian
            )
    finally:
        run.end()
    return status, run.point.calls


cdef extern from "<time.h>":
    cdef struct timespec:
        long long tv_sec
        long tv_nsec
    int timespec_get(timespec *now, int base) nogil
    int TIME_UTC


cdef double seconds() noexcept:
    cdef timespec now
    timespec_get(&now, TIME_UTC)
    return <double>now.tv_sec + 1e-9 * <double>now.tv_nsec


cdef class Descent(Evaluation):
    """A descent: fun, its gradient, and the x that is moved. fun sees that x; nothing else is different."""
    cdef object gradient, gradients
    cdef object slope        # the gradient, while C reads it
    cdef object observe
    cdef double interval, due
    cdef nd_descent descent
    cdef nd_natives natives
    cdef nd_numerical numerical
    cdef object careful      # see numdiff.h
    cdef object g            # the memory of descent.g, of x's shape

    cdef bint lower_differences(self, tuple differences) except -1:
        """Let C call the native fun itself, also for differences; True."""
        cdef nd_numerical *to = &self.numerical
        self.lower(differences[0].lowered(1, self.layout.nd))
        to.point = self.point
        to.point.x = self.lend_exactly(differences[1], PyBUF_WRITABLE)
        to.h = self.lend_exactly(differences[2], PyBUF_WRITABLE)
        to.values = self.lend(differences[3], PyBUF_WRITABLE)
        if self.views[self.lent - 1].len != 2 * self.point.n * <Py_ssize_t>sizeof(double):
            raise ValueError("an array has the wrong size")
        to.since = <ptrdiff_t *>self.lend(differences[4], PyBUF_WRITABLE)
        to.error = self.descent.error
        to.relative, to.often, to.least, to.clear, self.careful = differences[5:]
        to.careful, to.context = careful, <void *>self
        self.descent.objective, self.descent.context = nd_call_numerical, to
        return True

    cdef bint lower_both(self, gradient) except -1:
        """Let C call the native gradient itself, and the native fun where values are asked for; whether it can."""
        if self.args or not isinstance(gradient, Native) or (self.descent.values and not self.no_gil):
            return False
        gradient = gradient.lowered(self.point.n, self.layout.nd)
        if gradient is None:
            return False
        gradient.check_size(self.point.n)
        self.gradient = gradient
        self.natives.value = self.native
        address_native(&self.natives.gradient, gradient)
        self.natives.gradient.watch = watch_gradient
        self.natives.gradient.context = <void *>self
        if gradient.python:
            self.interrupts = Interrupts()
        self.descent.objective, self.descent.context = nd_call_natives, &self.natives
        return True

    cdef double *lend_exactly(self, array, int flags) except? NULL:
        """The memory of an array of n numbers, or NULL for None."""
        if array is None:
            return NULL
        cdef double *data = self.lend(array, flags)
        if self.views[self.lent - 1].len != self.point.n * <Py_ssize_t>sizeof(double):
            raise ValueError("an array has the wrong size")
        return data

    cdef const double *plain(self, g) noexcept:
        """The memory of g, if it is like x's, of x's shape or flat, and apart from it; else NULL."""
        if Py_TYPE(g) != Py_TYPE(self.x):
            return NULL
        cdef Layout *shared = &self.layout_shared
        cdef Layout *found = <Layout *>(<char *><PyObject *>g + sizeof(PyObject))
        cdef Py_ssize_t size = self.point.n * <Py_ssize_t>sizeof(double)
        if found.descr != shared.descr or (found.flags & READABLE) != READABLE:
            return NULL
        if found.data < shared.data + size and shared.data < found.data + size:
            return NULL
        cdef int d
        if found.nd != 1 or found.shape[0] != self.point.n:
            if found.nd != shared.nd:
                return NULL
            for d in range(found.nd):
                if found.shape[d] != self.sizes[2 * d]:
                    return NULL
        return <const double *>found.data


cdef int objective(ptrdiff_t n, const double *x, double *fx, double **g, void *context) except -1:
    """The nd_objective that calls Python functions."""
    cdef Descent self = <Descent>context
    cdef int status = 0
    if fx != NULL:
        status = evaluate(n, x, 1, fx, context)
    if g != NULL and status == 0:
        status = differentiate(self, g)
    self.descent.x = self.point.x  # fun may have kept the other
    return status


cdef int differentiate(Descent self, double **g) except -1:
    cdef Py_ssize_t references = Py_REFCNT(self.x)
    cdef Py_ssize_t call_references = Py_REFCNT(self.call)
    cdef const double *memory
    cdef Py_buffer view
    self.slope = None
    PyErr_CheckSignals()
    slope = self.gradient(*self.call)
    memory = self.plain(slope)
    if memory != NULL:
        g[0] = <double *>memory
        self.slope = slope
    else:
        slope = self.gradients(slope)
        PyObject_GetBuffer(slope, &view, PyBUF_SIMPLE)
        if view.len == self.point.n * <Py_ssize_t>sizeof(double):
            memmove(g[0], view.buf, <size_t>view.len)
        PyBuffer_Release(&view)
    slope = None  # it may hold x
    return self.check(references, call_references)


cdef int watch_gradient(ptrdiff_t n, const double *x, int status, void *context) except -1 with gil:
    cdef Descent self = <Descent>context
    self.look()
    self.gradient.watch(self.x, status)
    return 0


cdef int careful(const double *x, const double *f0, double *g, int status, void *context) except -1 with gil:
    """Where C's differences are not enough."""
    cdef Descent self = <Descent>context
    self.careful(self.x, f0[0] if f0 != NULL else None, self.g, status == 0)
    return 0


cdef int observed(void *context) except -1 with gil:
    """The nd_observer that calls a Python function, at most once in an interval."""
    cdef Descent self = <Descent>context
    cdef nd_descent *d = &self.descent
    cdef double now
    if self.interval > 0:
        now = seconds()
        if now < self.due:
            return 0
        self.due = now + self.interval
    if d.slope != d.g:  # it may call the gradient, which may use its memory again
        memmove(d.g, d.slope, <size_t>d.n * sizeof(double))
        d.slope = d.g
    return self.observe(self.x, d.nit, d.fx, d.norm) is True


def descend(
    fun, gradient, tuple args, values, gradients, x0, x, bint fixed, tuple rule, v, tuple bounds, tuple stops,
    bint line_search, bint with_values, error, tuple work, observe, double interval, tuple differences,
):
    cdef Descent run = Descent(fun, args, values, 1, x0, None)
    cdef nd_descent *d = &run.descent
    run.gradient, run.gradients, run.fixed = gradient, gradients, fixed
    run.observe, run.interval = observe, interval
    run.share(x)
    d.objective, d.context = objective, <void *>run
    if observe is not None:
        d.observer, d.observer_context = observed, <void *>run
    d.n, d.x, d.fx = run.point.n, run.point.x, float("nan")
    d.learning_rate, d.momentum, d.nesterov = rule
    d.maxiter, d.gtol, d.xtol, d.ftol = stops
    d.line_search, d.values = line_search, with_values
    d.v = run.lend_exactly(v, PyBUF_WRITABLE)
    d.lb, d.ub = run.lend_exactly(bounds[0], PyBUF_SIMPLE), run.lend_exactly(bounds[1], PyBUF_SIMPLE)
    d.g, d.before = run.lend_exactly(work[0], PyBUF_WRITABLE), run.lend_exactly(work[1], PyBUF_WRITABLE)
    d.seen, d.best = run.lend_exactly(work[2], PyBUF_WRITABLE), run.lend_exactly(work[3], PyBUF_WRITABLE)
    d.best_g = run.lend_exactly(work[4], PyBUF_WRITABLE)
    if error is not None:
        d.error = run.lend(error, PyBUF_SIMPLE)
    cdef int status
    run.g = work[0]
    cdef bint lowered = run.lower_differences(differences) if differences is not None else run.lower_both(gradient)
    run.begin()
    try:
        if lowered:
            with nogil:
                status = nd_descend(d)
        else:
            status = nd_descend(d)
    finally:
        run.end()
    return status, run.x, d.fx, d.norm, d.nit, d.nfev + run.numerical.calls, d.njev


def step(x, g, tuple rule, v, before):
    cdef Lent arrays = Lent()
    cdef nd_descent d
    memset(&d, 0, sizeof(d))
    d.x = arrays.lend(x, PyBUF_WRITABLE)
    d.g = arrays.lend(g, PyBUF_SIMPLE)
    d.before = arrays.lend(before, PyBUF_WRITABLE)
    if v is not None:
        d.v = arrays.lend(v, PyBUF_WRITABLE)
    d.n = arrays.n
    d.learning_rate, d.momentum, d.nesterov = rule
    nd_step(&d, d.g)


def gradient_norm(g):
    cdef Lent arrays = Lent()
    cdef nd_descent d
    memset(&d, 0, sizeof(d))
    d.g = arrays.lend(g, PyBUF_SIMPLE)
    d.n = arrays.n
    return nd_gradient_norm(&d, d.g)


@cython.final
cdef class Space:
    """Workspace: room for so many integers of 64 bits."""
    cdef ptrdiff_t *data

    def __cinit__(self, ptrdiff_t size):
        self.data = <ptrdiff_t *>PyMem_Calloc(size, sizeof(uint64_t))
        if self.data == NULL:
            raise MemoryError()

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef int check_lists(const ptrdiff_t[::1] begin, const ptrdiff_t[::1] members, ptrdiff_t limit) except -1:
    """An error where a structure would lead out of its arrays: they may have been a user's."""
    cdef ptrdiff_t k, last = begin.shape[0] - 1
    cdef bint good = begin[0] == 0 and begin[last] == members.shape[0]
    for k in range(last):
        good &= begin[k] <= begin[k + 1]
    for k in range(members.shape[0]):
        good &= 0 <= members[k] < limit
    if not good:
        raise ValueError("not a structure")
    return 0


cdef nd_structure structure_of(const ptrdiff_t[::1] column_begin, const ptrdiff_t[::1] rows,
                               const ptrdiff_t[::1] row_begin, const ptrdiff_t[::1] columns) except *:
    """The arrays, none of them empty, as C takes them."""
    cdef nd_structure structure
    structure.n = column_begin.shape[0] - 1
    check_lists(column_begin, rows, row_begin.shape[0] - 1)
    check_lists(row_begin, columns, structure.n)
    structure.column_begin, structure.rows = &column_begin[0], &rows[0]
    structure.row_begin, structure.columns = &row_begin[0], &columns[0]
    return structure


cdef const ptrdiff_t *as_order(const ptrdiff_t[::1] order, ptrdiff_t n) except? NULL:
    cdef ptrdiff_t k
    if order is None:
        return NULL
    if order.shape[0] != n:
        raise ValueError("order has the wrong size")
    for k in range(n):
        if not 0 <= order[k] < n:
            raise ValueError("order is no permutation")
    return &order[0]


def order_columns(column_begin, rows, row_begin, columns, int kind, ptrdiff_t[::1] out):
    cdef nd_structure structure = structure_of(column_begin, rows, row_begin, columns)
    cdef Space work = Space(6 * structure.n)
    if out.shape[0] != structure.n:
        raise ValueError("out has the wrong size")
    with nogil:
        nd_order_columns(&structure, kind, &out[0], work.data)


def color_columns(column_begin, rows, row_begin, columns, order, bint saturated, ptrdiff_t[::1] colors):
    cdef nd_structure structure = structure_of(column_begin, rows, row_begin, columns)
    cdef const ptrdiff_t *order_data = as_order(order, structure.n)
    cdef Space work = Space(8 * structure.n)
    cdef ptrdiff_t count
    if colors.shape[0] != structure.n:
        raise ValueError("colors has the wrong size")
    with nogil:
        if saturated:
            count = nd_color_saturated(&structure, order_data, &colors[0], <uint64_t *>work.data,
                                       work.data + structure.n)
        else:
            count = nd_color_columns(&structure, order_data, &colors[0], work.data)
    return count


def color_star(row_begin, columns, order, ptrdiff_t[::1] colors):
    cdef nd_structure structure = structure_of(row_begin, columns, row_begin, columns)
    cdef const ptrdiff_t *order_data = as_order(order, structure.n)
    cdef Space forbidden = Space(structure.n)
    cdef ptrdiff_t count
    if colors.shape[0] != structure.n:
        raise ValueError("colors has the wrong size")
    with nogil:
        count = nd_color_star(&structure, order_data, &colors[0], forbidden.data)
    return count


cdef const ptrdiff_t *as_groups(const ptrdiff_t[::1] groups, ptrdiff_t n, ptrdiff_t *count) except NULL:
    """The groups of n columns, and their number."""
    cdef ptrdiff_t k
    count[0] = 0
    if groups.shape[0] != n:
        raise ValueError("groups has the wrong size")
    for k in range(n):
        if groups[k] < 0:
            raise ValueError("a group is below 0")
        count[0] = max(count[0], groups[k] + 1)
    return &groups[0]


cdef nd_structure rows_of(const ptrdiff_t[::1] row_begin, const ptrdiff_t[::1] columns, ptrdiff_t n) except *:
    """A structure by rows alone, with entries; not checked, as that takes as long as what it is for."""
    cdef nd_structure structure
    structure.n = n
    structure.column_begin = structure.rows = NULL
    structure.row_begin, structure.columns = &row_begin[0], &columns[0]
    return structure


def entries_alone(row_begin, const ptrdiff_t[::1] columns, const ptrdiff_t[::1] groups, out):
    cdef nd_structure structure = rows_of(row_begin, columns, groups.shape[0])
    cdef ptrdiff_t count, m = len(row_begin) - 1
    cdef const ptrdiff_t *groups_data = as_groups(groups, structure.n, &count)
    cdef Space last = Space(count)
    cdef unsigned char[::1] alone = out.view("B")
    if alone.shape[0] != columns.shape[0]:
        raise ValueError("out has the wrong size")
    with nogil:
        count = nd_entries_alone(&structure, m, groups_data, last.data, &alone[0])
    return count


def entries(row_begin, const ptrdiff_t[::1] columns, const ptrdiff_t[::1] groups, ptrdiff_t begin, tuple stencil,
            chosen, const double[::1] x, const double[::1] h, const double[::1] f0, const double[:, :, ::1] values,
            double[::1] out):
    cdef nd_structure structure = rows_of(row_begin, columns, groups.shape[0])
    cdef Rule rule = Rule(stencil)
    cdef ptrdiff_t count, m = len(row_begin) - 1, end = begin + values.shape[0]
    cdef const ptrdiff_t *groups_data = as_groups(groups, structure.n, &count)
    cdef const unsigned char[::1] mask = None if chosen is None else chosen.view("B")
    cdef int remarks
    if not (
        x.shape[0] == h.shape[0] == structure.n and out.shape[0] == columns.shape[0]
        and values.shape[1] == rule.calls and values.shape[2] == m and values.shape[0] > 0
        and (chosen is None or mask.shape[0] == structure.n)
        and (rule.offsets[0] != 0.0 or (f0 is not None and f0.shape[0] == m))
    ):
        raise ValueError("an array has the wrong size")
    cdef const double *f0_data = &f0[0] if f0 is not None else NULL
    cdef const unsigned char *mask_data = &mask[0] if chosen is not None else NULL
    with nogil:
        remarks = nd_entries(&structure, m, groups_data, begin, end, &rule.stencil, mask_data, &x[0], &h[0], f0_data,
                             &values[0, 0, 0], &out[0])
    return remarks


def along(row_begin, const ptrdiff_t[::1] columns, const double[::1] entries, const double[::1] step,
          const double[::1] x, double[:, ::1] out):
    cdef nd_structure structure = rows_of(row_begin, columns, x.shape[0])
    cdef ptrdiff_t m = len(row_begin) - 1
    if not (
        entries.shape[0] == columns.shape[0] and step.shape[0] == x.shape[0] and out.shape[0] == 3 and out.shape[1] == m
    ):
        raise ValueError("an array has the wrong size")
    with nogil:
        nd_along(&structure, m, &entries[0], &step[0], &x[0], &out[0, 0])
