/* Puts together what the end of a read cut off, an event or its line, until it is whole. Memory is
 * allocated when something is cut off for the first time; what exceeds a few lines is freed at the
 * end of the request. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_GATHER_H
#define AFORO_SERVER_HTTP_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#define GATHER_MAX 65536 /* bytes of one event */

/* All zeros: empty. */
struct gather {
    char *text;
    size_t len, cap;
    bool overlong; /* more came than GATHER_MAX, or memory ran out; len then means nothing */
};

/* Adds a piece. */
void gather_add(struct gather *gather, const char *piece, size_t len);

/* Whether anything was added since it was emptied. */
static inline bool gather_holds(const struct gather *gather) {
    return gather->len > 0 || gather->overlong;
}

/* What it holds, len bytes; never NULL. */
static inline const char *gather_text(const struct gather *gather) {
    return gather->text ? gather->text : "";
}

/* Empties it but keeps its memory. */
static inline void gather_clear(struct gather *gather) {
    gather->len = 0;
    gather->overlong = false;
}

/* Empties it and frees memory beyond what is kept between requests. */
void gather_shrink(struct gather *gather);

/* Empties it and frees all of its memory. */
void gather_free(struct gather *gather);

#endif
