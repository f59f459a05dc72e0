#include "ingest/why.h"

#include <stdio.h>

void why_expected(char why[RECORD_WHY_MAX], const char *what, const char *text, size_t len,
                  size_t at) {
    if (at >= len) {
        snprintf(why, RECORD_WHY_MAX, "expected %s at character %zu, but it ends there", what,
                 len + 1);
        return;
    }
    const unsigned char found = (unsigned char)text[at];
    snprintf(why, RECORD_WHY_MAX,
             found >= ' ' && found <= '~' ? "expected %s at character %zu, found '%c'"
                                          : "expected %s at character %zu, found '\\x%02x'",
             what, at + 1, found);
}
