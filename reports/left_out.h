/* Why an event was kept out of a report, and the words for it. */
#ifndef AFORO_REPORTS_LEFT_OUT_H
#define AFORO_REPORTS_LEFT_OUT_H

#include "counters/measures/measure.h"
#include "ingest/fields.h"

#include <stdbool.h>
#include <stdint.h>

#define LEFT_OUT_WHY_MAX (MEASURE_TEXT_MAX + 48)

struct left_out {
    uint64_t fields; /* bit i: by field i; when nothing else is said, it is missing or unfit */
    const struct measure *measure; /* which does not take it; NULL: it is not that */
    bool key_too_long;
};

/* Writes in a few words why field number i, which is one of out->fields, kept the record out. Any
 * thread. */
void left_out_explain(const struct left_out *out, const struct field *field, unsigned i,
                      const struct record *record, char why[LEFT_OUT_WHY_MAX]);

#endif
