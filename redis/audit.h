/* Is what lies in Redis what it should be? Every total is the sum of its parts, every part is
 * whole, and nothing else stands in a chunk's hash. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_AUDIT_H
#define AFORO_REDIS_AUDIT_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdarg.h>
#include <stdint.h>

#define AUDIT_SENTENCE_MAX 256

/* A finding: a sentence that names the key. */
typedef void audit_finding(void *cls, const char *sentence);

/* Makes the sentence of a finding, which begins with the key, and tells it. */
__attribute__((format(printf, 4, 0))) void audit_tell(const char *key, audit_finding *finding,
                                                      void *cls, const char *format, va_list args);

/* Reads a range of chunks in all groups, and says what is wrong with them, each thing once. False
 * fills why (LINK_WHY_MAX) when they could not be read. */
bool audit_check_chunks(struct link *link, struct chunk_range range, audit_finding *finding,
                        void *cls, char *why);

#endif
