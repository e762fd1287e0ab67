/* nd_gradients and nd_columns: closed forms, calls, stops. */
#include "minunit.h"
#include "numdiff.h"

#include <string.h>

/* f(x) = x0 x1 + x1^2; its calls are counted, and it may write into x. */
typedef struct state {
    int calls, writes, stop_at;
} state;

static int fun(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    state *s = context;
    fx[0] = x[0] * x[1] + x[1] * x[1];
    if (s->writes) {
        memset((double *)x, 0, (size_t)n * sizeof *x);
    }
    return ++s->calls == s->stop_at && m == 1 ? ND_STOPPED : ND_OK;
}

static const double columns[] = {1.0, 2.0, 3.0, -1.0, 0.5, 0.0}; /* (2, 3) */

static nd_point make(state *s, double *x0, double *x)
{
    nd_point point = {fun, s, 2, 1, x0, x, 0};
    return point;
}

static void gradients(void)
{
    state s = {0, 0, 0};
    double x0[2], x[2], found[6];
    nd_point point = make(&s, x0, x);
    int status = nd_gradients(&point, 3, columns, 6e-6, 1.0, x0, found);
    CHECK(status == ND_OK);
    CHECK(s.calls == 12 && point.calls == 12);
    for (int k = 0; k < 3; k++) {
        /* the function is a parabola, and the steps are powers of two: exact */
        CHECK(found[k] == columns[3 + k]);
        CHECK(found[3 + k] == columns[k] + 2.0 * columns[3 + k]);
    }
}

static void stops(void)
{
    state writer = {0, 1, 0}, stopper = {0, 0, 7};
    double x0[2], x[2], found[6];
    nd_point point = make(&writer, x0, x);
    CHECK(nd_gradients(&point, 3, columns, 6e-6, 1.0, x0, found) == ND_WRITTEN);
    point = make(&stopper, x0, x);
    CHECK(nd_gradients(&point, 3, columns, 6e-6, 1.0, x0, found) == ND_STOPPED);
    CHECK(stopper.calls == 7);
}

static void columns_of_values(void)
{
    state s = {0, 1, 0}, stopper = {0, 0, 2};
    double x0[2], x[2], fx[3];
    nd_point point = make(&s, x0, x);
    CHECK(nd_columns(&point, 3, columns, fx) == ND_OK);
    CHECK(fx[0] == 0.0 && fx[1] == 1.25 && fx[2] == 0.0);
    CHECK(point.calls == 3);
    point = make(&stopper, x0, x);
    CHECK(nd_columns(&point, 3, columns, fx) == ND_STOPPED);
}

int main(void)
{
    RUN(gradients);
    RUN(stops);
    RUN(columns_of_values);
    return mu_report();
}
