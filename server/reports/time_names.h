/* --time-field: the members of a JSON object that may be the event's time, beside `value`. Pure. */
#ifndef AFORO_SERVER_REPORTS_TIME_NAMES_H
#define AFORO_SERVER_REPORTS_TIME_NAMES_H

#include "ingest/fields.h"

#include <stdbool.h>

#define TIME_NAMES_WHY_MAX 128

/* All zeros: the default names. */
struct time_names {
    unsigned n;
    const char *name[FIELD_TIMES_MAX]; /* the first one present in an event counts */
    char text[FIELD_TIMES_MAX][FIELD_NAME_MAX];
};

/* Reads a list such as "ts,created_at"; "": the default names. False fills why. *names must not be
 * moved afterwards, since its pointers point into it. */
bool time_names_read(const char *text, struct time_names *names, char why[TIME_NAMES_WHY_MAX]);

#endif
