/* Why an event was kept out of a report, and how to say so. */
#ifndef AFORO_REPORTS_LEFT_OUT_H
#define AFORO_REPORTS_LEFT_OUT_H

#include "counters/measures/measure.h"
#include "ingest/fields.h"

#include <stdbool.h>
#include <stdint.h>

#define LEFT_OUT_WHY_MAX (MEASURE_TEXT_MAX + 48)

struct left_out {
    uint64_t fields; /* bit i: by field i; unless a reason follows, it is missing or unfit */
    const struct measure *measure; /* the measure that does not accept it, or NULL */
    bool key_too_long;
};

/* Says in a few words why field i, one of out->fields, kept the record out. Any thread. */
void left_out_explain(const struct left_out *out, const struct field *field, unsigned i,
                      const struct record *record, char why[LEFT_OUT_WHY_MAX]);

#endif
