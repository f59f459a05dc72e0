/* What reports cost: memory by their definitions, time by trying. For `aforo reports check`. */
#ifndef AFORO_REPORTS_COST_H
#define AFORO_REPORTS_COST_H

#include "counters/counters.h"
#include "reports/definitions.h"

#define COST_EVENTS 100000 /* that are counted to measure the time */
#define COST_KEY_LEN 16    /* bytes of the keys that room is told for */

struct report_cost {
    size_t row_bytes; /* of one row, with its place in the index */
    int64_t rows;     /* that there is room for, in all windows and threads' sections */
    int64_t bytes;    /* of the report's file */
    double event_ns;  /* that an event of this report takes longer than one of none */
};

/* Measures each report alone, with made-up events that are all its own: in a state directory that
 * is made for this, in memory where there is such a place, and removed. cost[definitions->reports].
 * False fills why (COUNTERS_WHY_MAX). One thread. Takes about a tenth of a second a report. */
bool reports_cost(const struct definitions *definitions, const struct table_span *span,
                  struct report_cost *cost, char *why);

#endif
