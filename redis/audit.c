#include "redis/audit.h"

#include "redis/part.h"
#include "redis/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the findings of one chunk go. */
struct report {
    const char *key;
    audit_finding *finding;
    void *cls;
};

__attribute__((format(printf, 2, 3))) static void find(const struct report *report,
                                                       const char *format, ...) {
    char sentence[AUDIT_SENTENCE_MAX];
    const int n = snprintf(sentence, sizeof sentence, "%.80s: ", report->key);
    va_list args;
    va_start(args, format);
    vsnprintf(sentence + n, sizeof sentence - (size_t)n, format, args);
    va_end(args);
    report->finding(report->cls, sentence);
}

/* What one hash says. */
struct chunk_hash {
    uint64_t total[SLOTS_MAX], parts[SLOTS_MAX];
    uint64_t until_s;
    bool final;
};

static bool is(const redisReply *field, const char *name) {
    return strcmp(field->str, name) == 0;
}

static void take_field(const struct report *report, enum resolution r, const redisReply *field,
                       const redisReply *value, struct chunk_hash *hash) {
    uint32_t slot = 0;
    struct part part;
    if (schema_slot(r, field->str, (size_t)field->len, &slot)) {
        if (!schema_count(value->str, (size_t)value->len, &hash->total[slot])) {
            find(report, "window %02u: '%.40s' is no count", slot, value->str);
        }
    } else if (strncmp(field->str, "n:", 2) == 0) {
        if (!part_read(value->str, (size_t)value->len, r, &part)) {
            find(report, "the part of node %.64s is damaged", field->str + 2);
            return;
        }
        for (slot = 0; slot < resolution_table[r].slots; slot++) {
            hash->parts[slot] += part.count[slot];
        }
    } else if (strncmp(field->str, "o:", 2) == 0) {
        if (!part_read(value->str, (size_t)value->len, r, &part)) {
            find(report, "what an owner left is damaged: %.80s", field->str);
        }
    } else if (is(field, "until")) {
        if (!schema_count(value->str, (size_t)value->len, &hash->until_s)) {
            find(report, "until: '%.40s' is no time", value->str);
        }
    } else if (is(field, "final")) {
        hash->final = true;
    } else {
        find(report, "field '%.40s' is none of aforo's; is another program using this key?",
             field->str);
    }
}

static void check_chunk(const struct report *report, enum resolution r, int64_t chunk,
                        const struct chunk_hash *hash) {
    for (uint32_t slot = 0; !hash->final && slot < resolution_table[r].slots; slot++) {
        if (hash->total[slot] != hash->parts[slot]) {
            find(report,
                 "window %02u: its total is %" PRIu64 ", and the nodes' parts sum to %" PRIu64,
                 slot, hash->total[slot], hash->parts[slot]);
        }
    }
    if (hash->until_s != (uint64_t)schema_until_s(r, chunk)) {
        find(report, "until is %" PRIu64 ", and should be %" PRId64, hash->until_s,
             schema_until_s(r, chunk));
    }
}

/* One reply of HGETALL. *there: is there anything? False fills why. */
static bool take_chunk(const redisReply *reply, const struct report *report, enum resolution r,
                       int64_t chunk, struct chunk_hash *hash, char *why) {
    memset(hash, 0, sizeof *hash);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2) {
        snprintf(why, LINK_WHY_MAX, "%.80s: %.150s", report->key,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no hash");
        return false;
    }
    for (size_t i = 0; i < reply->elements; i += 2) {
        if (reply->element[i]->type != REDIS_REPLY_STRING ||
            reply->element[i + 1]->type != REDIS_REPLY_STRING) {
            snprintf(why, LINK_WHY_MAX, "%.80s: an answer that is no hash", report->key);
            return false;
        }
        take_field(report, r, reply->element[i], reply->element[i + 1], hash);
    }
    if (reply->elements) {
        check_chunk(report, r, chunk, hash);
    }
    return true;
}

bool audit_chunks(struct link *link, enum resolution r, int64_t first, uint32_t n, uint64_t *counts,
                  bool *there, audit_finding *finding, void *cls, char *why) {
    const uint32_t slots = resolution_table[r].slots;
    char key[SCHEMA_KEY_MAX], later[LINK_WHY_MAX];
    bool ok = true;
    memset(counts, 0, (size_t)n * slots * sizeof *counts);
    memset(there, 0, n * sizeof *there);
    for (uint32_t i = 0; i < n * link_groups(link) && ok;) {
        const uint32_t from = i;
        for (; i < n * link_groups(link) && i - from < LINK_PIPELINE_MAX; i++) {
            const size_t lens[] = {7, schema_chunk_key(r, first + i % n, i / n, key)};
            const char *argv[] = {"HGETALL", key};
            if (!link_append(link, 2, argv, lens, 1, why)) {
                return false;
            }
        }
        for (uint32_t j = from; link_pending(link); j++) {
            struct chunk_hash hash;
            const struct report report = {key, finding, cls};
            schema_chunk_key(r, first + j % n, j / n, key);
            redisReply *reply = link_reply(link, ok ? why : later);
            ok = reply && take_chunk(reply, &report, r, first + j % n, &hash, ok ? why : later) &&
                 ok;
            for (uint32_t slot = 0; ok && slot < slots; slot++) {
                counts[(size_t)(j % n) * slots + slot] += hash.total[slot];
            }
            there[j % n] = there[j % n] || (ok && reply->elements);
            if (reply) {
                freeReplyObject(reply);
            }
        }
    }
    return ok;
}
