/* Foreign text on a terminal. What a server or Redis says, or a name in an argument, may contain
 * bytes that a terminal obeys; here they are made visible instead. */
#ifndef AFORO_TOOLS_CONSOLE_TERMINAL_H
#define AFORO_TOOLS_CONSOLE_TERMINAL_H

#include <stddef.h>

#define TERMINAL_LINE_MAX 2048

/* Copies `text` to out (NUL-terminated, cut to cap > 0; never in the middle of a character), with
 * control characters (C0, DEL, C1), characters that show nothing and change how others are shown
 * (utf8_visible), and bytes that are not UTF-8, as \x1b. Returns out. */
const char *terminal_safe(const char *text, char *out, size_t cap);

/* Writes "aforo: ..." as one such line on standard error, cut to TERMINAL_LINE_MAX. */
__attribute__((format(printf, 1, 2))) void terminal_complain(const char *format, ...);

/* The exit status after writing to standard output, given an errno (0: no error) and the status
 * otherwise. The error is printed, except EPIPE, which means that the reader wants no more. */
int terminal_end_output(int error, int status);

#endif
