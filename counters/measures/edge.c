/* earliest(x), latest(x): the value of a field in the first and in the last event, by event time;
 * shown by the figures first(x) and last(x). Among values at the same time the larger bytes win, so
 * that the order of arrival never matters. The first 48 bytes of a value are kept and compared.
 *
 *   state | time | length, and 2^8 for a number | 48 bytes, zeros after the value |
 *   blob  | time: 8 bytes, the lowest first | 1 for a number | the value |
 *
 * The time is stored as a word that is 0 for "nothing yet" and larger for the time that wins
 * (extreme.c). The class is newest, because a script in the store cannot compare bytes: readers
 * merge the nodes' states. */
#include "counters/measures/kinds.h"

#define VALUE_MAX 48
#define VALUE_WORDS (VALUE_MAX / 8)
#define NUMBER_BIT UINT64_C(0x100)
#define LEN_MASK UINT64_C(0xff)
#define BLOB_HEADER 9

enum { TIME, LEN, VALUE, WORDS = VALUE + VALUE_WORDS };

static const char *edge_open(struct measure *measure) {
    measure->words = WORDS;
    return NULL;
}

static size_t len_of(const uint64_t *state) {
    const size_t len = state[LEN] & LEN_MASK;
    return len < VALUE_MAX ? len : VALUE_MAX; /* else the file is damaged */
}

/* Whether `one` is kept rather than `other`: its time wins, or its bytes do. */
static bool wins(const uint64_t *one, const uint64_t *other) {
    if (one[TIME] != other[TIME]) {
        return one[TIME] > other[TIME];
    }
    const size_t one_len = len_of(one), other_len = len_of(other);
    const int order = memcmp(&one[VALUE], &other[VALUE], one_len < other_len ? one_len : other_len);
    return order != 0 ? order > 0 : one_len > other_len;
}

static struct undo_change *take(word *state, uint64_t time, const struct aforo_value *value,
                                struct undo_change *change) {
    if (time < measure_load(&state[TIME])) {
        return change; /* as for nearly all events */
    }
    uint64_t old[WORDS], new[WORDS] = {time};
    for (size_t i = 0; i < WORDS; i++) {
        old[i] = measure_load(&state[i]);
    }
    const size_t len = value->len < VALUE_MAX ? value->len : VALUE_MAX;
    memcpy(&new[VALUE], value->text, len);
    new[LEN] = len | (value->kind == AFORO_NUMBER ? NUMBER_BIT : 0);
    if (!wins(new, old)) {
        return change;
    }
    for (size_t i = 0; i < WORDS; i++) {
        *change = (struct undo_change){&state[i], new[i]};
        change += new[i] != old[i];
    }
    return change;
}

static struct undo_change *earliest_plan(const struct measure *measure,
                                         const struct aforo_event *event,
                                         const struct measure_rows *rows,
                                         struct undo_change *change) {
    (void)measure;
    for (size_t k = 0; k < rows->n; k++) {
        change = take(measure_state(rows, k), encode_lowest(event->us), event->argument[0], change);
    }
    return change;
}

static struct undo_change *latest_plan(const struct measure *measure,
                                       const struct aforo_event *event,
                                       const struct measure_rows *rows,
                                       struct undo_change *change) {
    (void)measure;
    for (size_t k = 0; k < rows->n; k++) {
        change =
            take(measure_state(rows, k), encode_highest(event->us), event->argument[0], change);
    }
    return change;
}

static void edge_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    if (wins(from, into)) {
        memcpy(into, from, WORDS * sizeof *into);
    }
}

static void edge_emit(const struct measure *measure, const uint64_t *state,
                      const struct component_taker *taker) {
    unsigned char bytes[BLOB_HEADER + VALUE_MAX];
    const size_t len = len_of(state);
    if (state[TIME] == 0) {
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(state[TIME] >> (8 * i));
    }
    bytes[8] = (state[LEN] & NUMBER_BIT) != 0;
    memcpy(bytes + BLOB_HEADER, &state[VALUE], len);
    taker->take(taker->cls, &(struct component){.name = measure->text,
                                                .rule = COMPONENT_BLOB,
                                                .bytes = bytes,
                                                .len = BLOB_HEADER + len});
}

static bool edge_absorb(const struct measure *measure, uint64_t *state,
                        const struct component *component) {
    uint64_t told[WORDS] = {0};
    if (!component_is(component, measure->text, COMPONENT_BLOB) || component->len < BLOB_HEADER ||
        component->len > BLOB_HEADER + VALUE_MAX || component->bytes[8] > 1) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        told[TIME] |= (uint64_t)component->bytes[i] << (8 * i);
    }
    if (told[TIME] == 0 || told[TIME] > INT64_MAX) {
        return false;
    }
    told[LEN] = (component->len - BLOB_HEADER) | (component->bytes[8] ? NUMBER_BIT : 0);
    memcpy(&told[VALUE], component->bytes + BLOB_HEADER, component->len - BLOB_HEADER);
    edge_merge(measure, state, told);
    return true;
}

static size_t edge_puts(const struct measure *measure) {
    (void)measure;
    return WORDS;
}

size_t edge_read(const uint64_t *state, const char **bytes, bool *number) {
    *bytes = (const char *)&state[VALUE];
    *number = (state[LEN] & NUMBER_BIT) != 0;
    return len_of(state);
}

#define EDGE(title)                                                                                \
    const struct measure_kind measure_##title = {.name = #title,                                   \
                                                 .class = MEASURE_NEWEST,                          \
                                                 .wants = MEASURE_WANTS_VALUE,                     \
                                                 .joins = true,                                    \
                                                 .open = edge_open,                                \
                                                 .plan = title##_plan,                             \
                                                 .merge = edge_merge,                              \
                                                 .emit = edge_emit,                                \
                                                 .absorb = edge_absorb,                            \
                                                 .puts = edge_puts};

EDGE(earliest)
EDGE(latest)
