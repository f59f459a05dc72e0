/* Messages about malformed texts: what was expected, where, and what was found. Pure, any
 * thread. */
#ifndef AFORO_INGEST_WHY_H
#define AFORO_INGEST_WHY_H

#include "ingest/fields.h"

/* Writes "expected ':' at character 12, found '}'" to `why`, or "..., but it ends there" when `at`
 * is len. Printable: at most one byte of the text is quoted. */
void why_expected(char why[RECORD_WHY_MAX], const char *what, const char *text, size_t len,
                  size_t at);

#endif
