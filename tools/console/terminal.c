/* See terminal.h. */
#include "tools/console/terminal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The length of the character at `text` when it is one to be shown as it is, else 0: UTF-8 in its
 * shortest form, no control character, no half of a surrogate pair. */
static size_t printable(const unsigned char *text) {
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f;
    const size_t len = text[0] >= 0xf5 || text[0] < 0xc2 ? 0
                       : text[0] >= 0xf0                 ? 4
                       : text[0] >= 0xe0                 ? 3
                                                         : 2;
    if (len == 0)
        return 0;
    uint32_t character = text[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) /* a NUL ends it here */
            return 0;
        character = character << 6 | (text[i] & 0x3fU);
    }
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80 to 0x9f are C1 */
    const bool surrogate = character >= 0xd800 && character < 0xe000;
    return character >= least[len] && character < 0x110000 && !surrogate ? len : 0;
}

const char *terminal_safe(const char *text, char *out, size_t cap) {
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        const size_t len = printable(at), needs = len != 0 ? len : sizeof "\\x1b" - 1;
        if (used + needs >= cap)
            break;
        if (len != 0)
            memcpy(out + used, at, len);
        else
            snprintf(out + used, cap - used, "\\x%02x", *at);
        used += needs;
        at += len != 0 ? len : 1;
    }
    out[used] = '\0';
    return out;
}

void terminal_complain(const char *format, ...) {
    char line[TERMINAL_LINE_MAX], safe[TERMINAL_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "aforo: %s\n", terminal_safe(line, safe, sizeof safe));
}
