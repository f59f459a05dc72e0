/* Logfmt on stderr, one write a line: time=... level=... msg="..." key=value. Any thread. */
#ifndef AFORO_SERVER_LOG_H
#define AFORO_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written. Before the threads start. */
void log_set_level(enum log_level level);
bool log_level_by_name(const char *name, enum log_level *out);

/* `msg` is the line's constant sentence; format and arguments give the rest, already in key=value form (may be "").
 * Values that may hold blanks or quotes go through log_quote. */
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *msg, const char *format, ...);

/* Writes `value` in quotes, with quotes, backslashes and non-printable bytes escaped, cut to cap; returns buf. */
const char *log_quote(const char *value, char *buf, size_t cap);

#endif
