/* A report made by hand, with real measures, and rows of it: for the tests of what is shown. */
#ifndef AFORO_TESTS_REPORT_LAB_H
#define AFORO_TESTS_REPORT_LAB_H

#include "reports/definitions.h"
#include "reports/read.h"
#include "view/text.h"

#define LAB_START_US INT64_C(1464433860000000) /* 2016-05-28 11:11:00 */
#define LAB_WINDOW (LAB_START_US / LAB_WIDTH_US)
#define LAB_WIDTH_US (60 * US_PER_S) /* of the report's second window; the first has 1 s */
#define LAB_ROWS_MAX 2048

extern struct fields_config lab_fields;
extern struct report lab_report;

/* Report "billing" by flight (text) and client (int), windows 1s and 1min, which shows
 * `figures`, parted by blanks. */
void lab_set_up(const char *figures);
void lab_tear_down(void);

/* A row whose events are these; key NULL: the overflow row. Freed by lab_tear_down. */
struct lab_event {
    int64_t us, seconds;
};
struct report_row lab_row(const char *key, const struct lab_event *event, size_t n);

/* One event, at LAB_START_US + 2.1 s. */
struct report_row lab_row_of(const char *key, int64_t seconds);

/* text as a string of C; valid until the next call that changes it. */
const char *lab_string(struct text *text);

#endif
