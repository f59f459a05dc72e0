/* The hash of one window of a report, read field by field: it may have a million of them, so it is
 * asked for in pieces, and the server is not held up. What is read in pieces may be of several
 * moments; two readings that are the same say that nothing changed between them. By one thread. */
#ifndef AFORO_REDIS_ROWS_HASH_H
#define AFORO_REDIS_ROWS_HASH_H

#include "redis/link.h"
#include "redis/rows_pack.h"

/* A field and its value: strings with a NUL behind them, which the hash owns. */
struct rows_field {
    const redisReply *name, *value;
};

/* All zeros is none; freed by rows_hash_free. */
struct rows_hash {
    struct rows_field *field; /* [n], by name, each once */
    size_t n;
    struct rows_bytes pages, fields; /* the answers; what `field` points to */
};

/* Reads the hash at `key`; one that is not there has no fields. False fills why (LINK_WHY_MAX), and
 * the hash is to be freed all the same. */
bool rows_hash_read(struct link *link, const char *key, struct rows_hash *hash, char *why);

/* Whether both have the same fields and values. */
bool rows_hash_is_same(const struct rows_hash *one, const struct rows_hash *other);

/* The value of a field; NULL: it is not there. */
const redisReply *rows_hash_find(const struct rows_hash *hash, const char *name);

void rows_hash_free(struct rows_hash *hash);

#endif
