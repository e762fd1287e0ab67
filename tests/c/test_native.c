/* nd_call_native and nd_call_natives: the signatures, the status of a function, its first value, looks around. */
#include "minunit.h"
#include "numdiff.h"

#include <math.h>

enum { N = 3, M = 2 };

static int calls, watched, seen_status;
static int answer; /* of watch */
static double seen_x;

static double sum(int n, double *x)
{
    double found = 0.0;
    for (int i = 0; i < n; i++) {
        found += x[i];
    }
    calls++;
    return found;
}

static double scaled(int n, double *x, void *data)
{
    return *(double *)data * sum(n, x);
}

static int both(int n, double *x, int m, double *fx, void *data)
{
    for (int r = 0; r < m; r++) {
        fx[r] = (r + 1) * scaled(n, x, data);
    }
    return x[0] < 0.0 ? 7 : 0;
}

static int watch(ptrdiff_t n, const double *x, int status, void *context)
{
    watched++;
    seen_status = status;
    seen_x = x[n - 1];
    CHECK(context == &answer);
    return answer;
}

static double factor = 3.0;
static double x[N] = {1.0, 2.0, 4.0};

static nd_native native_with_watch(void)
{
    nd_native native = {.watch = watch, .context = &answer};
    calls = watched = seen_status = answer = 0;
    return native;
}

static void signatures(void)
{
    double fx[M] = {0.0, 0.0};
    nd_native native = native_with_watch();
    native.number = sum;
    CHECK_EQUAL(nd_call_native(N, x, 1, fx, &native), ND_OK);
    CHECK_EQUAL(fx[0], 7.0);
    native = native_with_watch();
    native.number_with_data = scaled;
    native.data = &factor;
    CHECK_EQUAL(nd_call_native(N, x, 1, fx, &native), ND_OK);
    CHECK_EQUAL(fx[0], 21.0);
    native = native_with_watch();
    native.numbers = both;
    native.data = &factor;
    CHECK_EQUAL(nd_call_native(N, x, M, fx, &native), ND_OK);
    CHECK_EQUAL(fx[0], 21.0);
    CHECK_EQUAL(fx[1], 42.0);
    CHECK_EQUAL(watched, 0);
}

static void status_stops(void)
{
    double negative[N] = {-1.0, 0.0, 5.0}, fx[M];
    nd_native native = native_with_watch();
    native.numbers = both;
    native.data = &factor;
    CHECK_EQUAL(nd_call_native(N, negative, M, fx, &native), ND_STOPPED); /* though watch says: go on */
    CHECK_EQUAL(watched, 1);
    CHECK_EQUAL(seen_status, 7);
    CHECK_EQUAL(seen_x, 5.0);
}

static int forgetful(int n, double *at, int m, double *fx, void *data)
{
    (void)n, (void)m, (void)data;
    if (at[0] == 1.0) {
        fx[0] = at[1];
    }
    return 0;
}

static void what_is_not_filled_is_nan(void)
{
    double elsewhere[N] = {2.0, 2.0, 4.0}, fx[M] = {5.0, 5.0};
    nd_native native = native_with_watch();
    native.numbers = forgetful;
    CHECK_EQUAL(nd_call_native(N, x, M, fx, &native), ND_OK);
    CHECK_EQUAL(fx[0], 2.0);
    CHECK(isnan(fx[1]));
    CHECK_EQUAL(nd_call_native(N, elsewhere, M, fx, &native), ND_OK);
    CHECK(isnan(fx[0]));
}

static void first_values_take_the_place_of_a_call(void)
{
    const double first[M] = {0.5, -0.5};
    double fx[M];
    nd_native native = native_with_watch();
    native.numbers = both;
    native.data = &factor;
    native.first = first;
    CHECK_EQUAL(nd_call_native(N, x, M, fx, &native), ND_OK);
    CHECK_BITS(fx, first, M);
    CHECK_EQUAL(calls, 0);
    CHECK_EQUAL(nd_call_native(N, x, M, fx, &native), ND_OK);
    CHECK_EQUAL(fx[0], 21.0);
    CHECK_EQUAL(calls, M);
}

/* As if so much time had passed since the clock was read. */
static void let_pass(nd_native *native, double seconds)
{
    native->read_at -= seconds;
    native->looked_at -= seconds;
}

static void cheap_functions_read_the_clock_less_often(void)
{
    double fx;
    nd_native native = native_with_watch();
    native.number = sum;
    int most = 0; /* not the last, which a busy machine may have delayed */
    for (int call = 0; call < 1000; call++) {
        nd_call_native(N, x, 1, &fx, &native);
        most = native.every > most ? native.every : most;
    }
    CHECK_EQUAL(calls, 1000);
    CHECK_EQUAL(most, 64);
}

static void looks_when_it_is_time(void)
{
    double fx;
    nd_native native = native_with_watch();
    native.number = sum;
    nd_call_native(N, x, 1, &fx, &native);
    CHECK_EQUAL(watched, 0);
    let_pass(&native, 0.2);
    CHECK_EQUAL(nd_call_native(N, x, 1, &fx, &native), ND_OK);
    CHECK_EQUAL(watched, 1);
    CHECK_EQUAL(seen_status, 0);
    CHECK_EQUAL(native.every, 1); /* so slow a function is followed closely */
    let_pass(&native, -1e6);      /* a clock set back by a day or two */
    CHECK_EQUAL(nd_call_native(N, x, 1, &fx, &native), ND_OK);
    CHECK_EQUAL(watched, 2);
    let_pass(&native, 0.2);
    answer = -1;
    CHECK_EQUAL(nd_call_native(N, x, 1, &fx, &native), ND_STOPPED);
    CHECK_EQUAL(calls, 3); /* not after it was told to stop */
}

/* A gradient that is -1 everywhere, which stops where x[0] is negative. */
static int falling(int n, double *point, int m, double *fx, void *data)
{
    (void)data;
    for (int r = 0; r < m; r++) {
        fx[r] = -1.0;
    }
    calls++;
    return n == m && point[0] < 0.0 ? 5 : 0;
}

static void in_a_descent(void)
{
    double g[N], before[N], seen[N], best[N], best_g[N];
    for (int values = 0; values < 2; values++) {
        double moving[N] = {1.0, 2.0, 4.0};
        nd_natives natives = {native_with_watch(), native_with_watch()};
        natives.value.number = sum;
        natives.gradient.numbers = falling;
        nd_descent d = {.objective = nd_call_natives, .context = &natives, .n = N, .maxiter = 3, .learning_rate = 0.5};
        d.x = moving;
        d.g = g;
        d.before = before;
        d.seen = seen;
        d.values = values;
        d.best = best;
        d.best_g = best_g;
        /* The lowest value is that of the start. */
        CHECK_EQUAL(nd_descend(&d), ND_MAXITER);
        CHECK_EQUAL(moving[0], values ? 1.0 : 2.5);
        CHECK_EQUAL(calls, values ? 8 : 4);
        CHECK_EQUAL(d.nfev, values ? 4 : 0);
        CHECK_EQUAL(d.njev, 4);
        moving[0] = -1.0;
        CHECK_EQUAL(nd_descend(&d), ND_STOPPED);
        CHECK_EQUAL(watched, 1);
        CHECK_EQUAL(seen_status, 5);
    }
}

/* What nd_call_numerical leaves to others. */
typedef struct care {
    nd_numerical numerical;
    nd_native native;
    double moving[N], h[N], values[2 * N], error;
    ptrdiff_t since;
    int calls, status, has_f0;
    double f0;
} care;

static int careful(const double *at, const double *f0, double *g, int status, void *context)
{
    care *self = context;
    self->calls++;
    self->status = status;
    self->has_f0 = f0 != NULL;
    self->f0 = f0 ? *f0 : 0.0;
    self->since = 0;
    if (status != ND_OK) {
        g[0] = 8.5;
    }
    return at[0] == 3.0 ? ND_STOPPED : 0;
}

static double root(int n, double *at)
{
    (void)n;
    calls++;
    return at[0] < 0.0 ? MU_NAN : at[0] + 2.0 * at[1] - at[2];
}

static void start(care *self)
{
    memset(self, 0, sizeof *self);
    self->native = native_with_watch();
    self->native.number = root;
    self->error = HUGE_VAL;
    nd_numerical *to = &self->numerical;
    to->point = (nd_point){.function = nd_call_native, .context = &self->native, .n = N, .m = 1, .x = self->moving};
    to->relative = 0x1p-17;
    to->h = self->h;
    to->values = self->values;
    to->often = 4;
    to->since = &self->since;
    to->least = 0.5;
    to->clear = 10.0;
    to->error = &self->error;
    to->careful = careful;
    to->context = self;
}

static void differences_for_a_descent(void)
{
    const double slopes[N] = {1.0, 2.0, -1.0}, at[N] = {1.0, 2.0, 4.0};
    double g[N], *slope = g, fx;
    care c;
    start(&c);
    CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
    CHECK_BITS(g, slopes, N);
    CHECK_EQUAL(c.h[2], 0x1p-15);
    CHECK_EQUAL(c.values[5], 1.0 - 0x1p-15); /* f at x[2] + h */
    CHECK_EQUAL(c.calls, 1);                 /* nothing was known of the error */
    CHECK_EQUAL(c.status, ND_OK);
    CHECK_EQUAL(c.has_f0, 0);
    CHECK_EQUAL(calls, 2 * N);
    CHECK_EQUAL(c.numerical.calls, 2 * N);

    c.error = 0.2; /* the norm is sqrt(6) */
    for (int k = 1; k < 9; k++) {
        CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
        CHECK_EQUAL(c.calls, 1 + k / 4); /* one of four */
    }
    c.error = 0.25;
    CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.calls, 4);
    c.error = 0.0;
    c.numerical.least = 3.0;
    CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.calls, 5);

    /* The value before it, once. */
    CHECK_EQUAL(nd_call_numerical(N, at, &fx, NULL, &c.numerical), ND_OK);
    CHECK_EQUAL(fx, 1.0);
    CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.has_f0, 1);
    CHECK_EQUAL(c.f0, 1.0);
    CHECK_EQUAL(nd_call_numerical(N, at, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.has_f0, 0);
}

static void differences_that_fail(void)
{
    const double end[N] = {0.0, 2.0, 4.0}, outside[N] = {-1.0, 2.0, 4.0}, far[N] = {1.0, 1e301, 4.0};
    const double stops[N] = {3.0, 2.0, 4.0};
    double g[N], *slope = g, fx;
    care c;
    start(&c);
    CHECK_EQUAL(nd_call_numerical(N, end, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.status, ND_NONFINITE);
    CHECK_EQUAL(g[0], 8.5);
    CHECK_EQUAL(c.numerical.calls, 2 * N);
    CHECK_EQUAL(nd_call_numerical(N, far, NULL, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.status, ND_OVERFLOW);
    CHECK_EQUAL(nd_call_numerical(N, outside, &fx, &slope, &c.numerical), ND_OK);
    CHECK_EQUAL(c.status, ND_NONFINITE);
    CHECK_EQUAL(c.numerical.calls, 2 * N); /* no more */
    CHECK_EQUAL(nd_call_numerical(N, stops, NULL, &slope, &c.numerical), ND_STOPPED);
    CHECK_EQUAL(c.calls, 4);
    c.native.number = NULL;
    c.native.numbers = both;
    c.native.data = &factor;
    CHECK_EQUAL(nd_call_numerical(N, outside, &fx, &slope, &c.numerical), ND_STOPPED);
    CHECK_EQUAL(nd_call_numerical(N, outside, NULL, &slope, &c.numerical), ND_STOPPED);
    CHECK_EQUAL(c.calls, 4);
}

static void in_a_kernel(void)
{
    const double x0[N] = {1.0, 2.0, 4.0}, h[N] = {0.25, 0.25, 0.25}, offsets[] = {-1.0, 1.0}, weights[] = {-1.0, 1.0};
    double moving[N] = {1.0, 2.0, 4.0}, fx[M], df[N * M];
    nd_native native = native_with_watch();
    native.numbers = both;
    native.data = &factor;
    nd_point point = {.function = nd_call_native, .context = &native, .n = N, .m = M, .x0 = x0, .x = moving};
    nd_stencil central = {2, offsets, weights, 1.0};
    CHECK_EQUAL(nd_difference(&point, &central, NULL, h, 0, N, NULL, fx, 0, df), ND_OK);
    for (int k = 0; k < N; k++) {
        CHECK_EQUAL(df[k * M], 3.0);
        CHECK_EQUAL(df[k * M + 1], 6.0);
    }
    CHECK_EQUAL(point.calls, 2 * N);
}

int main(void)
{
    RUN(signatures);
    RUN(status_stops);
    RUN(what_is_not_filled_is_nan);
    RUN(first_values_take_the_place_of_a_call);
    RUN(cheap_functions_read_the_clock_less_often);
    RUN(looks_when_it_is_time);
    RUN(in_a_descent);
    RUN(differences_for_a_descent);
    RUN(differences_that_fail);
    RUN(in_a_kernel);
    return mu_report();
}
