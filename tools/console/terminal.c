/* See terminal.h. */
#include "tools/console/terminal.h"

#include "common/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *terminal_safe(const char *text, char *out, size_t cap) {
    const char *at = text, *end = text + strlen(text);
    size_t used = 0;
    while (at < end) {
        char shown[UTF8_SHOWN_MAX];
        at += utf8_show(at, (size_t)(end - at), shown);
        const size_t needs = strlen(shown);
        if (used + needs >= cap)
            break;
        memcpy(out + used, shown, needs);
        used += needs;
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

int terminal_end_output(int error, int status) {
    if (error == EPIPE)
        return EXIT_SUCCESS;
    if (error == 0)
        return status;
    terminal_complain("standard output: %s", strerror(error));
    return EXIT_FAILURE;
}
