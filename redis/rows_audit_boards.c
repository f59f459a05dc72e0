#include "redis/rows_audit_boards.h"

#include "redis/rows_pack.h"
#include "redis/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What nodes' bytes say of one value of one board. */
struct entry {
    const char *board; /* "<key> US <component>", as in the fields */
    size_t board_len;
    const char *value;
    size_t value_len;
    int64_t least;
};

/* ---- what the bytes say ---- */

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len) {
    const size_t least = a_len < b_len ? a_len : b_len;
    const int order = least ? memcmp(a, b, least) : 0;
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_boards(const struct entry *a, const struct entry *b) {
    return compare_bytes(a->board, a->board_len, b->board, b->board_len);
}

static int compare_entries(const void *one, const void *two) {
    const struct entry *a = one, *b = two;
    const int order = compare_boards(a, b);
    return order ? order : compare_bytes(a->value, a->value_len, b->value, b->value_len);
}

/* Reads groups of seven bits, the lowest first; false when no number ends before `end`. */
static bool read_number(const unsigned char **at, const unsigned char *end, uint64_t *number) {
    *number = 0;
    for (unsigned shift = 0; *at < end && shift < 56; shift += 7) {
        const unsigned char piece = *(*at)++;
        *number |= (uint64_t)(piece & 0x7f) << shift;
        if (piece < 0x80) {
            return true;
        }
    }
    return false;
}

/* Takes the entries in one node's bytes; false when they are malformed, or memory runs out. */
static bool take_bytes(struct rows_bytes *entries, struct entry entry, const redisReply *value) {
    const unsigned char *at = (const unsigned char *)value->str + ROWS_EVENTS_BYTES;
    const unsigned char *end = (const unsigned char *)value->str + value->len;
    bool ok = value->len >= ROWS_EVENTS_BYTES;
    while (ok && at < end) {
        uint64_t count, error, len;
        ok = read_number(&at, end, &count) && read_number(&at, end, &error) &&
             read_number(&at, end, &len) && error < count && len <= (size_t)(end - at);
        if (ok) {
            entry.value = (const char *)at;
            entry.value_len = len;
            entry.least = (int64_t)(count - error);
            at += len;
            ok = rows_bytes_put(entries, &entry, sizeof entry);
        }
    }
    return ok;
}

/* The component's name at the end of "<key> US <component>"; NULL when it has no board. */
static const char *find_component(const char *board, size_t len, size_t *key_len) {
    const size_t least = strlen(ROWS_BOARD_NAME);
    size_t at = len;
    while (at > 0 && board[at - 1] != ROWS_SEPARATOR) {
        at--;
    }
    *key_len = at > 0 ? at - 1 : 0;
    return at > 0 && len - at > least && memcmp(board + at, ROWS_BOARD_NAME, least) == 0
               ? board + at
               : NULL;
}

/* Collects the whole hash, sorted, one entry per value. False: some bytes are no entries. */
static bool gather(const struct rows_hash *hash, struct rows_bytes *entries) {
    bool ok = true;
    for (size_t i = 0; i < hash->n && ok; i++) {
        const redisReply *field = hash->field[i].name;
        const char *end = memchr(field->str, ROWS_PART_SEPARATOR, field->len);
        if (!end || strncmp(field->str, "b:", 2) != 0) {
            continue;
        }
        const struct entry entry = {.board = end + 1,
                                    .board_len = field->len - (size_t)(end - field->str) - 1};
        size_t key_len;
        if (find_component(entry.board, entry.board_len, &key_len)) {
            ok = take_bytes(entries, entry, hash->field[i].value);
        }
    }
    struct entry *entry = (struct entry *)(void *)entries->bytes;
    const size_t n = entries->len / sizeof *entry;
    size_t kept = 0;
    if (n) {
        qsort(entry, n, sizeof *entry, compare_entries);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept && compare_entries(&entry[kept - 1], &entry[i]) == 0) {
            entry[kept - 1].least += entry[i].least;
        } else {
            entry[kept++] = entry[i];
        }
    }
    entries->len = kept * sizeof *entry;
    return ok;
}

/* ---- what the boards say ---- */

static redisReply *read_board(struct link *link, const char *key, const struct entry *entry,
                              char *why) {
    struct words words = {0};
    struct rows_beside board = {.key = entry->board};
    board.name = find_component(entry->board, entry->board_len, &board.key_len);
    board.name_len = entry->board_len - (size_t)(board.name - entry->board);
    bool ok = words_put(&words, "ZRANGE", 6);
    const size_t from = words.text.len;
    ok = ok && rows_beside_put(&words.text, key, &board) && words_end(&words, from) &&
         words_put(&words, "0", 1) && words_put(&words, "-1", 2) &&
         words_put(&words, "WITHSCORES", 10) && words_append(link, &words, 1, why);
    words_free(&words);
    redisReply *reply = ok ? link_reply(link, why) : NULL;
    if (reply && reply->type != REDIS_REPLY_ARRAY) {
        snprintf(why, LINK_WHY_MAX, "%.60s: %.90s: %.80s", link_address(link), key,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no board");
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}

/* Whether the members are the n entries, with the same scores. */
static bool is_same(const redisReply *reply, const struct entry *entry, size_t n) {
    bool same = reply->elements == 2 * n;
    for (size_t i = 0; i + 1 < reply->elements && same; i += 2) {
        const struct entry wanted = {.board = entry->board,
                                     .board_len = entry->board_len,
                                     .value = reply->element[i]->str,
                                     .value_len = reply->element[i]->len};
        const struct entry *found = bsearch(&wanted, entry, n, sizeof wanted, compare_entries);
        int64_t score = 0;
        same = found &&
               rows_number_read(reply->element[i + 1]->str, reply->element[i + 1]->len, &score) &&
               score == found->least;
    }
    return same;
}

static bool compare_all(struct link *link, const char *key, const struct rows_bytes *entries,
                        char *sentence, char *why) {
    const struct entry *entry = (const struct entry *)(const void *)entries->bytes;
    const size_t n = entries->len / sizeof *entry;
    for (size_t i = 0, to = 0; i < n && !*sentence; i = to) {
        for (to = i; to < n && compare_boards(&entry[i], &entry[to]) == 0;) {
            to++;
        }
        redisReply *reply = read_board(link, key, &entry[i], why);
        if (!reply) {
            return false;
        }
        if (reply->elements && !is_same(reply, &entry[i], to - i)) {
            size_t key_len;
            const char *name = find_component(entry[i].board, entry[i].board_len, &key_len);
            snprintf(sentence, AUDIT_SENTENCE_MAX,
                     "%.130s: the score board of %.*s of %.*s is not what the nodes have", key,
                     (int)(entry[i].board_len - (size_t)(name - entry[i].board)), name,
                     key_len < 60 ? (int)key_len : 60, entry[i].board);
        }
        freeReplyObject(reply);
    }
    return true;
}

bool rows_audit_boards(struct link *link, const char *key, const struct rows_hash *hash,
                       char *sentence, char *why) {
    struct rows_bytes entries = {0};
    bool ok = true;
    *sentence = '\0';
    if (gather(hash, &entries)) {
        ok = compare_all(link, key, &entries, sentence, why);
    } else {
        snprintf(sentence, AUDIT_SENTENCE_MAX, "%.130s: bytes of a top are damaged", key);
    }
    free(entries.bytes);
    return ok;
}
