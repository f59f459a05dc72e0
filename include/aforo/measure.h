/* A measure: what is remembered of the events of one row, and how two such memories become one.
 * The measures of aforo are tables of these functions, and so is one of your own: a shared object
 * whose one symbol is `const struct aforo_measure aforo_measure`.
 *
 * Values of events are numbers in fixed point, never floating point: a sum of doubles depends on
 * the order of its parts, and then what was counted twice would differ from itself. */
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

/* The value of one field of an event. The bytes belong to the caller and are gone after the call.
 */
struct aforo_value {
    const char *text; /* decoded; any bytes, no NUL; one for each number: 7, -1.50 */
    uint32_t len;
    uint32_t kind;  /* enum aforo_kind */
    int64_t number; /* AFORO_NUMBER: the value times 10^decimals of its field; |number| < 2^53 */
};

/* One event as a measure sees it. */
struct aforo_event {
    int64_t us; /* event time: microseconds since 1970, UTC */
    uint32_t arguments;
    /* The fields named in `show: [name(field, ...)]`, in their order. They are there, each of its
     * type: other events do not come here. */
    const struct aforo_value *const *argument;
};

struct aforo_measure {
    uint32_t abi;          /* AFORO_MEASURE_ABI */
    uint32_t struct_bytes; /* sizeof(struct aforo_measure) */
    const char *name;      /* as used in `show:` */
    /* Reads what stands between the parentheses; *config is given to all the others. NULL, or the
     * sentence why not. Names in it are those of declared fields; all else begins with a digit or a
     * sign, as 60s does. */
    const char *(*open)(const char *arguments, void **config);
    /* Bytes of a state: flat, no pointers, all zeros is "nothing yet"; at most AFORO_STATE_MAX. */
    size_t (*state_bytes)(const void *config);
    /* Adds an event. No I/O, no allocation, no locks: it runs in the way of every event. */
    void (*add)(const void *config, void *state, const struct aforo_event *event);
    /* Merges `from` into `into`: commutative, associative, zeros neutral. */
    void (*merge)(const void *config, void *into, const void *from);
    /* Writes the figure as text, NUL-terminated, as snprintf does; returns its length. */
    size_t (*print)(const void *config, const void *state, char *text, size_t size);
    /* Frees what open made; NULL: nothing to free. */
    void (*close)(void *config);
};

#endif
