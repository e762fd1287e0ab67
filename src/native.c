/* Functions with a signature of their own behind an nd_function, and a look around every so often. */
#include "native.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { MOST_CALLS = 64 }; /* between two readings of the clock, which takes as long as a cheap function */

static const double PERIOD = 0.05; /* seconds between two looks */

/* Reads the clock, before a call; says how many calls until it is read again, and watches if it is time to. */
int look_native(nd_native *native, ptrdiff_t n, const double *x)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    double now = (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    int every = 1;
    if (native->every == 0) { /* the first */
        native->looked_at = now;
    } else {
        /* A clock that was set back says nothing of the time that has passed. */
        double passed = now - native->read_at;
        if (passed >= 0.0 && passed < PERIOD / MOST_CALLS) {
            every = native->every < MOST_CALLS ? 2 * native->every : MOST_CALLS;
        }
    }
    native->every = every;
    native->left = every - 1;
    native->read_at = now;
    double since = now - native->looked_at;
    if (since >= 0.0 && since < PERIOD) {
        return ND_OK;
    }
    native->looked_at = now;
    return native->watch(n, x, 0, native->context) == 0 ? ND_OK : ND_STOPPED;
}

int nd_call_native(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    return call_native(n, x, m, fx, context);
}

int nd_call_natives(ptrdiff_t n, const double *x, double *fx, double **g, void *context)
{
    nd_natives *natives = context;
    int status = fx == NULL ? ND_OK : nd_call_native(n, x, 1, fx, &natives->value);
    return status != ND_OK || g == NULL ? status : nd_call_native(n, x, n, *g, &natives->gradient);
}

static int differentiate(nd_numerical *numerical, ptrdiff_t n, const double *x, double *g)
{
    static const double offsets[] = {-1.0, 1.0}, weights[] = {-1.0, 1.0};
    static const nd_stencil central = {2, offsets, weights, 1.0};
    nd_point *point = &numerical->point;
    if (nd_move(n, x, numerical->relative, 1.0, 1.0, numerical->h) != ND_OK) {
        return ND_OVERFLOW;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        numerical->h[i] -= x[i];
    }
    memcpy(point->x, x, (size_t)n * sizeof *x);
    point->x0 = x;
    point->calls = 0;
    int status = nd_difference(point, &central, NULL, numerical->h, 0, n, NULL, numerical->values, 1, g);
    numerical->calls += point->calls;
    return status;
}

int nd_call_numerical(ptrdiff_t n, const double *x, double *fx, double **g, void *context)
{
    nd_numerical *numerical = context;
    if (fx != NULL) {
        int status = numerical->point.function(n, x, 1, fx, numerical->point.context);
        if (status != ND_OK) {
            return status;
        }
        numerical->fx = *fx;
        numerical->known = 1;
    }
    if (g == NULL) {
        return ND_OK;
    }
    const double *f0 = numerical->known ? &numerical->fx : NULL;
    numerical->known = 0;
    int status = f0 && !isfinite(*f0) ? ND_NONFINITE : differentiate(numerical, n, x, *g);
    if (status == ND_STOPPED) {
        return status;
    }
    if (status == ND_OK && *numerical->since + 1 < numerical->often) {
        nd_descent plain = {.n = n};
        double norm = nd_gradient_norm(&plain, *g);
        if (norm > numerical->least && norm > numerical->clear * *numerical->error) {
            ++*numerical->since;
            return ND_OK;
        }
    }
    return numerical->careful(x, f0, *g, status, numerical->context);
}
