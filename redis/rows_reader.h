/* Reads the rows of reports, for the console. Over a connected link, in its thread. */
#ifndef AFORO_REDIS_ROWS_READER_H
#define AFORO_REDIS_ROWS_READER_H

#include "redis/link.h"
#include "redis/rows.h"

#include <stdbool.h>
#include <stdint.h>

/* Receives rows; returns false to stop. What it points to is valid during the call only. */
struct rows_taker {
    bool (*take)(void *cls, const struct rows_place *place, const struct rows_row *row);
    void *cls;
};

/* Reads the totals of one window of a report and passes each row to the taker, in no particular
 * order. In a cluster the same key comes once from each group, and a ROWS_BLOB component once for
 * each node; the taker joins them (measure->kind->absorb) to get the row. In a long span most
 * windows may not exist: rows_reader_find tells which are worth reading. False fills `why`; a
 * malformed value is an error that names its key. When the taker stopped, the result is false, too,
 * and `why` is empty. */
bool rows_reader_read_window(struct link *link, const struct rows_place *place,
                             const struct rows_taker *taker, char *why);

/* The same for n windows (1 to ROWS_READER_WINDOWS) with one request: for many small windows, most
 * of the time is spent on the round trip. */
#define ROWS_READER_WINDOWS 16
bool rows_reader_read_windows(struct link *link, const struct rows_place *places, size_t n,
                              const struct rows_taker *taker, char *why);

/* The same for what one node has reported of one window in its group: its part. ROWS_ADD and
 * ROWS_WRAP values are the node's own; ROWS_MIN, ROWS_MAX and ROWS_HLL are the totals of the rows
 * that it has a part in. *sum, *owner: of the part, as in rows.lua; 0 when there is none. */
struct rows_part {
    const struct rows_place *place;
    unsigned group;
    const char *node;
    uint64_t sum;
    uint32_t owner;
};
bool rows_reader_read_part(struct link *link, struct rows_part *part,
                           const struct rows_taker *taker, char *why);

/* Stores in there[n] whether windows [first, first + n) exist. False fills `why`. */
bool rows_reader_find(struct link *link, const struct rows_place *first, uint32_t n, bool *there,
                      char *why);

/* Receives reports; returns false to stop. */
struct rows_report_taker {
    bool (*take)(void *cls, const char *report, const char *definition, size_t definition_len);
    void *cls;
};

/* Passes every report that any node has published to the taker: NAME.DIGEST and its definition.
 * False fills `why`. */
bool rows_reader_list(struct link *link, const struct rows_report_taker *taker, char *why);

/* Receives the widths of reports; returns false to stop. */
struct rows_width_taker {
    bool (*take)(void *cls, const char *report, const struct rows_width_line *line);
    void *cls;
};

/* Passes every width of every report that any node has published to the taker. False fills `why`,
 * or leaves it empty when the taker stopped. */
bool rows_reader_widths(struct link *link, const struct rows_width_taker *taker, char *why);

#endif
