/* Any bytes as a stream of lines, in pieces: the events, line numbers and reasons are those of the
 * whole body cut at its line ends. The first byte says how the pieces are cut: all of one size, or
 * growing and shrinking. */
#include "tests/unit/ingest/lines_reference.h"

#include <stdlib.h>

#define OUTCOMES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_compare(const uint8_t *data, size_t size, const struct outcomes *expected,
                             bool by_window) {
    static struct outcome seen_at[OUTCOMES_MAX];
    struct timestamp_layouts layouts = {0};
    const char *body = (const char *)data + 1;
    const size_t len = size - 1, step = (size_t)(data[0] & 0x7f) + 1;
    struct outcomes seen = {.cap = OUTCOMES_MAX, .at = seen_at};
    struct lines lines;
    lines_begin(&lines, &layouts);
    lines.by_window = by_window;
    size_t piece = step;
    for (size_t at = 0; at < len;) {
        const size_t n = len - at < piece ? len - at : piece;
        char *copy = malloc(n);
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, body + at, n);
        if (!stream_read(&lines, copy, n, &seen)) {
            abort();
        }
        free(copy);
        at += n;
        piece = data[0] & 0x80 ? piece * 5 % 61 + 1 : step;
    }
    if (!stream_end(&lines, &seen) || !outcomes_equal(expected, &seen)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct outcome expected_at[OUTCOMES_MAX];
    if (size == 0 || size > OUTCOMES_MAX) {
        return 0;
    }
    struct outcomes expected = {.cap = OUTCOMES_MAX, .at = expected_at};
    reference_read((const char *)data + 1, size - 1, &expected);
    read_and_compare(data, size, &expected, false);
    read_and_compare(data, size, &expected, true);
    return 0;
}
