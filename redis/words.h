/* A command to Redis whose words are gathered one by one: of any number and length. By one thread.
 */
#ifndef AFORO_REDIS_WORDS_H
#define AFORO_REDIS_WORDS_H

#include "redis/link.h"
#include "redis/rows_pack.h"

/* All zeros is none; freed by words_free. */
struct words {
    struct rows_bytes text;
    struct rows_bytes len; /* size_t[] */
};

/* Begins a command: its name, and the key. Like the rest, false when out of memory. */
bool words_begin(struct words *words, const char *command, const char *key);
bool words_put(struct words *words, const char *word, size_t len);

/* What was put to words->text from `from` on is a word. */
bool words_end(struct words *words, size_t from);

/* Queues them as one command whose word number key_at is the key. False fills why (LINK_WHY_MAX).
 */
bool words_append(struct link *link, const struct words *words, int key_at, char *why);

void words_free(struct words *words);

#endif
