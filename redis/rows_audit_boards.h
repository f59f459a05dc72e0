/* Checks whether the score boards of a window match the nodes' bytes in its hash. For rows_audit.c.
 * Over a connected link, in its thread. */
#ifndef AFORO_REDIS_ROWS_AUDIT_BOARDS_H
#define AFORO_REDIS_ROWS_AUDIT_BOARDS_H

#include "redis/audit.h"
#include "redis/link.h"
#include "redis/rows_hash.h"

/* Compares each board of the window whose hash is at `key` with the hash, and writes a sentence
 * (AUDIT_SENTENCE_MAX) about one that differs; "" when none does. A missing board is not a finding:
 * the next call for its row makes it again. The hash may have changed since it was read, so after a
 * difference the caller reads it again. False fills `why` (LINK_WHY_MAX). */
bool rows_audit_boards(struct link *link, const char *key, const struct rows_hash *hash,
                       char *sentence, char *why);

#endif
