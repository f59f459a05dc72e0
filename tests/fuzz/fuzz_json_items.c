/* Any bytes as an array of events that comes in pieces, as POST /events splits it: the items are
 * the same wherever it is cut; what they are when it comes whole is fuzz_json.c's. The first byte
 * says how it is cut. */
#include "ingest/json_items.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

/* What was found in a text: the bytes of all items, where each of them ends, and how it went. */
struct found {
    char *bytes;
    size_t n;
    size_t *end;
    size_t items;
    bool broken;
    const char *expected;
};

static void split(const char *text, size_t len, size_t piece, struct found *found) {
    struct json_items items = {0};
    for (size_t at = 0; at < len && !found->broken;) {
        const size_t left = len - at < piece ? len - at : piece;
        size_t used = 0, n = 0;
        const char *from = NULL;
        const enum json_items_found what =
            json_items_next(&items, text + at, left, &used, &from, &n);
        check(used <= left && (used > 0 || what == JSON_ITEMS_BROKEN || n == 0));
        if (what == JSON_ITEMS_PIECE || what == JSON_ITEMS_ITEM) {
            check(from >= text + at && from + n <= text + at + left);
            memcpy(found->bytes + found->n, from, n);
            found->n += n;
        }
        if (what == JSON_ITEMS_ITEM) {
            found->end[found->items++] = found->n;
        }
        found->broken = what == JSON_ITEMS_BROKEN;
        at += used;
    }
    found->expected = json_items_expected(&items);
}

static void begin(struct found *found, size_t len) {
    *found = (struct found){.bytes = malloc(len + 1), .end = calloc(len + 1, sizeof *found->end)};
    check(found->bytes && found->end);
}

static void end(const struct found *found) {
    free(found->bytes);
    free(found->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    const size_t len = size - 1;
    struct found whole, cut;
    begin(&whole, len);
    begin(&cut, len);
    split(text, len, len, &whole);
    split(text, len, data[0] % 16 + 1, &cut);
    check(whole.n == cut.n && memcmp(whole.bytes, cut.bytes, whole.n) == 0);
    check(whole.items == cut.items && whole.broken == cut.broken && whole.expected == cut.expected);
    check(memcmp(whole.end, cut.end, whole.items * sizeof *whole.end) == 0);
    end(&whole);
    end(&cut);
    return 0;
}
