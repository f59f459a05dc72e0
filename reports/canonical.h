/* The canonical text of numbers, as measures see them: two spellings of one number are one value.
 * By a worker's thread, which owns the struct. */
#ifndef AFORO_REPORTS_CANONICAL_H
#define AFORO_REPORTS_CANONICAL_H

#include "ingest/fields.h"

#define CANONICAL_MAX 24 /* bytes of a number below 2^53 with sign and point */

/* The numbers of one event whose spelling was not canonical. */
struct canonical {
    struct aforo_value value[FIELDS_MAX];
    char text[FIELDS_MAX][CANONICAL_MAX];
};

/* The value of field i, a number with `decimals` decimals, with the text that `by` uses for it
 * (report_key_number): the value itself when that is its text already, otherwise one in `canonical`
 * that is valid until the next call for the field. */
const struct aforo_value *canonical_value(struct canonical *canonical, unsigned i,
                                          unsigned decimals, const struct aforo_value *value);

#endif
