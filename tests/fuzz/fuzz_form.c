/* Any bytes as a form body: in pieces it means what it means whole. The first byte says how large
 * the pieces are. */
#include "ingest/form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const char *body = (const char *)data + 1;
    const size_t len = size - 1, piece = (size_t)data[0] + 1;
    char whole_why[FORM_WHY_MAX] = "", why[FORM_WHY_MAX] = "";
    int64_t whole_us = 1, us = 1;
    const enum form_outcome whole = form_parse(body, len, &whole_us, whole_why);
    struct form form;
    form_begin(&form);
    for (size_t at = 0; at < len; at += piece) {
        form_feed(&form, body + at, len - at < piece ? len - at : piece);
    }
    const enum form_outcome outcome = form_end(&form, &us, why);
    if (outcome != whole || us != whole_us || strcmp(why, whole_why) != 0) {
        abort();
    }
    if ((whole == FORM_EMPTY) != (len == 0) || (whole == FORM_MALFORMED) != (why[0] != '\0')) {
        abort();
    }
    /* Where the value may be missing, only what has none is another outcome. */
    char optional_why[FORM_WHY_MAX] = "";
    int64_t optional_us = 1;
    const enum form_outcome optional =
        form_end_optional(&form, FORM_BODY, &optional_us, optional_why);
    const bool same =
        optional == whole && optional_us == whole_us && strcmp(optional_why, whole_why) == 0;
    if (!same && (optional != FORM_EMPTY || whole != FORM_MALFORMED || form_has_value(&form))) {
        abort();
    }
    for (const char *c = why; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            abort();
        }
    }
    return 0;
}
