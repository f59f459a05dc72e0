/* Rows of a report -> text, CSV, JSON: one writer for the server's /reports and for the console
 * program. No I/O, any thread.
 *
 *   text   2016-05-28 11:11:00.000, flight=AA1 client=7, sum(seconds)=38 first=2016-05-28
 * 11:11:02.100000 csv    start,state,flight,client,sum(seconds),first
 *          2016-05-28T11:11:00.000Z,closed,AA1,7,38,2016-05-28T11:11:02.100000Z
 *   json   {"report":"billing","window":"1min","rows":[
 *          {"start":"2016-05-28T11:11:00.000Z","state":"closed","key":{"flight":"AA1","client":7},
 *           "values":{"sum(seconds)":38,"first":"2016-05-28T11:11:02.100000Z"}}
 *          ]}
 *
 * The overflow row's key is `(other)`: in text alone, in a cell of csv for each field, in json for
 * each field and with "other":true in the row. Where only some fields found no room, these are
 * `(other)`, and json names them: "other":["client"]. A value that itself reads `(other)` is
 * \x28other) in a cell and "(other)" in text. A figure without a value is - in text, an empty cell,
 * and null. A list of values that came often is [/a=3 /b=17..20] in text, the same without brackets
 * in a cell, and [{"value":"/a","count":3,"error":0},...] in json: /b came 20 times at the most,
 * and 17 times at the least. How else values are escaped: text.h. */
#ifndef AFORO_VIEW_REPORT_ROWS_H
#define AFORO_VIEW_REPORT_ROWS_H

#include "reports/definitions.h"
#include "reports/read.h"
#include "view/text.h"
#include "view/windows.h"

/* How rows look, and what they are of; all of it outlives the writing. */
struct report_form {
    enum rows_format format;
    const struct rows_zone *zone; /* NULL: UTC */
    const struct fields_config *fields;
    const struct report *report;
    unsigned width; /* number of one of the report's */
};

struct report_window {
    int64_t start_us;
    enum window_state state;
};

/* Each adds to `text`: what stands before the first row; one row (`first`: it is the first row
 * written); what stands after the last, and
 * `why` there are none, for JSON; "": there are some. */
void report_rows_begin(const struct report_form *form, struct text *text);
void report_rows_add(const struct report_form *form, const struct report_window *window,
                     const struct report_row *row, bool first, struct text *text);
void report_rows_end(const struct report_form *form, const char *why, struct text *text);

/* The name of `by` field number i of the report. */
const char *report_rows_field(const struct report_form *form, unsigned i);

#endif
