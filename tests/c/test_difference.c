/* nd_difference: the formulas on closed forms, and everything numdiff.h promises about calls, stops and remarks. */
#include "minunit.h"
#include "numdiff.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MOST = 200, MOST_CALLS = 6 * MOST };

#define ROW(...) ((const double[]){__VA_ARGS__})

static const nd_stencil FORWARD = {2, ROW(0.0, 1.0), ROW(-1.0, 1.0), 1.0};
static const nd_stencil CENTRAL = {2, ROW(-1.0, 1.0), ROW(-1.0, 1.0), 1.0};
static const nd_stencil ONE_SIDED = {3, ROW(0.0, 1.0, 2.0), ROW(-3.0, 4.0, -1.0), 1.0};
static const nd_stencil CENTRAL_4 = {4, ROW(-2.0, -1.0, 1.0, 2.0), ROW(1.0, -8.0, 8.0, -1.0), 3.0};
static const nd_stencil CENTRAL_6 = {6, ROW(-3.0, -2.0, -1.0, 1.0, 2.0, 3.0), ROW(-1.0, 9.0, -45.0, 45.0, -9.0, 1.0),
                                     10.0};

/* A formula, its order of accuracy, and the calls it makes for each coordinate. */
static const struct rule {
    const nd_stencil *stencil;
    int order, calls;
} RULES[] = {{&FORWARD, 1, 1}, {&ONE_SIDED, 2, 2}, {&CENTRAL, 2, 2}, {&CENTRAL_4, 4, 4}, {&CENTRAL_6, 6, 6}};

#define FOR_RULES(rule) for (const struct rule *rule = RULES; rule < RULES + sizeof RULES / sizeof *RULES; rule++)

typedef struct probe probe;
typedef void formula(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx);
typedef int misdeed(probe *self, const double *x, ptrdiff_t call);

/* A point of at most MOST variables whose calls are recorded; before its formula is read it may misbehave. */
struct probe {
    nd_point point;
    formula *formula;
    misdeed *misdeed;
    ptrdiff_t at; /* which call, or which coordinate: for the misdeed */
    double x0[MOST], x[MOST], h[MOST], f0[MOST], fx[MOST], df[MOST * 3];
    double moved_by[MOST_CALLS];    /* what the call changed in its coordinate */
    ptrdiff_t moved_at[MOST_CALLS]; /* that coordinate, -1 if x was x0, -2 if more than one had changed */
};

static int call(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    probe *self = context;
    ptrdiff_t k = self->point.calls;
    if (k < MOST_CALLS) {
        self->moved_at[k] = -1;
        for (ptrdiff_t i = 0; i < n; i++) {
            if (memcmp(x + i, self->x0 + i, sizeof *x) != 0) {
                self->moved_by[k] = x[i] - self->x0[i];
                self->moved_at[k] = self->moved_at[k] == -1 ? i : -2;
            }
        }
    }
    self->formula(n, x, m, fx);
    return self->misdeed ? self->misdeed(self, x, k) : 0;
}

/* x0 = 1, 2, ..., n; all steps 1/4; f0 = f(x0), not counted. */
static void start(probe *self, formula *f, ptrdiff_t n, ptrdiff_t m)
{
    memset(self, 0, sizeof *self);
    self->formula = f;
    self->point = (nd_point){call, self, n, m, self->x0, self->x, 0};
    for (ptrdiff_t i = 0; i < n; i++) {
        self->x0[i] = self->x[i] = (double)(i + 1);
        self->h[i] = 0.25;
    }
    f(n, self->x0, m, self->f0);
}

static void set(probe *self, ptrdiff_t i, double value)
{
    self->x0[i] = self->x[i] = value;
    self->formula(self->point.n, self->x0, self->point.m, self->f0);
}

static int range(probe *self, const nd_stencil *stencil, const ptrdiff_t *index, ptrdiff_t begin, ptrdiff_t end)
{
    self->point.calls = 0;
    return nd_difference(&self->point, stencil, index, self->h, begin, end, self->f0, self->fx, 0, self->df);
}

static int all(probe *self, const nd_stencil *stencil)
{
    return range(self, stencil, NULL, 0, self->point.n);
}

/* ------------------------------------------------------------------------------------------------ formulas */

static int power;

static void first_to_the_power(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)m;
    fx[0] = 1.0;
    for (int k = 0; k < power; k++) {
        fx[0] *= x[0];
    }
}

static void sine(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)m;
    fx[0] = sin(x[0]);
}

static void first(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)m;
    fx[0] = x[0];
}

/* f_r = sum_i (i + 1) x_i^(r + 1): the derivative by x_i is (r + 1) (i + 1) x_i^r. */
static void powers(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    for (ptrdiff_t r = 0; r < m; r++) {
        fx[r] = 0.0;
        for (ptrdiff_t i = 0; i < n; i++) {
            double term = (double)(i + 1);
            for (ptrdiff_t k = 0; k <= r; k++) {
                term *= x[i];
            }
            fx[r] += term;
        }
    }
}

/* Not linear, not separable, and full of rounding. */
static void waves(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    for (ptrdiff_t r = 0; r < m; r++) {
        fx[r] = (double)r;
        for (ptrdiff_t i = 0; i < n; i++) {
            fx[r] += sin(x[i] * x[(i + 1) % n] + (double)r) / 3.0;
        }
    }
}

static void zero(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)x;
    memset(fx, 0, (size_t)m * sizeof *fx);
}

static void negative_zero(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)x, (void)m;
    fx[0] = -0.0;
}

/* ---------------------------------------------------------------------------------------------- the numbers */

/* x0, h and all values are short binary fractions, so a formula of order p is exact up to degree p, and no further. */
static void exact_on_polynomials(void)
{
    FOR_RULES (rule) {
        for (power = 0; power <= rule->order + 1; power++) {
            for (double h = -0.5; h <= 0.5; h += 1.0) {
                static probe p;
                start(&p, first_to_the_power, 1, 1);
                set(&p, 0, 3.0);
                p.h[0] = h;
                CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
                double value = 1.0, exact = 0.0;
                for (int k = 0; k < power; k++) {
                    exact = 3.0 * exact + value;
                    value *= 3.0;
                }
                if (power <= rule->order) {
                    CHECK_EQUAL(p.df[0], exact);
                } else {
                    CHECK(p.df[0] != exact);
                }
            }
        }
    }
}

static void error_falls_with_its_order(void)
{
    FOR_RULES (rule) {
        double error[2];
        for (int halved = 0; halved < 2; halved++) {
            static probe p;
            start(&p, sine, 1, 1);
            set(&p, 0, 0.7);
            p.h[0] = halved ? 0.0625 : 0.125;
            CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
            error[halved] = fabs(p.df[0] - cos(0.7));
        }
        CHECK_NEAR(log2(error[0] / error[1]), rule->order, 0.15);
    }
}

/* 0.1 is no step that can be taken from 1e8, but f(x) = x has the derivative 1 all the same. */
static void divides_by_the_step_taken(void)
{
    const double steps[] = {0.1, -0.1, 1e-8, 3.3e5};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        static probe p;
        start(&p, first, 1, 1);
        set(&p, 0, 1e8);
        p.h[0] = steps[k];
        CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
        CHECK_EQUAL(p.df[0], 1.0);
        CHECK_EQUAL(all(&p, &CENTRAL), ND_OK);
        CHECK_EQUAL(p.df[0], 1.0);
    }
}

static void several_values(void)
{
    FOR_RULES (rule) {
        static probe p;
        start(&p, powers, 4, 3);
        CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
        for (ptrdiff_t i = 0; i < 4; i++) {
            for (int r = 0; r < 3 && r < rule->order; r++) {
                CHECK_NEAR(p.df[i * 3 + r], (r + 1) * (double)(i + 1) * pow(p.x0[i], r), 1e-11);
            }
        }
    }
}

static void steps_of_either_sign(void)
{
    static probe p;
    power = 2;
    start(&p, first_to_the_power, 1, 1);
    set(&p, 0, 3.0);
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    CHECK_EQUAL(p.df[0], 6.25);
    p.h[0] = -0.25;
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    CHECK_EQUAL(p.df[0], 5.75);
    CHECK_EQUAL(all(&p, &CENTRAL), ND_OK);
    CHECK_EQUAL(p.df[0], 6.0);
}

/* A sum begun with 0 + would turn the -0 of -1 * 0 + 1 * -0 into 0. */
static void negative_zero_survives(void)
{
    static probe p;
    start(&p, negative_zero, 1, 1);
    p.f0[0] = 0.0;
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    CHECK(p.df[0] == 0.0 && signbit(p.df[0]));
    p.h[0] = -0.25;
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    CHECK(p.df[0] == 0.0 && !signbit(p.df[0]));

    start(&p, zero, 3, 1);
    set(&p, 1, -0.0);
    CHECK_EQUAL(all(&p, &CENTRAL), ND_OK);
    CHECK_BITS(p.x, p.x0, 3);
    CHECK(signbit(p.x[1]) != 0);
}

/* ---------------------------------------------------------------------------- which calls, and what is not done */

static void calls_in_the_order_promised(void)
{
    FOR_RULES (rule) {
        static probe p;
        start(&p, waves, 5, 2);
        for (ptrdiff_t i = 0; i < 5; i++) {
            p.h[i] = i % 2 ? 0.5 : -0.25;
        }
        CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
        CHECK_EQUAL(p.point.calls, 5 * rule->calls);
        ptrdiff_t k = 0;
        for (ptrdiff_t i = 0; i < 5; i++) {
            for (ptrdiff_t j = 0; j < rule->stencil->size; j++) {
                if (rule->stencil->offsets[j] != 0.0) {
                    CHECK_EQUAL(p.moved_at[k], i);
                    CHECK_EQUAL(p.moved_by[k], rule->stencil->offsets[j] * p.h[i]);
                    k++;
                }
            }
        }
        CHECK_BITS(p.x, p.x0, 5);
    }
}

static void counts_are_exact(void)
{
    FOR_RULES (rule) {
        for (ptrdiff_t n = 0; n <= MOST; n = 2 * n + 1) {
            static probe p;
            start(&p, waves, n, 1);
            CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
            CHECK_EQUAL(p.point.calls, n * rule->calls);
        }
    }
}

static void an_empty_range_is_nothing(void)
{
    static probe p, before;
    start(&p, waves, 3, 2);
    p.h[1] = 0.0;
    before = p;
    for (ptrdiff_t k = 0; k <= 3; k++) {
        CHECK_EQUAL(range(&p, &CENTRAL, NULL, k, k), ND_OK);
        CHECK_EQUAL(p.point.calls, 0);
        CHECK_BITS(p.df, before.df, 6);
    }
}

/* A wrong f0 shows in the result, to the digit; and there is no call at x0 itself. */
static void f0_is_used(void)
{
    static probe p;
    start(&p, powers, 3, 2);
    static double right[6];
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    memcpy(right, p.df, sizeof right);
    p.f0[1] -= 1.0;
    CHECK_EQUAL(all(&p, &FORWARD), ND_OK);
    for (ptrdiff_t k = 0; k < 6; k++) {
        CHECK_EQUAL(p.df[k], right[k] + (k % 2 ? 4.0 : 0.0));
    }
    CHECK_EQUAL(all(&p, &ONE_SIDED), ND_OK);
    for (ptrdiff_t k = 0; k < p.point.calls; k++) {
        CHECK(p.moved_at[k] >= 0);
    }
}

static void f0_may_be_missing_without_the_offset_0(void)
{
    static probe p;
    start(&p, powers, 3, 2);
    CHECK_EQUAL(nd_difference(&p.point, &CENTRAL, NULL, p.h, 0, 3, NULL, p.fx, 0, p.df), ND_OK);
    CHECK_EQUAL(p.df[5], 18.0);
}

static void indices(void)
{
    const ptrdiff_t index[] = {3, 0, 3, 7};
    static probe p, whole;
    FOR_RULES (rule) {
        start(&whole, waves, 8, 2);
        CHECK_EQUAL(all(&whole, rule->stencil), ND_OK);
        start(&p, waves, 8, 2);
        CHECK_EQUAL(range(&p, rule->stencil, index, 0, 4), ND_OK);
        CHECK_EQUAL(p.point.calls, 4 * rule->calls);
        for (ptrdiff_t k = 0; k < 4; k++) {
            CHECK_BITS(p.df + 2 * k, whole.df + 2 * index[k], 2);
        }
    }
    /* h belongs to the index, not to the coordinate */
    start(&p, first, 8, 1);
    p.h[1] = 0.5;
    CHECK_EQUAL(range(&p, &FORWARD, index, 1, 2), ND_OK);
    CHECK_EQUAL(p.moved_at[0], 0);
    CHECK_EQUAL(p.moved_by[0], 0.5);
}

/* ------------------------------------------------------------------------------------------------------ ranges */

static void pieces_give_the_same_bits(void)
{
    const ptrdiff_t n = 70, m = 3;
    FOR_RULES (rule) {
        static probe whole, p;
        start(&whole, waves, n, m);
        CHECK_EQUAL(all(&whole, rule->stencil), ND_OK);
        for (ptrdiff_t a = 0; a <= n; a += 5) {
            for (ptrdiff_t b = a; b <= n; b += 11) {
                const ptrdiff_t ends[] = {0, a, b, n};
                start(&p, waves, n, m);
                ptrdiff_t calls = 0;
                for (int k = 3; k > 0; k--) { /* the last first: no piece needs another */
                    CHECK_EQUAL(range(&p, rule->stencil, NULL, ends[k - 1], ends[k]), ND_OK);
                    calls += p.point.calls;
                }
                CHECK_EQUAL(calls, n * rule->calls);
                CHECK_BITS(p.df, whole.df, n * m);
            }
        }
    }
}

static void only_the_range_is_read_and_written(void)
{
    static probe p, before;
    start(&p, waves, 10, 2);
    for (ptrdiff_t k = 0; k < 20; k++) {
        p.df[k] = MU_NAN; /* a result that was read would stay nan */
    }
    for (ptrdiff_t k = 0; k < 10; k++) {
        if (k < 3 || k >= 6) {
            p.h[k] = 0.0; /* no step at all */
        }
    }
    before = p;
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 3, 6), ND_OK);
    CHECK_BITS(p.df, before.df, 6);
    CHECK_BITS(p.df + 12, before.df + 12, 8);
    for (ptrdiff_t k = 6; k < 12; k++) {
        CHECK(isfinite(p.df[k]));
    }
    CHECK_BITS(p.h, before.h, 10);
    CHECK_BITS(p.f0, before.f0, 2);
    CHECK_BITS(p.x0, before.x0, 10);
}

/* Every array on the heap and as long as numdiff.h says: AddressSanitizer sees what reaches beyond. */
static void arrays_of_the_exact_length(void)
{
    const ptrdiff_t sizes[] = {1, 63, 64, 65, 130};
    FOR_RULES (rule) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (ptrdiff_t m = 1; m <= 3; m++) {
                static probe p;
                ptrdiff_t n = sizes[s];
                size_t size = (size_t)n * sizeof(double), values = (size_t)m * sizeof(double);
                double *x0 = malloc(size), *x = malloc(size), *h = malloc(size), *f0 = malloc(values);
                double *fx = malloc(values), *df = malloc(size * (size_t)m);
                ptrdiff_t *index = malloc((size_t)n * sizeof *index);
                if (!(x0 && x && h && f0 && fx && df && index)) {
                    abort();
                }
                start(&p, waves, n, m);
                memcpy(x0, p.x0, size);
                memcpy(x, p.x, size);
                memcpy(h, p.h, size);
                memcpy(f0, p.f0, values);
                for (ptrdiff_t k = 0; k < n; k++) {
                    index[k] = k;
                }
                CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
                p.point.x0 = x0;
                p.point.x = x;
                p.point.calls = 0;
                CHECK_EQUAL(nd_difference(&p.point, rule->stencil, index, h, 0, n, f0, fx, 0, df), ND_OK);
                CHECK_BITS(df, p.df, n * m);
                free(x0), free(x), free(h), free(f0), free(fx), free(df), free(index);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------------------- stops */

static int stop(probe *self, const double *x, ptrdiff_t k)
{
    (void)x;
    return k == self->at ? ND_STOPPED : 0;
}

static void stops_at_every_call(void)
{
    const ptrdiff_t n = 70;
    FOR_RULES (rule) {
        for (ptrdiff_t k = 0; k < n * rule->calls; k++) {
            static probe p;
            start(&p, powers, n, 2);
            set(&p, n - 1, -0.0);
            set(&p, 3, 0.1);
            p.misdeed = stop;
            p.at = k;
            CHECK_EQUAL(all(&p, rule->stencil), ND_STOPPED);
            CHECK_EQUAL(p.point.calls, k + 1);
            CHECK_BITS(p.x, p.x0, n);
        }
    }
}

static void a_vanishing_step_is_found_before_any_call(void)
{
    const double lost[] = {0.0, -0.0, 1e-20, -1e-20};
    for (size_t s = 0; s < sizeof lost / sizeof *lost; s++) {
        for (ptrdiff_t k = 0; k < 4; k++) {
            static probe p;
            start(&p, powers, 4, 1);
            p.h[k] = lost[s];
            CHECK_EQUAL(all(&p, &CENTRAL), ND_NO_STEP);
            CHECK_EQUAL(p.point.calls, 0);
            CHECK_EQUAL(range(&p, &CENTRAL, NULL, 0, k), ND_OK);
            CHECK_EQUAL(range(&p, &CENTRAL, NULL, k + 1, 4), ND_OK);
        }
    }
    static probe p;
    start(&p, powers, 2, 1);
    set(&p, 0, 0.0);
    p.h[0] = 1e-300;
    CHECK_EQUAL(all(&p, &CENTRAL), ND_OK);
    set(&p, 0, MU_INF);
    CHECK_EQUAL(all(&p, &CENTRAL), ND_NO_STEP);
}

/* ------------------------------------------------------------------------------------------ writes into x */

static int write_once(probe *self, const double *x, ptrdiff_t k)
{
    (void)x;
    if (k == self->at % MOST_CALLS) {
        self->point.x[self->at / MOST_CALLS] += 1.0;
    }
    return 0;
}

/* One write, by any call, into any coordinate: the one moved, a neighbour, one in a block that is not looked at. */
static void one_write_is_always_seen(void)
{
    const ptrdiff_t n = 130, coordinates[] = {0, 1, 63, 64, 65, 100, 127, 128, 129};
    const struct rule rules[] = {RULES[0], RULES[2]};
    for (int r = 0; r < 2; r++) {
        for (ptrdiff_t k = 0; k < n * rules[r].calls; k++) {
            for (size_t c = 0; c < sizeof coordinates / sizeof *coordinates; c++) {
                static probe p;
                start(&p, first, n, 1);
                p.misdeed = write_once;
                p.at = coordinates[c] * MOST_CALLS + k;
                CHECK_EQUAL(all(&p, rules[r].stencil), ND_WRITTEN);
                CHECK(p.point.calls > k);
                CHECK(k > 1 || p.point.calls == k + 1); /* the first two calls are followed by a look at all of x */
            }
        }
    }
}

/* Written by the last call, in a block whose turn it is not: only the look at the end can see it. */
static void the_end_looks_at_everything(void)
{
    static probe p;
    start(&p, first, 130, 1);
    p.misdeed = write_once;
    p.at = 70 * MOST_CALLS + 129; /* call 129 is followed by block 129 % 3 = 0 */
    CHECK_EQUAL(all(&p, &FORWARD), ND_WRITTEN);
    CHECK_EQUAL(p.point.calls, 130);
}

static int negate(probe *self, const double *x, ptrdiff_t k)
{
    (void)x, (void)k;
    for (ptrdiff_t i = 0; i < self->point.n; i++) {
        self->point.x[i] *= -1.0;
    }
    return 0;
}

static int reverse(probe *self, const double *x, ptrdiff_t k)
{
    (void)x, (void)k;
    for (ptrdiff_t i = 0, j = self->point.n - 1; i < j; i++, j--) {
        double swapped = self->point.x[i];
        self->point.x[i] = self->point.x[j];
        self->point.x[j] = swapped;
    }
    return 0;
}

static int clear(probe *self, const double *x, ptrdiff_t k)
{
    (void)x, (void)k;
    memset(self->point.x, 0, (size_t)self->point.n * sizeof *self->point.x);
    return 0;
}

static int toggle_last(probe *self, const double *x, ptrdiff_t k)
{
    (void)x;
    self->point.x[self->point.n - 1] += k % 2 ? -1.0 : 1.0;
    return 0;
}

/* Each of these puts x right again in a later call, or by the restoring, and is seen all the same. */
static void self_healing_writes_are_seen(void)
{
    misdeed *const deeds[] = {negate, reverse, clear, toggle_last};
    const ptrdiff_t sizes[] = {2, 3, 64, 65, 130};
    FOR_RULES (rule) {
        for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                static probe p;
                start(&p, powers, sizes[s], 1);
                p.misdeed = deeds[d];
                CHECK_EQUAL(all(&p, rule->stencil), ND_WRITTEN);
                CHECK_EQUAL(p.point.calls, 1);
            }
        }
    }
    static probe p;
    start(&p, powers, 2, 1);
    set(&p, 0, 0.0);
    set(&p, 1, 3.0);
    p.misdeed = negate; /* x *= -1 at (0, 3) */
    CHECK_EQUAL(all(&p, &CENTRAL), ND_WRITTEN);
}

static int write_and_stop(probe *self, const double *x, ptrdiff_t k)
{
    return clear(self, x, k) + stop(self, x, k);
}

static void a_stop_outranks_a_write(void)
{
    static probe p;
    start(&p, powers, 5, 1);
    p.misdeed = write_and_stop;
    CHECK_EQUAL(all(&p, &CENTRAL), ND_STOPPED);
    CHECK_EQUAL(p.point.calls, 1);
}

static void nan_in_x0_is_no_write(void)
{
    static probe p;
    start(&p, zero, 130, 1);
    set(&p, 0, MU_NAN);
    set(&p, 100, MU_NAN);
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 1, 100), ND_OK);
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 0, 130), ND_NONFINITE); /* the step is nan: not made by the kernel */
    CHECK(isnan(p.df[0]) && isnan(p.df[100]) && p.df[1] == 0.0);
    CHECK_BITS(p.x, p.x0, 130);
}

/* A function that keeps every x it is given, as numdiff's door to Python lets it. */
static double *kept[MOST_CALLS];

static int keep(probe *self, const double *x, ptrdiff_t k)
{
    size_t size = (size_t)self->point.n * sizeof *x;
    kept[k] = self->point.x;
    self->point.x = malloc(size);
    if (!self->point.x) {
        abort();
    }
    memcpy(self->point.x, x, size);
    return 0;
}

static void x_may_be_exchanged_in_every_call(void)
{
    const ptrdiff_t n = 70;
    FOR_RULES (rule) {
        static probe plain, p;
        start(&plain, waves, n, 2);
        CHECK_EQUAL(all(&plain, rule->stencil), ND_OK);
        start(&p, waves, n, 2);
        p.misdeed = keep;
        CHECK_EQUAL(all(&p, rule->stencil), ND_OK);
        CHECK_BITS(p.df, plain.df, 2 * n);
        CHECK_BITS(p.point.x, p.x0, n);
        for (ptrdiff_t k = 0; k < p.point.calls; k++) {
            double expected[70];
            memcpy(expected, p.x0, sizeof expected);
            expected[p.moved_at[k]] += p.moved_by[k];
            CHECK_BITS(kept[k], expected, n);
            if (k > 0) {
                free(kept[k]); /* the first is p.x */
            }
        }
        free(p.point.x);
    }
}

/* ---------------------------------------------------------------------------------------------------- remarks */

static double at_left, at_right; /* what the function returns below and above x0 = 1 */

static void two_values(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n;
    fx[0] = x[0] == 1.0 ? 0.0 : x[0] < 1.0 ? at_left : at_right;
    if (m > 1) {
        fx[1] = MU_NAN;
    }
}

static int remarks_of(const nd_stencil *stencil, double left, double right, ptrdiff_t n, ptrdiff_t m)
{
    static probe p;
    at_left = left;
    at_right = right;
    start(&p, two_values, n, m);
    return all(&p, stencil);
}

static void remarks(void)
{
    const int invalid = ND_NONFINITE | ND_INVALID, overflow = ND_NONFINITE | ND_OVERFLOW;
    const double inf = MU_INF, not_a_number = MU_NAN, most = DBL_MAX;

    CHECK_EQUAL(remarks_of(&CENTRAL, 1.0, 2.0, 1, 1), ND_OK);
    CHECK_EQUAL(remarks_of(&CENTRAL, 1.0, not_a_number, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, not_a_number, 2.0, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, inf, not_a_number, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, 1.0, inf, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, inf, -inf, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, inf, inf, 1, 1), invalid);
    CHECK_EQUAL(remarks_of(&CENTRAL, -inf, -inf, 1, 1), invalid);
    CHECK_EQUAL(remarks_of(&CENTRAL, -most, most, 1, 1), overflow); /* in the sum */
    CHECK_EQUAL(remarks_of(&FORWARD, 0.0, most, 1, 1), overflow);   /* in the division by 1/4 */
    CHECK_EQUAL(remarks_of(&FORWARD, 0.0, inf, 1, 1), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&ONE_SIDED, 0.0, inf, 1, 1), invalid); /* 4 inf - inf */

    /* behind a result are all values of its calls, not only those of its row */
    CHECK_EQUAL(remarks_of(&CENTRAL, inf, inf, 1, 2), ND_NONFINITE);
    CHECK_EQUAL(remarks_of(&CENTRAL, -most, most, 1, 2), overflow);
}

static void f0_is_a_value_behind_the_result(void)
{
    static probe p;
    start(&p, zero, 1, 1);
    p.f0[0] = MU_NAN;
    CHECK_EQUAL(all(&p, &FORWARD), ND_NONFINITE);
    CHECK(isnan(p.df[0]));
    CHECK_EQUAL(all(&p, &CENTRAL), ND_OK); /* not read */
}

static void pole_and_steep(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    (void)n, (void)m;
    fx[0] = x[1] != 2.0 ? MU_INF : x[2] == 3.0 ? 0.0 : x[2] < 3.0 ? -DBL_MAX : DBL_MAX;
}

static void remarks_add_up(void)
{
    static probe p;
    start(&p, pole_and_steep, 3, 1);
    CHECK_EQUAL(all(&p, &CENTRAL), ND_NONFINITE | ND_INVALID | ND_OVERFLOW);
    CHECK(p.df[0] == 0.0 && isnan(p.df[1]) && isinf(p.df[2]));
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 0, 2), ND_NONFINITE | ND_INVALID);
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 2, 3), ND_NONFINITE | ND_OVERFLOW);
    CHECK_EQUAL(range(&p, &CENTRAL, NULL, 0, 1), ND_OK);
}

static void a_write_outranks_remarks(void)
{
    static probe p;
    start(&p, pole_and_steep, 130, 1);
    p.misdeed = write_once;
    p.at = 70 * MOST_CALLS + 129;
    CHECK_EQUAL(all(&p, &FORWARD), ND_WRITTEN);
}

/* ------------------------------------------------------------------------------------------------- re-entrancy */

static void slope_of_cube(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx)
{
    static probe p; /* its own point; the kernel itself must keep nothing between calls */
    (void)n, (void)m;
    power = 3;
    start(&p, first_to_the_power, 1, 1);
    set(&p, 0, x[0]);
    all(&p, &CENTRAL);
    fx[0] = p.df[0];
}

static void a_kernel_inside_a_kernel(void)
{
    static probe p;
    start(&p, slope_of_cube, 1, 1);
    set(&p, 0, 2.0);
    CHECK_EQUAL(all(&p, &CENTRAL), ND_OK);
    CHECK_EQUAL(p.df[0], 12.0);
}

int main(void)
{
    RUN(exact_on_polynomials);
    RUN(error_falls_with_its_order);
    RUN(divides_by_the_step_taken);
    RUN(several_values);
    RUN(steps_of_either_sign);
    RUN(negative_zero_survives);
    RUN(calls_in_the_order_promised);
    RUN(counts_are_exact);
    RUN(an_empty_range_is_nothing);
    RUN(f0_is_used);
    RUN(f0_may_be_missing_without_the_offset_0);
    RUN(indices);
    RUN(pieces_give_the_same_bits);
    RUN(only_the_range_is_read_and_written);
    RUN(arrays_of_the_exact_length);
    RUN(stops_at_every_call);
    RUN(a_vanishing_step_is_found_before_any_call);
    RUN(one_write_is_always_seen);
    RUN(the_end_looks_at_everything);
    RUN(self_healing_writes_are_seen);
    RUN(a_stop_outranks_a_write);
    RUN(nan_in_x0_is_no_write);
    RUN(x_may_be_exchanged_in_every_call);
    RUN(remarks);
    RUN(f0_is_a_value_behind_the_result);
    RUN(remarks_add_up);
    RUN(a_write_outranks_remarks);
    RUN(a_kernel_inside_a_kernel);
    return mu_report();
}
