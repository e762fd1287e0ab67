/* Gradient descent: steps, stops, and the point that is kept. */
#include "numdiff.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LANES = 8 };                               /* sums that take turns: one alone would wait for itself */
static const double TINY = 1e-290;                /* a sum of squares below it may have lost some */
static const double ROUNDING = 4.0 * DBL_EPSILON; /* of f */
static const double SAME = 0.99;                  /* a norm that has fallen to no less */

static double sum_lanes(const double *sums)
{
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/* A component of the gradient, 0 where it pushes x against a bound. */
static double free_part(const nd_descent *d, const double *g, ptrdiff_t i)
{
    return (g[i] > 0.0 && d->x[i] <= d->lb[i]) || (g[i] < 0.0 && d->x[i] >= d->ub[i]) ? 0.0 : g[i];
}

static inline double sum_of_squares(const nd_descent *d, const double *g, double scale)
{
    double sums[LANES] = {0.0};
    ptrdiff_t n = d->n, whole = n - n % LANES, i = 0;
    if (d->lb == NULL) {
        for (; i < whole; i += LANES) {
            for (int j = 0; j < LANES; j++) {
                double part = g[i + j] * scale;
                sums[j] += part * part;
            }
        }
    }
    for (; i < n; i++) {
        double part = (d->lb == NULL ? g[i] : free_part(d, g, i)) * scale;
        sums[i % LANES] += part * part;
    }
    return sum_lanes(sums);
}

/* The norm, from the sum of the squares where that is good enough. */
static double root(const nd_descent *d, const double *g, double sum)
{
    if (sum >= TINY && isfinite(sum)) {
        return sqrt(sum);
    }
    double scale = sum < TINY ? 0x1p600 : 0x1p-600;
    return sqrt(sum_of_squares(d, g, scale)) / scale;
}

double nd_gradient_norm(const nd_descent *descent, const double *g)
{
    return root(descent, g, sum_of_squares(descent, g, 1.0));
}

/* sum g (from - to) */
static double promised(ptrdiff_t n, const double *g, const double *from, const double *to)
{
    double sums[LANES] = {0.0};
    for (ptrdiff_t i = 0; i < n; i++) {
        sums[i % LANES] += g[i] * (from[i] - to[i]);
    }
    return sum_lanes(sums);
}

static double norm(ptrdiff_t n, const double *x)
{
    nd_descent plain = {.n = n};
    return nd_gradient_norm(&plain, x);
}

static double clipped(const nd_descent *d, ptrdiff_t i, double x)
{
    return x < d->lb[i] ? d->lb[i] : x > d->ub[i] ? d->ub[i] : x;
}

/* before = x, and a step without momentum and bounds. Returns the sum of the squares of g, from the same pass over
 * memory; a line of it at once, as stores that change between two arrays are slow. */
static double plain_step(ptrdiff_t n, double rate, const double *restrict g, double *restrict x,
                         double *restrict before)
{
    double sums[LANES] = {0.0};
    ptrdiff_t whole = n - n % LANES;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        ptrdiff_t line = i < whole ? LANES : n - i; /* so that the compiler knows the usual one */
        for (ptrdiff_t j = 0; j < line; j++) {
            double from = x[i + j], slope = g[i + j];
            sums[j] += slope * slope;
            before[i + j] = from;
            x[i + j] = from - rate * slope;
        }
    }
    return sum_lanes(sums);
}

void nd_step(const nd_descent *descent, const double *g)
{
    const nd_descent *d = descent;
    double rate = d->learning_rate, momentum = d->momentum;
    double *x = d->x, *before = d->before, *v = d->v;
    if (v == NULL && d->lb == NULL) {
        plain_step(d->n, rate, g, x, before);
        return;
    }
    for (ptrdiff_t i = 0; i < d->n; i++) {
        double from = x[i], slope = rate * g[i], to = from - slope;
        if (v != NULL) {
            v[i] = momentum * v[i] - slope;
            to = from + (d->nesterov ? momentum * v[i] - slope : v[i]);
        }
        before[i] = from;
        x[i] = to;
        if (d->lb != NULL && clipped(d, i, to) != to) {
            x[i] = clipped(d, i, to);
            if (v != NULL) {
                v[i] = 0.0;
            }
        }
    }
}

/* One call of the objective, and a look for foreign writes. */
static int evaluate(nd_descent *d, double *fx, double **g)
{
    ptrdiff_t n = d->n, calls = d->nfev + d->njev, blocks = (n + ND_BLOCK - 1) / ND_BLOCK;
    ptrdiff_t begin = 0, end = n;
    if (calls >= 2 && blocks > 1) {
        begin = calls % blocks * ND_BLOCK;
        end = begin + ND_BLOCK < n ? begin + ND_BLOCK : n;
    }
    size_t size = (size_t)(end - begin) * sizeof(double);
    memcpy(d->seen, d->x + begin, size);
    int status = d->objective(n, d->x, fx, g, d->context);
    d->nfev += fx != NULL;
    d->njev += g != NULL;
    if (status != ND_OK) {
        return status;
    }
    return memcmp(d->seen, d->x + begin, size) ? ND_WRITTEN : ND_OK;
}

/* The value, if it is asked for and not known, and the gradient. */
static int evaluate_both(nd_descent *d, int known)
{
    int status = ND_OK;
    if (d->values && !known) {
        status = evaluate(d, &d->fx, NULL);
    }
    d->slope = d->g;
    return status != ND_OK ? status : evaluate(d, NULL, &d->slope);
}

/* Let the gradient be in g, where nothing but this file changes it. */
static void own_slope(nd_descent *d)
{
    if (d->slope != d->g) {
        memmove(d->g, d->slope, (size_t)d->n * sizeof(double));
        d->slope = d->g;
    }
}

/* x = before - t g for the first t that lowers f enough; f there is fx. 0, ND_NO_DECREASE or a stop. */
static int search_line(nd_descent *d)
{
    double t = d->learning_rate, from = d->fx;
    memcpy(d->before, d->x, (size_t)d->n * sizeof(double));
    own_slope(d); /* the next call may change it */
    for (int halving = 0; halving <= ND_HALVINGS; halving++, t *= 0.5) {
        for (ptrdiff_t i = 0; i < d->n; i++) {
            double to = d->before[i] - t * d->g[i];
            d->x[i] = d->lb == NULL ? to : clipped(d, i, to);
        }
        int status = evaluate(d, &d->fx, NULL);
        if (status != ND_OK) {
            return status;
        }
        double fall = promised(d->n, d->g, d->before, d->x);
        if (fall > 0.0 && d->fx < from && d->fx <= from - ND_ARMIJO * fall) {
            return ND_OK;
        }
    }
    memcpy(d->x, d->before, (size_t)d->n * sizeof(double));
    d->fx = from;
    return ND_NO_DECREASE;
}

static double largest_move(const nd_descent *d)
{
    double largest = 0.0;
    for (ptrdiff_t i = 0; i < d->n; i++) {
        double move = fabs(d->x[i] - d->before[i]);
        largest = move > largest ? move : largest;
    }
    return largest;
}

/* max |g| */
static double largest_slope(const nd_descent *d)
{
    double largest = 0.0;
    for (ptrdiff_t i = 0; i < d->n; i++) {
        double size = fabs(d->lb == NULL ? d->slope[i] : free_part(d, d->slope, i));
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* Whether x is at rest; with momentum it may just turn around. */
static int rests(const nd_descent *d)
{
    return largest_move(d) <= d->xtol && (d->v == NULL || d->learning_rate * largest_slope(d) <= d->xtol);
}

/* Whether x went to the other side of a valley, and no lower. */
static int leaps(const nd_descent *d, double last_fx, double last_norm)
{
    return last_fx - d->fx <= ROUNDING * fabs(d->fx) && d->norm >= SAME * last_norm &&
           promised(d->n, d->slope, d->before, d->x) < 0.0;
}

/* Whether nothing looks at x between the gradient there and a step without momentum and bounds. */
static int steps_ahead(const nd_descent *d)
{
    return d->v == NULL && d->lb == NULL && d->observer == NULL && !d->values && d->xtol == 0.0;
}

/* Why to end at this point, which is finite; -1: go on. */
static int ended(const nd_descent *d, double last_fx, double last_norm, double far, double first_norm)
{
    double error = d->error == NULL ? 0.0 : *d->error;
    if (d->norm < d->gtol && error <= d->gtol) {
        return ND_GTOL;
    }
    if (d->nit > 0) {
        if (d->xtol > 0.0 && rests(d)) {
            return ND_XTOL;
        }
        if (d->ftol > 0.0 && fabs(last_fx - d->fx) <= d->ftol && !leaps(d, last_fx, last_norm)) {
            return ND_FTOL;
        }
    }
    if (d->error != NULL && d->norm <= error) {
        return ND_BELOW_ERROR;
    }
    if (!d->line_search && d->norm > first_norm && d->learning_rate * d->norm > far) {
        return ND_DIVERGED;
    }
    return d->nit >= d->maxiter ? ND_MAXITER : -1;
}

int nd_descend(nd_descent *descent)
{
    nd_descent *d = descent;
    size_t size = (size_t)d->n * sizeof(double);
    double size_of_x0 = norm(d->n, d->x), far = ND_FAR * (size_of_x0 > 1.0 ? size_of_x0 : 1.0);
    double first_norm = 0.0, last_fx = 0.0, last_norm = 0.0, best_fx = INFINITY;
    int end = -1, searched = 0, ahead = steps_ahead(d);

    for (;;) {
        int status = evaluate_both(d, searched);
        if (status != ND_OK) {
            return status;
        }
        if (ahead) { /* to be taken back at an end: `before` is still needed where the gradient is not finite */
            d->norm = root(d, d->slope, plain_step(d->n, d->learning_rate, d->slope, d->x, d->best));
        } else {
            d->norm = nd_gradient_norm(d, d->slope);
        }
        if (!isfinite(d->norm) || (d->values && !isfinite(d->fx))) {
            end = ND_NOT_FINITE;
            if (d->nit > 0) {
                d->nit--; /* that step is taken back */
                break;
            }
        }
        if (d->nit == 0) {
            first_norm = d->norm;
        }
        if (end < 0) {
            end = ended(d, last_fx, last_norm, far, first_norm);
        }
        status = d->observer == NULL ? 0 : d->observer(d->observer_context);
        if (status < 0) {
            return status;
        }
        if (end < 0 && status > 0) {
            end = ND_OBSERVER_ENDED;
        }
        if (d->values && d->fx <= best_fx) {
            best_fx = d->fx;
            memcpy(d->best, d->x, size);
            memcpy(d->best_g, d->slope, size);
        }
        if (end >= 0) {
            if (ahead) {
                memcpy(d->x, d->best, size);
            }
            break;
        }
        last_fx = d->fx;
        last_norm = d->norm;
        if (ahead) {
            double *last = d->before;
            d->before = d->best;
            d->best = last;
        } else if (d->line_search) {
            status = search_line(d);
            if (status < 0) {
                return status;
            }
            if (status > 0) {
                end = status;
                break;
            }
            searched = 1;
        } else {
            nd_step(d, d->slope);
        }
        d->nit++;
    }

    if (d->values && isfinite(best_fx) && (end == ND_NOT_FINITE || best_fx < d->fx - ROUNDING * fabs(d->fx))) {
        memcpy(d->x, d->best, size);
        d->slope = d->best_g;
        d->fx = best_fx;
    } else if (end == ND_NOT_FINITE && d->njev > 1) {
        memcpy(d->x, d->before, size);
        int status = evaluate_both(d, 0);
        if (status != ND_OK) {
            return status;
        }
    }
    d->norm = nd_gradient_norm(d, d->slope);
    own_slope(d);
    return end;
}
