/* The cost of reports: memory by their definitions, time by measurement. For `aforo reports
 * check`. */
#ifndef AFORO_REPORTS_COST_H
#define AFORO_REPORTS_COST_H

#include "counters/counters.h"
#include "reports/definitions.h"

#define COST_EVENTS 100000 /* counted to measure the time */
#define COST_KEY_LEN 16    /* bytes of the keys assumed for `rows` */

struct report_cost {
    size_t row_bytes; /* of one row, with its share of the index */
    int64_t rows;     /* that fit, in all windows and threads' sections */
    /* that fit in each window of a width and thread, when all windows have as many */
    int64_t window_rows[TABLE_WIDTHS_MAX];
    int64_t bytes;   /* of the report's file */
    double event_ns; /* extra time for an event of this report */
};

/* Measures each report alone, with made-up events that all belong to it, in a temporary state
 * directory (in memory if possible), which is removed. Fills cost[definitions->reports]. False
 * fills `why` (COUNTERS_WHY_MAX). One thread. Takes about a tenth of a second per report. */
bool reports_cost(const struct definitions *definitions, const struct table_span *span,
                  struct report_cost *cost, char *why);

#endif
