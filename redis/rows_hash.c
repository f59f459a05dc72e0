#include "redis/rows_hash.h"

#include "redis/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_AT_ONCE "1000"

/* A reply, which the fields point into. */
struct page {
    redisReply *reply;
};

static int compare_text(const redisReply *one, const redisReply *other) {
    const size_t least = one->len < other->len ? one->len : other->len;
    const int order = memcmp(one->str, other->str, least);
    return order ? order : (one->len > other->len) - (one->len < other->len);
}

static int compare_fields(const void *one, const void *other) {
    const struct rows_field *a = one, *b = other;
    return compare_text(a->name, b->name);
}

/* Sorts the fields and removes duplicates, which occur when the hash grows meanwhile. */
static void sort_fields(struct rows_hash *hash) {
    const size_t n = hash->fields.len / sizeof *hash->field;
    hash->field = (struct rows_field *)(void *)hash->fields.bytes;
    hash->n = n > 0;
    if (n > 1) {
        qsort(hash->field, n, sizeof *hash->field, compare_fields);
    }
    for (size_t i = 1; i < n; i++) {
        if (compare_fields(&hash->field[hash->n - 1], &hash->field[i]) != 0) {
            hash->field[hash->n++] = hash->field[i];
        }
    }
}

/* Whether it is a reply to HSCAN: a cursor, and fields with their values. */
static bool is_page(const redisReply *page) {
    if (page->type != REDIS_REPLY_ARRAY || page->elements != 2 ||
        page->element[0]->type != REDIS_REPLY_STRING ||
        page->element[1]->type != REDIS_REPLY_ARRAY || page->element[1]->elements % 2) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < page->element[1]->elements && ok; i++) {
        ok = page->element[1]->element[i]->type == REDIS_REPLY_STRING;
    }
    return ok;
}

static bool take_page(struct rows_hash *hash, redisReply *reply) {
    const struct page page = {reply};
    bool ok = rows_bytes_put(&hash->pages, &page, sizeof page);
    if (!ok) {
        freeReplyObject(reply);
        return false;
    }
    const redisReply *fields = reply->element[1];
    for (size_t i = 0; i < fields->elements && ok; i += 2) {
        const struct rows_field field = {fields->element[i], fields->element[i + 1]};
        ok = rows_bytes_put(&hash->fields, &field, sizeof field);
    }
    return ok;
}

static redisReply *ask_page(struct link *link, const char *key, const redisReply *cursor,
                            char *why) {
    struct words words = {0};
    const bool asked = words_begin(&words, "HSCAN", key) &&
                       words_put(&words, cursor ? cursor->str : "0", cursor ? cursor->len : 1) &&
                       words_put(&words, "COUNT", 5) && words_put(&words, FIELDS_AT_ONCE, 4) &&
                       words_append(link, &words, 1, why);
    words_free(&words);
    return asked ? link_reply(link, why) : NULL;
}

bool rows_hash_read(struct link *link, const char *key, struct rows_hash *hash, char *why) {
    const redisReply *cursor = NULL;
    *hash = (struct rows_hash){0};
    do {
        redisReply *page = ask_page(link, key, cursor, why);
        if (!page) {
            return false;
        }
        if (!is_page(page)) {
            snprintf(why, LINK_WHY_MAX, "%.60s: %.90s: %.80s", link_address(link), key,
                     page->type == REDIS_REPLY_ERROR ? page->str : "an answer that is no hash");
            freeReplyObject(page);
            return false;
        }
        cursor = page->element[0];
        if (!take_page(hash, page)) {
            snprintf(why, LINK_WHY_MAX, "out of memory");
            return false;
        }
    } while (strcmp(cursor->str, "0") != 0);
    sort_fields(hash);
    return true;
}

bool rows_hash_is_same(const struct rows_hash *one, const struct rows_hash *other) {
    bool same = one->n == other->n;
    for (size_t i = 0; i < one->n && same; i++) {
        same = compare_text(one->field[i].name, other->field[i].name) == 0 &&
               compare_text(one->field[i].value, other->field[i].value) == 0;
    }
    return same;
}

const redisReply *rows_hash_find(const struct rows_hash *hash, const char *name) {
    for (size_t i = 0; i < hash->n; i++) {
        if (strcmp(hash->field[i].name->str, name) == 0) {
            return hash->field[i].value;
        }
    }
    return NULL;
}

void rows_hash_free(struct rows_hash *hash) {
    const struct page *page = (const struct page *)(const void *)hash->pages.bytes;
    for (size_t i = 0; i < hash->pages.len / sizeof *page; i++) {
        freeReplyObject(page[i].reply);
    }
    free(hash->pages.bytes);
    free(hash->fields.bytes);
    *hash = (struct rows_hash){0};
}
