/* Any bytes as a timestamp: the fast way says what the plain one says, and the reason of a refusal
 * is printable. */
#include "ingest/timestamp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct timestamp_error error, plain_error;
    char why[128], plain_why[128];
    int64_t us = 1, plain_us = 1;
    const bool good = timestamp_parse(text, size, &us, &error);
    const bool plain = timestamp_parse_plain(text, size, &plain_us, &plain_error);
    if (good != plain || us != plain_us) {
        abort();
    }
    if (good) {
        return 0;
    }
    const size_t len = timestamp_explain(&error, why, sizeof why);
    if (us != 1 || timestamp_explain(&plain_error, plain_why, sizeof plain_why) != len ||
        len != strlen(why) || memcmp(why, plain_why, len) != 0 || len >= sizeof why - 1) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        if (why[i] < ' ' || why[i] > '~') {
            abort();
        }
    }
    return 0;
}
