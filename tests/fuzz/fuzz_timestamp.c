/* Any bytes as a timestamp: the fast way says what the plain one says, and the reason of a refusal
 * is printable. And any lines as a stream of them: so do the layouts that were learnt. */
#include "ingest/timestamp_layout.h"
#include "tests/fuzz/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One of a stream, from memory of its own; twice, the second time by what the first has taught. */
static void read_one(struct timestamp_layouts *layouts, const char *text, size_t len) {
    struct timestamp_error error, plain_error;
    char why[128], plain_why[128], *copy = malloc(len);
    check(copy != NULL || len == 0);
    memcpy(copy, text, len);
    for (int i = 0; i < 2; i++) {
        int64_t us = 1, plain_us = 1;
        const bool good = timestamp_layouts_parse(layouts, copy, len, &us, &error);
        check(good == timestamp_parse_plain(text, len, &plain_us, &plain_error) && us == plain_us);
        if (!good) {
            timestamp_explain(&error, why, sizeof why);
            timestamp_explain(&plain_error, plain_why, sizeof plain_why);
            check(strcmp(why, plain_why) == 0);
        }
    }
    free(copy);
}

static void read_stream(const char *text, size_t size) {
    struct timestamp_layouts layouts = {0};
    size_t start = 0;
    for (size_t at = 0; at <= size; at++) {
        if (at == size || text[at] == '\n') {
            read_one(&layouts, text + start, at - start);
            start = at + 1;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    read_stream(text, size);
    struct timestamp_error error, plain_error;
    char why[128], plain_why[128];
    int64_t us = 1, plain_us = 1;
    const bool good = timestamp_parse(text, size, &us, &error);
    const bool plain = timestamp_parse_plain(text, size, &plain_us, &plain_error);
    check(good == plain && us == plain_us);
    if (good) {
        return 0;
    }
    const size_t len = timestamp_explain(&error, why, sizeof why);
    check(us == 1 && timestamp_explain(&plain_error, plain_why, sizeof plain_why) == len);
    check(len == strlen(why) && memcmp(why, plain_why, len) == 0 && len < sizeof why - 1);
    for (size_t i = 0; i < len; i++) {
        check(why[i] >= ' ' && why[i] <= '~');
    }
    return 0;
}
