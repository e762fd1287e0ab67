# cython: language_level=3, binding=True, autotestdict=False, freethreading_compatible=True
"""The kernels in C: the thin door between Python functions and numdiff.h. Twin of _kernels_py."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.string cimport memcpy

from numdiff cimport (
    ND_LEVELS, ND_WRITTEN, nd_difference, nd_extrapolate, nd_hessian_diagonal, nd_hessian_mixed, nd_limit, nd_move,
    nd_noise_table, nd_point, nd_quotient, nd_richardson, nd_richardson_next, nd_stencil,
)


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


cdef extern from "Python.h":
    bint PyFloat_Check(object)
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
    MOST_ARRAYS = 8   # lent by one call
    MOST_POINTS = 16  # of a stencil
    MOST_VALUES = 64  # of a noise table


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

    def __cinit__(self, fun, tuple args, values, ptrdiff_t m, x0, first):
        self.fun = fun
        self.args = args
        self.values = values
        self.first = first
        self.x0 = x0
        self.point.function = evaluate
        self.point.context = <void *>self
        self.point.m = m
        self.point.x0 = self.lend(x0, PyBUF_SIMPLE)
        self.point.n = self.views[0].len // <Py_ssize_t>sizeof(double)
        self.share(x0.copy())

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


cdef int evaluate(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context) except -1:
    """The nd_function that calls a Python function."""
    cdef Evaluation self = <Evaluation>context
    cdef Py_ssize_t references = Py_REFCNT(self.x)
    cdef Py_ssize_t call_references = Py_REFCNT(self.call)
    cdef Py_buffer view
    if self.first is None:
        PyErr_CheckSignals()
        result = self.fun(*self.call)
    else:
        result = self.first
        self.first = None
    if m == 1 and PyFloat_Check(result):
        fx[0] = PyFloat_AsDouble(result)
    else:
        result = self.values(result)
        if m == 1:
            fx[0] = PyFloat_AsDouble(result)
        else:
            PyObject_GetBuffer(result, &view, PyBUF_SIMPLE)
            if view.len == m * <Py_ssize_t>sizeof(double):
                memcpy(fx, view.buf, <size_t>view.len)
            PyBuffer_Release(&view)
    result = None  # it may hold x; only then count the references
    if self.reshaped():
        # As bad as a write, and the old memory may be gone.
        self.share(self.x0.copy())
        return ND_WRITTEN
    if Py_REFCNT(self.x) != references or Py_REFCNT(self.call) != call_references:
        # fun has kept x: that array is fun's from now on
        self.share(self.x.copy())
    return 0


def difference(fun, tuple args, values, ptrdiff_t m, x0, index, h, tuple stencil, f0, first, out, kept):
    cdef Evaluation run = Evaluation(fun, args, values, m, x0, first)
    cdef double offsets[MOST_POINTS]
    cdef double weights[MOST_POINTS]
    cdef double f0_alone, fx_alone
    cdef const double *f0_data = NULL
    cdef double *fx = &fx_alone
    cdef const ptrdiff_t *index_data = NULL
    cdef nd_stencil rule
    cdef ptrdiff_t j, count, calls_each = 0
    cdef int status
    cdef bint prefetched = first is not None

    rule.size = len(<tuple>stencil[0])
    if rule.size > MOST_POINTS:
        raise ValueError("stencil too long")
    for j in range(rule.size):
        offsets[j] = (<tuple>stencil[0])[j]
        weights[j] = (<tuple>stencil[1])[j]
        calls_each += offsets[j] != 0.0
    rule.offsets = offsets
    rule.weights = weights
    rule.scale = stencil[2]

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
        if run.views[run.lent - 1].len != count * m * calls_each * <Py_ssize_t>sizeof(double):
            raise ValueError("kept has the wrong size")
    elif m != 1:
        fx = run.lend(bytearray(m * sizeof(double)), PyBUF_WRITABLE)
    if f0 is not None:
        if m == 1:
            f0_alone = f0
            f0_data = &f0_alone
        else:
            f0_data = run.lend(f0, PyBUF_SIMPLE)

    status = nd_difference(&run.point, &rule, index_data, h_data, 0, count, f0_data, fx, kept is not None, df)
    return status, run.point.calls - prefetched


def extrapolate(levels, zs, table, bars, z, d, bar, value, error, floor):
    cdef Py_buffer views[10]
    cdef int lent = 0
    cdef ptrdiff_t count, m
    try:
        for array in (levels, zs, table, bars, value, error, floor, z, d, bar):
            PyObject_GetBuffer(array, &views[lent], PyBUF_WRITABLE if lent < 7 else PyBUF_SIMPLE)
            lent += 1
        count = views[0].len // <Py_ssize_t>sizeof(ptrdiff_t)
        m = views[8].len // (count * <Py_ssize_t>sizeof(double)) if count else 1
        if (
            views[1].len != count * ND_LEVELS * <Py_ssize_t>sizeof(double)
            or views[2].len != views[1].len * m or views[3].len != views[2].len
            or views[4].len != views[8].len or views[5].len != views[8].len or views[6].len != views[8].len
            or views[7].len != count * <Py_ssize_t>sizeof(double) or views[9].len != views[8].len
        ):
            raise ValueError("an array has the wrong size")
        nd_extrapolate(
            count, m, <ptrdiff_t *>views[0].buf, <double *>views[1].buf, <double *>views[2].buf, <double *>views[3].buf,
            <double *>views[7].buf, <double *>views[8].buf, <double *>views[9].buf,
            <double *>views[4].buf, <double *>views[5].buf, <double *>views[6].buf,
        )
    finally:
        for i in range(lent):
            PyBuffer_Release(&views[i])


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
    cdef int status = nd_hessian_diagonal(&run.point, index_data, h_data, one_sided_data, 0, count, f0, near_data,
                                          diagonal)
    return status, run.point.calls - prefetched


def hessian_mixed(fun, tuple args, values, x0, index, h, one_sided, double f0, near, out):
    cdef Evaluation run = Evaluation(fun, args, values, 1, x0, None)
    cdef const ptrdiff_t *index_data = NULL
    cdef const unsigned char *one_sided_data = NULL
    cdef const double *h_data = run.lend(h, PyBUF_SIMPLE)
    cdef ptrdiff_t count = run.views[1].len // <Py_ssize_t>sizeof(double)
    cdef const double *near_data = run.lend(near, PyBUF_SIMPLE)
    cdef double *hessian = run.lend(out, PyBUF_WRITABLE)
    if run.views[2].len != 2 * run.views[1].len or run.views[3].len != count * run.views[1].len:
        raise ValueError("near or out has the wrong size")
    run.lend_coordinates(count, index, &index_data, one_sided, &one_sided_data)
    cdef int status = nd_hessian_mixed(&run.point, index_data, h_data, one_sided_data, count, 0, count, f0, near_data,
                                       hessian)
    return status, run.point.calls
