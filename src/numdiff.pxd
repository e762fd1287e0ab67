# The C API as Cython sees it; numdiff.h is the contract. Status -1 is ND_STOPPED: a Python exception is set.

from libc.stdint cimport uint64_t

cdef extern from "numdiff.h":
    int ND_WRITTEN

    ctypedef int (*nd_function)(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context) except -1

    ctypedef struct nd_point:
        nd_function function
        void *context
        ptrdiff_t n
        ptrdiff_t m
        const double *x0
        double *x
        ptrdiff_t calls

    ctypedef double (*nd_number)(int n, double *x) noexcept nogil
    ctypedef double (*nd_number_with_data)(int n, double *x, void *data) noexcept nogil
    ctypedef int (*nd_numbers)(int n, double *x, int m, double *fx, void *data) noexcept nogil

    ctypedef struct nd_native:
        nd_number number
        nd_number_with_data number_with_data
        nd_numbers numbers
        void *data
        int (*watch)(ptrdiff_t n, const double *x, int status, void *context) except -1
        void *context
        const double *first

    int nd_call_native(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *native) except -1

    ctypedef struct nd_numerical:
        nd_point point
        double relative
        double *h
        double *values
        ptrdiff_t often
        ptrdiff_t *since
        double least, clear
        const double *error
        int (*careful)(const double *x, const double *f0, double *g, int status, void *context) except -1
        void *context
        ptrdiff_t calls

    int nd_call_numerical(ptrdiff_t n, const double *x, double *fx, double **g, void *numerical) except -1

    ctypedef struct nd_natives:
        nd_native value
        nd_native gradient

    int nd_call_natives(ptrdiff_t n, const double *x, double *fx, double **g, void *natives) except -1

    ctypedef struct nd_stencil:
        ptrdiff_t size
        const double *offsets
        const double *weights
        double scale

    int nd_gradients(nd_point *point, ptrdiff_t count, const double *columns, double relative, double x_scale,
                     double *x0, double *gradients) except -1 nogil
    int nd_columns(nd_point *point, ptrdiff_t count, const double *columns, double *fx) except -1 nogil
    int nd_difference(nd_point *point, const nd_stencil *stencil, const ptrdiff_t *index, const double *h,
                      ptrdiff_t begin, ptrdiff_t end, const double *f0, double *fx, int keep,
                      double *df) except -1 nogil

    ctypedef struct nd_limit:
        double value, error, floor, step
        int remarks

    ctypedef struct nd_richardson:
        double x, first, longest, eps, noise
        int one_sided
        double h[5]

    double nd_richardson_next(nd_richardson *component, nd_limit *limits, ptrdiff_t m, const double *f0,
                              const double *values)

    int nd_settle(ptrdiff_t count, ptrdiff_t m, const double *a, const double *rows, const double *h,
                  const double *part, const double *f0, const double *values, const double *back, double eps,
                  double rtol, unsigned char *doubtful, double *size) nogil

    void nd_noise_table(ptrdiff_t m, const double *f, double *work, double *levels, unsigned char *changes)

    int nd_move(ptrdiff_t n, const double *x, double relative, double x_scale, double offset, double *out) nogil

    int nd_quotient(ptrdiff_t n, const double *x, double relative, double x_scale, const double *offsets, double scale,
                    double steepest, const double *left, const double *right, double *out) nogil

    int nd_hessian_diagonal(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                            ptrdiff_t begin, ptrdiff_t end, double f0, double *near, double *diagonal) except -1 nogil

    int nd_hessian_mixed(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                         ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end, double f0, const double *near,
                         double *hessian) except -1 nogil

    ctypedef int (*nd_objective)(ptrdiff_t n, const double *x, double *fx, double **g, void *context) except -1

    ctypedef int (*nd_observer)(void *context) except -1

    ctypedef struct nd_descent:
        nd_objective objective
        nd_observer observer
        void *context
        void *observer_context
        ptrdiff_t n, maxiter
        double learning_rate, momentum, gtol, xtol, ftol
        int nesterov, line_search, values
        const double *lb
        const double *ub
        const double *error
        double *x
        double *v
        double *g
        double *slope
        double *before
        double *seen
        double *best
        double *best_g
        double fx, norm
        ptrdiff_t nit, nfev, njev

    int nd_descend(nd_descent *descent) except -1 nogil

    void nd_step(const nd_descent *descent, const double *g) nogil

    double nd_gradient_norm(const nd_descent *descent, const double *g) nogil

    ctypedef struct nd_structure:
        ptrdiff_t n
        const ptrdiff_t *column_begin
        const ptrdiff_t *rows
        const ptrdiff_t *row_begin
        const ptrdiff_t *columns

    void nd_order_columns(const nd_structure *structure, int kind, ptrdiff_t *order, ptrdiff_t *work) nogil

    ptrdiff_t nd_color_columns(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors,
                               ptrdiff_t *forbidden) nogil

    ptrdiff_t nd_color_saturated(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors,
                                 uint64_t *beside, ptrdiff_t *work) nogil

    ptrdiff_t nd_color_star(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors,
                            ptrdiff_t *forbidden) nogil

    ptrdiff_t nd_entries_alone(const nd_structure *structure, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t *last,
                               unsigned char *alone) nogil

    int nd_entries(const nd_structure *structure, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t begin, ptrdiff_t end,
                   const nd_stencil *stencil, const unsigned char *chosen, const double *x, const double *h,
                   const double *f0, const double *values, double *entries) nogil

    void nd_along(const nd_structure *structure, ptrdiff_t m, const double *entries, const double *step,
                  const double *x, double *sums) nogil
