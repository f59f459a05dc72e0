/* The sentences of texts that are malformed: what was expected, where, and what was found. Pure;
 * any thread. */
#ifndef AFORO_INGEST_WHY_H
#define AFORO_INGEST_WHY_H

#include "ingest/fields.h"

/* "expected ':' at character 12, found '}'", or "..., but it ends there", when at is len, into why.
 * Printable: of the text it quotes one byte at most. */
void why_expected(char why[RECORD_WHY_MAX], const char *what, const char *text, size_t len,
                  size_t at);

#endif
