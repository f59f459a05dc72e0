/* The built-in measures: one file each, one line each in measures.c's list. A measure's state is a
 * run of words in a row: flat, of fixed size, without pointers; all zeros is "nothing yet".
 *
 * Three classes say how a state is published (docs/reports.md):
 *   sum      each node's absolute values, which the store adds up
 *   join     the largest (or smallest) of all, told straight to the total: idempotent
 *   newest   a node's state replaces its older one; whoever reads merges the nodes' */
#ifndef AFORO_COUNTERS_MEASURES_MEASURE_H
#define AFORO_COUNTERS_MEASURES_MEASURE_H

#include "counters/rows/undo.h"
#include "include/aforo/measure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEASURE_TEXT_MAX 96      /* "sum(seconds)", with its NUL */
#define MEASURE_ARGUMENTS_MAX 64 /* fields of one measure: digest has all that are declared */
#define MEASURE_COMPONENT_MAX (MEASURE_TEXT_MAX + 24) /* name of a component, with its NUL */
#define MEASURE_SUM_END (INT64_C(1) << 53)            /* sums of one writer stay below it */
#define MEASURE_NAME_MAX 32                           /* of a measure or a field, with its NUL */

/* What a measure's arguments are. */
enum measure_wants {
    MEASURE_WANTS_NOTHING, /* count, first, last: no field, or the event's time */
    MEASURE_WANTS_NUMBER,  /* sum, min, max, quantiles: one field of a number type */
    MEASURE_WANTS_VALUE,   /* distinct, top: one field of any type */
    MEASURE_WANTS_ALL,     /* digest: all declared fields, by name */
    MEASURE_WANTS_OWN /* one's own: what of its arguments is a declared field, in their order */
};

enum measure_class { MEASURE_SUM, MEASURE_JOIN, MEASURE_NEWEST };

/* How two values of one component become one. */
enum component_rule {
    COMPONENT_ADD,  /* values of nodes add up; below 2^53 */
    COMPONENT_WRAP, /* the same modulo 2^32; the newer of a node's is that of the larger count */
    COMPONENT_MIN,  /* signed */
    COMPONENT_MAX,
    COMPONENT_HLL, /* bytes: HyperLogLog as Redis has it */
    COMPONENT_BLOB /* bytes: the whole state, class newest */
};

/* One number (or string of bytes) of a state, as it is told to the store. `name` is what stands
 * behind the key there: "count", "sum(seconds)", "sum(seconds)-", "quantiles(ms):1234". */
struct component {
    const char *name;
    enum component_rule rule;
    int64_t value;
    const unsigned char *bytes; /* COMPONENT_HLL and COMPONENT_BLOB */
    size_t len;
};

/* Who is given components; called once for each, in an order that is the same every time. */
struct component_taker {
    void (*take)(void *cls, const struct component *component);
    void *cls;
};

/* What is added to a state, and how it is undone. */
struct measure_target {
    struct undo *undo;
    const struct undo_file *file;
    word *state; /* [measure->words] */
};

static inline uint64_t measure_word(const struct measure_target *target, size_t i) {
    return atomic_load_explicit(&target->state[i], memory_order_relaxed);
}

static inline void measure_put(const struct measure_target *target, size_t i, uint64_t value) {
    undo_put_owner(target->undo, target->file, &target->state[i], value);
}

#define MEASURE_ROWS_MAX 8

/* The rows that an event is added to, and where a measure's state is in each. */
struct measure_rows {
    word *state[MEASURE_ROWS_MAX];
    size_t n, at;
};

static inline word *measure_state(const struct measure_rows *rows, size_t k) {
    return rows->state[k] + rows->at;
}

static inline uint64_t measure_load(const word *at) {
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* A kind whose state is a word that grows: by one with each event, or by the event's number; by
 * what is below zero the next word grows. No word reaches MEASURE_SUM_END. */
enum measure_grows { MEASURE_GROWS_NOT, MEASURE_GROWS_BY_ONE, MEASURE_GROWS_BY_NUMBER };

/* Which word of the state grows by how much. */
struct measure_growth {
    size_t word;
    uint64_t by;
};

static inline struct measure_growth measure_growth(int64_t number) {
    return number < 0 ? (struct measure_growth){1, (uint64_t)-number}
                      : (struct measure_growth){0, (uint64_t)number};
}

struct measure;

struct measure_kind {
    const char *name;
    enum measure_class class;
    enum measure_wants wants;
    /* Of the class newest: a state that is merged twice is as if merged once. */
    bool joins;
    bool from_zero;           /* numbers below zero do not fit */
    int64_t end;              /* numbers so far from zero, and farther, do not fit; 0: all do */
    enum measure_grows grows; /* not MEASURE_GROWS_NOT: plan is measure_plan_growth */
    /* Sets up `measure` (words, config) from its text and arguments. NULL, or why not. */
    const char *(*open)(struct measure *measure);
    /* Frees what open made; NULL: nothing. */
    void (*close)(struct measure *measure);
    /* Appends to change[] what becomes of the states of all rows with one event more: no word
     * twice, puts() for each row at the most; what is the same for all rows is found once. Returns
     * the end of what it appended; NULL: the event cannot be added, as when a sum would leave the
     * range |sum| < 2^53. Nothing is changed yet. By the shard's owner. No allocation, no I/O. */
    struct undo_change *(*plan)(const struct measure *measure, const struct aforo_event *event,
                                const struct measure_rows *rows, struct undo_change *change);
    /* Of a kind that cannot plan (plan is NULL): adds one event to one row, and every event fits.
     * By the shard's owner, within a transaction. No allocation, no I/O. */
    void (*add)(const struct measure *measure, const struct measure_target *target,
                const struct aforo_event *event);
    /* into := both. Commutative and associative; zeros are neutral. Any thread. */
    void (*merge)(const struct measure *measure, uint64_t *into, const uint64_t *from);
    /* Gives the state as components. Any thread. */
    void (*emit)(const struct measure *measure, const uint64_t *state,
                 const struct component_taker *taker);
    /* Joins one component, as emit named it, to a state. False when it is none of this measure.
     * Any thread. */
    bool (*absorb)(const struct measure *measure, uint64_t *state,
                   const struct component *component);
    /* The most words that one add notes for undo. */
    size_t (*puts)(const struct measure *measure);
};

/* One measure of one report. Made before the threads start or at a reload; then constant. */
struct measure {
    const struct measure_kind *kind;
    char text[MEASURE_TEXT_MAX];          /* canonical: "count", "sum(seconds)", "quantiles(ms)" */
    char argument_text[MEASURE_TEXT_MAX]; /* between the parentheses */
    unsigned arguments;
    uint8_t field[MEASURE_ARGUMENTS_MAX]; /* numbers of the declared fields */
    /* Their names in the same order, for digest: set by whoever makes the report, before the first
     * event; the array belongs to it. */
    const char *const *argument_name;
    /* The largest parameter of the figures that show it (top20: 20), set before open; 0: none. */
    unsigned parameter;
    size_t words; /* of its state */
    size_t at;    /* of its state within the row's */
    void *config;
};

/* Adds one event to one row, whichever way the measure has. False: it does not fit, and nothing was
 * changed. By the shard's owner, within a transaction. */
bool measure_add(const struct measure *measure, const struct measure_target *target,
                 const struct aforo_event *event);

/* As struct measure_kind has it, of those that grow. */
struct undo_change *measure_plan_growth(const struct measure *measure,
                                        const struct aforo_event *event,
                                        const struct measure_rows *rows,
                                        struct undo_change *change);

/* The kind called `name` (NUL-terminated), or NULL. */
const struct measure_kind *measure_find(const char *name);

/* The kinds one after the other, built-in ones first, i = 0, 1, ...; NULL after the last. */
const struct measure_kind *measure_at(size_t i);

/* Sets kind, text and argument_text of a measure from a canonical text as struct figure names it
 * in `needs`, and empties the rest. False when there is no such kind. */
bool measure_name(struct measure *measure, const char *text);

#endif
