/* Reads the rows of a report from its table, in a running server or in a state directory. Any
 * thread. */
#ifndef AFORO_VIEW_REPORT_TABLE_H
#define AFORO_VIEW_REPORT_TABLE_H

#include "view/report_query.h"

/* Everything here must outlive the reader. */
struct report_table {
    const struct report *report;
    const struct table *table;
    unsigned width; /* number of one of the report's */
};

/* Makes a reader of that table's rows; it keeps the pointer `source`. */
struct report_reader report_table_reader(struct report_table *source);

#endif
