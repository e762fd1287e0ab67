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

/* A difference formula, as data:
 *
 *     f' = sum_j weights[j] f(x + offsets[j] h) / (scale ((x + offsets[size-1] h) - (x + offsets[0] h)))
 *
 * Offsets ascend; 0, which can only be the first, stands for f0 and is not evaluated again. The divisor is the step taken, not the one asked
 * for. scale is the denominator of the weights over the width of the stencil: 1 for the two- and three-point rules. */
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
 *   fx     workspace, m values
 *   df     results: df[k m + r] is the derivative of value r by coordinate index[k] (not read)
 *
 * Calls f once for each k and each offset but 0, in that order. Any range of k may be computed by itself: the bits
 * of df do not depend on how the range is cut. On a stop df is undefined. */
int nd_difference(nd_point *point, const nd_stencil *stencil, const ptrdiff_t *index, const double *h, ptrdiff_t begin,
                  ptrdiff_t end, const double *f0, double *fx, double *df);

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
 * let it be index[0], and the range [0, 1). */
int nd_hessian_mixed(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                     ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end, double f0, const double *near, double *hessian);

#ifdef __cplusplus
}
#endif

#endif
