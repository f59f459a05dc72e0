/* Reads the hash of one window of a report, field by field. It may have a million fields, so it is
 * requested in pieces, which does not block the server for long. The pieces may be from different
 * moments; two identical readings show that nothing changed in between. One thread. */
#ifndef AFORO_REDIS_ROWS_HASH_H
#define AFORO_REDIS_ROWS_HASH_H

#include "redis/link.h"
#include "redis/rows_pack.h"

/* A field and its value: NUL-terminated strings owned by the hash. */
struct rows_field {
    const redisReply *name, *value;
};

/* All zeros: empty. Freed by rows_hash_free. */
struct rows_hash {
    struct rows_field *field; /* [n], sorted by name, without duplicates */
    size_t n;
    struct rows_bytes pages, fields; /* the replies; what `field` points to */
};

/* Reads the hash at `key`; a missing one has no fields. False fills `why` (LINK_WHY_MAX); the hash
 * must be freed in either case. */
bool rows_hash_read(struct link *link, const char *key, struct rows_hash *hash, char *why);

/* Whether both have the same fields and values. */
bool rows_hash_is_same(const struct rows_hash *one, const struct rows_hash *other);

/* The value of a field; NULL when there is no such field. */
const redisReply *rows_hash_find(const struct rows_hash *hash, const char *name);

void rows_hash_free(struct rows_hash *hash);

#endif
