/* nd_move and nd_quotient: steps, bits, aliased results and remarks, over more than one block. */
#include "minunit.h"
#include "numdiff.h"

enum { N = 1100 };

static const double CENTRAL[] = {-1.0, 1.0}, FORWARD[] = {0.0, 1.0};
static const double RELATIVE = 6e-6; /* at |x| <= 1 the nearest power of two is 2^-17 */

static double x[N], left[N], right[N], out[N];

static void fill(void)
{
    for (int i = 0; i < N; i++) {
        x[i] = -6.0 + 12.0 * i / (N - 1);
        left[i] = 1.0;
        right[i] = 1.0 + 0x1p-10 * (i % 7);
    }
}

static void test_steps_are_powers_of_two(void)
{
    const double at[] = {0.0, 1.0, -1.0, 1024.0, 1e-9};
    const double h[] = {0x1p-17, 0x1p-17, 0x1p-17, 0x1p-7, 0x1p-17};
    double moved[5];
    CHECK_EQUAL(nd_move(5, at, RELATIVE, 1.0, -1.0, moved), ND_OK);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(moved[i], at[i] - h[i]);
    }
    CHECK_EQUAL(nd_move(5, at, RELATIVE, 1.0, 1.0, moved), ND_OK);
    CHECK_EQUAL(moved[3], 1024.0 + 0x1p-7);
}

static void test_what_is_not_moderate(void)
{
    const double bad[] = {MU_NAN, MU_INF, -MU_INF, 2e300, -2e300};
    for (int i = 0; i < 5; i++) {
        fill();
        x[N - 1 - i] = bad[i];
        CHECK_EQUAL(nd_move(N, x, RELATIVE, 1.0, 1.0, out), ND_OVERFLOW);
    }
    fill();
    x[3] = 1e300;
    CHECK_EQUAL(nd_move(N, x, RELATIVE, 1.0, 1.0, out), ND_OK);
    CHECK_EQUAL(nd_move(0, x, RELATIVE, 1.0, 1.0, out), ND_OK);
}

static void test_the_result_may_take_the_place_of_the_values(void)
{
    double copy[N];
    fill();
    CHECK_EQUAL(nd_quotient(N, x, RELATIVE, 1.0, CENTRAL, 1.0, 1e9, left, right, out), ND_OK);
    CHECK_EQUAL(out[N / 2 + 1], (right[N / 2 + 1] - 1.0) / 0x1p-16);
    memcpy(copy, right, sizeof copy);
    nd_quotient(N, x, RELATIVE, 1.0, CENTRAL, 1.0, 1e9, left, copy, copy);
    CHECK_BITS(copy, out, N);
    memcpy(copy, left, sizeof copy);
    nd_quotient(N, x, RELATIVE, 1.0, CENTRAL, 1.0, 1e9, copy, right, copy);
    CHECK_BITS(copy, out, N);
}

static int remarks_with(int i, double at, double a, double b)
{
    fill();
    for (int k = 0; k < N; k++) {
        right[k] = left[k];
    }
    x[i] = at;
    left[i] = a;
    right[i] = b;
    return nd_quotient(N, x, RELATIVE, 1.0, FORWARD, 1.0, 40.0, left, right, out);
}

static void test_remarks(void)
{
    const int places[] = {0, 511, 512, N - 1};
    for (int k = 0; k < 4; k++) {
        int i = places[k];
        CHECK_EQUAL(remarks_with(i, 3.0, 1.0, 1.0), ND_OK);
        CHECK_EQUAL(remarks_with(i, 3.0, 1.0, MU_NAN), ND_NONFINITE);
        CHECK_EQUAL(remarks_with(i, 3.0, -MU_INF, 1.0), ND_NONFINITE);
        CHECK_EQUAL(remarks_with(i, 3.0, -1.0, 1.0), ND_SUSPECT); /* across a pole? */
        CHECK_EQUAL(remarks_with(i, 3.0, 1.0, 2.0), ND_OK);       /* steep, but neither */
        CHECK_EQUAL(remarks_with(i, 31 * 0x1p-17, 1.0, 2.0), ND_SUSPECT);
        CHECK_EQUAL(remarks_with(i, 33 * 0x1p-17, 1.0, 2.0), ND_OK);
        CHECK_EQUAL(remarks_with(i, 0.0, -1e-6, 1e-6), ND_OK); /* not steep */
    }
}

int main(void)
{
    RUN(test_steps_are_powers_of_two);
    RUN(test_what_is_not_moderate);
    RUN(test_the_result_may_take_the_place_of_the_values);
    RUN(test_remarks);
    return mu_report();
}
