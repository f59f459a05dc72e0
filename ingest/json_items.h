/* Splits a JSON array that arrives in pieces of any size into its items: where each begins and
 * ends. Pure: no allocation, keeps no text. Any thread, one `struct json_items` per body. An item
 * is examined only as far as its end depends on it (brackets and strings); whether it is valid is
 * left to whoever reads it. */
#ifndef AFORO_INGEST_JSON_ITEMS_H
#define AFORO_INGEST_JSON_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros: the start of a body. */
struct json_items {
    unsigned char place; /* private to json_items.c */
    bool in_string, escaped;
    uint32_t depth; /* brackets open within the item */
};

enum json_items_found {
    JSON_ITEMS_PIECE, /* bytes of an item that continues in the next piece of the body */
    JSON_ITEMS_ITEM,  /* bytes of an item, and its end */
    JSON_ITEMS_NONE,  /* no bytes of an item are left in this piece */
    JSON_ITEMS_BROKEN /* not an array, or a comma is missing; what follows is undefined */
};

/* Looks at data[0..len); *used is how many of its bytes are done with. The bytes of the item are
 * *at[0..*n). */
enum json_items_found json_items_next(struct json_items *items, const char *data, size_t len,
                                      size_t *used, const char **at, size_t *n);

/* What was expected where the array was broken, or where the body ended; NULL: the body may end
 * here. */
const char *json_items_expected(const struct json_items *items);

#endif
