/* The rows of reports at Redis: what the keys are called, and what a row is there. Pure, any
 * thread.
 *
 *   aforo:2:r:{NAME.DIGEST:1min:2026-11-20T11:11}   one window of one report, a hash of:
 *       "<key> US <component>" -> 38     the total of one component of one row, for anybody to read
 *       "names" -> list                  which components there are, and how nodes' values become
 *                                        one: a sign (enum rows_rule) and a name, US, the next
 *       and of the nodes' parts, "until" and "final" what rows.lua says
 *   aforo:2:r:{NAME.DIGEST:1min:2026-11-20T11:11}:<component>[ US <key>]
 *                                        a HyperLogLog of one row, as Redis has it: PFCOUNT
 *       a component of ROWS_BLOB that is called top(...): its score board, a sorted set: ZREVRANGE
 *   aforo:2:{reports}                    a hash of:
 *       "NAME.DIGEST" -> definition      the text that explains the rest
 *       "NAME.DIGEST US windows" -> list its widths: "1min 60000000 86400", name, microseconds,
 *                                        seconds that a window is kept; a line each
 *   aforo:2:{final:reports}              an hour (since 1970): its windows and later ones are not
 *                                        closed
 *
 * US is 0x1f. <key> is the values of the report's `by` fields, US between them, empty when there
 * are none; bytes below 0x20 in values are escaped by whoever makes the key (reports/read.h). A
 * window's time is as long as its width needs: a day, an hour, a minute, a second, milliseconds.
 * The braces keep all keys of one window on one server of a cluster; groups as in schema.h. */
#ifndef AFORO_REDIS_ROWS_H
#define AFORO_REDIS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_KEY_MAX 192       /* of a window's key, with its NUL */
#define ROWS_REPORT_MAX 72     /* NAME.DIGEST, with its NUL */
#define ROWS_WIDTH_MAX 16      /* "15min", with its NUL */
#define ROWS_COMPONENT_MAX 128 /* a component's name, with its NUL */
#define ROWS_ROW_KEY_MAX 12800 /* bytes of a row's key */
#define ROWS_BOARD_NAME "top(" /* how components begin that have a score board */
#define ROWS_SEPARATOR '\x1f'
#define ROWS_PART_SEPARATOR '\x1e' /* RS: fields with it are of parts; ends an item of a list */
#define ROWS_EVENTS_BYTES 7 /* of a number of events: of a row in a call, before a node's bytes */
#define ROWS_REPORTS_KEY "aforo:2:{reports}"
#define ROWS_FINAL_KEY "aforo:2:{final:reports}" /* as SCHEMA_FINAL_KEY, of reports' windows */
#define ROWS_WINDOWS_FIELD "\x1fwindows"         /* behind NAME.DIGEST */

/* One window of one report. */
struct rows_place {
    const char *report; /* NAME.DIGEST */
    const char *width;  /* as the keys name it: "10ms", "1s", "15min", "1h", "1d" */
    int64_t width_us;
    int64_t window; /* number since the epoch: it begins at window * width_us */
};

/* How the values of two nodes become one, and its sign in "names". */
enum rows_rule {
    ROWS_ADD = '+',
    ROWS_WRAP = '~', /* the sum modulo 2^32 */
    ROWS_MIN = '<',  /* signed */
    ROWS_MAX = '>',
    ROWS_HLL = '#', /* bytes: a HyperLogLog as Redis has it; in a key of its own */
    ROWS_BLOB = '=' /* bytes: each node's stands for itself, whoever reads merges them */
};

struct rows_component {
    const char *name; /* without US or control characters; below ROWS_COMPONENT_MAX */
    enum rows_rule rule;
    int64_t value; /* |value| <= 2^53; of a ROWS_BLOB that was read: of how many events it is */
    const unsigned char *bytes; /* ROWS_HLL and ROWS_BLOB */
    size_t len;
};

struct rows_row {
    const char *key; /* key_len bytes; not NUL-terminated */
    size_t key_len;
    /* its events: of two versions of a row the one with more is the newer one. 0 where it is not
     * known: in totals */
    uint64_t count;
    size_t n;
    const struct rows_component *component; /* [n] */
};

/* Writes the NUL-terminated key of a window to buf (ROWS_KEY_MAX); its length. */
size_t rows_window_key(const struct rows_place *place, unsigned group, char *buf);

/* One width of a report, of its field "windows"; keep_s: how long Redis keeps a window. */
struct rows_width_line {
    char name[ROWS_WIDTH_MAX];
    int64_t width_us, keep_s;
};

/* Reads the line that begins at *at of a NUL-terminated list, and moves on to the next. False: it
 * is none, or the end. */
bool rows_width_read(const char **at, struct rows_width_line *line);

/* Until when nodes may report a window, seconds since 1970: the end of the hour in which it ends,
 * and as much as schema_until_s has. */
int64_t rows_until_s(int64_t width_us, int64_t window);

#endif
