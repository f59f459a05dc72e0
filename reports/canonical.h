/* Numbers as measures see them: two spellings of one number are one value. By a worker's thread,
 * which owns what it is written to. */
#ifndef AFORO_REPORTS_CANONICAL_H
#define AFORO_REPORTS_CANONICAL_H

#include "ingest/fields.h"

#define CANONICAL_MAX 24 /* bytes of a number below 2^53 with its sign and its point */

/* The numbers of one event that were spelled otherwise. */
struct canonical {
    struct aforo_value value[FIELDS_MAX];
    char text[FIELDS_MAX][CANONICAL_MAX];
};

/* The value of field i, whose type is a number of so many decimals, with the text that `by` has for
 * it, as in report_key_number: the value itself when that is its text already, else one of
 * `canonical`, which is there until the next call for the field. */
const struct aforo_value *canonical_value(struct canonical *canonical, unsigned i,
                                          unsigned decimals, const struct aforo_value *value);

#endif
