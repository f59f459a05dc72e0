/* Reading the rows of reports: for the console. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_ROWS_READER_H
#define AFORO_REDIS_ROWS_READER_H

#include "redis/link.h"
#include "redis/rows.h"

#include <stdbool.h>
#include <stdint.h>

/* Who is given rows; false: no more are wanted. What it points to is gone after the call. */
struct rows_taker {
    bool (*take)(void *cls, const struct rows_place *place, const struct rows_row *row);
    void *cls;
};

/* Reads the totals of one window of a report, and gives each row that is there, in no order. In a
 * cluster the same key comes once from each group; a component of ROWS_BLOB comes once for each
 * node. Whoever takes them joins them (measure->kind->absorb): together they are the row. Most
 * windows of a long span may not be there: rows_reader_find says which are worth reading. False
 * fills why; a value that is none is an error that names its key. Also false, why empty, when the
 * taker wanted no more. */
bool rows_reader_read_window(struct link *link, const struct rows_place *place,
                             const struct rows_taker *taker, char *why);

/* The same of n windows (1 to ROWS_READER_WINDOWS) at once, one after the other: with many small
 * windows, most of the time is the way to Redis and back. */
#define ROWS_READER_WINDOWS 16
bool rows_reader_read_windows(struct link *link, const struct rows_place *places, size_t n,
                              const struct rows_taker *taker, char *why);

/* The same of what one node has reported of one window in its group: its part. ROWS_ADD and
 * ROWS_WRAP are the node's own, ROWS_MIN, ROWS_MAX and ROWS_HLL the totals of the rows in which it
 * has a part. *sum, *owner: of the part, as rows.lua has them; 0 when there is none. */
struct rows_part {
    const struct rows_place *place;
    unsigned group;
    const char *node;
    uint64_t sum;
    uint32_t owner;
};
bool rows_reader_read_part(struct link *link, struct rows_part *part,
                           const struct rows_taker *taker, char *why);

/* Whether there is anything of windows [first, first + n), into there[n]. False fills why. */
bool rows_reader_find(struct link *link, const struct rows_place *first, uint32_t n, bool *there,
                      char *why);

/* Who is given reports; false: no more are wanted. */
struct rows_report_taker {
    bool (*take)(void *cls, const char *report, const char *definition, size_t definition_len);
    void *cls;
};

/* Gives every report that any node has told of: NAME.DIGEST, and its definition. False fills why.
 */
bool rows_reader_list(struct link *link, const struct rows_report_taker *taker, char *why);

/* Who is given the widths of reports; false: no more are wanted. */
struct rows_width_taker {
    bool (*take)(void *cls, const char *report, const struct rows_width_line *line);
    void *cls;
};

/* Gives every width of every report that any node has told of. False fills why. Also false, why
 * empty, when the taker wanted no more. */
bool rows_reader_widths(struct link *link, const struct rows_width_taker *taker, char *why);

#endif
