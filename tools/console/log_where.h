/* --where FIELD=VALUE of `aforo log cat`: whether a record of the event log has these values;
 * fields are found in the event as for reports. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_WHERE_H
#define AFORO_TOOLS_CONSOLE_LOG_WHERE_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_WHERE_WHY_MAX 256

struct log_where;

/* Reads n conditions such as "route=/pay" or "json.user.id=7", all of which must hold; with n 0,
 * every record matches. NULL fills why, which names the one that is wrong. */
struct log_where *log_where_new(const char *const *text, unsigned n, char why[LOG_WHERE_WHY_MAX]);

/* Whether the record text[0..len), a line of the log, matches. */
bool log_where_matches(struct log_where *where, const char *text, size_t len);

void log_where_free(struct log_where *where);

#endif
