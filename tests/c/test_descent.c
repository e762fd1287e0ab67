/* nd_descend, nd_step and nd_gradient_norm: known bits, stops, statuses, and no call but those that count. */
#include "minunit.h"
#include "numdiff.h"

enum { N = 100, NEVER = -1 };

/* x^2 in every coordinate, exact for dyadic numbers; may misbehave in one of its calls. */
typedef struct probe {
    nd_descent descent;
    double x[N], v[N], g[N], before[N], seen[N], best[N], best_g[N], own[N], lb[N], ub[N], error;
    int lends;             /* the gradient in own memory */
    ptrdiff_t calls, call; /* made; from 0, the one to misbehave in, or NEVER */
    int status;            /* in that call, */
    ptrdiff_t written_at;  /* or where it writes, or NEVER, */
    double slope;          /* or what the gradient is, if not 0 */
    ptrdiff_t observed, end_at;
} probe;

static int bowl(ptrdiff_t n, const double *x, double *fx, double **g, void *context)
{
    probe *self = context;
    if (fx != NULL) {
        *fx = 0.0;
        for (ptrdiff_t i = 0; i < n; i++) {
            *fx += x[i] * x[i];
        }
    }
    if (g != NULL) {
        if (self->lends) {
            *g = self->own;
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            (*g)[i] = 2.0 * x[i];
        }
    }
    if (self->calls++ != self->call) {
        return 0;
    }
    if (self->written_at != NEVER) {
        self->descent.x[self->written_at] = 99.5;
    }
    if (self->slope != 0.0 && g != NULL) {
        (*g)[n - 1] = self->slope;
    }
    return self->status;
}

static int observe(void *context)
{
    probe *self = context;
    CHECK_EQUAL(self->descent.nit, self->observed);
    return self->observed++ == self->end_at;
}

/* From 1 everywhere, at a rate that halves x in each iteration. */
static void start(probe *self, int values)
{
    memset(self, 0, sizeof *self);
    nd_descent *d = &self->descent;
    d->objective = bowl;
    d->context = d->observer_context = self;
    d->n = N;
    d->maxiter = 10;
    d->learning_rate = 0.25;
    d->values = values;
    d->x = self->x;
    d->g = self->g;
    d->before = self->before;
    d->seen = self->seen;
    d->best = self->best;
    d->best_g = values ? self->best_g : NULL;
    self->call = self->written_at = self->end_at = NEVER;
    for (ptrdiff_t i = 0; i < N; i++) {
        self->x[i] = 1.0;
        self->lb[i] = 0.25;
        self->ub[i] = 2.0;
    }
}

static void halves_x(void)
{
    probe self;
    for (int lends = 0; lends < 2; lends++) {
        start(&self, 0);
        self.lends = lends;
        CHECK_EQUAL(nd_descend(&self.descent), ND_MAXITER);
        CHECK_EQUAL(self.descent.nit, 10);
        CHECK_EQUAL(self.descent.njev, 11);
        CHECK_EQUAL(self.descent.nfev, 0);
        for (ptrdiff_t i = 0; i < N; i++) {
            CHECK_EQUAL(self.x[i], 0x1p-10);
            CHECK_EQUAL(self.g[i], 0x1p-9);
        }
        CHECK_EQUAL(self.descent.norm, 10 * 0x1p-9);
    }
}

static void momentum(void)
{
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        probe self;
        start(&self, 0);
        self.descent.v = self.v;
        self.descent.momentum = 0.5;
        self.descent.nesterov = nesterov;
        self.descent.maxiter = 2;
        CHECK_EQUAL(nd_descend(&self.descent), ND_MAXITER);
        /* v: -1/2, then -1/4 - x/2; x: 1/2, 0 or, looking ahead, 1/4, -1/16 */
        CHECK_EQUAL(self.v[N - 1], nesterov ? -0.375 : -0.5);
        CHECK_EQUAL(self.x[N - 1], nesterov ? -0.0625 : 0.0);
    }
}

static void stops(void)
{
    probe self;
    start(&self, 0);
    self.descent.gtol = 6.0; /* the norms are 20, 10, 5 */
    CHECK_EQUAL(nd_descend(&self.descent), ND_GTOL);
    CHECK_EQUAL(self.descent.nit, 2);

    start(&self, 0);
    self.descent.xtol = 0.125; /* the moves are 1/2, 1/4, 1/8 */
    CHECK_EQUAL(nd_descend(&self.descent), ND_XTOL);
    CHECK_EQUAL(self.descent.nit, 3);

    start(&self, 1);
    self.descent.ftol = 18.75; /* f is 100, 25, 6.25 */
    CHECK_EQUAL(nd_descend(&self.descent), ND_FTOL);
    CHECK_EQUAL(self.descent.nit, 2);
    CHECK_EQUAL(self.descent.fx, 6.25);
    CHECK_EQUAL(self.descent.nfev, 3);

    start(&self, 1);
    self.descent.ftol = 1.0;
    self.descent.learning_rate = 1.0; /* x is 1, -1, 1: no end */
    CHECK_EQUAL(nd_descend(&self.descent), ND_MAXITER);

    start(&self, 0);
    self.descent.v = self.v;
    self.descent.momentum = 0.5;
    self.descent.xtol = 0.5; /* the first move; by the gradient alone 1/4 is next */
    CHECK_EQUAL(nd_descend(&self.descent), ND_XTOL);
    CHECK_EQUAL(self.descent.nit, 1);

    start(&self, 0);
    self.descent.v = self.v;
    self.descent.momentum = 0.5;
    self.descent.maxiter = 2;
    self.descent.n = 1;
    self.v[0] = 0.625;
    self.descent.xtol = 0.25; /* the moves are 3/16, at a turn, and 1/2 */
    CHECK_EQUAL(nd_descend(&self.descent), ND_MAXITER);

    start(&self, 0);
    self.descent.error = &self.error;
    self.descent.gtol = 6.0;
    self.error = 7.0; /* above gtol: not met */
    CHECK_EQUAL(nd_descend(&self.descent), ND_BELOW_ERROR);
    CHECK_EQUAL(self.descent.nit, 2);

    start(&self, 0);
    self.descent.learning_rate = 0x1p20;
    CHECK_EQUAL(nd_descend(&self.descent), ND_DIVERGED);
    CHECK_EQUAL(self.descent.nit, 1);

    start(&self, 0);
    self.descent.observer = observe;
    self.end_at = 4;
    CHECK_EQUAL(nd_descend(&self.descent), ND_OBSERVER_ENDED);
    CHECK_EQUAL(self.descent.nit, 4);
    CHECK_EQUAL(self.observed, 5);
}

static void takes_a_step_back_from_what_is_not_finite(void)
{
    for (int values = 0; values < 2; values++) {
        probe self;
        start(&self, values);
        self.slope = MU_NAN;
        self.call = values ? 5 : 2; /* the gradient at x = 1/4 */
        CHECK_EQUAL(nd_descend(&self.descent), ND_NOT_FINITE);
        CHECK_EQUAL(self.descent.nit, 1);
        CHECK_EQUAL(self.x[0], 0.5);
        CHECK_EQUAL(self.g[N - 1], 1.0);
        CHECK_EQUAL(self.descent.norm, 10.0);
    }
}

static void keeps_the_best(void)
{
    probe self;
    start(&self, 1);
    self.descent.learning_rate = 1.25; /* x is 1, -1.5, 2.25 */
    self.descent.maxiter = 2;
    CHECK_EQUAL(nd_descend(&self.descent), ND_MAXITER);
    CHECK_EQUAL(self.x[3], 1.0);
    CHECK_EQUAL(self.g[3], 2.0);
    CHECK_EQUAL(self.descent.fx, 100.0);
}

static void bounds(void)
{
    probe self;
    start(&self, 0);
    self.descent.lb = self.lb;
    self.descent.ub = self.ub;
    self.descent.gtol = 1e-9;
    self.descent.v = self.v;
    self.descent.momentum = 0.5;
    CHECK_EQUAL(nd_descend(&self.descent), ND_GTOL);
    CHECK_EQUAL(self.descent.nit, 2);
    CHECK_EQUAL(self.x[N - 1], 0.25);
    CHECK_EQUAL(self.v[N - 1], 0.0);
    CHECK_EQUAL(self.descent.norm, 0.0);
    CHECK_EQUAL(self.g[N - 1], 0.5);
}

static void line_search(void)
{
    probe self;
    start(&self, 1);
    self.descent.line_search = 1;
    self.descent.learning_rate = 2.0; /* 2 and 1 do not lower f, 1/2 leads to 0 */
    self.descent.gtol = 1e-9;
    CHECK_EQUAL(nd_descend(&self.descent), ND_GTOL);
    CHECK_EQUAL(self.descent.nit, 1);
    CHECK_EQUAL(self.x[0], 0.0);
    CHECK_EQUAL(self.descent.nfev, 4);
    CHECK_EQUAL(self.descent.njev, 2);
}

static void line_search_wants_a_lower_value(void)
{
    probe self;
    start(&self, 1);
    self.descent.n = 1;
    self.descent.line_search = 1;
    self.x[0] = 0x1p-600; /* f is 0 wherever it looks */
    CHECK_EQUAL(nd_descend(&self.descent), ND_NO_DECREASE);
    CHECK_EQUAL(self.x[0], 0x1p-600);
}

static void statuses(void)
{
    for (ptrdiff_t call = 0; call < 4; call++) {
        probe self;
        start(&self, 1);
        self.call = call;
        self.status = ND_STOPPED;
        CHECK_EQUAL(nd_descend(&self.descent), ND_STOPPED);
        CHECK_EQUAL(self.calls, call + 1);

        start(&self, 1);
        self.call = call < 2 ? call : 2 * call; /* of two blocks, the first is looked at in calls of even number */
        self.written_at = call < 2 ? N - 1 : 0;
        CHECK_EQUAL(nd_descend(&self.descent), ND_WRITTEN);
        CHECK_EQUAL(self.calls, self.call + 1);
    }
}

static void norms(void)
{
    probe self;
    start(&self, 0);
    const double sizes[] = {1.0, 0x1p600, 0x1p1000, 0x1p-600, 0x1p-1000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (ptrdiff_t i = 0; i < N; i++) {
            self.g[i] = sizes[k];
        }
        CHECK_EQUAL(nd_gradient_norm(&self.descent, self.g), 10.0 * sizes[k]);
    }
    self.g[N - 1] = MU_INF;
    CHECK_EQUAL(nd_gradient_norm(&self.descent, self.g), MU_INF);
    self.g[0] = MU_NAN;
    CHECK(isnan(nd_gradient_norm(&self.descent, self.g)));
}

int main(void)
{
    RUN(halves_x);
    RUN(momentum);
    RUN(stops);
    RUN(takes_a_step_back_from_what_is_not_finite);
    RUN(keeps_the_best);
    RUN(bounds);
    RUN(line_search);
    RUN(line_search_wants_a_lower_value);
    RUN(statuses);
    RUN(norms);
    return mu_report();
}
