/* nd_evaluate and nd_intact: one coordinate moves, x comes back to the bit, foreign writes are seen. */
#include "minunit.h"
#include "numdiff.h"

#include <float.h>
#include <math.h>

enum { MOST = 200, NOWHERE = -1 };

/* A function that sums its variables, and may misbehave in one of its calls. */
typedef struct probe {
    nd_point point;
    double x0[MOST], x[MOST], seen[MOST];
    ptrdiff_t call;       /* that misbehaves, from 0 */
    ptrdiff_t written_at; /* where it writes, or NOWHERE */
    double written;       /* what it writes there */
    int status;           /* what it returns */
    double *other;        /* the array it puts in place of x, or NULL */
} probe;

static int sum_and_last(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    probe *self = context;
    memcpy(self->seen, x, (size_t)n * sizeof *x);
    fx[0] = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        fx[0] += x[i];
    }
    if (m > 1) {
        fx[1] = x[n - 1];
    }
    if (self->point.calls != self->call) {
        return 0;
    }
    if (self->other) {
        memcpy(self->other, x, (size_t)n * sizeof *x);
        self->point.x = self->other;
    }
    if (self->written_at != NOWHERE) {
        self->point.x[self->written_at] = self->written;
    }
    return self->status;
}

/* x0 = 1, 2, ..., n; well-behaved until told otherwise. */
static void start(probe *self, ptrdiff_t n, ptrdiff_t m)
{
    *self = (probe){.written_at = NOWHERE, .written = -77.0};
    self->point = (nd_point){sum_and_last, self, n, m, self->x0, self->x, 0};
    for (ptrdiff_t i = 0; i < n; i++) {
        self->x0[i] = self->x[i] = (double)(i + 1);
    }
}

/* Calls that move coordinate 0 a little, up to the first that does not return ND_OK; returns that status. */
static int evaluate_often(probe *self, ptrdiff_t calls)
{
    double fx[2];
    int status = ND_OK;
    while (calls-- > 0 && status == ND_OK) {
        status = nd_evaluate(&self->point, 0, 1.5, fx);
    }
    return status;
}

static void moves_one_coordinate(void)
{
    for (ptrdiff_t n = 1; n <= 4; n++) {
        for (ptrdiff_t i = 0; i < n; i++) {
            probe p;
            start(&p, n, 2);
            double expected[4], fx[2];
            memcpy(expected, p.x0, sizeof expected);
            expected[i] = 40.0;
            CHECK_EQUAL(nd_evaluate(&p.point, i, 40.0, fx), ND_OK);
            CHECK_BITS(p.seen, expected, n);
            CHECK_BITS(p.x, p.x0, n);
            CHECK_EQUAL(fx[0], (double)(n * (n + 1) / 2 - (i + 1)) + 40.0);
            CHECK_EQUAL(fx[1], expected[n - 1]);
            CHECK_EQUAL(p.point.calls, 1);
            CHECK_EQUAL(nd_evaluate(&p.point, i, 41.0, fx), ND_OK);
            CHECK_EQUAL(p.point.calls, 2);
        }
    }
}

static void restores_every_bit(void)
{
    const double odd[] = {-0.0, 0.0, MU_NAN, -MU_NAN, MU_INF, -MU_INF, DBL_MIN / 4.0, -DBL_MAX, 0.1};
    enum { COUNT = sizeof odd / sizeof *odd };
    for (ptrdiff_t i = 0; i < COUNT; i++) {
        for (ptrdiff_t k = 0; k < COUNT; k++) {
            probe p;
            start(&p, COUNT, 1);
            memcpy(p.x0, odd, sizeof odd);
            memcpy(p.x, odd, sizeof odd);
            double fx[1];
            CHECK_EQUAL(nd_evaluate(&p.point, i, odd[k], fx), ND_OK);
            CHECK_BITS(p.seen + i, odd + k, 1);
            CHECK_BITS(p.x, odd, COUNT);
            CHECK_EQUAL(nd_intact(&p.point), ND_OK);
        }
    }
}

static void passes_on_any_stop(void)
{
    const int stops[] = {ND_STOPPED, -7, -1000};
    for (size_t s = 0; s < sizeof stops / sizeof *stops; s++) {
        for (ptrdiff_t call = 0; call < 5; call++) {
            probe p;
            start(&p, 100, 1);
            p.call = call;
            p.status = stops[s];
            CHECK_EQUAL(evaluate_often(&p, 10), stops[s]);
            CHECK_EQUAL(p.point.calls, call + 1);
            CHECK_BITS(p.x, p.x0, 100);
        }
    }
}

static void a_stop_outranks_a_write(void)
{
    probe p;
    start(&p, 3, 1);
    p.written_at = 0;
    p.status = ND_STOPPED;
    CHECK_EQUAL(evaluate_often(&p, 1), ND_STOPPED);
    CHECK_BITS(p.x, p.x0, 3);
}

static void sees_a_write_where_it_moved(void)
{
    for (ptrdiff_t call = 0; call < 9; call++) {
        probe p;
        start(&p, MOST, 1);
        p.call = call;
        p.written_at = 0;
        CHECK_EQUAL(evaluate_often(&p, 9), ND_WRITTEN);
        CHECK_EQUAL(p.point.calls, call + 1);
        CHECK_BITS(p.x, p.x0, MOST);
    }
}

/* The second call of a central difference might expect the very value that a restore would leave. */
static void sees_a_write_that_restores(void)
{
    probe p;
    start(&p, 3, 1);
    p.written_at = 0;
    p.written = p.x0[0];
    CHECK_EQUAL(evaluate_often(&p, 1), ND_WRITTEN);
}

static void looks_at_everything_twice(void)
{
    for (ptrdiff_t call = 0; call < 2; call++) {
        for (ptrdiff_t at = 1; at < MOST; at++) {
            probe p;
            start(&p, MOST, 1);
            p.call = call;
            p.written_at = at;
            CHECK_EQUAL(evaluate_often(&p, 2), ND_WRITTEN);
            CHECK_EQUAL(p.point.calls, call + 1);
        }
    }
}

/* A write in call k >= 2 into block b is seen after the first call from k on whose turn is b. */
static void looks_at_blocks_in_turn(void)
{
    const ptrdiff_t sizes[] = {65, 127, 128, 129, 130, MOST};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        ptrdiff_t n = sizes[s], blocks = (n + ND_BLOCK - 1) / ND_BLOCK;
        for (ptrdiff_t call = 2; call < 2 + blocks; call++) {
            for (ptrdiff_t at = 1; at < n; at++) {
                probe p;
                start(&p, n, 1);
                p.call = call;
                p.written_at = at;
                ptrdiff_t seen = call;
                while (seen % blocks != at / ND_BLOCK) {
                    seen++;
                }
                CHECK_EQUAL(evaluate_often(&p, 2 + 2 * blocks), ND_WRITTEN);
                CHECK_EQUAL(p.point.calls, seen + 1);
            }
        }
    }
}

static void looks_at_one_block_always(void)
{
    for (ptrdiff_t n = 2; n <= ND_BLOCK; n += ND_BLOCK - 2) {
        for (ptrdiff_t call = 0; call < 6; call++) {
            probe p;
            start(&p, n, 1);
            p.call = call;
            p.written_at = n - 1;
            CHECK_EQUAL(evaluate_often(&p, 9), ND_WRITTEN);
            CHECK_EQUAL(p.point.calls, call + 1);
        }
    }
}

/* Written, not looked at yet, and now to be moved: moving it would heal it, so the function is not even called. */
static void looks_before_it_moves(void)
{
    probe p;
    start(&p, MOST, 1);
    p.call = 2;
    p.written_at = 5;
    double fx[1];
    CHECK_EQUAL(evaluate_often(&p, 3), ND_OK);
    CHECK_EQUAL(nd_intact(&p.point), ND_WRITTEN);
    CHECK_EQUAL(nd_evaluate(&p.point, 5, 6.5, fx), ND_WRITTEN);
    CHECK_EQUAL(p.point.calls, 3);
}

static void intact_is_to_the_bit(void)
{
    probe p;
    start(&p, MOST, 1);
    CHECK_EQUAL(nd_intact(&p.point), ND_OK);
    for (ptrdiff_t i = 0; i < MOST; i++) {
        p.x[i] = nextafter(p.x[i], 0.0);
        CHECK_EQUAL(nd_intact(&p.point), ND_WRITTEN);
        p.x[i] = p.x0[i];
    }
    p.x0[7] = p.x[7] = MU_NAN;
    CHECK_EQUAL(nd_intact(&p.point), ND_OK);
    p.x[7] = 7.0;
    CHECK_EQUAL(nd_intact(&p.point), ND_WRITTEN);
    p.x0[7] = 0.0;
    p.x[7] = -0.0;
    CHECK_EQUAL(nd_intact(&p.point), ND_WRITTEN);

    start(&p, 0, 1);
    CHECK_EQUAL(nd_intact(&p.point), ND_OK);
}

static void nan_is_no_write(void)
{
    probe p;
    start(&p, 70, 1);
    p.x0[0] = p.x[0] = MU_NAN;   /* moved, from nan */
    p.x0[69] = p.x[69] = MU_NAN; /* stays */
    double fx[1];
    for (int call = 0; call < 5; call++) {
        CHECK_EQUAL(nd_evaluate(&p.point, 0, call % 2 ? MU_NAN : 1.0, fx), ND_OK);
        CHECK_BITS(p.x, p.x0, 70);
    }
    start(&p, 70, 1);
    p.x0[69] = p.x[69] = MU_NAN;
    p.written_at = 69;
    CHECK_EQUAL(evaluate_often(&p, 1), ND_WRITTEN);
}

static void a_zero_of_another_sign_is_a_write(void)
{
    probe p;
    start(&p, 3, 1);
    p.x0[2] = p.x[2] = 0.0;
    p.written_at = 2;
    p.written = -0.0;
    CHECK_EQUAL(evaluate_often(&p, 1), ND_WRITTEN);
}

/* The function keeps the array it was given: that one keeps the values of its call, the new one is restored. */
static void x_may_be_exchanged(void)
{
    for (ptrdiff_t call = 0; call < 5; call++) {
        probe p;
        double other[MOST];
        start(&p, MOST, 1);
        p.call = call;
        p.other = other;
        CHECK_EQUAL(evaluate_often(&p, call + 1), ND_OK);
        CHECK(p.point.x == other);
        CHECK_BITS(other, p.x0, MOST);
        CHECK_EQUAL(p.x[0], 1.5);
        CHECK_BITS(p.x + 1, p.x0 + 1, MOST - 1);
        CHECK_EQUAL(evaluate_often(&p, 3), ND_OK);
        CHECK_EQUAL(p.x[0], 1.5);
    }
}

static void an_exchanged_x_is_looked_at(void)
{
    for (ptrdiff_t at = 0; at < MOST; at++) {
        probe p;
        double other[MOST];
        start(&p, MOST, 1);
        p.call = 1;
        p.other = other;
        p.written_at = at;
        CHECK_EQUAL(evaluate_often(&p, 2), ND_WRITTEN);
    }
}

int main(void)
{
    RUN(moves_one_coordinate);
    RUN(restores_every_bit);
    RUN(passes_on_any_stop);
    RUN(a_stop_outranks_a_write);
    RUN(sees_a_write_where_it_moved);
    RUN(sees_a_write_that_restores);
    RUN(looks_at_everything_twice);
    RUN(looks_at_blocks_in_turn);
    RUN(looks_at_one_block_always);
    RUN(looks_before_it_moves);
    RUN(intact_is_to_the_bit);
    RUN(nan_is_no_write);
    RUN(a_zero_of_another_sign_is_a_write);
    RUN(x_may_be_exchanged);
    RUN(an_exchanged_x_is_looked_at);
    return mu_report();
}
