# cython: language_level=3, binding=True, autotestdict=False, freethreading_compatible=True
"""The kernels in C: the thin door between Python functions and numdiff.h. Twin of _kernels_py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.string cimport memcpy

from numdiff cimport ND_WRITTEN, nd_difference, nd_move, nd_point, nd_quotient, nd_stencil


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


def difference(fun, tuple args, values, ptrdiff_t m, x0, index, h, tuple stencil, f0, first, out):
    cdef Evaluation run = Evaluation(fun, args, values, m, x0, first)
    cdef double offsets[MOST_POINTS]
    cdef double weights[MOST_POINTS]
    cdef double f0_alone, fx_alone
    cdef const double *f0_data = NULL
    cdef double *fx = &fx_alone
    cdef const ptrdiff_t *index_data = NULL
    cdef nd_stencil rule
    cdef ptrdiff_t j, count
    cdef int status
    cdef bint prefetched = first is not None

    rule.size = len(<tuple>stencil[0])
    if rule.size > MOST_POINTS:
        raise ValueError("stencil too long")
    for j in range(rule.size):
        offsets[j] = (<tuple>stencil[0])[j]
        weights[j] = (<tuple>stencil[1])[j]
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
    if m != 1:
        fx = run.lend(bytearray(m * sizeof(double)), PyBUF_WRITABLE)
    if f0 is not None:
        if m == 1:
            f0_alone = f0
            f0_data = &f0_alone
        else:
            f0_data = run.lend(f0, PyBUF_SIMPLE)

    status = nd_difference(&run.point, &rule, index_data, h_data, 0, count, f0_data, fx, df)
    return status, run.point.calls - prefetched


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
