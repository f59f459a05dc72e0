/* The rows of reports in Redis: the names of keys and the format of a row. Pure, any thread.
 *
 *   aforo:2:r:{NAME.DIGEST:1min:2026-11-20T11:11}   one window of one report, a hash of:
 *       "<key> US <component>" -> 38     the total of one component of one row, for anybody to read
 *       "names" -> list                  the components, and how the values of nodes are combined:
 *                                        a sign (enum rows_rule) and a name, US, the next
 *       and of the nodes' parts, "until" and "final": see rows.lua
 *   aforo:2:r:{NAME.DIGEST:1min:2026-11-20T11:11}:<component>[ US <key>]
 *                                        a HyperLogLog of one row, as Redis has it: PFCOUNT
 *       for a ROWS_BLOB component top(...): its score board, a sorted set: ZREVRANGE
 *   aforo:2:{reports}                    a hash of:
 *       "NAME.DIGEST" -> definition      the text that explains the rest
 *       "NAME.DIGEST US windows" -> list its widths: "1min 60000000 86400", name, microseconds,
 *                                        seconds that a window is kept; one per line
 *   aforo:2:{final:reports}              an hour (since 1970): windows from then on are not closed
 *
 * US is 0x1f. <key> is the values of the report's `by` fields with US between them, empty when
 * there are none; bytes below 0x20 in values are escaped by whoever makes the key (reports/read.h).
 * A window's time is as precise as its width requires: a day, an hour, a minute, a second,
 * milliseconds. The braces keep all keys of one window on one server of a cluster; groups as in
 * schema.h. */
#ifndef AFORO_REDIS_ROWS_H
#define AFORO_REDIS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_KEY_MAX 192       /* a window's key, with its NUL */
#define ROWS_REPORT_MAX 72     /* NAME.DIGEST, with its NUL */
#define ROWS_WIDTH_MAX 16      /* "15min", with its NUL */
#define ROWS_COMPONENT_MAX 128 /* a component's name, with its NUL */
#define ROWS_ROW_KEY_MAX 12800 /* bytes of a row's key */
#define ROWS_BOARD_NAME "top(" /* components with a score board begin like this */
#define ROWS_SEPARATOR '\x1f'
#define ROWS_PART_SEPARATOR '\x1e' /* RS: marks fields of parts; ends an item of a list */
#define ROWS_EVENTS_BYTES 7 /* a number of events, in a call's rows and before a node's bytes */
#define ROWS_REPORTS_KEY "aforo:2:{reports}"
#define ROWS_FINAL_KEY "aforo:2:{final:reports}" /* as SCHEMA_FINAL_KEY, for reports */
#define ROWS_WINDOWS_FIELD "\x1fwindows"         /* appended to NAME.DIGEST */

/* One window of one report. */
struct rows_place {
    const char *report; /* NAME.DIGEST */
    const char *width;  /* as in the keys: "10ms", "1s", "15min", "1h", "1d" */
    int64_t width_us;
    int64_t window; /* number since the epoch: it begins at window * width_us */
};

/* How the values of two nodes are combined, and the sign for it in "names". */
enum rows_rule {
    ROWS_ADD = '+',
    ROWS_WRAP = '~', /* the sum modulo 2^32 */
    ROWS_MIN = '<',  /* signed */
    ROWS_MAX = '>',
    ROWS_HLL = '#', /* bytes: a HyperLogLog as Redis has it, in a key of its own */
    ROWS_BLOB = '=' /* bytes: each node's are kept apart, and readers merge them */
};

/* The value of a component that adds up of which the store's total is beyond 2^53, and so no longer
 * exact. */
#define ROWS_VALUE_UNKNOWN (INT64_C(1) << 62)

struct rows_component {
    const char *name; /* no US or control characters; shorter than ROWS_COMPONENT_MAX */
    enum rows_rule rule;
    int64_t value; /* value| <= 2^53; of a ROWS_BLOB that was read: its number of events */
    const unsigned char *bytes; /* for ROWS_HLL and ROWS_BLOB */
    size_t len;
};

struct rows_row {
    const char *key; /* key_len bytes; not NUL-terminated */
    size_t key_len;
    /* its events: of two versions of a row, the one with more events is newer. 0 where the number
     * is unknown: in totals */
    uint64_t count;
    size_t n;
    const struct rows_component *component; /* [n] */
};

/* Writes the NUL-terminated key of a window to buf (ROWS_KEY_MAX) and returns its length. */
size_t rows_window_key(const struct rows_place *place, unsigned group, char *buf);

/* One width of a report, from its field "windows"; keep_s: how long Redis keeps a window. */
struct rows_width_line {
    char name[ROWS_WIDTH_MAX];
    int64_t width_us, keep_s;
};

/* Parses the line at *at in a NUL-terminated list and advances to the next. False at the end of the
 * list or when the line is malformed. */
bool rows_width_read(const char **at, struct rows_width_line *line);

/* Until when nodes may report a window, in seconds since 1970: SCHEMA_OPEN_S after the end of the
 * hour in which it ends, as in schema_until_s. */
int64_t rows_until_s(int64_t width_us, int64_t window);

#endif
