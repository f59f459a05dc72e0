/* Writes windows as text, CSV or JSON: one writer for the server's /counts and the console program,
 * so that both say the same. Pure: no I/O, no allocation; any thread. */
#ifndef AFORO_VIEW_WINDOWS_H
#define AFORO_VIEW_WINDOWS_H

#include "counters/time/window.h"

#include <stddef.h>

/* ROWS_OPENMETRICS is for backfilling: it has final windows only. */
enum rows_format { ROWS_TEXT, ROWS_CSV, ROWS_JSON, ROWS_OPENMETRICS };

/* open: not over yet. closed: over, but a late event may still correct it. final: past the horizon,
 * so it cannot change. */
enum window_state { WINDOW_OPEN, WINDOW_CLOSED, WINDOW_FINAL };

struct row {
    int64_t window; /* number of the window since the epoch */
    uint64_t count;
    enum window_state state;
};

#define ROWS_ROW_MAX 160 /* most bytes that one call below writes, without a NUL */
#define ROWS_ZONE_MAX 32

/* The zone in which times are shown. */
struct rows_zone {
    /* for headers: printable ASCII without commas, quotes and backslashes */
    char name[ROWS_ZONE_MAX];
    int (*ahead_min)(int64_t t_us); /* minutes that its clocks are ahead of UTC at that time */
};

/* How rows look. */
struct rows_form {
    enum rows_format format;
    enum resolution resolution;
    const struct rows_zone *zone; /* NULL: UTC */
};

/* Sets *out for "text", "csv" or "json", the formats that a server answers in; false for anything
 * else. */
bool rows_format_by_name(const char *name, enum rows_format *out);

/* The state of a window at time now_us, with a horizon of horizon_us. */
enum window_state window_state_at(enum resolution r, int64_t window, int64_t now_us,
                                  int64_t horizon_us);
/* The same for a window of any width, by its end. */
enum window_state window_state_of_end(int64_t end_us, int64_t now_us, int64_t horizon_us);
const char *window_state_name(enum window_state state);

#define ROWS_CSV_HEADER_UTC "start (UTC),count,state"

/* Each writes at most ROWS_ROW_MAX bytes to buf and returns how many (no NUL is added): what
 * precedes the first row; one window (`first`: it is the first row written); what follows the last
 * row.
 *
 *   text   2016-05-28 11:11:11.120, 122
 *   csv    start (UTC),count,state
 *          2016-05-28T11:11:11.120Z,122,closed
 *   json   {"resolution":"10ms","zone":"UTC","windows":[
 *          {"start":"2016-05-28T11:11:11.120Z","count":122,"state":"closed"},
 *          ...
 *          ]}
 *
 *   openmetrics  # HELP aforo_window_events Events counted in a window, at its start.
 *                # TYPE aforo_window_events gauge
 *                aforo_window_events{resolution="10ms"} 122 1464433871.120
 *                # EOF
 *          Windows that are not final are left out.
 *
 * In zones other than UTC, each time ends with its offset: 2016-05-28 13:11:11.120+02:00, 122 */
size_t rows_begin(const struct rows_form *form, char *buf);
size_t rows_row(const struct rows_form *form, const struct row *row, bool first, char *buf);
size_t rows_end(const struct rows_form *form, char *buf);

/* Writes a time as in text rows, in milliseconds, NUL-terminated (ROWS_TIME_MAX bytes). */
#define ROWS_TIME_MAX 40
void rows_time(const struct rows_form *form, int64_t t_us, char buf[ROWS_TIME_MAX]);

/* Writes a time as in rows of that form, with 3 or 6 decimals of the second, for t_us in [0,
 * CIVIL_END_US). Writes at most ROWS_TIME_MAX bytes and returns how many (no NUL is added). */
size_t rows_put_time(const struct rows_form *form, int64_t t_us, int digits,
                     char buf[ROWS_TIME_MAX]);

#endif
