/* The items of a JSON array that comes in pieces of any size: where each begins and ends. Pure: no
 * allocation, nothing is kept of the text; any thread, one `struct json_items` per body. What an
 * item is made of is looked at only as far as its end depends on it (brackets and strings): whether
 * it is sound is the question of whoever reads it. */
#ifndef AFORO_INGEST_JSON_ITEMS_H
#define AFORO_INGEST_JSON_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros: the beginning of a body. */
struct json_items {
    unsigned char place; /* json_items.c's own */
    bool in_string, escaped;
    uint32_t depth; /* brackets that are open within the item */
};

enum json_items_found {
    JSON_ITEMS_PIECE, /* bytes of an item, which goes on with the next piece of the body */
    JSON_ITEMS_ITEM,  /* the same, and the item ends with them */
    JSON_ITEMS_NONE,  /* no bytes of an item are left in this piece of the body */
    JSON_ITEMS_BROKEN /* it is no array, or has no comma where one is due: what follows is unknown
                       */
};

/* The next of data[0..len); *used is how many bytes of it are done with. Bytes of an item are
 * *at[0..*n). */
enum json_items_found json_items_next(struct json_items *items, const char *data, size_t len,
                                      size_t *used, const char **at, size_t *n);

/* What was expected where it was broken, or where the body ended; NULL: the body may end here. */
const char *json_items_expected(const struct json_items *items);

#endif
