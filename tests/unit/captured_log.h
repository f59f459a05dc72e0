/* What the log says while a test looks: standard error, in a file for a while. */
#ifndef AFORO_TESTS_CAPTURED_LOG_H
#define AFORO_TESTS_CAPTURED_LOG_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *captured_file;
static int captured_before = -1;

static inline void log_begin_capture(void) {
    captured_before = dup(STDERR_FILENO);
    captured_file = tmpfile();
    ck_assert(captured_before >= 0 && captured_file);
    ck_assert_int_eq(dup2(fileno(captured_file), STDERR_FILENO), STDERR_FILENO);
}

/* Ends it; the lines, until the next call. */
static inline const char *log_end_capture(void) {
    static char text[65536];
    const ssize_t n = pread(fileno(captured_file), text, sizeof text - 1, 0);
    ck_assert_int_eq(dup2(captured_before, STDERR_FILENO), STDERR_FILENO);
    close(captured_before);
    fclose(captured_file);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

/* How many times a text says this. */
static inline unsigned count_text(const char *text, const char *what) {
    unsigned n = 0;
    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

#endif
