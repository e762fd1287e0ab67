/* Greedy colourings of the columns of a sparse structure, and the orders in which to take the columns. */
#include "numdiff.h"

/* Write the neighbours of column j, each once, into found: the columns that share a row with it. Their number.
 *
 * A column l with seen[l] == j has been found already. */
static ptrdiff_t neighbours(const nd_structure *s, ptrdiff_t j, ptrdiff_t *seen, ptrdiff_t *found)
{
    ptrdiff_t count = 0;
    seen[j] = j;
    for (ptrdiff_t e = s->column_begin[j]; e < s->column_begin[j + 1]; e++) {
        ptrdiff_t i = s->rows[e];
        for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
            ptrdiff_t l = s->columns[d];
            if (seen[l] != j) {
                seen[l] = j;
                found[count++] = l;
            }
        }
    }
    return count;
}

/* Columns by key, in doubly linked lists: head[key] is the column put there last; -1 ends a list. */
typedef struct buckets {
    ptrdiff_t *head, *next, *previous, *key;
} buckets;

static void put(const buckets *b, ptrdiff_t j)
{
    ptrdiff_t first = b->head[b->key[j]];
    b->next[j] = first;
    b->previous[j] = -1;
    if (first >= 0) {
        b->previous[first] = j;
    }
    b->head[b->key[j]] = j;
}

static void take(const buckets *b, ptrdiff_t j)
{
    if (b->previous[j] >= 0) {
        b->next[b->previous[j]] = b->next[j];
    } else {
        b->head[b->key[j]] = b->next[j];
    }
    if (b->next[j] >= 0) {
        b->previous[b->next[j]] = b->previous[j];
    }
}

void nd_order_columns(const nd_structure *s, int kind, ptrdiff_t *order, ptrdiff_t *work)
{
    ptrdiff_t n = s->n;
    ptrdiff_t *seen = work, *found = work + n;
    buckets b = {work + 2 * n, work + 3 * n, work + 4 * n, work + 5 * n};
    for (ptrdiff_t j = 0; j < n; j++) {
        seen[j] = -1;
        b.head[j] = -1;
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        b.key[j] = neighbours(s, j, seen, found);
    }
    for (ptrdiff_t j = n - 1; j >= 0; j--) {
        put(&b, j);
        seen[j] = -1;
    }

    /* Keys fall, from the first on; or always the least key, from the last on, among the columns that are left. */
    int smallest_last = kind == ND_SMALLEST_LAST;
    ptrdiff_t key = smallest_last || n == 0 ? 0 : n - 1;
    for (ptrdiff_t k = 0; k < n; k++) {
        while (b.head[key] < 0) {
            key += smallest_last ? 1 : -1;
        }
        ptrdiff_t j = b.head[key];
        take(&b, j);
        order[smallest_last ? n - 1 - k : k] = j;
        if (!smallest_last) {
            continue;
        }
        b.key[j] = -1; /* gone */
        ptrdiff_t count = neighbours(s, j, seen, found);
        for (ptrdiff_t d = 0; d < count; d++) {
            ptrdiff_t l = found[d];
            if (b.key[l] >= 0) {
                take(&b, l);
                b.key[l]--;
                put(&b, l);
                key = b.key[l] < key ? b.key[l] : key;
            }
        }
    }
}

/* The least colour that no mark of j forbids. */
static ptrdiff_t least(const ptrdiff_t *forbidden, ptrdiff_t j, ptrdiff_t count)
{
    ptrdiff_t color = 0;
    while (color < count && forbidden[color] == j) {
        color++;
    }
    return color;
}

static void uncolored(ptrdiff_t n, ptrdiff_t *colors, ptrdiff_t *forbidden)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        colors[j] = -1;
        forbidden[j] = -1;
    }
}

ptrdiff_t nd_color_columns(const nd_structure *s, const ptrdiff_t *order, ptrdiff_t *colors, ptrdiff_t *forbidden)
{
    ptrdiff_t count = 0;
    uncolored(s->n, colors, forbidden);
    for (ptrdiff_t k = 0; k < s->n; k++) {
        ptrdiff_t j = order ? order[k] : k;
        for (ptrdiff_t e = s->column_begin[j]; e < s->column_begin[j + 1]; e++) {
            ptrdiff_t i = s->rows[e];
            for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
                ptrdiff_t color = colors[s->columns[d]];
                if (color >= 0) {
                    forbidden[color] = j;
                }
            }
        }
        colors[j] = least(forbidden, j, count);
        count += colors[j] == count;
    }
    return count;
}

/* Columns in a binary heap: the one with the most colours beside it on top, of several the first in rank. */
typedef struct queue {
    ptrdiff_t *heap, *place, *rank, *saturation;
} queue;

static int before(const queue *q, ptrdiff_t j, ptrdiff_t l)
{
    ptrdiff_t more = q->saturation[j] - q->saturation[l];
    return more > 0 || (more == 0 && q->rank[j] < q->rank[l]);
}

static void set(const queue *q, ptrdiff_t at, ptrdiff_t j)
{
    q->heap[at] = j;
    q->place[j] = at;
}

static void rise(const queue *q, ptrdiff_t j)
{
    ptrdiff_t at = q->place[j];
    while (at > 0 && before(q, j, q->heap[(at - 1) / 2])) {
        set(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set(q, at, j);
}

static ptrdiff_t pop(const queue *q, ptrdiff_t size)
{
    ptrdiff_t top = q->heap[0], last = q->heap[size - 1], at = 0, below;
    q->place[top] = -1;
    while ((below = 2 * at + 1) < size - 1) {
        if (below + 1 < size - 1 && before(q, q->heap[below + 1], q->heap[below])) {
            below++;
        }
        if (!before(q, q->heap[below], last)) {
            break;
        }
        set(q, at, q->heap[below]);
        at = below;
    }
    if (last != top) {
        set(q, at, last);
    }
    return top;
}

ptrdiff_t nd_color_saturated(const nd_structure *s, const ptrdiff_t *order, ptrdiff_t *colors, uint64_t *beside,
                             ptrdiff_t *work)
{
    ptrdiff_t n = s->n, count = 0;
    ptrdiff_t *seen = work, *found = work + n, *forbidden = work + 2 * n;
    queue q = {work + 3 * n, work + 4 * n, work + 5 * n, work + 6 * n};
    uncolored(n, colors, forbidden);
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t j = order ? order[k] : k;
        set(&q, k, j);
        q.rank[j] = k;
        q.saturation[j] = 0;
        beside[j] = 0;
        seen[k] = -1;
    }
    for (ptrdiff_t size = n; size > 0; size--) {
        ptrdiff_t j = pop(&q, size), neighbour_count = neighbours(s, j, seen, found);
        for (ptrdiff_t d = 0; d < neighbour_count; d++) {
            if (colors[found[d]] >= 0) {
                forbidden[colors[found[d]]] = j;
            }
        }
        ptrdiff_t color = colors[j] = least(forbidden, j, count);
        count += color == count;
        uint64_t bit = color < 64 ? (uint64_t)1 << color : 0;
        for (ptrdiff_t d = 0; d < neighbour_count; d++) {
            ptrdiff_t l = found[d];
            if (colors[l] < 0 && bit & ~beside[l]) {
                beside[l] |= bit;
                q.saturation[l]++;
                rise(&q, l);
            }
        }
    }
    return count;
}

ptrdiff_t nd_color_star(const nd_structure *s, const ptrdiff_t *order, ptrdiff_t *colors, ptrdiff_t *forbidden)
{
    const ptrdiff_t *begin = s->row_begin, *columns = s->columns;
    ptrdiff_t count = 0;
    uncolored(s->n, colors, forbidden);
    for (ptrdiff_t k = 0; k < s->n; k++) {
        ptrdiff_t v = order ? order[k] : k;
        for (ptrdiff_t e = begin[v]; e < begin[v + 1]; e++) {
            ptrdiff_t w = columns[e];
            if (w == v) {
                continue;
            }
            if (colors[w] >= 0) {
                forbidden[colors[w]] = v;
            }
            for (ptrdiff_t d = begin[w]; d < begin[w + 1]; d++) {
                ptrdiff_t x = columns[d];
                if (x == v || x == w || colors[x] < 0) {
                    continue;
                }
                if (colors[w] < 0) {
                    forbidden[colors[x]] = v; /* w must tell v from x, whatever its own colour will be */
                    continue;
                }
                for (ptrdiff_t c = begin[x]; c < begin[x + 1]; c++) {
                    ptrdiff_t y = columns[c];
                    if (y != w && y != x && colors[y] == colors[w]) {
                        forbidden[colors[x]] = v; /* the path v w x y would have two colours */
                        break;
                    }
                }
            }
        }
        colors[v] = least(forbidden, v, count);
        count += colors[v] == count;
    }
    return count;
}
