#include "redis/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool words_end(struct words *words, size_t from) {
    const size_t len = words->text.len - from;
    return rows_bytes_put(&words->len, &len, sizeof len);
}

bool words_put(struct words *words, const char *word, size_t len) {
    return rows_bytes_put(&words->text, word, len) && words_end(words, words->text.len - len);
}

bool words_begin(struct words *words, const char *command, const char *key) {
    words->text.len = words->len.len = 0;
    return words_put(words, command, strlen(command)) && words_put(words, key, strlen(key));
}

bool words_append(struct link *link, const struct words *words, int key_at, char *why) {
    const size_t n = words->len.len / sizeof(size_t);
    const char **argv = malloc(n * sizeof *argv);
    size_t *lens = malloc(n * sizeof *lens);
    bool ok = n > 0 && argv && lens;
    if (ok) {
        memcpy(lens, words->len.bytes, n * sizeof *lens);
        for (size_t i = 0, at = 0; i < n; at += lens[i], i++) {
            argv[i] = words->text.bytes + at;
        }
        ok = link_append(link, &(struct redis_command){(int)n, argv, lens, key_at}, why);
    } else {
        snprintf(why, LINK_WHY_MAX, "out of memory");
    }
    free(argv);
    free(lens);
    return ok;
}

void words_free(struct words *words) {
    free(words->text.bytes);
    free(words->len.bytes);
    *words = (struct words){0};
}
