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

/* Reads the totals of windows [first, first + n) of a report, and gives each row that is there, in
 * the order of the windows and in no order within. The same key may come several times for one
 * window: from each group of a cluster, and for each node's bytes of ROWS_BLOB. Whoever takes them
 * joins them (measure->kind->absorb): added up, they are the row. False fills why (LINK_WHY_MAX);
 * a value that is none is an error that names its key. Also false, why empty, when the taker wanted
 * no more. */
bool rows_reader_read(struct link *link, const struct rows_place *first, uint32_t n,
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

#endif
