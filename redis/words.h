/* A Redis command built word by word, of any number and length. One thread. */
#ifndef AFORO_REDIS_WORDS_H
#define AFORO_REDIS_WORDS_H

#include "redis/link.h"
#include "redis/rows_pack.h"

/* All zeros: empty. Freed by words_free. */
struct words {
    struct rows_bytes text;
    struct rows_bytes len; /* size_t[] */
};

/* Starts a command with its name and its key. Like the following, false when memory runs out. */
bool words_begin(struct words *words, const char *command, const char *key);
bool words_put(struct words *words, const char *word, size_t len);

/* Makes what was appended to words->text since offset `from` a word. */
bool words_end(struct words *words, size_t from);

/* Queues the words as one command, of which word number key_at is the key. False fills `why`
 * (LINK_WHY_MAX). */
bool words_append(struct link *link, const struct words *words, int key_at, char *why);

void words_free(struct words *words);

#endif
