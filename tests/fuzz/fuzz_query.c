/* Any query string of /counts, over any few counts: what the pages make of it is what a look at
 * every single window says. The first bytes are counts of windows (0 to 255), up to a 0xff; the
 * rest is the query string. */
#include "counters/query.h"
#include "server/http/query_arguments.c"
#include "tests/fuzz/check.h"

#include <stdint.h>
#include <stdlib.h>

#define WINDOWS_MAX 64
#define BASE_US INT64_C(1464433871000000)
#define ARGUMENTS_MAX 16

struct argument {
    char *name, *value;
};

static struct argument argument[ARGUMENTS_MAX];
static size_t arguments;
static uint8_t count[WINDOWS_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands in for the library's. */
const char *MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                        const char *key) {
    (void)connection;
    (void)kind;
    for (size_t i = 0; i < arguments; i++) {
        if (strcmp(argument[i].name, key) == 0) {
            return argument[i].value;
        }
    }
    return NULL;
}

static void split(char *text) {
    char *next;
    for (arguments = 0; text && arguments < ARGUMENTS_MAX; text = next) {
        next = strchr(text, '&');
        if (next) {
            *next++ = '\0';
        }
        char *equals = strchr(text, '=');
        if (equals) {
            *equals++ = '\0';
            argument[arguments++] = (struct argument){text, equals};
        }
    }
}

static uint64_t count_at(enum resolution r, int64_t window) {
    const int64_t place = window - BASE_US / resolution_table[r].width_us;
    return place >= 0 && place < WINDOWS_MAX ? count[place] : 0;
}

static bool read_counts(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    (void)cls;
    for (uint32_t i = 0; i < n; i++) {
        out[i] = count_at(r, first + i);
    }
    return true;
}

/* Looks at each window; the same rule in the plainest words. */
static bool plain_find(const struct query *query, int64_t now_us, int64_t *first, int64_t *n) {
    const int64_t width = resolution_table[query->resolution].width_us, base = BASE_US / width;
    int64_t from = INT64_MAX, to = INT64_MIN;
    for (int64_t window = base; window < base + WINDOWS_MAX; window++) {
        const int64_t start = window * width;
        const bool inside = (query->from_us <= 0 || start >= query->from_us) &&
                            start < query->to_us && (query->partial || start + width <= now_us);
        if (inside && count_at(query->resolution, window)) {
            from = window < from ? window : from;
            to = window;
        }
    }
    if (to == INT64_MIN) {
        return false;
    }
    if (query->last) {
        int64_t known = base;
        while (known * width < query->from_us) {
            known++;
        }
        from = to - query->last + 1 > known ? to - query->last + 1 : known;
    }
    *first = from;
    *n = to - from + 1;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t counts = 0;
    memset(count, 0, sizeof count);
    for (; counts < size && data[counts] != 0xff; counts++) {
        if (counts < WINDOWS_MAX) {
            count[counts] = data[counts];
        }
    }
    if (counts + 3 > size) {
        return 0;
    }
    const int64_t now_us = BASE_US + (int64_t)data[counts + 1] * 997 * 997;
    const enum resolution r = (enum resolution)(data[counts + 2] % RESOLUTIONS);
    char *text = strndup((const char *)data + counts + 3, size - counts - 3);
    check(text);
    split(text);
    struct query_arguments arguments;
    char why[192] = "";
    if (query_arguments_read(NULL, &arguments, why, sizeof why)) {
        const struct query asked = {.resolution = r,
                                    .from_us = arguments.from_us,
                                    .to_us = arguments.to_us,
                                    .last = arguments.last,
                                    .partial = arguments.partial};
        const int64_t base = BASE_US / resolution_table[r].width_us;
        const struct query_reader reader = {
            .read = read_counts, .oldest = base, .newest = base + WINDOWS_MAX - 1, .kept = base};
        int64_t first = 0, n = 0, plain_first = 0, plain_n = 0;
        const enum query_outcome outcome = query_find(&asked, &reader, now_us, &first, &n);
        const bool any = plain_find(&asked, now_us, &plain_first, &plain_n);
        check(outcome == (any ? QUERY_ROWS : QUERY_NOTHING));
        check(!any || (first == plain_first && n == plain_n));
    } else {
        const size_t len = strnlen(why, sizeof why);
        /* its line end is the answer's matter */
        check(len > 1 && len < sizeof why && !strchr(why, '\n'));
    }
    free(text);
    return 0;
}
