#include "redis/reader.h"

#include "redis/schema.h"

#include <stdio.h>
#include <string.h>

/* Takes the reply to an HMGET of all slots into counts[slots]; missing ones are 0. */
static bool take_counts(const redisReply *reply, enum resolution r, uint64_t *counts) {
    const uint32_t slots = resolution_table[r].slots;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != slots) {
        return false;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        const redisReply *value = reply->element[slot];
        counts[slot] = 0;
        if (value->type != REDIS_REPLY_NIL &&
            (value->type != REDIS_REPLY_STRING ||
             !schema_count(value->str, (size_t)value->len, &counts[slot]))) {
            return false;
        }
    }
    return true;
}

/* The chunk of a group that a reply is about; `i` is its index in the request. */
struct asked {
    enum resolution r;
    int64_t chunk;
    unsigned group;
    uint32_t i;
};

/* Takes the reply about the key of one chunk and group. False fills `why`. */
typedef bool reply_taker(void *cls, const redisReply *reply, const struct asked *asked, char *why);

/* What to ask of each key. */
struct question {
    const char *command;
    uint32_t fields; /* how many slots, from the first on; 0: only whether the key exists */
    unsigned group;
    const bool *wanted; /* [n] which chunks to ask about; NULL: all */
    reply_taker *take;
    void *cls;
};

static void explain(const struct asked *asked, const struct link *link, const char *what,
                    char *why) {
    char key[SCHEMA_KEY_MAX];
    schema_chunk_key(asked->r, asked->chunk, asked->group, key);
    snprintf(why, LINK_WHY_MAX, "%.80s: %.60s: %.110s", link_address(link), key, what);
}

static bool append_question(struct link *link, const struct question *question, enum resolution r,
                            int64_t chunk, char *why) {
    char key[SCHEMA_KEY_MAX], field[SLOTS_MAX][3];
    const char *argv[2 + SLOTS_MAX] = {question->command, key};
    size_t lens[2 + SLOTS_MAX] = {strlen(question->command),
                                  schema_chunk_key(r, chunk, question->group, key)};
    for (uint32_t slot = 0; slot < question->fields; slot++) {
        schema_field(slot, field[slot]);
        argv[2 + slot] = field[slot];
        lens[2 + slot] = 2;
    }
    return link_append(link, &(struct redis_command){2 + (int)question->fields, argv, lens, 1},
                       why);
}

/* Asks about at most LINK_PIPELINE_MAX chunks and passes the replies on. */
static bool ask_chunks(struct link *link, const struct question *question, struct chunk_range range,
                       char *why) {
    char later[LINK_WHY_MAX] = ""; /* only the first failure is reported */
    for (uint32_t i = 0; i < range.n; i++) {
        if ((!question->wanted || question->wanted[i]) &&
            !append_question(link, question, range.resolution, range.first + i, why)) {
            return false;
        }
    }
    bool ok = true;
    /* fetch all replies, so that the link stays in step */
    for (uint32_t i = 0; link_pending(link); i++) {
        while (question->wanted && !question->wanted[i]) {
            i++;
        }
        redisReply *reply = link_reply(link, ok ? why : later);
        if (!reply) {
            ok = false;
            continue;
        }
        const struct asked asked = {range.resolution, range.first + i, question->group, i};
        if (reply->type == REDIS_REPLY_ERROR) {
            explain(&asked, link, reply->str, ok ? why : later);
            ok = false;
        } else {
            ok = question->take(question->cls, reply, &asked, ok ? why : later) && ok;
        }
        freeReplyObject(reply);
    }
    return ok;
}

/* Where the totals of a pipeline go. */
struct totals {
    const struct link *link;
    uint64_t *counts;
};

static bool add_total(void *cls, const redisReply *reply, const struct asked *asked, char *why) {
    const struct totals *totals = cls;
    const uint32_t slots = resolution_table[asked->r].slots;
    uint64_t of_group[SLOTS_MAX];
    if (!take_counts(reply, asked->r, of_group)) {
        explain(asked, totals->link,
                "holds something that is not a count; is another program using this key?", why);
        return false;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        totals->counts[(size_t)asked->i * slots + slot] += of_group[slot];
    }
    return true;
}

/* Whether each chunk of a range exists. */
struct presence {
    const struct link *link;
    bool *there;
};

static bool note_existence(void *cls, const redisReply *reply, const struct asked *asked,
                           char *why) {
    const struct presence *presence = cls;
    if (reply->type != REDIS_REPLY_INTEGER) {
        explain(asked, presence->link, "EXISTS: an answer that is no number", why);
        return false;
    }
    presence->there[asked->i] = presence->there[asked->i] || reply->integer != 0;
    return true;
}

/* The part of a range that one pipeline can ask about, from its chunk number `done` on. */
static struct chunk_range cut_range(struct chunk_range range, uint32_t done) {
    const uint32_t left = range.n - done;
    return (struct chunk_range){range.resolution, range.first + done,
                                left < LINK_PIPELINE_MAX ? left : LINK_PIPELINE_MAX};
}

bool reader_read_totals(struct link *link, struct chunk_range range, uint64_t *counts, char *why) {
    const enum resolution r = range.resolution;
    const uint32_t slots = resolution_table[r].slots;
    memset(counts, 0, (size_t)range.n * slots * sizeof *counts);
    for (uint32_t done = 0; done < range.n;) {
        const struct chunk_range here = cut_range(range, done);
        struct totals totals = {link, counts + (size_t)done * slots};
        for (unsigned group = 0; group < link_groups(link); group++) {
            /* In a long span most chunks may not exist, and a hundred empty replies cost more than
             * asking first. */
            bool there[LINK_PIPELINE_MAX] = {false};
            struct presence presence = {link, there};
            const struct question existence = {"EXISTS", 0, group, NULL, note_existence, &presence};
            const struct question question = {"HMGET", slots, group, there, add_total, &totals};
            if (!ask_chunks(link, &existence, here, why) ||
                !ask_chunks(link, &question, here, why)) {
                return false;
            }
        }
        done += here.n;
    }
    return true;
}

bool reader_find_totals(struct link *link, struct chunk_range range, bool *there, char *why) {
    memset(there, 0, range.n * sizeof *there);
    for (uint32_t done = 0; done < range.n;) {
        const struct chunk_range here = cut_range(range, done);
        struct presence presence = {link, there + done};
        struct question question = {"EXISTS", 0, 0, NULL, note_existence, &presence};
        for (; question.group < link_groups(link); question.group++) {
            if (!ask_chunks(link, &question, here, why)) {
                return false;
            }
        }
        done += here.n;
    }
    return true;
}
