/* Decimal number as text -> fixed point. Pure, any thread. */
#ifndef AFORO_INGEST_NUMBER_H
#define AFORO_INGEST_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_END (INT64_C(1) << 53) /* absolute values are below this */

/* Parses text[0..len), [-]digits[.digits][(e|E)[+|-]digits], and stores its value times 10^decimals
 * in *number. False, with *number unchanged, when the text is malformed, when the product is not an
 * integer, or when its absolute value is not below NUMBER_END. So 1.0 and 1e3 are integers, and
 * 12.340 has two decimals. */
bool number_read(const char *text, size_t len, unsigned decimals, int64_t *number);

#endif
