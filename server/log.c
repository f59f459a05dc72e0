#include "server/log.h"

#include "counters/civil.h"
#include "server/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static enum log_level level_max = LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level) {
    level_max = level;
}

bool log_level_by_name(const char *name, enum log_level *out) {
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_line(enum log_level level, const char *msg, const char *format, ...) {
    if (level > level_max) {
        return;
    }
    char line[LINE_MAX_BYTES];
    struct civil now;
    civil_from_us(clock_wall_us(), &now);
    int n = snprintf(line, sizeof line, "time=%04d-%02d-%02dT%02d:%02d:%02d.%06dZ level=%s msg=\"%s\"", now.year,
                     now.month, now.day, now.hour, now.minute, now.second, now.us, level_names[level], msg);
    if (*format && n < LINE_MAX_BYTES - 2) {
        line[n++] = ' ';
        va_list args;
        va_start(args, format);
        const int more = vsnprintf(line + n, sizeof line - (size_t)n, format, args);
        va_end(args);
        n += more;
    }
    n = n > LINE_MAX_BYTES - 2 ? LINE_MAX_BYTES - 2 : n;
    line[n++] = '\n';
    /* One write: lines of several threads do not mix. A log that cannot be written has nobody to tell. */
    const ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}

const char *log_quote(const char *value, char *buf, size_t cap) {
    size_t n = 0;
    buf[n++] = '"';
    for (; *value && n + 6 < cap; value++) {
        const unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') {
            buf[n++] = '\\';
            buf[n++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(buf + n, cap - n, "\\x%02x", c);
        } else {
            buf[n++] = (char)c;
        }
    }
    buf[n++] = '"';
    buf[n] = '\0';
    return buf;
}
