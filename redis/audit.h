/* Is what lies in Redis what it should be? Every total is the sum of its parts, every part is
 * whole, and nothing else stands in a chunk's hash. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_AUDIT_H
#define AFORO_REDIS_AUDIT_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdint.h>

#define AUDIT_SENTENCE_MAX 256

/* A finding: a sentence that names the key. */
typedef void audit_finding(void *cls, const char *sentence);

/* Whom findings about one key are told. */
struct audit_ear {
    const char *key;
    audit_finding *finding;
    void *cls;
};
__attribute__((format(printf, 2, 3))) void audit_tell(const struct audit_ear *ear,
                                                      const char *format, ...);

/* Reads a range of chunks in all groups, and says what is wrong with them, each thing once. False
 * fills why (LINK_WHY_MAX) when they could not be read. */
bool audit_check_chunks(struct link *link, struct chunk_range range, audit_finding *finding,
                        void *cls, char *why);

#endif
