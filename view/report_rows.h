/* Writes rows of a report as text, CSV or JSON: one writer for the server's /reports and the
 * console program. No I/O; any thread.
 *
 *   text   2016-05-28 11:11:00.000, flight=AA1 client=7, sum(seconds)=38 first=...
 *   csv    start,state,flight,client,sum(seconds),first
 *          2016-05-28T11:11:00.000Z,closed,AA1,7,38,2016-05-28T11:11:02.100000Z
 *   json   {"report":"billing","window":"1min","rows":[
 *          {"start":"2016-05-28T11:11:00.000Z","state":"closed","key":{"flight":"AA1","client":7},
 *           "values":{"sum(seconds)":38,"first":"2016-05-28T11:11:02.100000Z"}}
 *          ]}
 *
 * The overflow row's key is `(other)`: in text once, in csv in the cell of each field, in json for
 * each field, with "other":true in the row. If only some fields found no room, these are `(other)`,
 * and json names them: "other":["client"]. A value that itself reads `(other)` is \x28other) in a
 * cell and "(other)" in text. A figure without a value is - in text, an empty cell in csv, and null
 * in json. A list of frequent values is [/a=3 /b=17..20] in text, the same without brackets in a
 * cell, and [{"value":"/a","count":3,"error":0},...] in json: here /b came 17 to 20 times. For
 * other escapes see text.h. */
#ifndef AFORO_VIEW_REPORT_ROWS_H
#define AFORO_VIEW_REPORT_ROWS_H

#include "reports/definitions.h"
#include "reports/read.h"
#include "view/text.h"
#include "view/windows.h"

/* The format of rows and the report that they belong to; everything must outlive the writing. */
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

/* Each adds to `text`: what precedes the first row; one row (`first`: it is the first one written);
 * what follows the last row. `why`: for JSON, why there are no rows; "": there are some. */
void report_rows_begin(const struct report_form *form, struct text *text);
void report_rows_add(const struct report_form *form, const struct report_window *window,
                     const struct report_row *row, bool first, struct text *text);
void report_rows_end(const struct report_form *form, const char *why, struct text *text);

/* The name of the report's `by` field number i. */
const char *report_rows_field(const struct report_form *form, unsigned i);

#endif
