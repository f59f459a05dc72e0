/* A decimal number as text -> fixed point. Pure; any thread. */
#ifndef AFORO_INGEST_NUMBER_H
#define AFORO_INGEST_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_END (INT64_C(1) << 53) /* every number is nearer to zero than this */

/* Reads text[0..len), [-]digits[.digits][(e|E)[+|-]digits], into *number: its value times
 * 10^decimals. False, with *number as it was, when it is no such text, is not whole after that
 * multiplication, or not below NUMBER_END in absolute value. So 1.0 and 1e3 are whole numbers, and
 * 12.340 has two decimals. */
bool number_read(const char *text, size_t len, unsigned decimals, int64_t *number);

#endif
