/* nd_evaluate_pair, nd_hessian_diagonal and nd_hessian_mixed: closed forms, points, ranges, statuses. */
#include "minunit.h"
#include "numdiff.h"

enum { N = 3, NOWHERE = -1 };

static const double A[N][N] = {{4.0, -1.0, 0.5}, {-1.0, 6.0, 2.0}, {0.5, 2.0, -3.0}};
static const double X0[N] = {1.0, -2.0, 4.0};

/* x A x / 2, which dyadic steps differentiate without rounding; may misbehave in one of its calls. */
typedef struct probe {
    nd_point point;
    double x[N], seen[64][N];
    ptrdiff_t call, written_at; /* from 0, and where, or NOWHERE */
    int status;
} probe;

static int quadratic(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    (void)m;
    probe *self = context;
    memcpy(self->seen[self->point.calls], x, (size_t)n * sizeof *x);
    fx[0] = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t j = 0; j < n; j++) {
            fx[0] += 0.5 * x[i] * A[i][j] * x[j];
        }
    }
    if (self->point.calls != self->call) {
        return 0;
    }
    if (self->written_at != NOWHERE) {
        self->point.x[self->written_at] = 99.5;
    }
    return self->status;
}

/* Well-behaved until told otherwise; returns f(x0). */
static double start(probe *self)
{
    *self = (probe){.call = NOWHERE, .written_at = NOWHERE};
    memcpy(self->x, X0, sizeof X0);
    self->point = (nd_point){quadratic, self, N, 1, X0, self->x, 0};
    double f0;
    quadratic(N, X0, 1, &f0, self);
    return f0;
}

static void moves_two_coordinates(void)
{
    for (ptrdiff_t i = 0; i < N; i++) {
        for (ptrdiff_t j = 0; j < N; j++) {
            probe p;
            start(&p);
            double expected[N], fx;
            memcpy(expected, X0, sizeof X0);
            expected[i] = 7.0;
            expected[j] = i == j ? 7.0 : -9.0;
            CHECK_EQUAL(nd_evaluate_pair(&p.point, i, 7.0, j, expected[j], &fx), ND_OK);
            CHECK_BITS(p.seen[0], expected, N);
            CHECK_BITS(p.x, X0, N);
            CHECK_EQUAL(p.point.calls, 1);
        }
    }
}

static void sees_a_write_to_either_coordinate(void)
{
    for (ptrdiff_t place = 0; place < N; place++) {
        probe p;
        start(&p);
        p.call = 0;
        p.written_at = place;
        double fx;
        CHECK_EQUAL(nd_evaluate_pair(&p.point, 0, 7.0, 2, -9.0, &fx), ND_WRITTEN);
        CHECK_EQUAL(p.x[0], X0[0]);
        CHECK_EQUAL(p.x[2], X0[2]);

        start(&p);
        p.x[place] = 99.5; /* before the call: what is moved must be as it was */
        CHECK_EQUAL(nd_evaluate_pair(&p.point, 0, 7.0, 2, -9.0, &fx), ND_WRITTEN);
        CHECK_EQUAL(p.point.calls, place == 1 ? 1 : 0);
    }
}

static void is_exact_for_quadratics(void)
{
    const double h[N] = {0.5, 0.25, -0.5};
    for (int sides = 0; sides < 8; sides++) {
        const unsigned char one_sided[N] = {sides & 1, (sides >> 1) & 1, (sides >> 2) & 1};
        probe p;
        double f0 = start(&p), near[2 * N], diagonal[N], hessian[N * N];
        for (int k = 0; k < N * N; k++) {
            hessian[k] = 777.0;
        }
        CHECK_EQUAL(nd_hessian_diagonal(&p.point, NULL, h, one_sided, 0, N, f0, near, diagonal), ND_OK);
        CHECK_EQUAL(p.point.calls, 2 * N);
        CHECK_EQUAL(nd_hessian_mixed(&p.point, NULL, h, one_sided, N, 0, N, f0, near, hessian), ND_OK);
        ptrdiff_t pairs = 0;
        for (int k = 0; k < N; k++) {
            CHECK_EQUAL(diagonal[k], A[k][k]);
            for (int l = 0; l < N; l++) {
                CHECK_EQUAL(hessian[k * N + l], k == l ? 777.0 : A[k][l]);
                pairs += k < l ? (one_sided[k] && one_sided[l] ? 1 : 2) : 0;
            }
        }
        CHECK_EQUAL(p.point.calls, 2 * N + pairs);
        CHECK_BITS(p.x, X0, N);
    }
}

static void ranges_and_indices_give_the_same_bits(void)
{
    const double h[N] = {0.3, 0.01, 0.2};
    probe p;
    double f0 = start(&p), near[2 * N], diagonal[N], hessian[N * N] = {0};
    nd_hessian_diagonal(&p.point, NULL, h, NULL, 0, N, f0, near, diagonal);
    nd_hessian_mixed(&p.point, NULL, h, NULL, N, 0, N, f0, near, hessian);

    double near_cut[2 * N], diagonal_cut[N], hessian_cut[N * N] = {0};
    for (ptrdiff_t k = N - 1; k >= 0; k--) {
        CHECK_EQUAL(nd_hessian_diagonal(&p.point, NULL, h, NULL, k, k + 1, f0, near_cut, diagonal_cut), ND_OK);
    }
    for (ptrdiff_t k = N - 1; k >= 0; k--) {
        CHECK_EQUAL(nd_hessian_mixed(&p.point, NULL, h, NULL, N, k, k + 1, f0, near_cut, hessian_cut), ND_OK);
    }
    CHECK_BITS(near_cut, near, 2 * N);
    CHECK_BITS(diagonal_cut, diagonal, N);
    CHECK_BITS(hessian_cut, hessian, N * N);

    /* coordinate 1 against all others: it goes first, and the range is [0, 1) */
    const ptrdiff_t index[N] = {1, 0, 2};
    const double h_of[N] = {0.01, 0.3, 0.2};
    double row[N * N] = {0};
    p.point.calls = 0;
    nd_hessian_diagonal(&p.point, index, h_of, NULL, 0, N, f0, near_cut, diagonal_cut);
    p.point.calls = 0;
    nd_hessian_mixed(&p.point, index, h_of, NULL, N, 0, 1, f0, near_cut, row);
    CHECK_EQUAL(p.point.calls, 4);
    CHECK_NEAR(row[1], hessian[3], 1e-12);
    CHECK_NEAR(row[2], hessian[5], 1e-12);
    CHECK_EQUAL(row[5], 0.0);
}

static void divides_by_the_steps_taken(void)
{
    const double h[N] = {1e-3 / 3.0, 1e-3 / 7.0, 1e-3 / 11.0};
    probe p;
    double f0 = start(&p), near[2 * N], diagonal[N], hessian[N * N];
    nd_hessian_diagonal(&p.point, NULL, h, NULL, 0, N, f0, near, diagonal);
    nd_hessian_mixed(&p.point, NULL, h, NULL, N, 0, N, f0, near, hessian);
    for (int k = 0; k < N; k++) {
        /* rounding in the values, of about 30, over h^2 */
        CHECK_NEAR(diagonal[k], A[k][k], 4.0 * 30.0 * 2.3e-16 / (h[2] * h[2]));
    }
    CHECK_NEAR(hessian[1], A[0][1], 4.0 * 30.0 * 2.3e-16 / (h[2] * h[2]));
}

static void statuses(void)
{
    const double h[N] = {0.5, 0.5, 0.5}, lost[N] = {0.5, 1e-30, 0.5};
    probe p;
    double f0 = start(&p), near[2 * N], diagonal[N], hessian[N * N];
    CHECK_EQUAL(nd_hessian_diagonal(&p.point, NULL, lost, NULL, 0, N, f0, near, diagonal), ND_NO_STEP);
    CHECK_EQUAL(p.point.calls, 0);
    CHECK_EQUAL(nd_hessian_diagonal(&p.point, NULL, h, NULL, 0, N, MU_NAN, near, diagonal), ND_NONFINITE);
    CHECK_EQUAL(nd_hessian_mixed(&p.point, NULL, h, NULL, N, 0, N, MU_INF, near, hessian), ND_NONFINITE);

    for (ptrdiff_t call = 0; call < 4 * N; call++) {
        for (int writes = 0; writes < 2; writes++) {
            f0 = start(&p);
            p.call = call;
            p.written_at = writes ? call % N : NOWHERE;
            p.status = writes ? 0 : -7;
            int status = nd_hessian_diagonal(&p.point, NULL, h, NULL, 0, N, f0, near, diagonal);
            if (status == ND_OK) {
                status = nd_hessian_mixed(&p.point, NULL, h, NULL, N, 0, N, f0, near, hessian);
            }
            CHECK_EQUAL(status, writes ? ND_WRITTEN : -7);
            CHECK_EQUAL(p.point.calls, call + 1);
            if (!writes) {
                CHECK_BITS(p.x, X0, N);
            }
        }
    }
}

int main(void)
{
    RUN(moves_two_coordinates);
    RUN(sees_a_write_to_either_coordinate);
    RUN(is_exact_for_quadratics);
    RUN(ranges_and_indices_give_the_same_bits);
    RUN(divides_by_the_steps_taken);
    RUN(statuses);
    return mu_report();
}
