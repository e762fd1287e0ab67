/* numdiff: derivatives of functions given as code, by finite differences.
 *
 * The C API and its contract; read this first.
 *
 * - Plain C11: no Python, no malloc, no globals, no I/O. Every function is re-entrant.
 * - The caller owns every array, says its length and keeps it alive; nothing is allocated here.
 * - Arrays are float64 and contiguous. Arguments are trusted: the layer above has checked them.
 * - A status is 0 or more when the work is done (bits are remarks about the result), negative when it stopped.
 * - Arithmetic is in a fixed order and never fused, so that the Python twin gives the same bits.
 */
#ifndef NUMDIFF_H
#define NUMDIFF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel answers. */
enum {
    ND_OK = 0,
    /* remarks, or-ed together; behind a result are all values of its calls, and its step */
    ND_NONFINITE = 1, /* some result is nan or inf */
    ND_INVALID = 2,   /* some result is nan though nothing behind it was: inf - inf */
    ND_OVERFLOW = 4,  /* some result is inf though nothing behind it was */
    ND_SUSPECT = 8,   /* some quotient looks like one across a pole, or close to the end of a domain */
    /* stops */
    ND_STOPPED = -1, /* the function asked to stop */
    ND_WRITTEN = -2, /* the function wrote into its argument */
    ND_NO_STEP = -3  /* a step vanishes, x + h == x; found before any call */
};

/* Coordinates compared in one look for foreign writes, besides those of the first two calls and the last. */
enum { ND_BLOCK = 64 };

/* m values of a function of n variables: reads x, fills fx, returns 0, or ND_STOPPED to stop. */
typedef int (*nd_function)(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context);

/* A point, and the function to be evaluated around it.
 *
 * x is what the function sees. Between calls it equals x0; during a call one coordinate or two are moved. The function
 * must not write into it; if it does, that is seen (see nd_evaluate) and the kernel stops with ND_WRITTEN.
 * The function may exchange x for another array of the same n values: numdiff's door to Python does so when the
 * user's function has kept the array it was given. */
typedef struct nd_point {
    nd_function function;
    void *context;
    ptrdiff_t n;      /* variables */
    ptrdiff_t m;      /* values */
    const double *x0; /* n, never written */
    double *x;        /* n, equal to x0 on entry, and on return but for ND_WRITTEN */
    ptrdiff_t calls;  /* made so far; 0 on entry */
} nd_point;

/* fx = f(x0 with coordinate i at xi); m values.
 *
 * x[i] is restored by value before the status is looked at. Foreign writes are looked for after every call: in the
 * coordinate moved, before and after; in all of x after the first two calls; then in blocks of ND_BLOCK coordinates
 * that take turns. A write that is undone again between two looks is not seen. */
int nd_evaluate(nd_point *point, ptrdiff_t i, double xi, double *fx);

/* The same with two coordinates moved at once: i to xi and j to xj. i == j if xi == xj. */
int nd_evaluate_pair(nd_point *point, ptrdiff_t i, double xi, ptrdiff_t j, double xj, double *fx);

/* ND_OK if all of x equals x0 to the bit, else ND_WRITTEN. */
int nd_intact(const nd_point *point);

/* The signatures that numdiff takes as they are: one value, without and with data, or m values. */
typedef double (*nd_number)(int n, double *x);
typedef double (*nd_number_with_data)(int n, double *x, void *data);
typedef int (*nd_numbers)(int n, double *x, int m, double *fx, void *data);

/* A function of one of these signatures, to be the context of nd_call_native; the other two are NULL.
 *
 * `numbers` returns 0, or another status to stop; values that it does not fill are nan. `watch` is called after a call
 * that did not return 0, with its status and the point; and before a call about every 0.05 s with the status 0, when it returns 0 to go on: it may look for
 * what should stop a long loop. */
typedef struct nd_native {
    nd_number number;
    nd_number_with_data number_with_data;
    nd_numbers numbers;
    void *data;
    int (*watch)(ptrdiff_t n, const double *x, int status, void *context);
    void *context;
    const double *first; /* the values of the first call, if they are known, else NULL */
    /* 0 on entry */
    double read_at, looked_at; /* seconds: the clock, and the last call of watch */
    int every, left;           /* calls between readings of the clock */
} nd_native;

/* The nd_function of an nd_native, which may write into x no more than any other. n and m fit into an int. */
int nd_call_native(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *native);

/* A native function and its gradient, for a descent; value is not read where none is asked for. */
typedef struct nd_natives {
    nd_native value, gradient;
} nd_natives;

/* The nd_objective of an nd_natives. */
int nd_call_natives(ptrdiff_t n, const double *x, double *fx, double **g, void *natives);

/* A difference formula, as data:
 *
 *     f' = sum_j weights[j] f(x + offsets[j] h) / (scale ((x + offsets[size-1] h) - (x + offsets[0] h)))
 *
 * Offsets ascend; 0, which can only be the first, stands for f0 and is not evaluated again. The divisor is the step
 * taken, not the one asked for. scale is the denominator of the weights over the width of the stencil: 1 for the two- and
 * three-point rules. */
typedef struct nd_stencil {
    ptrdiff_t size;
    const double *offsets; /* size */
    const double *weights; /* size */
    double scale;
} nd_stencil;

/* First derivatives of f by the coordinates index[k], k in [begin, end), with the steps h[k] (any sign).
 *
 *   index  coordinates, or NULL for index[k] = k
 *   h      steps, finite, each with x0 + h != x0
 *   f0     f(x0), m values; read only if the stencil has the offset 0
 *   fx     workspace, m values; with keep the values of all calls, one after another
 *   df     results: df[k m + r] is the derivative of value r by coordinate index[k] (not read)
 *
 * Calls f once for each k and each offset but 0, in that order. Any range of k may be computed by itself: the bits
 * of df do not depend on how the range is cut. On a stop df is undefined. */
int nd_difference(nd_point *point, const nd_stencil *stencil, const ptrdiff_t *index, const double *h, ptrdiff_t begin,
                  ptrdiff_t end, const double *f0, double *fx, int keep, double *df);

/* The gradients of a function of one value at `count` points: central differences by all coordinates of each, as those
 * of nd_difference with the steps of nd_move (below), and two calls for each coordinate.
 *
 *   columns    (n, count): the points
 *   x0         n, the memory that point->x0 points to: each point in turn
 *   gradients  results, (n, count); no part of columns
 *
 * ND_OVERFLOW, before any call, where some coordinate is not far from overflow. Then, and on a stop, gradients are
 * undefined. */
int nd_gradients(nd_point *point, ptrdiff_t count, const double *columns, double relative, double x_scale, double *x0,
                 double *gradients);

/* fx[k] = f(column k of columns (n, count)); one value each. The function may write into x; x0 is not read. */
int nd_columns(nd_point *point, ptrdiff_t count, const double *columns, double *fx);

/* Rows that the scheme below holds for each sequence. */
enum { ND_LEVELS = 10 };

/* --- Richardson extrapolation of central differences, one component of x at a time ---
 *
 * 1. Reference: a difference at a small step, with the second difference of the same points.
 * 2. Search: a candidate step, long at first, is taken only if its first and second differences agree with those of the
 *    reference. Poles, kinks, the edge of a domain and fast oscillation (aliasing) show as disagreement, and the step
 *    shrinks. If the reference is the one that is wrong, by noise or by a structure finer than its step, that shows in
 *    its second difference.
 * 3. Descent: the step is halved, and the differences extrapolated by Neville's scheme, until rounding is all that is
 *    left of the error. The error of an entry is the greater of its distances to its two neighbours (Ridders 1982), less
 *    where the corrections shrink from column to column, plus rounding.
 *
 * What agreement does not show: at a kink, a second difference that grows as the step, not as its square; of values of
 * few digits, that nothing changes at a short step, and by a jump at a longer one. */

/* More remarks, about one value. */
enum {
    ND_KINK = 8,  /* the function has a kink or a jump here; or no step is short enough */
    ND_NOISY = 16 /* its values scatter by more than their precision */
};

/* How cautious: dimensionless numbers, tuned on benchmarks/battery.py. */
#define ND_CAUTION 64.0         /* corrections that shrink by more than that are trusted to go on so */
#define ND_LEAST (1.0 / 4096.0) /* down to that part of the last change */
#define ND_APART 7.3            /* the first candidate is so many reference steps long, at least */
#define ND_LENGTH 0.02          /* of the scale that the second difference tells: the first candidate */
#define ND_AGREE 0.02           /* of the slope: how far the differences at two steps may be apart */
#define ND_TARGET 0.003         /* how far apart they are aimed to be */
#define ND_CLOSE 16.0           /* where steps nearer than that disagree, the shorter one is wrong */
#define ND_LOWER 0.0153         /* the next shorter reference */
#define ND_FINE 5e-13           /* of the slope: with more rounding than that, steps may grow */
#define ND_GROWTH 4.0           /* by that */
#define ND_AGREE_GROWING 0.1    /* and be so far apart */
#define ND_SCATTER 1e3          /* times the rounding is called noise */
#define ND_CLEAR 32.0           /* times the rounding: a second difference that tells of a kink */
#define ND_ALIKE 0.1            /* how far apart its jump may be at other steps */
#define ND_SMOOTH 0.05          /* of the first: second differences smaller than that do not scatter */
#define ND_POWER 0.25           /* of the step: values that change as a higher one are not those of a jump */
enum { ND_GROWTHS = 4, ND_REFERENCES = 5, ND_ROUNDS = 40, ND_EDGES = 5 };

/* What is known at one step. */
typedef struct nd_sample {
    double slope;    /* the first difference */
    double bend;     /* f(x+h) - 2 f(x) + f(x-h); 0 where one-sided */
    double steepest; /* the larger of the slopes to both sides */
    double noise;    /* how far rounding may move the values */
} nd_sample;

/* One value of the function at one component. Zero it, then only read the first five. */
typedef struct nd_limit {
    double value, error,
        floor;   /* the estimated error, and the part of it that is rounding; error is inf where nothing is known, as
                  * where value is no number */
    double step; /* the shortest behind value */
    int remarks, live;
    double scatter, before, table[ND_LEVELS], bars[ND_LEVELS];
    nd_sample sample[5];
} nd_limit;

/* One component. Zero it, set the first group, and h[0] to the step of the reference. */
typedef struct nd_richardson {
    double x;
    double first;   /* how long the first candidate may be, > 0 */
    double longest; /* how long any step may be: for bounds */
    double eps;     /* the precision of the function's values */
    double noise;   /* their standard deviation, if it is known to be larger; else 0 */
    int one_sided;  /* steps to one side, that of the sign of h[0] */
    int state, levels, rounds, references, growths, edges, stalled, has_before, is_short;
    double flat, h[5], zs[ND_LEVELS];
} nd_richardson;

/* Take the function's values at the step h that was returned last (h[0] at first), and return the next one; 0: done.
 *
 *   limits  m
 *   f0      f(x), m values
 *   values  2 m: f(x - h), which is not read where one-sided, and f(x + h) */
double nd_richardson_next(nd_richardson *component, nd_limit *limits, ptrdiff_t m, const double *f0,
                          const double *values);

/* Noise levels from m + 1 values at equally spaced points (Moré and Wild, SIAM J. Sci. Comput. 33 (2011) 1292-1314).
 *
 *   f        m + 1 values, finite, of a size whose squares neither overflow nor underflow
 *   work     workspace, m + 1 values
 *   levels   results: levels[k-1] = sqrt((k!)^2 / (2k)! mean(d^2)) over the m + 1 - k differences d of order k;
 *            where they are all noise, its standard deviation
 *   changes  results: changes[k-1] is 1 if some difference of order k is > 0 and another < 0, else 0 */
void nd_noise_table(ptrdiff_t m, const double *f, double *work, double *levels, unsigned char *changes);

/* What forward differences say of derivatives that are to be checked; bits. */
enum {
    ND_DOUBTFUL = 1, /* some component is not settled */
    ND_BENT = 2,     /* one step back is not what the differences say: a kink, or f is not smooth */
    ND_SHORT = 4     /* all values are those of float32, and not all are the same */
};

#define ND_FINEST 1e-7  /* rtol: forward differences settle nothing that is finer */
#define ND_ROUNDING 4.0 /* times eps */
#define ND_SETTLING 4.0 /* times rtol */

/* Whether forward differences agree with a, and so clearly that no other need be taken. With size the largest |value|,
 * bar = ND_ROUNDING eps size / h[k] and n = count, component k is settled if for all of its m values
 *
 *     |a - row| <= rtol |row| + bar,   bar <= ND_SETTLING max(rtol, ND_FINEST) |row|
 *
 * and one step back, by part in all components at once, is what they say if for all r
 *
 *     |back - (f0 - sum part row)| <= max(1e-6, 1e-7 n) sum part |row| + 2 ND_ROUNDING eps size sqrt(n)
 *
 *   a, rows   (count, m): the derivatives to be checked, and the differences
 *   h, part   count: the steps, > 0
 *   f0, back  m: the values at x and at x - part
 *   values    (count, m): f(x + h) for each component
 *   doubtful  results: doubtful[k] is 0 where component k is settled, else 1
 *   size      result: 1 */
int nd_settle(ptrdiff_t count, ptrdiff_t m, const double *a, const double *rows, const double *h, const double *part,
              const double *f0, const double *values, const double *back, double eps, double rtol,
              unsigned char *doubtful, double *size);

/* For a function of one variable at n points x: out = x + offset h, for the steps
 *
 *     h = relative max(|x|, x_scale), rounded to the nearest power of two
 *
 * x_scale is far from overflow and underflow. ND_OVERFLOW if some |x| is above 1e300, or nan or inf. out is not x. */
int nd_move(ptrdiff_t n, const double *x, double relative, double x_scale, double offset, double *out);

/* The quotients (right - left) / (scale span), left and right the values at x + offsets[0] h and x + offsets[1] h, and
 * span the distance of these points in floating point. out may be left or right.
 *
 * ND_NONFINITE where a quotient is not finite; ND_SUSPECT where one is above steepest and the values have opposite
 * signs, or |x| is below ND_NEAR h. */
int nd_quotient(ptrdiff_t n, const double *x, double relative, double x_scale, const double *offsets, double scale,
                double steepest, const double *left, const double *right, double *out);

enum { ND_NEAR = 32 };

/* Second derivatives of a function of one value (m = 1): first the diagonal, then the mixed ones, which need what f
 * was beside x0 from the diagonal. Both for the `count` coordinates index[k], with one step h[k] each:
 *
 *   index      coordinates, or NULL for index[k] = k
 *   h          steps, finite, each with x0 + h != x0; of any sign where one-sided
 *   one_sided  where not 0, the points beside x0 are x0 + h and x0 + 2h, else x0 + h and x0 - h; NULL: nowhere
 *   near       near[2k] and near[2k + 1]: f there, all other coordinates being those of x0
 *
 * Order of accuracy: 2 where two-sided, else 1. Every quotient is divided by the steps taken. */

/* Fills near[2k], near[2k + 1] and diagonal[k] = the second derivative by coordinate index[k], k in [begin, end).
 *
 * Two calls for each k, in the order of near. The bits do not depend on how the range is cut. */
int nd_hessian_diagonal(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                        ptrdiff_t begin, ptrdiff_t end, double f0, double *near, double *diagonal);

/* Fills hessian[k count + l] and hessian[l count + k], k in [begin, end), k < l < count; reads and writes no other.
 *
 *   near     of all count coordinates, from nd_hessian_diagonal with the same steps
 *   hessian  (count, count)
 *
 * One call for each pair of one-sided coordinates, two for any other. To do one coordinate again with another step,
 * let it be index[0], and the range [0, 1). On a stop these entries are undefined. */
int nd_hessian_mixed(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                     ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end, double f0, const double *near, double *hessian);

/* Central differences for a descent, with the steps of nd_move for an x_scale of 1. Now and then their error matters, or
 * they fail; the layer above knows what to do then. */
typedef struct nd_numerical {
    nd_point point; /* its function has one value; x0 is that of each gradient, x workspace */
    double relative;
    double *h, *values; /* workspace, n, and 2 n: f(x - h) and f(x + h) */
    /* `careful` is called after one of `often` gradients, and where the norm is not above both least and clear *error. */
    ptrdiff_t often;
    ptrdiff_t *since; /* gradients since; set by careful */
    double least, clear;
    const double *error;
    /* With the status of the differences, or ND_NONFINITE where there are none as *f0 is not finite, then it puts the
     * gradient into g; f0 is NULL if the value at x was not asked for. Returns 0, or ND_STOPPED. */
    int (*careful)(const double *x, const double *f0, double *g, int status, void *context);
    void *context;
    double fx;
    int known;       /* whether fx is f(x); 0 on entry */
    ptrdiff_t calls; /* for differences; 0 on entry */
} nd_numerical;

/* The nd_objective of an nd_numerical. */
int nd_call_numerical(ptrdiff_t n, const double *x, double *fx, double **g, void *numerical);

/* --- Gradient descent --- */

/* Value and gradient at x. Where fx is not NULL, *fx = f(x). Where g is not NULL, the n components of the gradient go to
 * *g, or *g is set to other memory that holds them until the next call. Returns 0, or ND_STOPPED to stop.
 *
 * A call for the gradient alone follows one for the value at the same x, if values are asked for at all. The function
 * must not write into x, and may exchange it, as in nd_point. */
typedef int (*nd_objective)(ptrdiff_t n, const double *x, double *fx, double **g, void *context);

/* Called at every point, the first too, when value, norm and nit are known: 0, 1 to end there, or ND_STOPPED to stop.
 * Where it may change the memory that slope points to, it moves the gradient from there to g first, and slope too. */
typedef int (*nd_observer)(void *observer_context);

/* Why a descent ended. The values are part of numdiff's API. */
enum {
    ND_GTOL = 0,            /* norm < gtol, and *error <= gtol */
    ND_MAXITER = 1,         /* nit == maxiter */
    ND_XTOL = 2,            /* no coordinate moved by more than xtol, nor, with momentum, will by the gradient alone */
    ND_FTOL = 3,            /* the value changed by at most ftol; not where x leapt across a valley, and no lower */
    ND_NOT_FINITE = 4,      /* the value or the gradient is nan or inf; x is that of the best or last finite one */
    ND_DIVERGED = 5,        /* the steps have become ND_FAR times as long as max(1, |x0|), and the gradient larger */
    ND_BELOW_ERROR = 6,     /* norm <= *error */
    ND_NO_DECREASE = 7,     /* the line search found none */
    ND_OBSERVER_ENDED = 99, /* the observer asked for it */
};

#define ND_FAR 1e10
#define ND_ARMIJO 1e-4     /* of the fall that the gradient promises */
enum { ND_HALVINGS = 60 }; /* of the line search */

/* x is moved by
 *
 *     v = momentum v - learning_rate g,   x = x + v      (nesterov: x = x + momentum v - learning_rate g)
 *
 * and put back into [lb, ub]; v is 0 where that was needed. line_search halves the learning rate, in each iteration from
 * its first value on, until f falls by ND_ARMIJO of what the gradient promises; it needs values, and no momentum. */
typedef struct nd_descent {
    nd_objective objective;
    nd_observer observer; /* or NULL */
    void *context, *observer_context;
    ptrdiff_t n, maxiter;
    double learning_rate, momentum, gtol, xtol, ftol; /* tolerances: 0 is off; ftol needs values */
    int nesterov, line_search;
    int values;                /* whether f is evaluated at every point; the best point is kept, then */
    const double *lb, *ub;     /* n, or NULL */
    const double *error;       /* 1: the norm of the error of the gradient, which the objective sets; or NULL */
    double *x;                 /* n: the start; on return the result */
    double *v;                 /* n, zero on entry; NULL without momentum */
    double *g;                 /* n: on return the gradient at x */
    double *slope;             /* in between, where the gradient at x is: g, or where the objective has it */
    double *before;            /* workspace, n: the point before x */
    double *seen;              /* workspace, n: what x was before a call */
    double *best;              /* workspace, n: the best point; without values x, while a step may be taken back */
    double *best_g;            /* workspace, n; NULL without values */
    double fx, norm;           /* at x; norm is that of the gradient less the components that push against a bound */
    ptrdiff_t nit, nfev, njev; /* 0 on entry */
} nd_descent;

/* Descend; why it ended, ND_STOPPED, or ND_WRITTEN where the objective wrote into x: that is looked for in all of x
 * after the first two calls, then in blocks of ND_BLOCK that take turns. On a stop x is where the objective was called. */
int nd_descend(nd_descent *descent);

/* One step of the above without a line search. before = x, and then x and v are moved. */
void nd_step(const nd_descent *descent, const double *g);

/* sqrt(sum g^2), or what is left without the components that push against a bound. In a fixed order: eight sums that
 * take turns. Finite where all of g is and the norm is a float64, else inf or nan. */
double nd_gradient_norm(const nd_descent *descent, const double *g);

/* A sparse structure, by columns and by rows: entry k of column j is in row rows[k], column_begin[j] <= k <
 * column_begin[j + 1]; entry k of row i is in column columns[k], likewise. Entries may repeat. */
typedef struct nd_structure {
    ptrdiff_t n;                   /* columns */
    const ptrdiff_t *column_begin; /* n + 1, from 0 */
    const ptrdiff_t *rows;
    const ptrdiff_t *row_begin; /* one more than rows, from 0 */
    const ptrdiff_t *columns;
} nd_structure;

/* Orders of the columns; the neighbours of a column are those that share a row with it. */
enum {
    ND_LARGEST_FIRST = 0, /* by the number of neighbours, falling */
    ND_SMALLEST_LAST = 1  /* the last has the fewest neighbours, and so on among those before it */
};

/* Fills order with the n columns in the order of that kind; work is 6 n. */
void nd_order_columns(const nd_structure *structure, int kind, ptrdiff_t *order, ptrdiff_t *work);

/* Colours from 0, so that no two columns of one colour share a row: each column, in order, takes the least that fits.
 * A. Curtis, M. Powell and J. Reid, J. Inst. Math. Appl. 13 (1974) 117-119; T. Coleman and J. Moré, SIAM J. Numer.
 * Anal. 20 (1983) 187-209, for the orders.
 *
 *   order      n columns, or NULL for order[k] = k
 *   colors     n results
 *   forbidden  workspace, n
 *
 * Returns the number of colours. Time: the sum over all entries of the length of the entry's row. */
ptrdiff_t nd_color_columns(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors,
                           ptrdiff_t *forbidden);

/* The same, but the next column is always the one with the most colours beside it, of several the first in order; only
 * the colours below 64 count. Finds the 5 colours of a five-point grid. D. Brélaz, Commun. ACM 22 (1979) 251-256.
 *
 *   beside  workspace, n
 *   work    workspace, 7 n */
ptrdiff_t nd_color_saturated(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors, uint64_t *beside,
                             ptrdiff_t *work);

/* A star colouring of a symmetric structure: columns i and j of an entry have two colours, and so has no path of four
 * columns. Then each entry (i, j) is alone of its colour in row i, or (j, i) in row j. Only rows are read; the diagonal
 * counts as full. A. Gebremedhin, F. Manne and A. Pothen, SIAM Review 47 (2005) 629-705, section 4. */
ptrdiff_t nd_color_star(const nd_structure *structure, const ptrdiff_t *order, ptrdiff_t *colors, ptrdiff_t *forbidden);

/* Fills alone[k] with 1 where entry k of the rows shares its row with no other entry of its group, else 0.
 *
 *   m       rows
 *   groups  n, from 0
 *   last    workspace, as many as there are groups
 *   alone   as many as there are entries
 *
 * Returns the number of entries that are not alone. Only rows are read. */
ptrdiff_t nd_entries_alone(const nd_structure *structure, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t *last,
                           unsigned char *alone);

/* The entries of a Jacobian in the columns of the groups [begin, end), by rows, from the values of its function with all
 * columns of a group moved at once; each entry is taken to be alone in its row and group.
 *
 *   chosen   n: only the columns where it is not 0; NULL: all
 *   x, h     n: the point and the steps
 *   f0       m: the values at x; read only if the stencil has the offset 0
 *   values   (end - begin, calls, m): of each group at the offsets of the stencil but 0
 *   entries  results; those of other groups and columns are left alone
 *
 * Returns remarks. Only rows are read. */
int nd_entries(const nd_structure *structure, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t begin, ptrdiff_t end,
               const nd_stencil *stencil, const unsigned char *chosen, const double *x, const double *h,
               const double *f0, const double *values, double *entries);

/* For each row, the sums of entry * step, of |entry * step| and of |entry * x| over its finite entries.
 *
 *   entries   by rows
 *   step, x   n
 *   sums      results, (3, m)
 *
 * Only rows are read. */
void nd_along(const nd_structure *structure, ptrdiff_t m, const double *entries, const double *step, const double *x,
              double *sums);

#ifdef __cplusplus
}
#endif

#endif
