/* Are the score boards of a window what the nodes' bytes in its hash say? For rows_audit.c. Over a
 * connected link, by its thread. */
#ifndef AFORO_REDIS_ROWS_AUDIT_BOARDS_H
#define AFORO_REDIS_ROWS_AUDIT_BOARDS_H

#include "redis/audit.h"
#include "redis/link.h"

/* The hash of one window of one group, as HGETALL answered it. */
struct rows_audit_hash {
    const char *key;
    const redisReply *reply; /* strings: field, value, field, ... */
};

/* Compares each board that is there, and writes a sentence (AUDIT_SENTENCE_MAX) about one that
 * differs; "" when none does. A board that is gone is none: it comes again with its row's next
 * call. The hash may have changed since it was read: who finds a difference reads it again. False
 * fills why (LINK_WHY_MAX). */
bool rows_audit_boards(struct link *link, const struct rows_audit_hash *hash, char *sentence,
                       char *why);

#endif
