#include "server/http/gather.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 512 /* bytes allocated at first */
#define KEPT 4096 /* most bytes kept from one request to the next */

/* False when out of memory. */
static bool grow(struct gather *gather, size_t needed) {
    size_t cap = gather->cap ? gather->cap : LEAST;
    while (cap < needed) {
        cap *= 2;
    }
    char *text = cap > gather->cap ? realloc(gather->text, cap) : gather->text;
    if (!text) {
        return false;
    }
    gather->text = text;
    gather->cap = cap;
    return true;
}

void gather_add(struct gather *gather, const char *piece, size_t len) {
    if (gather->overlong || len == 0) {
        return;
    }
    if (len > GATHER_MAX - gather->len || !grow(gather, gather->len + len)) {
        gather->overlong = true;
        return;
    }
    memcpy(gather->text + gather->len, piece, len);
    gather->len += len;
}

void gather_shrink(struct gather *gather) {
    if (gather->cap > KEPT) {
        gather_free(gather);
    } else {
        gather_clear(gather);
    }
}

void gather_free(struct gather *gather) {
    free(gather->text);
    *gather = (struct gather){0};
}
