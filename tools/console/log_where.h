/* --where FIELD=VALUE of `aforo log cat`: whether a record of the event log has these values, found
 * in the event as reports find their fields. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_WHERE_H
#define AFORO_TOOLS_CONSOLE_LOG_WHERE_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_WHERE_WHY_MAX 256

struct log_where;

/* Reads the conditions, "route=/pay" or "json.user.id=7", of which all have to hold. NULL fills
 * why, with the one that is wrong. n may be 0: every record matches. */
struct log_where *log_where_new(const char *const *text, unsigned n, char why[LOG_WHERE_WHY_MAX]);

/* Whether the record text[0..len), a line of the log, matches. */
bool log_where_matches(struct log_where *where, const char *text, size_t len);

void log_where_free(struct log_where *where);

#endif
