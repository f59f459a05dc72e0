/* --time-field: the members of a JSON object that may be the event's time, beside `value`. Pure. */
#ifndef AFORO_SERVER_REPORTS_TIME_NAMES_H
#define AFORO_SERVER_REPORTS_TIME_NAMES_H

#include "ingest/fields.h"

#include <stdbool.h>

#define TIME_NAMES_WHY_MAX 128

/* All zeros: the usual ones. */
struct time_names {
    unsigned n;
    const char *name[FIELD_TIMES_MAX]; /* the first that is there counts */
    char text[FIELD_TIMES_MAX][FIELD_NAME_MAX];
};

/* Reads "ts,created_at" ("": the usual ones). False fills why. *names stays where it is: its
 * pointers lead into it. */
bool time_names_read(const char *text, struct time_names *names, char why[TIME_NAMES_WHY_MAX]);

#endif
