/* A measure: what is remembered of the events of one row, and how two such memories are merged. The
 * built-in measures of aforo are tables of functions like these. A measure of your own is a shared
 * object that exports one symbol, `const struct aforo_measure aforo_measure`.
 *
 * Values of events are fixed-point numbers, never floating point: a sum of doubles depends on the
 * order of its parts, so the same events counted on two nodes could give different results. */
#ifndef AFORO_MEASURE_H
#define AFORO_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define AFORO_MEASURE_ABI 1
#define AFORO_STATE_MAX 4096 /* bytes of the state of a measure of your own */

enum aforo_kind {
    AFORO_ABSENT, /* the event has no such field */
    AFORO_TEXT,
    AFORO_NUMBER
};

/* The value of one field of an event. The bytes belong to the caller and are valid during the call
 * only. */
struct aforo_value {
    const char *text; /* decoded: any bytes but NUL; a number has one spelling only: 7, -1.50 */
    uint32_t len;
    uint32_t kind;  /* enum aforo_kind */
    int64_t number; /* AFORO_NUMBER: the value times 10^decimals of its field; |number| < 2^53 */
};

/* One event as seen by a measure. */
struct aforo_event {
    int64_t us; /* event time: microseconds since 1970, UTC */
    uint32_t arguments;
    /* The fields named in `show: [name(field, ...)]`, in that order. All are present and of their
     * type: other events are not passed on. */
    const struct aforo_value *const *argument;
};

struct aforo_measure {
    uint32_t abi;          /* AFORO_MEASURE_ABI */
    uint32_t struct_bytes; /* sizeof(struct aforo_measure) */
    const char *name;      /* as used in `show:` */
    /* Parses the text between the parentheses; *config is passed to all other functions. Returns
     * NULL, or a message that says what is wrong. A name in the text is that of a declared field;
     * anything else begins with a digit or a sign, such as 60s. */
    const char *(*open)(const char *arguments, void **config);
    /* Size of a state in bytes, at most AFORO_STATE_MAX. Flat, no pointers; all zeros is "nothing
     * yet". */
    size_t (*state_bytes)(const void *config);
    /* Adds an event. No I/O, no allocation, no locks: it runs for every event that is counted. */
    void (*add)(const void *config, void *state, const struct aforo_event *event);
    /* Merges `from` into `into`. Commutative and associative; all zeros is neutral. */
    void (*merge)(const void *config, void *into, const void *from);
    /* Writes the figure as text, NUL-terminated, as snprintf does; returns its full length. */
    size_t (*print)(const void *config, const void *state, char *text, size_t size);
    /* Frees what open made; NULL: nothing to free. */
    void (*close)(void *config);
};

#endif
