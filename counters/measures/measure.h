/* The built-in measures: one file each, one line each in the list of measures.c. A measure's state
 * is a run of words within a row: flat, of fixed size, without pointers. All zeros means "nothing
 * yet".
 *
 * Three classes say how a state is published (docs/reports.md):
 *   sum      the store adds up each node's absolute values
 *   join     the largest (or smallest) of all nodes, joined straight into the total: idempotent
 *   newest   a node's state replaces its older one, and readers merge the nodes' states */
#ifndef AFORO_COUNTERS_MEASURES_MEASURE_H
#define AFORO_COUNTERS_MEASURES_MEASURE_H

#include "counters/rows/undo.h"
#include "include/aforo/measure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEASURE_TEXT_MAX 96      /* "sum(seconds)", with its NUL */
#define MEASURE_ARGUMENTS_MAX 64 /* fields of one measure: digest takes all declared ones */
#define MEASURE_COMPONENT_MAX (MEASURE_TEXT_MAX + 24) /* a component's name, with its NUL */
#define MEASURE_SUM_END (INT64_C(1) << 53)            /* sums of one writer stay below it */
#define MEASURE_NAME_MAX 32 /* a measure's or a field's name, with its NUL */

/* What arguments a measure takes. */
enum measure_wants {
    MEASURE_WANTS_NOTHING, /* count, first, last: no field, or only the event time */
    MEASURE_WANTS_NUMBER,  /* sum, min, max, quantiles: one field of a number type */
    MEASURE_WANTS_VALUE,   /* distinct, top: one field of any type */
    MEASURE_WANTS_ALL,     /* digest: all declared fields, by name */
    MEASURE_WANTS_OWN      /* a loaded measure: its arguments that are declared fields, in order */
};

enum measure_class { MEASURE_SUM, MEASURE_JOIN, MEASURE_NEWEST };

/* How two values of one component are combined. */
enum component_rule {
    COMPONENT_ADD,  /* nodes' values add up; below 2^53 */
    COMPONENT_WRAP, /* the same modulo 2^32; of two values of a node, the one with the larger count
                     * is newer */
    COMPONENT_MIN,  /* signed */
    COMPONENT_MAX,
    COMPONENT_HLL, /* bytes: HyperLogLog as Redis has it */
    COMPONENT_BLOB /* bytes: the whole state, class newest */
};

/* The value of a component that adds up whose total is too large to be exact: the figures that need
 * it have none. More than all workers together may have, and two of them are one, too. */
#define COMPONENT_UNKNOWN (INT64_C(1) << 62)

/* One number (or byte string) of a state, as it is sent to the store. `name` is what follows the
 * key there: "count", "sum(seconds)", "sum(seconds)-", "quantiles(ms):1234". */
struct component {
    const char *name;
    enum component_rule rule;
    int64_t value;
    const unsigned char *bytes; /* for COMPONENT_HLL and COMPONENT_BLOB */
    size_t len;
};

/* Receives components; called once for each, always in the same order. */
struct component_taker {
    void (*take)(void *cls, const struct component *component);
    void *cls;
};

/* The state that an event is added to, and where the change is noted for undo. */
struct measure_target {
    struct undo *undo;
    const struct undo_file *file;
    word *state; /* [measure->words] */
};

/* Reads word i of the state. By the owner. */
static inline uint64_t measure_word(const struct measure_target *target, size_t i) {
    return atomic_load_explicit(&target->state[i], memory_order_relaxed);
}

/* Stores word i of the state after noting the old value for undo. By the owner. */
static inline void measure_put(const struct measure_target *target, size_t i, uint64_t value) {
    undo_put_owner(target->undo, target->file, &target->state[i], value);
}

#define MEASURE_ROWS_MAX 8

/* The rows that an event is added to, and the offset of a measure's state in each. */
struct measure_rows {
    word *state[MEASURE_ROWS_MAX];
    size_t n, at;
};

/* The measure's state in row k. */
static inline word *measure_state(const struct measure_rows *rows, size_t k) {
    return rows->state[k] + rows->at;
}

static inline uint64_t measure_load(const word *at) {
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* For a kind whose state is a word that grows, by one or by the event's number with each event;
 * what is below zero grows the next word instead. No word reaches MEASURE_SUM_END. */
enum measure_grows { MEASURE_GROWS_NOT, MEASURE_GROWS_BY_ONE, MEASURE_GROWS_BY_NUMBER };

/* Which word of the state grows, and by how much. */
struct measure_growth {
    size_t word;
    uint64_t by;
};

/* The growth that adds a number: word 0 for numbers >= 0, word 1 for negative ones. */
static inline struct measure_growth measure_growth(int64_t number) {
    return number < 0 ? (struct measure_growth){1, (uint64_t)-number}
                      : (struct measure_growth){0, (uint64_t)number};
}

struct measure;

struct measure_kind {
    const char *name;
    enum measure_class class;
    enum measure_wants wants;
    /* For class newest: merging a state twice has the same effect as merging it once. */
    bool joins;
    bool from_zero;           /* numbers below zero do not fit */
    int64_t end;              /* numbers n with |n| >= end do not fit; 0: all fit */
    enum measure_grows grows; /* unless MEASURE_GROWS_NOT, plan is measure_plan_growth */
    /* Sets up `measure` (words, config) from its text and arguments. Returns NULL on success, else
     * the reason why not. */
    const char *(*open)(struct measure *measure);
    /* Frees what open made; NULL: nothing to free. */
    void (*close)(struct measure *measure);
    /* Appends to change[] the words that one more event changes in the states of all rows: no word
     * twice, at most puts() for each row. What is the same for all rows is computed once. Returns
     * the end of what it appended, or NULL when the event cannot be added, for example because a
     * sum would leave the range |sum| < 2^53. Changes nothing yet. By the shard's owner. No
     * allocation, no I/O. */
    struct undo_change *(*plan)(const struct measure *measure, const struct aforo_event *event,
                                const struct measure_rows *rows, struct undo_change *change);
    /* For a kind that cannot plan (plan is NULL): adds one event to one row; every event fits. By
     * the shard's owner, within a transaction. No allocation, no I/O. */
    void (*add)(const struct measure *measure, const struct measure_target *target,
                const struct aforo_event *event);
    /* Merges `from` into `into`. Commutative and associative; all zeros is neutral. Any thread. */
    void (*merge)(const struct measure *measure, uint64_t *into, const uint64_t *from);
    /* Passes the state to `taker` as components. Any thread. */
    void (*emit)(const struct measure *measure, const uint64_t *state,
                 const struct component_taker *taker);
    /* Joins one component, named as by emit, into a state. False when it is not one of this
     * measure. Any thread. */
    bool (*absorb)(const struct measure *measure, uint64_t *state,
                   const struct component *component);
    /* The most words that adding one event to one row notes for undo. */
    size_t (*puts)(const struct measure *measure);
};

/* One measure of one report. Built before the threads start or at a reload, and constant from then
 * on. */
struct measure {
    const struct measure_kind *kind;
    char text[MEASURE_TEXT_MAX];          /* canonical: "count", "sum(seconds)", "quantiles(ms)" */
    char argument_text[MEASURE_TEXT_MAX]; /* between the parentheses */
    unsigned arguments;
    uint8_t field[MEASURE_ARGUMENTS_MAX]; /* indexes of the declared fields */
    /* Their names in the same order, for digest. Set before the first event by whoever makes the
     * report, who also owns the array. */
    const char *const *argument_name;
    /* The largest parameter of the figures that show it (20 for top20), set before open; 0:
     * none. */
    unsigned parameter;
    size_t words; /* length of its state */
    size_t at;    /* offset of its state in the row's */
    void *config;
};

/* Adds one event to one row, through plan or add, whichever the kind has. False when the event does
 * not fit; then nothing was changed. By the shard's owner, within a transaction. */
bool measure_add(const struct measure *measure, const struct measure_target *target,
                 const struct aforo_event *event);

/* The `plan` of struct measure_kind for all kinds that grow. */
struct undo_change *measure_plan_growth(const struct measure *measure,
                                        const struct aforo_event *event,
                                        const struct measure_rows *rows,
                                        struct undo_change *change);

/* The kind called `name` (NUL-terminated), or NULL. */
const struct measure_kind *measure_find(const char *name);

/* All kinds in turn, built-in ones first: i = 0, 1, ...; NULL after the last. */
const struct measure_kind *measure_at(size_t i);

/* Sets kind, text and argument_text of a measure from a canonical text, as in struct figure's
 * `needs`, and clears everything else. False when there is no such kind. */
bool measure_name(struct measure *measure, const char *text);

#endif
