/* nd_entries_alone, nd_entries and nd_along: a small matrix by hand. */
#include "minunit.h"
#include "numdiff.h"

#include <math.h>

/* 1 2 .
 * . 3 4   in two groups: columns 0 and 2, and column 1 */
static const ptrdiff_t begin[] = {0, 2, 4}, columns[] = {0, 1, 1, 2}, groups[] = {0, 1, 0};
static const nd_structure s = {3, NULL, NULL, begin, columns};

static void who_is_alone(void)
{
    ptrdiff_t last[2];
    unsigned char alone[4];
    const ptrdiff_t together[] = {0, 0, 1};
    CHECK_EQUAL(nd_entries_alone(&s, 2, groups, last, alone), 0);
    CHECK_EQUAL(alone[0] + alone[1] + alone[2] + alone[3], 4);
    CHECK_EQUAL(nd_entries_alone(&s, 2, together, last, alone), 2);
    CHECK_EQUAL(alone[0] + alone[1], 0);
    CHECK_EQUAL(alone[2] + alone[3], 2);
    const ptrdiff_t same[] = {0, 0, 0};
    CHECK_EQUAL(nd_entries_alone(&s, 2, same, last, alone), 4);
}

static void entries_of_a_matrix(void)
{
    const double x[] = {1.0, 2.0, 3.0}, h[] = {0.5, 0.25, -0.5}, f0[] = {5.0, 18.0};
    const double values[] = {5.5, 16.0, 5.5, 18.75}; /* columns 0 and 2 moved; column 1 moved */
    const double weights[] = {-1.0, 1.0}, offsets[] = {0.0, 1.0};
    const nd_stencil forward = {2, offsets, weights, 1.0};
    double entries[4] = {-1.0, -1.0, -1.0, -1.0};
    const double exact[] = {1.0, 2.0, 3.0, 4.0}, part[] = {-1.0, 2.0, 3.0, -1.0}, other[] = {-1.0, -1.0, -1.0, 4.0};
    const unsigned char chosen[] = {0, 0, 1};
    CHECK_EQUAL(nd_entries(&s, 2, groups, 1, 2, &forward, NULL, x, h, f0, values + 2, entries), ND_OK);
    CHECK_BITS(entries, part, 4);
    CHECK_EQUAL(nd_entries(&s, 2, groups, 0, 2, &forward, NULL, x, h, f0, values, entries), ND_OK);
    CHECK_BITS(entries, exact, 4);
    for (int k = 0; k < 4; k++) {
        entries[k] = -1.0;
    }
    nd_entries(&s, 2, groups, 0, 2, &forward, chosen, x, h, f0, values, entries);
    CHECK_BITS(entries, other, 4);

    const double sides[] = {-1.0, 1.0}, both[] = {4.5, 20.0, 5.5, 16.0, 4.5, 17.25, 5.5, 18.75};
    const nd_stencil central = {2, sides, weights, 1.0};
    CHECK_EQUAL(nd_entries(&s, 2, groups, 0, 2, &central, NULL, x, h, NULL, both, entries), ND_OK);
    CHECK_BITS(entries, exact, 4);
    const double lost[] = {5.5, MU_NAN, 5.5, 18.75};
    CHECK_EQUAL(nd_entries(&s, 2, groups, 0, 2, &forward, NULL, x, h, f0, lost, entries), ND_NONFINITE);
    CHECK_EQUAL(isnan(entries[3]), 1);
}

static void along_a_direction(void)
{
    const double entries[] = {1.0, 2.0, 3.0, MU_NAN}, step[] = {1.0, -2.0, 1.0}, x[] = {1.0, 10.0, 5.0};
    const double exact[] = {-3.0, -6.0, 5.0, 6.0, 21.0, 30.0};
    double sums[6];
    nd_along(&s, 2, entries, step, x, sums);
    CHECK_BITS(sums, exact, 6);
}

int main(void)
{
    RUN(who_is_alone);
    RUN(entries_of_a_matrix);
    RUN(along_a_direction);
    return mu_report();
}
