#include "ingest/json_items.h"

#include <string.h>

/* What the next byte may be. */
enum place {
    PLACE_START, /* before the '[' */
    PLACE_FIRST, /* after it: an item, or the end */
    PLACE_NEXT,  /* after a comma: an item */
    PLACE_ITEM,  /* within an item */
    PLACE_AFTER, /* after an item: a comma, or the end */
    PLACE_END    /* after the ']' */
};

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Takes a byte of an item. True when it ends an item that is an object or array. */
static bool take_byte(struct json_items *items, char byte) {
    if (items->in_string) {
        const bool was_escaped = items->escaped;
        items->escaped = !was_escaped && byte == '\\';
        items->in_string = was_escaped || byte != '"';
        return false;
    }
    if (byte == '"') {
        items->in_string = true;
    } else if (byte == '{' || byte == '[') {
        items->depth++;
    } else if ((byte == '}' || byte == ']') && items->depth > 0) {
        return --items->depth == 0;
    }
    return false;
}

/* Whether a byte, outside of brackets and strings, follows an item that is neither object nor
 * array. */
static bool ends_plain(const struct json_items *items, char byte) {
    return items->depth == 0 && !items->in_string && (byte == ',' || byte == ']');
}

/* Reads an item's bytes, starting at data[from]. */
static enum json_items_found read_item(struct json_items *items, const char *data, size_t len,
                                       size_t from, size_t *used) {
    for (size_t i = from; i < len; i++) {
        if (ends_plain(items, data[i])) {
            items->place = PLACE_AFTER;
            *used = i;
            return JSON_ITEMS_ITEM;
        }
        if (take_byte(items, data[i])) {
            items->place = PLACE_AFTER;
            *used = i + 1;
            return JSON_ITEMS_ITEM;
        }
    }
    *used = len;
    return JSON_ITEMS_PIECE;
}

/* Takes a byte between items; false when it is not allowed there. */
static bool take_between(struct json_items *items, char byte) {
    switch (items->place) {
    case PLACE_START:
        items->place = PLACE_FIRST;
        return byte == '[';
    case PLACE_AFTER:
        items->place = byte == ',' ? PLACE_NEXT : PLACE_END;
        return byte == ',' || byte == ']';
    default:
        return false;
    }
}

enum json_items_found json_items_next(struct json_items *items, const char *data, size_t len,
                                      size_t *used, const char **at, size_t *n) {
    size_t i = 0;
    while (i < len && items->place != PLACE_ITEM) {
        const unsigned char before = items->place;
        if (is_blank(data[i])) {
            i++;
        } else if (before == PLACE_FIRST && data[i] == ']') {
            items->place = PLACE_END;
            i++;
        } else if ((before == PLACE_FIRST || before == PLACE_NEXT) && data[i] != ',' &&
                   data[i] != ']') {
            items->place = PLACE_ITEM;
        } else if (take_between(items, data[i])) {
            i++;
        } else {
            items->place = before;
            *used = i;
            return JSON_ITEMS_BROKEN;
        }
    }
    *used = i;
    if (i == len) {
        return JSON_ITEMS_NONE;
    }
    const enum json_items_found found = read_item(items, data, len, i, used);
    *at = data + i;
    *n = *used - i;
    return found;
}

const char *json_items_expected(const struct json_items *items) {
    switch (items->place) {
    case PLACE_START:
        return "expected '[', the beginning of an array of objects";
    case PLACE_FIRST:
    case PLACE_NEXT:
        return "expected an object";
    case PLACE_ITEM:
        return "an object does not end";
    case PLACE_AFTER:
        return "expected ',' or ']' after an object";
    default:
        return NULL;
    }
}
