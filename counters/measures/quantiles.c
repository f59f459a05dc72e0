/* quantiles(x): counts numbers in the buckets of Prometheus' native histograms, schema 5: 32 to an
 * octave, where bucket k holds 2^((k - 1) / 32) < x <= 2^(k / 32). The middle of a bucket is within
 * 1.1 % of every number in it. Numbers are in fixed point, so none lies between 0 and 1: one bucket
 * of zeros suffices at the low end. Negative numbers do not fit: a negative time or size is a
 * mistake, and room for them would double each row.
 *
 *   state | low 32 bits of each cell, two a word | high 8 bits of each cell, eight a word |
 *   cell 0 holds the zeros, cell k + 1 bucket k
 *
 * Cells are dense, because an exact count must never run out of room however the numbers are
 * spread. 40 bits are 10^12 numbers in one bucket, in one row of one writer; the next one does not
 * fit. 8.5 KB a row, of which an event changes one word, or two at every 2^32nd number of a bucket.
 *
 * (prometheus.io/docs/specs/native_histograms; the search is that of its Go client, in
 * integers.) */
#include "counters/measures/kinds.h"

#include <stdio.h>
#include <stdlib.h>

#define SUBS 32 /* buckets an octave */
#define CELLS_AN_OCTAVE 64
#define OCTAVES 53
#define BUCKETS (OCTAVES * SUBS + 1) /* 0 .. 1696: 2^53 */
#define CELLS (BUCKETS + 1)
#define LOW_WORDS ((CELLS + 1) / 2)
#define HIGH_WORDS ((CELLS + 7) / 8)
#define LOW_MAX UINT64_C(0xffffffff)
#define CELL_MAX ((UINT64_C(1) << 40) - 1)
#define ZERO "zero" /* name of the bucket of zeros */

/* The largest integer not above 2^63 * 2^(j / 32). */
static const uint64_t bound[SUBS + 1] = {
    0x8000000000000000, 0x82cd8698ac2ba1d7, 0x85aac367cc487b14, 0x88980e8092da8527,
    0x8b95c1e3ea8bd6e6, 0x8ea4398b45cd53c0, 0x91c3d373ab11c336, 0x94f4efa8fef70961,
    0x9837f0518db8a96f, 0x9b8d39b9d54e5538, 0x9ef5326091a111ad, 0xa27043030c496818,
    0xa5fed6a9b15138ea, 0xa9a15ab4ea7c0ef8, 0xad583eea42a14ac6, 0xb123f581d2ac258f,
    0xb504f333f9de6484, 0xb8fbaf4762fb9ee9, 0xbd08a39f580c36be, 0xc12c4cca66709456,
    0xc5672a115506dadd, 0xc9b9bd866e2f27a2, 0xce248c151f8480e3, 0xd2a81d91f12ae45a,
    0xd744fccad69d6af4, 0xdbfbb797daf23755, 0xe0ccdeec2a94e111, 0xe5b906e77c8348a8,
    0xeac0c6e7dd24392e, 0xefe4b99bdcdaf5cb, 0xf5257d152486cc2c, 0xfa83b2db722a033a,
    UINT64_MAX,
};

/* Divides an octave into 64 equal parts, each narrower than any bucket, so that it contains at most
 * one bound: the first bound that is not below the part's lower end. */
static const uint8_t first_bound[CELLS_AN_OCTAVE] = {
    0,  1,  2,  3,  3,  4,  5,  5,  6,  7,  7,  8,  8,  9,  10, 10, 11, 11, 12, 13, 13, 14,
    14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 22, 22, 23, 23, 24, 24,
    25, 25, 26, 26, 26, 27, 27, 28, 28, 28, 29, 29, 30, 30, 30, 31, 31, 31, 32, 32,
};

/* The bucket of x: 1 <= x < 2^53. */
static size_t find_bucket(uint64_t x) {
    const int zeros = __builtin_clzll(x);
    const uint64_t mantissa = x << zeros; /* 2^63 <= mantissa < 2^64 */
    const unsigned j = first_bound[mantissa >> 57 & (CELLS_AN_OCTAVE - 1)];
    return (size_t)(63 - zeros) * SUBS + j + (mantissa > bound[j]);
}

static size_t find_cell(int64_t number) {
    return number == 0 ? 0 : find_bucket((uint64_t)number) + 1;
}

/* The largest integer in bucket k or below it. */
static uint64_t highest_of(size_t k) {
    return bound[k % SUBS] >> (63 - k / SUBS);
}

/* ---- cells ---- */

struct place {
    size_t low, high; /* words */
    unsigned low_shift, high_shift;
};

static struct place find_place(size_t cell) {
    return (struct place){.low = cell / 2,
                          .low_shift = (unsigned)(cell % 2) * 32,
                          .high = LOW_WORDS + cell / 8,
                          .high_shift = (unsigned)(cell % 8) * 8};
}

static uint64_t cell_of(uint64_t low, uint64_t high, const struct place *place) {
    return (low >> place->low_shift & LOW_MAX) | (high >> place->high_shift & 0xff) << 32;
}

static uint64_t get_cell(const uint64_t *state, size_t cell) {
    const struct place place = find_place(cell);
    return cell_of(state[place.low], state[place.high], &place);
}

/* The first nonzero cell from `cell` on; CELLS: none. Rows have few, so this looks at eight at a
 * time. */
static size_t find_used(const uint64_t *state, size_t cell) {
    while (cell < CELLS) {
        const uint64_t *low = state + cell / 2;
        if (cell % 8 == 0 && cell + 8 <= CELLS && state[LOW_WORDS + cell / 8] == 0 &&
            (low[0] | low[1] | low[2] | low[3]) == 0) {
            cell += 8;
        } else if (get_cell(state, cell) > 0) {
            break;
        } else {
            cell++;
        }
    }
    return cell;
}

/* Adds to a cell and saturates at its maximum, which keeps it commutative and associative like a
 * sum. */
static void add_to_cell(uint64_t *state, size_t cell, uint64_t n) {
    const struct place place = find_place(cell);
    const uint64_t old = cell_of(state[place.low], state[place.high], &place);
    const uint64_t sum = n > CELL_MAX - old ? CELL_MAX : old + n;
    state[place.low] = (state[place.low] & ~(LOW_MAX << place.low_shift)) | (sum & LOW_MAX)
                                                                                << place.low_shift;
    state[place.high] = (state[place.high] & ~(UINT64_C(0xff) << place.high_shift)) |
                        (sum >> 32) << place.high_shift;
}

/* ---- the measure ---- */

static const char *quantiles_open(struct measure *measure) {
    measure->words = LOW_WORDS + HIGH_WORDS;
    return NULL;
}

/* The next count of a cell whose low bits are all set. NULL: the cell is full. */
static struct undo_change *carry(word *state, const struct place *place,
                                 struct undo_change *change) {
    const uint64_t low = measure_load(&state[place->low]), high = measure_load(&state[place->high]);
    if (cell_of(low, high, place) >= CELL_MAX) {
        return NULL;
    }
    change[0] = (struct undo_change){&state[place->low], low & ~(LOW_MAX << place->low_shift)};
    change[1] =
        (struct undo_change){&state[place->high], high + (UINT64_C(1) << place->high_shift)};
    return change + 2;
}

static struct undo_change *quantiles_plan(const struct measure *measure,
                                          const struct aforo_event *event,
                                          const struct measure_rows *rows,
                                          struct undo_change *change) {
    (void)measure;
    const int64_t number = event_number(event);
    if (number < 0) {
        return NULL;
    }
    const struct place place = find_place(find_cell(number));
    for (size_t k = 0; k < rows->n && change; k++) {
        word *state = measure_state(rows, k);
        const uint64_t low = measure_load(&state[place.low]);
        if (__builtin_expect((low >> place.low_shift & LOW_MAX) == LOW_MAX, 0)) {
            change = carry(state, &place, change);
            continue;
        }
        *change++ = (struct undo_change){&state[place.low], low + (UINT64_C(1) << place.low_shift)};
    }
    return change;
}

static void quantiles_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    for (size_t cell = find_used(from, 0); cell < CELLS; cell = find_used(from, cell + 1)) {
        add_to_cell(into, cell, get_cell(from, cell));
    }
}

static void quantiles_emit(const struct measure *measure, const uint64_t *state,
                           const struct component_taker *taker) {
    char name[MEASURE_COMPONENT_MAX];
    const int prefix = snprintf(name, sizeof name, "%s:", measure->text);
    for (size_t cell = find_used(state, 0); cell < CELLS; cell = find_used(state, cell + 1)) {
        if (cell == 0) {
            memcpy(name + prefix, ZERO, sizeof ZERO);
        } else {
            snprintf(name + prefix, sizeof name - (size_t)prefix, "%zu", cell - 1);
        }
        component_give(taker, name, COMPONENT_ADD, (int64_t)get_cell(state, cell));
    }
}

/* The cell that a component names; CELLS: there is none that an integer falls into. */
static size_t read_cell(const char *name) {
    if (strcmp(name, ZERO) == 0) {
        return 0;
    }
    char *end;
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1] != '\0')) {
        return CELLS;
    }
    const unsigned long k = strtoul(name, &end, 10);
    if (*end != '\0' || k >= BUCKETS || (k > 0 && highest_of(k) == highest_of(k - 1))) {
        return CELLS;
    }
    return k + 1;
}

static bool quantiles_absorb(const struct measure *measure, uint64_t *state,
                             const struct component *component) {
    const size_t len = strlen(measure->text);
    if (component->rule != COMPONENT_ADD || component->value < 0 ||
        strncmp(component->name, measure->text, len) != 0 || component->name[len] != ':') {
        return false;
    }
    const size_t cell = read_cell(component->name + len + 1);
    if (cell == CELLS) {
        return false;
    }
    add_to_cell(state, cell, (uint64_t)component->value);
    return true;
}

static size_t quantiles_puts(const struct measure *measure) {
    (void)measure;
    return 2;
}

const struct measure_kind measure_quantiles = {.name = "quantiles",
                                               .class = MEASURE_SUM,
                                               .wants = MEASURE_WANTS_NUMBER,
                                               .from_zero = true,
                                               .open = quantiles_open,
                                               .plan = quantiles_plan,
                                               .merge = quantiles_merge,
                                               .emit = quantiles_emit,
                                               .absorb = quantiles_absorb,
                                               .puts = quantiles_puts};

/* ---- its figure ---- */

bool quantiles_read(const uint64_t *state, double share, uint64_t *twice) {
    uint64_t all = 0, seen = 0;
    for (size_t cell = find_used(state, 0); cell < CELLS; cell = find_used(state, cell + 1)) {
        all += get_cell(state, cell);
    }
    if (all == 0) {
        return false;
    }
    /* The share in millionths, so that 99.9 % of 1000 is the 999th and not, by rounding, the next
     * one. */
    const uint64_t millionths = (uint64_t)(share * 1e6 + 0.5);
    const uint64_t whole = all / 1000000 * millionths, rest = all % 1000000 * millionths;
    uint64_t rank = whole + (rest + 999999) / 1000000;
    rank = rank > 0 ? rank : 1;
    size_t cell = find_used(state, 0);
    while ((seen += get_cell(state, cell)) < rank) {
        cell = find_used(state, cell + 1);
    }
    if (cell == 0) {
        *twice = 0;
        return true;
    }
    const size_t k = cell - 1;
    *twice = highest_of(k) + (k == 0 ? 1 : highest_of(k - 1) + 1);
    return true;
}
