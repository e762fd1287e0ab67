/* nd_noise_table: against differences by hand, polynomials, and what numdiff.h promises. */
#include "minunit.h"
#include "numdiff.h"

#include <math.h>

enum { M = 8 };

static double work[M + 1], levels[M];
static unsigned char changes[M];

static void table(ptrdiff_t m, const double *f)
{
    nd_noise_table(m, f, work, levels, changes);
}

static void by_hand(void)
{
    /* differences 1 -3 5; -4 8; 12. gamma_k = 1/2, 1/6, 1/20 */
    const double f[] = {0.0, 1.0, -2.0, 3.0}, copy[] = {0.0, 1.0, -2.0, 3.0};
    table(3, f);
    CHECK_NEAR(levels[0], sqrt(35.0 / 3.0 / 2.0), 1e-15);
    CHECK_NEAR(levels[1], sqrt(40.0 / 6.0), 1e-15);
    CHECK_NEAR(levels[2], sqrt(144.0 / 20.0), 1e-15);
    CHECK_EQUAL(changes[0], 1);
    CHECK_EQUAL(changes[1], 1);
    CHECK_EQUAL(changes[2], 0); /* one difference alone cannot */
    CHECK_BITS(f, copy, 4);
}

static void powers_end(void)
{
    /* differences of order k of i^k are k!, those of higher order 0 */
    double factorial = 1.0, even = 1.0; /* k!, (2k)! */
    for (int k = 1; k < M; k++) {
        double f[M + 1];
        for (int i = 0; i <= M; i++) {
            f[i] = pow(i, k);
        }
        factorial *= k;
        even *= (2.0 * k - 1.0) * (2.0 * k);
        table(M, f);
        CHECK_NEAR(levels[k - 1], factorial * factorial / sqrt(even), 1e-12 * factorial);
        CHECK_EQUAL(changes[k - 1], 0);
        for (int j = k; j < M; j++) {
            CHECK_EQUAL(levels[j], 0.0);
            CHECK_EQUAL(changes[j], 0);
        }
    }
}

static void alternating_noise(void)
{
    /* differences of order k of (-1)^i are 2^k in size */
    const double f[] = {1, -1, 1, -1, 1, -1, 1, -1, 1};
    double gamma = 1.0;
    table(M, f);
    for (int k = 1; k <= M; k++) {
        gamma *= k / (4.0 * k - 2.0);
        CHECK_NEAR(levels[k - 1], sqrt(gamma) * pow(2.0, k), 1e-14 * pow(2.0, k));
        CHECK_EQUAL(changes[k - 1], k < M);
    }
}

static void zero_is_no_change(void)
{
    const double f[] = {0.0, 0.0, 1.0, 1.0};
    table(3, f);
    CHECK_EQUAL(changes[0], 0);
    CHECK_EQUAL(changes[1], 1);
}

static void shortest(void)
{
    const double f[] = {1.0, 3.0};
    table(1, f);
    CHECK_NEAR(levels[0], sqrt(2.0), 1e-15);
    table(0, f); /* nothing to do, nothing written */
    CHECK_NEAR(levels[0], sqrt(2.0), 1e-15);
}

int main(void)
{
    RUN(by_hand);
    RUN(powers_end);
    RUN(alternating_noise);
    RUN(zero_is_no_change);
    RUN(shortest);
    return mu_report();
}
