#include "ingest/why.h"

#include <stdio.h>

void why_expected(char *why, size_t cap, const char *what, const char *text, size_t len,
                  size_t at) {
    if (at >= len) {
        snprintf(why, cap, "expected %s at character %zu, but it ends there", what, len + 1);
        return;
    }
    const unsigned char found = (unsigned char)text[at];
    snprintf(why, cap,
             found >= ' ' && found <= '~' ? "expected %s at character %zu, found '%c'"
                                          : "expected %s at character %zu, found '\\x%02x'",
             what, at + 1, found);
}
