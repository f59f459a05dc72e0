/* The rows of a report out of its table: of a server's own, or of one in a state directory. Any
 * thread. */
#ifndef AFORO_VIEW_REPORT_TABLE_H
#define AFORO_VIEW_REPORT_TABLE_H

#include "view/report_query.h"

/* All of it outlives the reader. */
struct report_table {
    const struct report *report;
    const struct table *table;
    unsigned width; /* number of one of the report's */
};

/* A reader of that table's rows; `source` is where it keeps what it reads from. */
struct report_reader report_table_reader(struct report_table *source);

#endif
