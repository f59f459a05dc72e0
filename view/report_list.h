/* The list of reports and their status, as text or JSON. No I/O; any thread. */
#ifndef AFORO_VIEW_REPORT_LIST_H
#define AFORO_VIEW_REPORT_LIST_H

#include "reports/definitions.h"
#include "view/text.h"
#include "view/windows.h"

/* One report; everything that it points to must outlive the call. */
struct report_listing {
    const struct fields_config *fields;
    const struct report *report;
    const struct table_status *status; /* NULL: unknown here */
    const uint64_t *unfit; /* [fields->n], events that each field kept out; NULL: unknown */
    const uint64_t *gone;  /* events whose window was gone; NULL: unknown */
};

/* All reports. */
struct report_list {
    const struct report_listing *listing; /* [n] */
    size_t n;
    const struct report_aside *aside; /* [asides]: reports declared but not in force */
    size_t asides;
};

/* Adds the list to `text`. ROWS_TEXT: a table with a line of titles, in which - means unknown, and
 * a line for each report that is set aside. ROWS_JSON:
 * {"reports":[{...},...],"set_aside":[{...},...]}, without members that are unknown. Other formats
 * are not supported. */
void report_list_add(enum rows_format format, const struct report_list *list, struct text *text);

#endif
