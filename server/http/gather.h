/* What a read of a body cut off, put together until it is whole: an event, or a line with one. One
 * a connection; memory is taken when something is cut off for the first time, and what grew beyond
 * a few lines is given back with the request. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_GATHER_H
#define AFORO_SERVER_HTTP_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#define GATHER_MAX 65536 /* bytes of one event */

/* All zeros: empty. */
struct gather {
    char *text;
    size_t len, cap;
    bool overlong; /* more came than GATHER_MAX, or than there is memory: len is of no account */
};

/* Adds a piece. */
void gather_add(struct gather *gather, const char *piece, size_t len);

/* Whether anything was added since it was empty. */
static inline bool gather_holds(const struct gather *gather) {
    return gather->len > 0 || gather->overlong;
}

/* What it holds: len bytes, never NULL. */
static inline const char *gather_text(const struct gather *gather) {
    return gather->text ? gather->text : "";
}

/* Empties it; the memory stays. */
static inline void gather_clear(struct gather *gather) {
    gather->len = 0;
    gather->overlong = false;
}

/* Empties it, and gives back what it had grown by. */
void gather_shrink(struct gather *gather);

/* Empties it, and gives back all. */
void gather_free(struct gather *gather);

#endif
