/* Checks whether the data in Redis are what they should be: every total is the sum of its parts,
 * every part is intact, and a chunk's hash holds nothing else. Over a connected link, in its
 * thread. */
#ifndef AFORO_REDIS_AUDIT_H
#define AFORO_REDIS_AUDIT_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdarg.h>
#include <stdint.h>

#define AUDIT_SENTENCE_MAX 256

/* Receives a finding: a sentence that names the key. */
typedef void audit_finding(void *cls, const char *sentence);

/* Formats the sentence of a finding, which begins with the key, and passes it on. */
__attribute__((format(printf, 4, 0))) void audit_tell(const char *key, audit_finding *finding,
                                                      void *cls, const char *format, va_list args);

/* Checks a range of chunks in all groups and reports what is wrong with them, each thing once.
 * False fills `why` (LINK_WHY_MAX) when they could not be read. */
bool audit_check_chunks(struct link *link, struct chunk_range range, audit_finding *finding,
                        void *cls, char *why);

#endif
