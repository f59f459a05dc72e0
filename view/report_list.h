/* Which reports there are, and how each is doing -> text, JSON. No I/O, any thread. */
#ifndef AFORO_VIEW_REPORT_LIST_H
#define AFORO_VIEW_REPORT_LIST_H

#include "reports/definitions.h"
#include "view/text.h"
#include "view/windows.h"

/* One report; all that it points to outlives the writing. */
struct report_listing {
    const struct fields_config *fields;
    const struct report *report;
    const struct table_status *status; /* NULL: not known here */
    const uint64_t *unfit; /* [fields->n], events that each field kept out; NULL: not known */
    const uint64_t *gone;  /* events whose window was gone; NULL: not known */
};

/* Adds the list: ROWS_TEXT, a table with a line of titles, in which - is what is not known;
 * ROWS_JSON, {"reports":[{...},...]}, in which that is not there. Other formats there are none. */
void report_list_add(enum rows_format format, const struct report_listing *listing, size_t n,
                     struct text *text);

#endif
