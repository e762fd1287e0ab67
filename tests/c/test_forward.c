/* nd_settle: each of its rules, and what numdiff.h promises. */
#include "minunit.h"
#include "numdiff.h"

#include <math.h>

#define EPS 0x1p-52

static unsigned char doubtful[4];
static double size;

/* Lines through 0.1 with the slopes 2 and 3, at steps of 1/1024. */
static const double rows[] = {2.0, 3.0}, h[] = {0x1p-10, 0x1p-10}, part[] = {0x1p-11, 0x1p-11}, f0[] = {0.1};
static const double values[] = {0.1 + 2 * 0x1p-10, 0.1 + 3 * 0x1p-10}, back[] = {0.1 - 5 * 0x1p-11};

static int settle(const double *a, const double *at_back)
{
    doubtful[0] = doubtful[1] = 7;
    return nd_settle(2, 1, a, rows, h, part, f0, values, at_back, EPS, 1e-6, doubtful, &size);
}

static void right(void)
{
    const double a[] = {2.0, 3.0};
    CHECK_EQUAL(settle(a, back), 0);
    CHECK_EQUAL(doubtful[0], 0);
    CHECK_EQUAL(doubtful[1], 0);
    CHECK_EQUAL(size, values[1]);
}

static void wrong(void)
{
    const double little[] = {2.0, 3.0 * (1 + 0.9e-6)}, much[] = {2.0, 3.0 * (1 + 1.1e-6)}, none[] = {NAN, 3.0};
    CHECK_EQUAL(settle(little, back), 0);
    CHECK_EQUAL(settle(much, back), ND_DOUBTFUL);
    CHECK_EQUAL(doubtful[0], 0);
    CHECK_EQUAL(doubtful[1], 1);
    CHECK_EQUAL(settle(none, back), ND_DOUBTFUL);
    CHECK_EQUAL(doubtful[0], 1);
    CHECK_EQUAL(doubtful[1], 0);
}

static void bent(void)
{
    const double a[] = {2.0, 3.0}, reach = 5 * 0x1p-11;
    const double little[] = {back[0] + 0.9e-6 * reach}, much[] = {back[0] - 1.1e-6 * reach}, none[] = {NAN};
    CHECK_EQUAL(settle(a, little), 0);
    CHECK_EQUAL(settle(a, much), ND_BENT);
    CHECK_EQUAL(settle(a, none), ND_BENT);
}

static void long_bar(void)
{
    /* 4 eps / h is 0.98e-9 of a slope of 1e-3: more than 4e-7 of it */
    const double slope[] = {1e-3}, steps[] = {0x1p-20}, at[] = {1.0}, end[] = {1.0 + 1e-3 * 0x1p-20};
    const double one_back[] = {1.0 - 1e-3 * 0x1p-20};
    CHECK_EQUAL(nd_settle(1, 1, slope, slope, steps, steps, at, end, one_back, EPS, 1e-7, doubtful, &size),
                ND_DOUBTFUL);
    CHECK_EQUAL(nd_settle(1, 1, slope, slope, steps, steps, at, end, one_back, EPS, 1e-6, doubtful, &size), 0);
}

static void several_values(void)
{
    const double a[] = {1.0, 2.0, 3.0, 4.0}, steps[] = {0x1p-10, 0x1p-10}, at[] = {0.1, 0.2};
    const double ends[] = {0.1 + 0x1p-10, 0.2 + 2 * 0x1p-10, 0.1 + 3 * 0x1p-10, 0.2 + 4 * 0x1p-10};
    double other[] = {1.0, 2.0, 3.0, 4.0}, behind[] = {0.1 - 4 * 0x1p-10, 0.2 - 6 * 0x1p-10};
    CHECK_EQUAL(nd_settle(2, 2, other, a, steps, steps, at, ends, behind, EPS, 1e-6, doubtful, &size), 0);
    other[1] = 2.1;
    CHECK_EQUAL(nd_settle(2, 2, other, a, steps, steps, at, ends, behind, EPS, 1e-6, doubtful, &size), ND_DOUBTFUL);
    CHECK_EQUAL(doubtful[0], 1);
    CHECK_EQUAL(doubtful[1], 0);
    behind[1] += 1e-6;
    CHECK_EQUAL(nd_settle(2, 2, a, a, steps, steps, at, ends, behind, EPS, 1e-6, doubtful, &size), ND_BENT);
}

static void short_numbers(void)
{
    const double slope[] = {1.0}, step[] = {0x1p-10}, at[] = {1.0}, end[] = {1.0 + 0x1p-10},
                 one_back[] = {1.0 - 0x1p-10};
    CHECK_EQUAL(nd_settle(1, 1, slope, slope, step, step, at, end, one_back, EPS, 1e-6, doubtful, &size), ND_SHORT);
    const double flat[] = {0.0}, large[] = {0x1p200};
    CHECK_EQUAL(nd_settle(1, 1, flat, flat, step, step, at, at, at, EPS, 1e-6, doubtful, &size) & ND_SHORT, 0);
    CHECK_EQUAL(nd_settle(1, 1, flat, flat, step, step, at, large, at, EPS, 1e-6, doubtful, &size) & ND_SHORT, 0);
    CHECK_EQUAL(size, 0x1p200);
}

static void nothing(void)
{
    CHECK_EQUAL(nd_settle(0, 1, rows, rows, h, part, f0, values, f0, EPS, 1e-6, doubtful, &size), 0);
    CHECK_EQUAL(size, 0.1);
}

int main(void)
{
    RUN(right);
    RUN(wrong);
    RUN(bent);
    RUN(long_bar);
    RUN(several_values);
    RUN(short_numbers);
    RUN(nothing);
    return mu_report();
}
