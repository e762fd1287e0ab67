/* Richardson's extrapolation of central differences: which steps, their limit, and how far to trust it.
 *
 * Arithmetic only: values of the function go in, the next step comes out. */
#include "numdiff.h"

#include <float.h>
#include <math.h>

/* Which sample of a component. */
enum { NOW, REFERENCE, CANDIDATE, BEFORE, LONGEST };

/* What the values asked for are for. */
enum { START, SEARCH, PROBE, LOWER, EDGE, GROW, DESCEND, DONE };

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* a - b, but at least 0; nan stays. */
static double beyond(double a, double b)
{
    return a < b ? 0.0 : a - b;
}

/* --- Neville's scheme --- */

static void add_row(ptrdiff_t level, const double *z_old, double z, double d, double bar, double *t, double *b,
                    double *value, double *error, double *floor)
{
    double t_old = t[0], b_old = b[0]; /* of the row before, one column to the left */
    double t_new = d, b_new = bar;
    double before = 0.0; /* the correction made in the column before */
    t[0] = d;
    b[0] = bar;
    for (ptrdiff_t j = 1; j <= level; j++) {
        double factor = z_old[j - 1] / z - 1.0;
        double t_next = t_new + (t_new - t_old) / factor;
        double b_next = b_new + (b_new + b_old) / fabs(factor);
        double correction = fabs(t_next - t_new);
        double estimate = larger(correction, fabs(t_next - t_old));
        /* Where the corrections shrink fast, the next one is as much smaller again. */
        if (ND_CAUTION * correction < before) {
            estimate *= larger(ND_CAUTION * correction / before, ND_LEAST);
        }
        if (estimate + b_next < *error) {
            *value = t_next;
            *error = estimate + b_next;
            *floor = b_next;
        }
        t_old = t[j];
        b_old = b[j];
        t[j] = t_new = t_next;
        b[j] = b_new = b_next;
        before = correction;
    }
}

static void add_z(ptrdiff_t level, double *zs, double z)
{
    for (ptrdiff_t j = level; j > 0; j--) {
        zs[j] = zs[j - 1];
    }
    zs[0] = z;
}

/* --- one component: samples and how they compare --- */

/* Steps of few digits, so that x + h, x + h / 2, ... lose little, and the same; as taken in floating point. */
static double exact(const nd_richardson *c, double h)
{
    int exponent;
    double significand = trunc(4096.0 * frexp(h, &exponent)) / 4096.0;
    return (c->x + ldexp(significand, exponent)) - c->x;
}

static void measure(const nd_richardson *c, nd_limit *v, double f0, double first, double last)
{
    nd_sample *now = &v->sample[NOW];
    double h = c->h[NOW], up = last - f0, down = first - f0;
    double size = larger(larger(fabs(first), fabs(last)), fabs(f0));
    if (c->one_sided) {
        now->slope = up / ((c->x + h) - c->x);
        now->bend = 0.0;
        now->steepest = fabs(now->slope);
    } else {
        now->slope = (last - first) / ((c->x + h) - (c->x - h));
        now->bend = up + down;
        now->steepest = larger(fabs(up), fabs(down)) / fabs(h);
    }
    /* Rounding of the values, and of x before anything is done with it. */
    now->noise = larger(c->eps * size + DBL_EPSILON * fabs(c->x) * now->steepest, c->noise);
}

static void copy(nd_richardson *c, nd_limit *v, ptrdiff_t m, int to, int from)
{
    c->h[to] = c->h[from];
    for (ptrdiff_t r = 0; r < m; r++) {
        v[r].sample[to] = v[r].sample[from];
    }
}

static int finite(const nd_limit *v, ptrdiff_t m)
{
    for (ptrdiff_t r = 0; r < m; r++) {
        if (v[r].live && !isfinite(v[r].sample[NOW].slope)) {
            return 0;
        }
    }
    return 1;
}

/* How far apart the differences at two steps are, of the slope, beyond rounding. The shorter one is suspect where its
 * second difference is off as well: by scatter, or by a structure finer than its step. */
static double compare(const nd_richardson *c, const nd_limit *v, ptrdiff_t m, int longer, int shorter, int *suspect)
{
    double far = fabs(c->h[longer]), near = fabs(c->h[shorter]), most = 0.0;
    *suspect = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (!v[r].live) {
            continue;
        }
        const nd_sample *a = &v[r].sample[longer], *b = &v[r].sample[shorter];
        double slope = larger(a->steepest, b->steepest);
        double by_far = larger(a->noise, v[r].scatter) / far, by_near = larger(b->noise, v[r].scatter) / near;
        double first = beyond(fabs(a->slope - b->slope), 4.0 * (by_far + by_near));
        double second =
            beyond(fabs(a->bend / far / far - b->bend / near / near), 8.0 * (by_far / far + by_near / near));
        double apart = larger(first, second * far);
        if (apart != apart) {
            most = HUGE_VAL;
        } else if (apart > 0.0) {
            most = larger(most, slope > 0.0 ? apart / slope : HUGE_VAL);
        }
        if (second > 0.0 && second * near >= 0.05 * first) {
            *suspect = 1;
        }
    }
    return most;
}

/* How far the values at the shorter step are from those that the longer one foretells. */
static double seen(const nd_richardson *c, const nd_limit *v, int shorter, int longer)
{
    const nd_sample *a = &v->sample[longer], *b = &v->sample[shorter];
    double near = fabs(c->h[shorter]), ratio = near / fabs(c->h[longer]);
    return larger(fabs(b->slope - a->slope) * near, 0.5 * fabs(b->bend - a->bend * ratio * ratio));
}

/* The jump of the slope at a kink, where the second differences at both steps are of that alone; else 0. */
static double corner(const nd_richardson *c, const nd_limit *v, int shorter, int longer)
{
    const nd_sample *a = &v->sample[longer], *b = &v->sample[shorter];
    double near = fabs(c->h[shorter]), jump = fabs(b->bend) / near;
    double apart = fabs(b->bend / near - a->bend / fabs(c->h[longer]));
    return fabs(b->bend) > ND_CLEAR * b->noise && apart <= ND_ALIKE * jump ? jump : 0.0;
}

/* --- one component: what to do next --- */

static double ask(nd_richardson *c, int why, double h)
{
    c->state = why;
    c->h[NOW] = h;
    return h;
}

static double done(nd_richardson *c)
{
    c->state = DONE;
    return 0.0;
}

/* The function jumps by change beside x, or scatters by that: the longest step is the best. */
static void settle(const nd_richardson *c, nd_limit *v, double change)
{
    const nd_sample *far = &v->sample[LONGEST];
    v->value = far->slope;
    v->error = (fabs(far->bend) + 2.0 * change) / fabs(c->h[LONGEST]);
    v->step = c->h[LONGEST];
    v->remarks |= ND_NOISY;
    v->live = 0;
}

/* The power of the step that the values change by; 0 where that cannot be told. */
static double power(const nd_richardson *c, const nd_limit *v, int shorter, int longer)
{
    double near = fabs(c->h[shorter]), far = fabs(c->h[longer]);
    double less = v->sample[shorter].steepest * near, more = v->sample[longer].steepest * far;
    return far > near && more > less && less > 0.0 ? log(more / less) / log(far / near) : 0.0;
}

/* Whether the slope is infinite: that power is below 1, but well above 0, and the same for all steps. */
static int is_steep(const nd_richardson *c, const nd_limit *v)
{
    double first = power(c, v, REFERENCE, NOW), next = power(c, v, NOW, BEFORE), all = power(c, v, REFERENCE, LONGEST);
    return all > ND_POWER && fabs(first - all) <= ND_ALIKE && fabs(next - all) <= ND_ALIKE;
}

/* No step was found at which the function is smooth; the error says so. */
static double give_up(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    double near = fabs(c->h[REFERENCE]), now_h = fabs(c->h[NOW]), far_h = fabs(c->h[LONGEST]);
    for (ptrdiff_t r = 0; r < m; r++) {
        const nd_sample *ref = &v[r].sample[REFERENCE], *now = &v[r].sample[NOW], *far = &v[r].sample[LONGEST];
        if (!v[r].live) {
            continue;
        }
        double jump = fabs(ref->bend) / near, change = ref->steepest * near;
        double apart = fabs(now->slope - ref->slope);
        /* At a kink the slopes are what they are at longer steps; in a jump and in noise they grow as 1 / h, and less
         * where the slope is infinite. */
        if (far_h > 0.0 && ref->steepest > 4.0 * far->steepest && isfinite(far->slope) && change > 4.0 * ref->noise) {
            settle(c, &v[r], change);
            if (is_steep(c, &v[r])) {
                v[r].error = larger(v[r].error, ref->steepest);
            }
            continue;
        }
        double slope = far_h > 0.0 && far->steepest > ref->steepest ? far->steepest : ref->steepest;
        v[r].value = ref->slope;
        v[r].error = (apart == apart ? apart : 0.0) + 0.5 * jump + ref->noise / near;
        v[r].step = c->h[REFERENCE];
        int bent = jump > 0.3 * (fabs(now->bend) / now_h) && jump > 1e-3 * slope;
        if (bent || corner(c, &v[r], REFERENCE, NOW) > 0.0 || apart > 0.1 * slope) {
            v[r].remarks |= ND_KINK;
        }
    }
    return done(c);
}

/* The sample NOW is one more row of the scheme. */
static void push(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    double h = fabs(c->h[NOW]), z = c->one_sided ? h : h * h;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (!v[r].live) {
            continue;
        }
        const nd_sample *now = &v[r].sample[NOW];
        double least = v[r].error;
        add_row(c->levels, c->zs, z, now->slope, larger(now->noise, v[r].scatter) / h, v[r].table, v[r].bars,
                &v[r].value, &v[r].error, &v[r].floor);
        if (v[r].error < least) {
            v[r].step = c->h[NOW];
        }
    }
    add_z(c->levels, c->zs, z);
    c->levels++;
}

/* The jump of the slope at a kink: the part k h of the second difference k h + c h^2. */
static double jump_of(const nd_richardson *c, const nd_limit *v, int shorter, int longer)
{
    double a = fabs(c->h[shorter]), b = fabs(c->h[longer]);
    return (v->sample[shorter].bend / a * b - v->sample[longer].bend / b * a) / (b - a);
}

/* That jump, where three steps tell of the same, well above rounding; else 0. At a kink every central difference may
 * agree with every other, and none is the slope to either side. */
static double kink(const nd_richardson *c, const nd_limit *v)
{
    int shortest = REFERENCE, middle = NOW, longest = BEFORE;
    if (fabs(c->h[REFERENCE]) > 0.5 * fabs(c->h[NOW])) {
        if (c->levels < 3) {
            return corner(c, v, NOW, BEFORE);
        }
        shortest = NOW, middle = BEFORE, longest = CANDIDATE;
    }
    double jump = jump_of(c, v, shortest, middle), again = jump_of(c, v, middle, longest);
    double noise = larger(v->sample[shortest].noise, v->scatter) / fabs(c->h[shortest]);
    return fabs(jump) > ND_CLEAR * noise && fabs(jump - again) <= ND_ALIKE * fabs(jump) ? fabs(jump) : 0.0;
}

/* The reference has the shortest step, and so shows best how far the values scatter. BEFORE is the last but one. */
static double finish(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    double near = fabs(c->h[REFERENCE]), far = fabs(c->h[NOW]), ratio = near / far;
    for (ptrdiff_t r = 0; r < m; r++) {
        const nd_sample *ref = &v[r].sample[REFERENCE], *now = &v[r].sample[NOW], *before = &v[r].sample[BEFORE];
        if (!v[r].live) {
            continue;
        }
        double truncation = fabs(now->slope - v[r].value) * (c->one_sided ? ratio : ratio * ratio);
        double by_slope = beyond(fabs(ref->slope - v[r].value), 2.0 * truncation) * near;
        double jump = kink(c, &v[r]);
        if (0.5 * jump > v[r].error && by_slope <= ND_ALIKE * jump * near) {
            v[r].error = 0.5 * jump;
            v[r].remarks |= ND_KINK;
            continue;
        }
        double curvature = now->bend / far / far,
               change = before->bend / fabs(c->h[BEFORE]) / fabs(c->h[BEFORE]) - curvature;
        double by_bend = beyond(0.5 * fabs(ref->bend - curvature * near * near), fabs(change) * near * near);
        double scatter = 2.0 * larger(by_slope, by_bend), noise = larger(now->noise, v[r].scatter);
        if (scatter > noise) {
            v[r].error += noise > 0.0 ? v[r].floor * (scatter / noise - 1.0) : scatter / far;
            /* Of noise, the second difference would tell as well: this is a kink or another structure beside x. */
            if (by_slope > ND_CLEAR * noise && by_bend < ND_SMOOTH * by_slope) {
                v[r].error = larger(v[r].error, by_slope / near);
            }
            if (scatter > ND_SCATTER * noise) {
                v[r].remarks |= ND_NOISY;
            }
        }
    }
    return done(c);
}

static double descend(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    int converged = 1, improved = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        v[r].before = v[r].error;
    }
    push(c, v, m);
    for (ptrdiff_t r = 0; r < m; r++) {
        if (v[r].live) {
            converged &= v[r].error <= 2.0 * v[r].floor;
            improved |= v[r].error < 0.5 * v[r].before;
        }
    }
    c->stalled = improved ? 0 : c->stalled + 1;
    if (converged || c->levels >= (c->one_sided ? ND_LEVELS - 1 : 7) || (c->levels >= 3 && c->stalled > c->one_sided)) {
        return finish(c, v, m);
    }
    copy(c, v, m, BEFORE, NOW);
    return ask(c, DESCEND, 0.5 * c->h[NOW]);
}

/* Whether nothing changes at the step accepted, but at one that was too long: BEFORE. */
static int is_flat(const nd_limit *v)
{
    return v->live && v->sample[CANDIDATE].steepest == 0.0 && v->sample[BEFORE].steepest > 0.0;
}

/* The next step between those, to tell a function that is constant there from one whose values have few digits: the
 * former begins to change no steeper than it does up to LONGEST, the latter by a jump. 0: told. */
static double edge(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    double far_h = fabs(c->h[LONGEST]), beyond_it = fabs(c->h[BEFORE]), flat = fabs(c->flat);
    int wanted = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        const nd_sample *before = &v[r].sample[BEFORE];
        if (!is_flat(&v[r])) {
            continue;
        }
        const nd_sample *far = &v[r].sample[LONGEST];
        double change = before->steepest * beyond_it, wide = far_h - beyond_it;
        double steepest = larger(far->steepest, (far->steepest * far_h - change) / wide);
        if (wide > 0.0 && change > ND_CLEAR * before->noise && change > 4.0 * steepest * (beyond_it - flat)) {
            settle(c, &v[r], change);
        } else {
            wanted = 1;
        }
    }
    return wanted && c->edges++ < ND_EDGES ? exact(c, copysign(sqrt(flat * beyond_it), c->h[BEFORE])) : 0.0;
}

/* CANDIDATE is a good step; a longer one where rounding is large beside the slope. */
static double accept(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    if (c->growths == 0) {
        if (c->edges == 0) {
            c->flat = c->h[CANDIDATE];
            for (ptrdiff_t r = 0; r < m; r++) {
                const nd_sample *sample = v[r].sample;
                if (v[r].live && sample[CANDIDATE].steepest == 0.0 && sample[BEFORE].steepest == 0.0 &&
                    sample[LONGEST].steepest > 0.0) {
                    copy(c, v, m, BEFORE, LONGEST); /* BEFORE was too long for another value alone */
                }
            }
        }
        double next = edge(c, v, m);
        if (next != 0.0) {
            return ask(c, EDGE, next);
        }
    }
    double h = fabs(c->h[CANDIDATE]);
    int limited = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        const nd_sample *sample = &v[r].sample[CANDIDATE];
        limited |=
            v[r].live && larger(sample->noise, v[r].scatter) > ND_FINE * h * sample->steepest && sample->steepest > 0.0;
    }
    if (limited && c->growths < ND_GROWTHS && ND_GROWTH * h <= c->longest) {
        c->growths++;
        return ask(c, GROW, exact(c, ND_GROWTH * c->h[CANDIDATE]));
    }
    copy(c, v, m, NOW, CANDIDATE);
    int any = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (v[r].live) {
            v[r].error = HUGE_VAL;
            any = 1;
        }
    }
    return any ? descend(c, v, m) : done(c);
}

/* NOW is a step to be judged by the reference. */
static double search(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    int suspect = 0, other;
    int is_finite = finite(v, m);
    double apart = is_finite ? compare(c, v, m, NOW, REFERENCE, &suspect) : HUGE_VAL;
    if (apart <= ND_AGREE) {
        copy(c, v, m, CANDIDATE, NOW);
        return accept(c, v, m);
    }
    if (is_finite && suspect && c->has_before && compare(c, v, m, BEFORE, NOW, &other) <= ND_AGREE) {
        copy(c, v, m, CANDIDATE, NOW);
        return ask(c, PROBE, exact(c, ND_LOWER * c->h[REFERENCE]));
    }
    if (++c->rounds > ND_ROUNDS) {
        return give_up(c, v, m);
    }
    int was_short = c->is_short;
    c->is_short = 0;
    if (is_finite && suspect && was_short) {
        /* Scatter makes the scale that the second difference tells too short. */
        return ask(c, SEARCH, exact(c, c->first));
    }
    double h = c->h[NOW], ref_h = c->h[REFERENCE], ratio = fabs(h / ref_h);
    if (is_finite && c->h[LONGEST] == 0.0) {
        copy(c, v, m, LONGEST, NOW);
    }
    if (ratio <= 2.0 || (is_finite && ratio <= ND_CLOSE)) {
        /* The reference is the next candidate, and gets another reference; one of rounding alone agrees with
         * everything. */
        double lower = exact(c, ND_LOWER * ref_h);
        int blind = lower == 0.0;
        for (ptrdiff_t r = 0; r < m; r++) {
            const nd_sample *ref = &v[r].sample[REFERENCE];
            double steep = is_finite ? corner(c, &v[r], REFERENCE, NOW) : 0.0;
            blind |= v[r].live && ref->noise > 1e-3 * fabs(lower) * (steep > 0.0 ? steep : ref->steepest);
        }
        if (blind || c->references >= ND_REFERENCES) {
            return give_up(c, v, m);
        }
        c->references++;
        if (is_finite) {
            copy(c, v, m, BEFORE, NOW);
        }
        copy(c, v, m, CANDIDATE, REFERENCE);
        return ask(c, LOWER, lower);
    }
    double factor = 0.25;
    if (!(is_finite && suspect && !c->has_before)) {
        factor = apart < 1.0 ? smaller(larger(sqrt(ND_TARGET / apart), 1.0 / 32.0), 0.25)
                             : smaller(larger(1.0 / sqrt(ratio), 1.0 / 64.0), 0.25);
    }
    if (is_finite) {
        copy(c, v, m, BEFORE, NOW);
    }
    c->has_before = is_finite;
    return ask(c, SEARCH, exact(c, ratio * factor < 2.0 ? 2.0 * ref_h : factor * h));
}

/* Values at a long and a short step agree, but not with the reference. A much shorter step decides: there, scatter is
 * as large as it was, and a structure is smooth; or a kink, and finish() tells of it. */
static double probe(nd_richardson *c, nd_limit *v, ptrdiff_t m)
{
    int structure = 0, is_kink = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (v[r].live) {
            structure |= seen(c, &v[r], NOW, CANDIDATE) < 0.1 * seen(c, &v[r], REFERENCE, CANDIDATE);
            is_kink |= corner(c, &v[r], NOW, REFERENCE) > 0.0;
        }
    }
    c->has_before = 0;
    if (is_kink) {
        return accept(c, v, m);
    }
    if (structure) {
        copy(c, v, m, CANDIDATE, REFERENCE);
        copy(c, v, m, REFERENCE, NOW);
        copy(c, v, m, NOW, CANDIDATE);
        return search(c, v, m);
    }
    for (ptrdiff_t r = 0; r < m; r++) {
        double by_reference = seen(c, &v[r], REFERENCE, CANDIDATE), by_probe = seen(c, &v[r], NOW, CANDIDATE);
        v[r].scatter = 2.0 * (by_probe > by_reference ? by_probe : by_reference);
        v[r].remarks |= ND_NOISY;
    }
    return accept(c, v, m);
}

static double start(nd_richardson *c, nd_limit *v, ptrdiff_t m, const double *f0)
{
    int any = 0;
    double length = HUGE_VAL, near = fabs(c->h[NOW]);
    copy(c, v, m, REFERENCE, NOW);
    for (ptrdiff_t r = 0; r < m; r++) {
        const nd_sample *ref = &v[r].sample[REFERENCE];
        v[r].live = isfinite(ref->slope) && isfinite(f0[r]);
        v[r].value = ref->slope;
        v[r].error = HUGE_VAL;
        v[r].step = c->h[NOW];
        any |= v[r].live;
        /* Where the second difference tells of a shorter scale: |f'/f''| or sqrt|f/f''|. */
        double bend = beyond(fabs(ref->bend), 8.0 * ref->noise) / near / near;
        double scale = bend > 0.0 ? larger(fabs(ref->slope) / bend, sqrt(fabs(f0[r]) / bend)) : HUGE_VAL;
        if (v[r].live && scale > 0.0) {
            length = smaller(length, scale);
        }
    }
    if (!any) {
        return done(c);
    }
    double least = ND_APART * near, first = smaller(larger(fabs(c->first), least), c->longest);
    double h = smaller(first, larger(ND_LENGTH * length, least));
    c->is_short = h < 0.5 * first;
    c->first = copysign(first, c->h[NOW]);
    return ask(c, SEARCH, exact(c, copysign(h, c->h[NOW])));
}

double nd_richardson_next(nd_richardson *c, nd_limit *v, ptrdiff_t m, const double *f0, const double *values)
{
    for (ptrdiff_t r = 0; r < m; r++) {
        measure(c, &v[r], f0[r], values[c->one_sided ? m + r : r], values[m + r]);
    }
    int suspect;
    switch (c->state) {
    case START:
        return start(c, v, m, f0);
    case SEARCH:
        return search(c, v, m);
    case PROBE:
        return probe(c, v, m);
    case LOWER:
        copy(c, v, m, REFERENCE, NOW);
        copy(c, v, m, NOW, CANDIDATE);
        c->has_before = 0;
        return search(c, v, m);
    case EDGE: {
        int changes = 0;
        for (ptrdiff_t r = 0; r < m; r++) {
            changes |= is_flat(&v[r]) && v[r].sample[NOW].steepest != 0.0;
        }
        if (!finite(v, m)) {
            c->edges = ND_EDGES;
        } else if (changes) {
            copy(c, v, m, BEFORE, NOW);
        } else {
            c->flat = c->h[NOW];
        }
        return accept(c, v, m);
    }
    case GROW:
        if (finite(v, m) && compare(c, v, m, NOW, CANDIDATE, &suspect) <= ND_AGREE_GROWING) {
            copy(c, v, m, CANDIDATE, NOW);
        } else {
            c->growths = ND_GROWTHS;
        }
        return accept(c, v, m);
    case DESCEND:
        return descend(c, v, m);
    default:
        return 0.0;
    }
}
