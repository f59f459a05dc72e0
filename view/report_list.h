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

/* All of them. */
struct report_list {
    const struct report_listing *listing; /* [n] */
    size_t n;
    const struct report_aside *aside; /* [asides]: declared, and not in force */
    size_t asides;
};

/* Adds the list: ROWS_TEXT, a table with a line of titles, in which - is what is not known, and a
 * line for each that is set aside; ROWS_JSON, {"reports":[{...},...],"set_aside":[{...},...]}, in
 * which what is not known is not there. Other formats there are none. */
void report_list_add(enum rows_format format, const struct report_list *list, struct text *text);

#endif
