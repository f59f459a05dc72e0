#include "redis/audit.h"

#include "redis/part.h"
#include "redis/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where to report findings about one chunk. */
struct report {
    char key[SCHEMA_KEY_MAX];
    enum resolution r;
    int64_t chunk;
    audit_finding *finding;
    void *cls;
};

void audit_tell(const char *key, audit_finding *finding, void *cls, const char *format,
                va_list args) {
    char sentence[AUDIT_SENTENCE_MAX];
    const int n = snprintf(sentence, sizeof sentence, "%.130s: ", key);
    vsnprintf(sentence + n, sizeof sentence - (size_t)n, format, args);
    finding(cls, sentence);
}

__attribute__((format(printf, 2, 3))) static void tell(const struct report *report,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    audit_tell(report->key, report->finding, report->cls, format, args);
    va_end(args);
}

/* The contents of one hash. */
struct chunk_hash {
    uint64_t total[SLOTS_MAX], parts[SLOTS_MAX];
    uint64_t until_s;
    bool final;
};

static bool is_named(const redisReply *field, const char *name) {
    return strcmp(field->str, name) == 0;
}

static void take_field(const struct report *report, const redisReply *field,
                       const redisReply *value, struct chunk_hash *hash) {
    uint32_t slot = 0;
    struct part part;
    if (schema_slot(report->r, field->str, (size_t)field->len, &slot)) {
        if (!schema_count(value->str, (size_t)value->len, &hash->total[slot])) {
            tell(report, "window %02u: '%.40s' is no count", slot, value->str);
        }
    } else if (strncmp(field->str, "n:", 2) == 0) {
        if (!part_read(value->str, (size_t)value->len, report->r, &part)) {
            tell(report, "the part of node %.64s is damaged", field->str + 2);
            return;
        }
        for (slot = 0; slot < resolution_table[report->r].slots; slot++) {
            hash->parts[slot] += part.count[slot];
        }
    } else if (strncmp(field->str, "o:", 2) == 0) {
        if (!part_read(value->str, (size_t)value->len, report->r, &part)) {
            tell(report, "what an owner left is damaged: %.80s", field->str);
        }
    } else if (is_named(field, "until")) {
        if (!schema_count(value->str, (size_t)value->len, &hash->until_s)) {
            tell(report, "until: '%.40s' is no time", value->str);
        }
    } else if (is_named(field, "final")) {
        hash->final = true;
    } else {
        tell(report, "field '%.40s' is none of aforo's; is another program using this key?",
             field->str);
    }
}

static void check_chunk(const struct report *report, const struct chunk_hash *hash) {
    const int64_t until_s = schema_until_s(report->r, report->chunk);
    for (uint32_t slot = 0; !hash->final && slot < resolution_table[report->r].slots; slot++) {
        if (hash->total[slot] != hash->parts[slot]) {
            tell(report,
                 "window %02u: its total is %" PRIu64 ", and the nodes' parts sum to %" PRIu64,
                 slot, hash->total[slot], hash->parts[slot]);
        }
    }
    if (hash->until_s != (uint64_t)until_s) {
        tell(report, "until is %" PRIu64 ", and should be %" PRId64, hash->until_s, until_s);
    }
}

/* Takes one reply to HGETALL. False fills `why`. */
static bool take_chunk(const redisReply *reply, const struct report *report, char *why) {
    struct chunk_hash hash = {0};
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
        take_field(report, reply->element[i], reply->element[i + 1], &hash);
    }
    if (reply->elements) {
        check_chunk(report, &hash);
    }
    return true;
}

/* Makes the key of item `i`: all chunks of the range in group 0, then in group 1, and so on. */
static void name_chunk(struct report *report, struct chunk_range range, uint32_t i) {
    report->r = range.resolution;
    report->chunk = range.first + i % range.n;
    schema_chunk_key(report->r, report->chunk, i / range.n, report->key);
}

bool audit_check_chunks(struct link *link, struct chunk_range range, audit_finding *finding,
                        void *cls, char *why) {
    struct report report = {.finding = finding, .cls = cls};
    char later[LINK_WHY_MAX];
    bool ok = true;
    for (uint32_t i = 0; i < range.n * link_groups(link) && ok;) {
        const uint32_t from = i;
        for (; i < range.n * link_groups(link) && i - from < LINK_PIPELINE_MAX; i++) {
            name_chunk(&report, range, i);
            const char *argv[] = {"HGETALL", report.key};
            const size_t lens[] = {7, strlen(report.key)};
            if (!link_append(link, &(struct redis_command){2, argv, lens, 1}, why)) {
                return false;
            }
        }
        for (uint32_t j = from; link_pending(link); j++) {
            name_chunk(&report, range, j);
            redisReply *reply = link_reply(link, ok ? why : later);
            ok = reply && take_chunk(reply, &report, ok ? why : later) && ok;
            if (reply) {
                freeReplyObject(reply);
            }
        }
    }
    return ok;
}
